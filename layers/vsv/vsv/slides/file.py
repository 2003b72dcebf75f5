"""A slide's file: opened once, read at positions, known by its version."""

import errno
import os
import weakref
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from vsv.errors import FileChanged, UnreadableSlide
from vsv.identifiers import FileVersion, missing_or_same

__all__ = ["SlideFile"]

_NOT_A_FILE: Final = "a folder, a device or a FIFO, not a slide file"


class SlideFile:
    """An open file. It closes with its last user, or by ``close``."""

    def __init__(self, path: Path) -> None:
        """Open the file for reading.

        Raises FileNotFoundError, or UnreadableSlide for what is not a file, or may not be read.
        """
        self.path = path
        try:
            # A FIFO would wait for somebody who writes into it.
            self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except PermissionError as error:
            raise UnreadableSlide("the file may not be read") from error
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise UnreadableSlide(_NOT_A_FILE) from error
            raise missing_or_same(error) from error
        # A slide that is dropped from a cache while another thread reads it closes with its last
        # reader.
        self.close = weakref.finalize(self, os.close, self.descriptor)

    @cached_property
    def version(self) -> FileVersion:
        """The version that was opened. (NFS brings attributes with the opening.)"""
        return FileVersion.of(self.descriptor)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes at ``offset``; fewer than ``length`` where the file ends.

        Raises UnreadableSlide for what turns out to be a folder or a FIFO.
        """
        try:
            return os.pread(self.descriptor, length, offset)
        except OSError as error:
            if error.errno in (errno.EISDIR, errno.ESPIPE):
                raise UnreadableSlide(_NOT_A_FILE) from error
            raise

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the file's bytes in chunks of ``size`` bytes, the last one shorter."""
        offset = 0
        while data := self.read(offset, size):
            offset += len(data)
            yield data

    def check_unchanged(self) -> None:
        """Raise FileChanged where the path no longer leads to the bytes that are open here."""
        try:
            if FileVersion.of(self.path) == self.version:
                return
        except FileNotFoundError:
            pass
        raise FileChanged("the slide file was replaced or removed while it was read")
