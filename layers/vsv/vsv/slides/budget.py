"""How much of a slide may be read while a viewer waits."""

from math import inf
from typing import Final

from vsv.errors import NotRendered

__all__ = ["UNLIMITED", "PixelBudget", "cost_of_tiles"]

# What it costs to find and decode a tile, however small: as much as these pixels do.
_LEAST_PIXELS: Final = 64 * 64


def cost_of_tiles(count: int, width: int, height: int) -> int:
    """Return how many pixels ``count`` tiles cost, each of ``width`` by ``height`` pixels."""
    return count * max(width * height, _LEAST_PIXELS)


class PixelBudget:
    """How many pixels may still be decoded for an answer, those of stand-ins included."""

    def __init__(self, pixels: float) -> None:
        self._left = pixels

    def spend(self, pixels: int) -> None:
        """Take the pixels off, before they are decoded. Raises NotRendered where they are more."""
        self._left -= pixels
        if self._left < 0:
            raise NotRendered(
                "too many of the slide's pixels would have to be read for it on request; "
                "the import renders JPEG tiles of the default grid without this limit"
            )


# For the import, which keeps nobody waiting.
UNLIMITED: Final = PixelBudget(inf)
