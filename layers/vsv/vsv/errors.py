"""Named errors. Only ``vsv.api.answers`` turns them into statuses.

A message carries the values that matter ("level 19 of 0..17"). It is shown to the caller, so it
never holds a path of the server's, nor a stack trace.
"""

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "ArchiveNotReady",
    "Archived",
    "ChecksumMismatch",
    "Conflict",
    "DuplicateSlide",
    "FileChanged",
    "Forbidden",
    "ImageIdConflict",
    "IncompletePyramid",
    "InvalidRequest",
    "NotFound",
    "NotRendered",
    "StaleVersion",
    "StorageFull",
    "Unavailable",
    "UnreadableSlide",
    "VsvError",
    "quoted",
]

_MAX_QUOTED_CHARS: Final = 80


def quoted(text: str) -> str:
    """Return a caller's text in quotes, as a message shows it: its first characters, escaped."""
    long = len(text) > _MAX_QUOTED_CHARS
    return repr(text[: _MAX_QUOTED_CHARS - 3] + "..." if long else text)


class VsvError(Exception):
    """The root of all errors that this library raises on purpose."""


class InvalidRequest(VsvError):
    """The caller's text is malformed: a name, a tile address, a query value, a body."""


class Forbidden(VsvError):
    """The caller is known, and has no right to this."""


class NotFound(VsvError):
    """No such slide, level, tile or associated image."""


class UnreadableSlide(VsvError):
    """The file is not a slide that can be read: not a TIFF, truncated, damaged."""


class Conflict(VsvError):
    """The request contradicts the present state."""


class StaleVersion(Conflict):
    """An edit of a record that has changed since it was seen; ``record`` is what it is now."""

    def __init__(self, message: str, record: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.record = record


class ChecksumMismatch(Conflict):
    """The bytes on EFS are not those that the workstation described."""


class ImageIdConflict(Conflict):
    """Two different files carry one ImageID."""


class DuplicateSlide(Conflict):
    """Another slide was imported from the same bytes."""


class FileChanged(Conflict):
    """The file is no longer the one that was described, imported or opened."""


class Archived(Conflict):
    """The slide has left EFS, and what is wanted is made of it."""

    def __init__(self) -> None:
        super().__init__("the slide is archived; a technician can restore it")


class NotRendered(Conflict):
    """A tile that only the import can make: too much of the slide is shown in it."""


class Unavailable(VsvError):
    """A service that is needed refuses just now: the same call may go through later."""


class ArchiveNotReady(Unavailable):
    """The archive has been asked for the file, and has it ready in some hours."""

    def __init__(self) -> None:
        super().__init__("the archive brings the file out of deep storage; that takes hours")


class StorageFull(VsvError):
    """The file system has no room left, or a quota is reached. Seconds do not change that."""

    def __init__(self) -> None:
        super().__init__("the slide storage is full; delete or archive slides to make room")


class IncompletePyramid(VsvError):
    """Tiles of a pyramid that should be complete are missing."""
