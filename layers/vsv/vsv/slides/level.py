"""A level of a slide, and how much coarser it is than the finest."""

from dataclasses import dataclass
from typing import Protocol, Self

from vsv.slides.tile_index import TiledImage

__all__ = ["Level", "whole_downsample"]


@dataclass(frozen=True)
class Level:
    """A level of the slide: which one, how its tiles are cut and coded, and its downsample.

    ``downsample`` is the whole number that the scanner meant: sizes are rounded (Aperio rounds
    down), so their ratio is 4.0001 where the pixels are spaced by 4.
    """

    index: int
    image: TiledImage
    downsample: int

    @classmethod
    def of(cls, index: int, image: TiledImage, full: TiledImage) -> Self:
        """Return the level of this index. ``full`` is the finest."""
        return cls(index, image, whole_downsample(image, full) or 1)


class _Sized(Protocol):
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


def whole_downsample(image: _Sized, full: _Sized) -> int | None:
    """Return the whole number by which both sizes are rounded, up or down, or None.

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
