"""The request of ``/ImportSlide``, and its answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from vsv.errors import InvalidRequest
from vsv.identifiers import parse_filename

__all__ = ["Answer", "ImportRequest", "ImportState"]

# BigTIFF allows more; a slide of a terabyte is a mistake.
_MAX_SIZE_BYTES: Final = 2**40
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class ImportRequest:
    """The file on the workstation: its name, its size in bytes, its SHA-256 if it was computed."""

    filename: str
    size: int
    sha256: str | None = None

    @classmethod
    def parse(cls, body: object) -> Self:
        """Parse the request's JSON value; raise InvalidRequest saying what is wrong with it."""
        if not isinstance(body, Mapping):
            raise InvalidRequest("the body must be a JSON object with filename and size")
        size = body.get("size")
        if type(size) is not int or not 0 <= size <= _MAX_SIZE_BYTES:
            raise InvalidRequest(f"size must be a whole number of bytes, 0..{_MAX_SIZE_BYTES}")
        sha256 = body.get("sha256")
        if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
            raise InvalidRequest("sha256 must be 64 hexadecimal digits")
        return cls(parse_filename(body.get("filename")), size, sha256.lower() if sha256 else None)


class ImportState(StrEnum):
    """The state of a file's import."""

    TRANSFERRING = "TRANSFERRING"  # the transfer to EFS was started or is under way
    ARRIVING = "ARRIVING"  # on EFS, but still growing or just changed
    IMPORTING = "IMPORTING"  # whole; the workflow runs
    IMPORTED = "IMPORTED"  # the workstation's copy may go
    FAILED = "FAILED"  # someone must look


@dataclass(frozen=True)
class Answer:
    """The answer to the workstation. Only IMPORTED permits it to delete its copy.

    ``sha256`` is that of the bytes that were imported.
    """

    state: ImportState
    detail: str
    image_id: str | None = None
    tiles_rendered: int | None = None
    tiles_total: int | None = None
    sha256: str | None = None

    def body(self, request: ImportRequest) -> dict[str, Any]:
        """Return the JSON value. ``filename`` and ``size`` permit to delete the local copy.

        The workstation compares ``sha256`` with its own.
        """
        fields: dict[str, Any] = {
            "status": self.state.value,
            "detail": self.detail,
            "ImageID": self.image_id,
            "tiles_rendered": self.tiles_rendered,
            "tiles_total": self.tiles_total,
        }
        if self.state is ImportState.IMPORTED:
            fields |= {
                "filename": request.filename,
                "size": request.size,
                "sha256": self.sha256,
            }
        return {name: value for name, value in fields.items() if value is not None}
