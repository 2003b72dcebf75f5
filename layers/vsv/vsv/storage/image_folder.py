"""Where the images that were made of one slide lie: its pyramid's tiles, its label and thumbnail.

As files here, as objects in a bucket in ``vsv.storage.image_bucket``, which brings in the AWS SDK.

An image's name is ``<level>/<col>_<row>`` for a tile, else ``label``, ``thumbnail`` or ``macro``;
all are JPEG files. A store is told what to keep and gives it back; it knows neither slide nor
pyramid.
"""

import os
import shutil
import stat
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vsv.pyramid.image_store import SUFFIX, StoredImage, Write
from vsv.storage.atomic_files import NOT_A_FILE, PARTIAL, remove_all, write_whole

__all__ = ["ImageFolder", "as_levels", "remove_folder"]


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Remove the folder and its content, some of which other calls may have removed."""

    def on_error(_call: object, _path: str, error: tuple[type, BaseException, object]) -> None:
        if not isinstance(error[1], FileNotFoundError):
            raise error[1]

    shutil.rmtree(path, onerror=on_error)


def as_levels(folders: Iterable[str]) -> tuple[int, ...]:
    """Return the DeepZoom levels among names of folders, finest first."""
    return tuple(sorted((int(name) for name in folders if name.isdecimal()), reverse=True))


class ImageFolder:
    """A slide's images as files: ``<ImageID>.dzi`` and ``<ImageID>_files/…`` beneath ``root``."""

    def __init__(self, root: Path, image_id: str) -> None:
        self._descriptor = f"{root}/{image_id}.dzi"
        self._files = f"{root}/{image_id}_files"

    def path(self, name: str) -> str:
        """Return where the image lies, if there is one."""
        return f"{self._files}/{name}{SUFFIX}"

    def find(self, name: str) -> StoredImage | None:
        """Return the image, opened. Costs one round trip now, and one to read it."""
        try:
            file = _OpenFile(self.path(name))
        except OSError as error:
            if error.errno not in NOT_A_FILE:
                raise
            return None
        return StoredImage(file.tag, file.read) if file.is_regular else None

    def missing(self, names: Collection[str]) -> set[str]:
        """Return the names that have no file."""
        return {name for name in names if not os.access(self.path(name), os.F_OK)}

    def write(self, name: str, data: bytes) -> None:
        """Write the image's file."""
        write_whole(self.path(name), data)

    @contextmanager
    def writing(self, on_written: Callable[[], None]) -> Iterator[Write]:
        """Write files one by one."""

        def write(name: str, data: bytes) -> None:
            self.write(name, data)
            on_written()

        yield write

    def count_tiles(self, level: int) -> int:
        """Count the level's files, but for the partial ones of killed writers, which go."""
        count = 0
        try:
            with os.scandir(f"{self._files}/{level}") as entries:
                for entry in entries:
                    if entry.name.endswith(PARTIAL):
                        Path(entry.path).unlink(missing_ok=True)
                    else:
                        count += 1
        except FileNotFoundError:
            return 0
        return count

    def write_descriptor(self, document: bytes) -> None:
        """Write the ``.dzi`` file."""
        write_whole(self._descriptor, document)

    def has_descriptor(self) -> bool:
        """Whether the ``.dzi`` file is there."""
        return os.path.exists(self._descriptor)

    def rendered_levels(self) -> tuple[int, ...]:
        """Return the levels that have a folder, if there is a ``.dzi`` file."""
        try:
            found = [*Path(self._files).iterdir()] if self.has_descriptor() else []
        except OSError as error:
            if error.errno not in NOT_A_FILE:
                raise
            return ()
        return as_levels(path.name for path in found)

    def clear(self) -> None:
        """Remove the ``.dzi`` file, then all others."""
        Path(self._descriptor).unlink(missing_ok=True)
        remove_all(self._files)

    def clear_tiles(self) -> None:
        """Remove the ``.dzi`` file, then the levels' folders."""
        Path(self._descriptor).unlink(missing_ok=True)
        try:
            with os.scandir(self._files) as entries:
                levels = [entry.path for entry in entries if entry.is_dir()]
        except FileNotFoundError:
            return
        for level in levels:
            remove_folder(level)


class _OpenFile:
    """An open file. It is closed as soon as nobody holds it, read or not."""

    def __init__(self, path: str) -> None:
        # A FIFO would wait for somebody who writes into it.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        weakref.finalize(self, os.close, self._descriptor)
        self._status = os.fstat(self._descriptor)

    @property
    def is_regular(self) -> bool:
        """Whether it is a file rather than a folder, a FIFO or a device."""
        return stat.S_ISREG(self._status.st_mode)

    @property
    def tag(self) -> str:
        return f"{self._status.st_mtime_ns:x}-{self._status.st_size:x}"

    def read(self) -> bytes:
        return os.pread(self._descriptor, self._status.st_size, 0)
