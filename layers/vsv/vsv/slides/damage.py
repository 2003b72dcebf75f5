"""Tiles of a slide that are not as they should be."""

import logging
from typing import NamedTuple

from vsv.errors import UnreadableSlide

__all__ = ["Damage", "DamagedTile", "UnsupportedTile", "log_damage"]

_log = logging.getLogger(__name__)


class Damage(NamedTuple):
    """A tile of the slide that is not as it should be; something else is shown in its place."""

    level: int
    col: int
    row: int
    reason: str

    def __str__(self) -> str:
        return f"tile {self.col}_{self.row} of level {self.level} {self.reason}"


class DamagedTile(UnreadableSlide):
    """The tile's data are not what they should be, so no decoder gets them.

    The message says why: "is damaged: …". Another UnreadableSlide may be left to OpenSlide.
    """


class UnsupportedTile(DamagedTile):
    """The tile's data are of a kind that is not supported; ``reason`` says which.

    Amid tiles that are, it is a damaged one.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"is damaged: {reason}")
        self.reason = reason


def log_damage(damage: Damage) -> None:
    """Log a warning. It does not tell the slide's name, which may be a patient's."""
    _log.warning("%s: another level or the background is shown in its place", damage)
