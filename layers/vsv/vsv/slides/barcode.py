"""What a label's code says, and what can be a slide ID. ``barcode_reader`` reads it."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Barcode", "is_slide_id"]

_MAX_ID_CHARS: Final = 64


@dataclass(frozen=True)
class Barcode:
    """The slide ID that was read from a label, or the reason why there is none."""

    text: str | None
    reason: str | None = None


def is_slide_id(text: str, pattern: str) -> bool:
    """Return whether the whole text matches ``pattern`` and can be a slide ID at all.

    As with IDs that are typed, it has 1 to 64 characters, all of which can be seen.
    """
    possible = 1 <= len(text) <= _MAX_ID_CHARS and text.isprintable()
    return possible and re.fullmatch(pattern, text) is not None
