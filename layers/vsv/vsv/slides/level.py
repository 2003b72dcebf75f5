"""A level of a slide: its size, its grid of tiles, how much coarser it is than the finest."""

from dataclasses import dataclass
from typing import Protocol, Self

from vsv.slides.tile_index import TiledImage

__all__ = ["Level", "whole_downsample"]


@dataclass(frozen=True)
class Level:
    """A level of the slide: size and tile size in pixels, and the downsample from level 0.

    ``downsample`` is the whole number that the scanner meant: sizes are rounded (Aperio rounds
    down), so their ratio is 4.0001 where the pixels are spaced by 4.
    """

    index: int
    width: int
    height: int
    tile_width: int
    tile_height: int
    downsample: int

    @classmethod
    def of(cls, index: int, image: TiledImage, full: TiledImage) -> Self:
        """Return the level of this index. ``full`` is the finest."""
        return cls(
            index,
            *(image.width, image.height, image.tile_width, image.tile_height),
            whole_downsample(image, full) or 1,
        )

    @property
    def cols(self) -> int:
        """Columns of tiles."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.height // self.tile_height)


class _Sized(Protocol):
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


def whole_downsample(image: _Sized, full: _Sized) -> int | None:
    """The whole number by which both sizes are rounded, up or down; None if there is none.

    Scanners downsample by powers of two: on small levels, where rounding lets several numbers fit,
    those are tried first.
    """
    if image.width < 1 or image.height < 1:
        return None
    guess = round(max(full.width / image.width, full.height / image.height))
    if guess < 1:
        return None
    power = 1 << (guess.bit_length() - 1)
    for downsample in (power, 2 * power, guess):
        if all(
            length // downsample <= rounded <= -(-length // downsample)
            for length, rounded in (
                (full.width, image.width),
                (full.height, image.height),
            )
        ):
            return downsample
    return None
