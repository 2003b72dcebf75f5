"""Comparison of a slide's tiles with what they should be: bytes, pixels, and damage to the file."""

import io
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image, ImageChops

from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.image_store import Write
from vsv.pyramid.native import native_tile
from vsv.slides.damage import TileNumber
from vsv.slides.lost_tiles import covered_tiles
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide

__all__ = ["ComparingStore", "Flaw", "decoded", "is_alike", "is_lost", "is_own"]

# Another version of this library, or of libjpeg, codes the same pixels in other bytes. So an image
# that has other bytes than it would have now is decoded, and the mean difference of each block of
# pixels looked at: by blocks, since a mean over the tile would miss a small part that is damaged,
# and a single pixel's says nothing. Measured, of 255: two ways of making the same tile differ by up
# to 4 at quality 95, 7 at 90, 10 at 20 and 18 at 5; tiles of different tissue by 80 and more.
_BLOCK_PIXELS: Final = 16
_TOLERANCE: Final = 12
_TOLERANCE_BY_QUALITY: Final = 100

_UNDECODABLE: Final = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


class Flaw(Exception):
    """A finding about an image, as the end of a sentence."""


def is_alike(one: Image.Image, other: Image.Image, quality: int) -> bool:
    """Return whether both may show the same, coded twice at this JPEG quality."""
    difference = ImageChops.difference(one, other).reduce(_BLOCK_PIXELS)
    return max(difference.tobytes()) <= _TOLERANCE + _TOLERANCE_BY_QUALITY // quality


class ComparingStore:
    """A store that keeps nothing, but passes on what would be written."""

    def __init__(self, show: Write) -> None:
        self._show = show

    def missing(self, names: Collection[str]) -> set[str]:
        """Return all names."""
        return set(names)

    @contextmanager
    def writing(self, on_written: Callable[[], None]) -> Iterator[Write]:
        """Yield what images are passed on by."""
        yield self._show


def decoded(data: bytes, size: tuple[int, int] | None) -> Image.Image:
    """Return the pixels of a JPEG file. Raises Flaw, also if it is of another size."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if size and image.size != size:
                raise Flaw("measures {} × {} pixels, not {} × {}".format(*image.size, *size))
            return image.convert("RGB")
    except _UNDECODABLE as error:
        raise Flaw("cannot be decoded") from error


def is_own(slide: Slide, pyramid: DeepZoom, tile: TileAddress, data: bytes) -> bool:
    """Return whether the pyramid's tile is one of the slide's own, with this data."""
    own = native_tile(slide, pyramid, tile)
    return own is not None and slide.jpeg_tile(*own) == data


def is_lost(slide: Slide, tile: TileNumber) -> bool:
    """Return whether the slide's tile, or one of a finer level below it, cannot be decoded."""
    return any(
        _is_damaged(slide, part)
        for finer in slide.levels[1 : tile.level + 1]
        for part in covered_tiles(slide.levels[tile.level], tile, finer)
    )


def _is_damaged(slide: Slide, tile: TileNumber) -> bool:
    level = slide.levels[tile.level]
    RegionReader(slide).read(level, level.image.tile_box(tile.col, tile.row))
    return slide.is_damaged(*tile)
