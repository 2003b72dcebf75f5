"""Names of slides and files: parse those of callers, and distinguish versions of a file."""

import errno
import os
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from vsv.errors import InvalidRequest, quoted

__all__ = [
    "MAX_NAME_BYTES",
    "SLIDE_SUFFIX",
    "FileVersion",
    "is_image_id",
    "missing_or_same",
    "parse_filename",
    "parse_image_id",
    "why_no_name",
]

SLIDE_SUFFIX: Final = ".svs"
# Bytes that a name may have on EFS and on every file system that it may be copied to.
MAX_NAME_BYTES: Final = 255
# An ImageID gets suffixes ("_files", ".index", a temporary name's) and must fit a DynamoDB key.
_MAX_IMAGE_ID_BYTES: Final = 200
_MAX_FILENAME_BYTES: Final = 1024
# What Windows forbids in names, so no scanner can have made it. "|" and "*" would also be read as
# separator and wildcard by DataSync's filters, "%" twice by URL decoders.
_FORBIDDEN: Final = frozenset('\\:*?"<>|')
# A part of the path is a file, a link leads in a circle, the name is longer than a file's can be.
_NOWHERE: Final = frozenset({errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def parse_filename(text: object) -> str:
    """Return the caller's slide file name, or raise InvalidRequest saying what is wrong with it.

    A file name is relative to the images path; sub-folders are separated by ``/``.
    """
    if not isinstance(text, str) or not text:
        raise InvalidRequest("filename must be a string")
    shown = quoted(text)
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_FILENAME_BYTES:
        raise InvalidRequest(f"filename {shown} is longer than {_MAX_FILENAME_BYTES} bytes")
    for part in text.split("/"):
        reason = why_no_name(part)
        if reason:
            raise InvalidRequest(f"filename {shown} {reason}")
    if not text.lower().endswith(SLIDE_SUFFIX):
        raise InvalidRequest(f"filename {shown} does not end with {SLIDE_SUFFIX}")
    return text


@lru_cache(maxsize=4096)
def parse_image_id(text: str) -> str:
    """Return the ImageID, or raise InvalidRequest where it cannot name a file."""
    reason = why_no_name(text)
    if reason is None and ("/" in text or "%" in text):
        reason = "holds a character that ImageIDs may not have"
    if reason is None and len(text.encode()) > _MAX_IMAGE_ID_BYTES:
        reason = f"is longer than {_MAX_IMAGE_ID_BYTES} bytes"
    if reason:
        raise InvalidRequest(f"ImageID {quoted(text)} {reason}")
    return text


def is_image_id(text: str) -> bool:
    """Return whether the text is a valid ImageID; see ``parse_image_id``."""
    try:
        parse_image_id(text)
    except InvalidRequest:
        return False
    return True


def why_no_name(name: str) -> str | None:
    """Say why the text cannot be the name of one file or folder; None if it can."""
    if not name.strip():
        return "has an empty part"
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if len(encoded) > MAX_NAME_BYTES:
        return f"has a part of more than {MAX_NAME_BYTES} bytes"
    if name.startswith(".") or name.endswith((".", " ")):
        return "has a part that starts with a dot, or ends with a dot or a space"
    if any(char in _FORBIDDEN or unicodedata.category(char) in ("Cc", "Cs") for char in name):
        return "holds a character that file names may not have"
    return None


@dataclass(frozen=True)
class FileVersion:
    """Which bytes a file holds, as far as its directory entry tells.

    ``size`` is in bytes, ``mtime_ns`` in nanoseconds since 1970. A rescan under the same name has
    another modification time; a copy that keeps the time (as DataSync's does) is the same version.
    """

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, file: int | Path) -> Self:
        """Return the version of an open file or a path. Raises OSError as ``os.stat`` does.

        A path that leads nowhere raises FileNotFoundError.
        """
        try:
            status = os.stat(file)
        except OSError as error:
            raise missing_or_same(error) from error
        return cls(status.st_size, status.st_mtime_ns)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the version that ``str`` made this text of. Raises ValueError for other text."""
        size, mtime_ns = text.split("-")
        return cls(int(size, 16), int(mtime_ns, 16))

    def __str__(self) -> str:
        return f"{self.size:x}-{self.mtime_ns:x}"


def missing_or_same(error: OSError) -> OSError:
    """Return FileNotFoundError where the path leads nowhere, else the error itself."""
    if error.errno in _NOWHERE:
        return FileNotFoundError(errno.ENOENT, os.strerror(error.errno))
    return error
