"""Tiles of a slide that are not as they should be."""

import logging
from typing import Final, NamedTuple

from vsv.errors import UnreadableSlide

__all__ = ["EMPTY", "Damage", "DamagedTile", "TileNumber", "UnsupportedTile", "log_damage"]

# The reason where there are no data, or none that count: the slide's own directories tell that.
EMPTY: Final = "is empty"

_log = logging.getLogger(__name__)


class TileNumber(NamedTuple):
    """Which tile of a slide: level, column and row."""

    level: int
    col: int
    row: int


class Damage(NamedTuple):
    """A tile of the slide that is not as it should be; something else is shown in its place."""

    level: int
    col: int
    row: int
    reason: str

    @property
    def tile(self) -> TileNumber:
        """Which tile it is."""
        return TileNumber(self.level, self.col, self.row)

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
