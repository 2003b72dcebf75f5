"""Files that appear whole or not at all, and short texts that are read in one call."""

import errno
import os
import secrets
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["PARTIAL", "give_name", "read_note", "read_whole", "write_note", "write_whole"]

# The ending of files that are being written. Killed writers leave them behind.
PARTIAL: Final = ".partial"

# What EFS takes as a symbolic link's target is 4,080 bytes long at most.
_MAX_LINK_BYTES: Final = 4000
_NO_LINKS_HERE: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
_READ_BYTES: Final = 2**16

_numbers = count()

_Content = TypeVar("_Content", bytes, str)


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write the file so that readers see the old one or the new one, never a part."""
    _appear(path, _write, data)


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """Return a small file's content: one call to open it, one to read it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while True:
            parts.append(os.read(descriptor, _READ_BYTES))
            if len(parts[-1]) < _READ_BYTES:
                return b"".join(parts)
    finally:
        os.close(descriptor)


def write_note(path: str | os.PathLike[str], text: str) -> None:
    """Keep a short text so that it is read in one call: as what a symbolic link points to.

    A text that is too long for that, or a file system without links, gets a file.
    """
    data = text.encode()
    if len(data) <= _MAX_LINK_BYTES:
        try:
            _appear(path, _link, text)
            return
        except OSError as error:
            if error.errno not in _NO_LINKS_HERE:
                raise
    write_whole(path, data)


def read_note(path: str | os.PathLike[str]) -> str | None:
    """Return what ``write_note`` kept; None where there is nothing.

    Bytes that are not UTF-8, of a note that was damaged, become lone surrogates.
    """
    try:
        return os.readlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.EINVAL:  # no link, but a file
            raise
    return read_whole(path).decode("utf-8", "surrogateescape")


def give_name(file: Path, name: Path) -> None:
    """Rename the file, but never over another one.

    May be repeated. Raises FileExistsError where the name is another file's, FileNotFoundError
    where there is no file.
    """
    try:
        os.link(file, name)
    except FileExistsError:
        if not name.samefile(file):
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if name.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(name)) from error
        file.rename(name)
    file.unlink(missing_ok=True)


def _appear(
    path: str | os.PathLike[str], create: Callable[[str, _Content], None], content: _Content
) -> None:
    """Have a file created under a temporary name beside its own, then give it its own."""
    folder = os.fspath(path).rpartition("/")[0] or "."
    partial = f"{folder}/.{_writer(os.getpid())}-{next(_numbers)}{PARTIAL}"
    try:
        try:
            create(partial, content)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            create(partial, content)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


@cache
def _writer(process: int) -> str:
    """A name for this process that no other has, on this machine or elsewhere."""
    return secrets.token_hex(8)


def _link(path: str, target: str) -> None:
    os.symlink(target, path)


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
    finally:
        os.close(descriptor)
