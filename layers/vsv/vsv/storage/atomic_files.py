"""Files that appear whole or not at all, and short texts that are read in one call."""

import errno
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

__all__ = [
    "NOT_A_FILE",
    "PARTIAL",
    "give_name",
    "read_note",
    "read_whole",
    "remove",
    "remove_all",
    "write_note",
    "write_whole",
]

# The ending of files that are being written. Killed writers leave them behind.
PARTIAL: Final = ".partial"

# What EFS takes as a symbolic link's target is 4,080 bytes long at most.
_MAX_LINK_BYTES: Final = 4000
_NO_LINKS_HERE: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
_READ_BYTES: Final = 2**16
# 16 MB: an index of a million lost tiles is as large.
_MAX_READS: Final = 256
# What opening and reading say of a name that is not a file's that can be read: there is none, a
# folder, a FIFO or socket, a link that leads in a circle, a file that may not be read.
NOT_A_FILE: Final = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ELOOP),
        *(errno.ENAMETOOLONG, errno.EACCES),
    }
)

_numbers = count()

_Content = TypeVar("_Content", bytes, str)


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write the file so that readers see the old one or the new one, never a part."""
    _appear(path, _write, data)


def read_whole(path: str | os.PathLike[str]) -> bytes | None:
    """Return a small file's content: one call to open it, one to read it.

    None where there is no file of this name that can be read, or it is not a small one.
    """
    try:
        # A FIFO would wait for somebody who writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return _read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NOT_A_FILE:
            raise
        return None


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
    except OSError as error:
        if error.errno in NOT_A_FILE:
            return None
        if error.errno != errno.EINVAL:  # no link, but a file
            raise
    data = read_whole(path)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def remove(path: str | os.PathLike[str]) -> None:
    """Remove the file, if there is one; of a folder that has its name, an empty one."""
    try:
        with suppress(FileNotFoundError):
            os.unlink(path)
    except (IsADirectoryError, PermissionError):  # by Linux and by POSIX
        os.rmdir(path)


def remove_all(path: str | os.PathLike[str]) -> None:
    """Remove the folder with all that is in it, as far as that may be; or what has its name."""
    try:
        # Not rmtree() first, which waits at a FIFO.
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
    except (IsADirectoryError, PermissionError):  # by Linux and by POSIX
        shutil.rmtree(path, ignore_errors=True)


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
        try:
            os.replace(partial, path)
        except IsADirectoryError:
            os.rmdir(path)
            os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _read(descriptor: int) -> bytes | None:
    """Return all that there is to read; None where that is more than a small file has."""
    parts = []
    for _ in range(_MAX_READS):
        parts.append(os.read(descriptor, _READ_BYTES))
        if len(parts[-1]) < _READ_BYTES:
            return b"".join(parts)
    return None


@cache
def _writer(process: int) -> str:
    """Return a name for this process that no other process has, here or elsewhere."""
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
