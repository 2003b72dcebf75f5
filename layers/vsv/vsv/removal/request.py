"""The request of ``/RemoveImages``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from vsv.catalogue.record import Operation, ReviewStatus
from vsv.errors import InvalidRequest

__all__ = ["NamedImage", "RemovalRequest"]

# This many are noted and started well within the 29 s that API Gateway waits.
_MAX_IMAGES: Final = 200
_MAX_BYTES: Final = 1024


# Existing clients also name the status that an operation leads to.
_BY_STATUS: Final[Mapping[str, Operation]] = {
    ReviewStatus.DELETED: Operation.DELETE,
    ReviewStatus.TRANSFERRED: Operation.TRANSFER,
}


@dataclass(frozen=True)
class NamedImage:
    """A slide, and the file name that the caller knows: it must be the record's."""

    image_id: str
    filename: str | None = None

    @classmethod
    def parse(cls, given: object) -> Self:
        """Parse one of ``Images``. Raises InvalidRequest."""
        if not isinstance(given, Mapping):
            raise InvalidRequest("each of Images must be an object with ImageID and Filename")
        image_id, filename = given.get("ImageID"), given.get("Filename")
        if not _is_name(image_id):
            raise InvalidRequest(f"ImageID must be a string of 1 to {_MAX_BYTES} bytes")
        if filename is not None and not _is_name(filename):
            raise InvalidRequest(f"Filename must be a string of 1 to {_MAX_BYTES} bytes")
        return cls(image_id, filename)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RemovalRequest:
    """An operation, and the slides to apply it to, each once."""

    operation: Operation
    images: tuple[NamedImage, ...]

    @classmethod
    def parse(cls, body: Any) -> Self:
        """Parse the request's JSON value; raise InvalidRequest saying what is wrong with it."""
        if not isinstance(body, Mapping):
            raise InvalidRequest("the body must be a JSON object with Operation and Images")
        operation = _operation(str(body.get("Operation")))
        images = body.get("Images")
        if not isinstance(images, list) or not 1 <= len(images) <= _MAX_IMAGES:
            raise InvalidRequest(f"Images must be a list of 1 to {_MAX_IMAGES} slides")
        return cls(operation, tuple(dict.fromkeys(map(NamedImage.parse, images))))


def _operation(text: str) -> Operation:
    try:
        return _BY_STATUS.get(text) or Operation(text)
    except ValueError:
        raise InvalidRequest(f"Operation must be one of {', '.join(Operation)}") from None


def _is_name(value: object) -> bool:
    """Return whether DynamoDB accepts this as a key: a lone surrogate is not valid Unicode."""
    if not isinstance(value, str):
        return False
    try:
        return 0 < len(value.encode()) <= _MAX_BYTES
    except UnicodeEncodeError:
        return False
