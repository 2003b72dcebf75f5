"""Sentences that name the slide in an import's way, and how its ImageID is read from them.

An error reaches FailImport through Step Functions, which hands on its name and its message only.
"""

import re
from typing import Final

from vsv.catalogue.accessors import filename_of, image_id_of
from vsv.catalogue.record import SlideRecord
from vsv.errors import DuplicateSlide, ImageIdConflict

__all__ = ["copy_of", "id_taken", "same_bytes", "slide_in_the_way"]

_DELETE_IT: Final = "; delete this one, or have its SHA-256 sent"
# The other slide's file name comes first, and may hold anything.
_COPY: Final = re.compile(rf".*, which is slide (.+){re.escape(_DELETE_IT)}", re.DOTALL)
_TAKEN: Final = re.compile(r"ImageID (.+) belongs to another slide", re.DOTALL)


def same_bytes(original: SlideRecord) -> str:
    """Return the sentence that a file has the bytes of another slide."""
    name, image_id = filename_of(original), image_id_of(original)
    return f"the file has the same bytes as {name!r}, which is slide {image_id}"


def copy_of(original: SlideRecord) -> DuplicateSlide:
    """Return the error that a file has the bytes of another slide. It says what to do."""
    return DuplicateSlide(f"{same_bytes(original)}{_DELETE_IT}")


def id_taken(image_id: str) -> ImageIdConflict:
    """Return the error that a file cannot have the ImageID of another slide."""
    return ImageIdConflict(f"ImageID {image_id} belongs to another slide")


def slide_in_the_way(error: str, message: str) -> str | None:
    """Return the ImageID of the slide that an import's error is about; None if it is about none."""
    pattern = {DuplicateSlide.__name__: _COPY, ImageIdConflict.__name__: _TAKEN}.get(error)
    found = pattern.fullmatch(message) if pattern else None
    return found[1] if found else None
