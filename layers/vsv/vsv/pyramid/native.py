"""Which of a pyramid's tiles are the slide's own.

A slide is a pyramid of tiles already. Where a DeepZoom level has the size of one of the slide's
levels, and the same grid, its tiles need no rendering: the scanner's JPEG data pass through.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.slides.damage import TileNumber
from vsv.slides.level import Level

if TYPE_CHECKING:
    from vsv.slides.slide import Slide

__all__ = ["default_pyramid", "native_level", "native_quarters", "native_tile", "slide_levels"]

_DEFAULT_TILE: Final = Size(256, 256)
_LARGEST_DEFAULT_TILE: Final = 1024


def default_pyramid(slide: "Slide") -> DeepZoom:
    """Return the pyramid on the slide's own tile grid, so that its tiles can pass through."""
    tile = slide.levels[0].image.tile
    square = tile.width == tile.height <= _LARGEST_DEFAULT_TILE
    return _pyramid(Size(slide.width, slide.height), tile if square else _DEFAULT_TILE)


@lru_cache(maxsize=256)
def _pyramid(size: Size, tile: Size) -> DeepZoom:
    """Return a pyramid, which keeps the sizes of its levels: one serves all tiles."""
    return DeepZoom(size, tile)


def slide_levels(slide: "Slide") -> dict[int, Level]:
    """Return the slide's levels by the DeepZoom level that each one has the size of.

    A level whose downsample is not a power of two is none of them.
    """
    full = default_pyramid(slide).level_count - 1
    found: dict[int, Level] = {}
    for level in slide.levels:
        exponent = level.downsample.bit_length() - 1
        if level.downsample == 1 << exponent:
            found.setdefault(full - exponent, level)
    return found


def native_level(slide: "Slide", pyramid: DeepZoom, number: int) -> Level | None:
    """Return the slide's level whose tiles are those of this level of the pyramid, else None.

    Viewers show such tiles as they lie in the file. (Not those that the level's border cuts: the
    file has them with padding.)
    """
    downsample = pyramid.downsample(number)
    level = slide.source_level(downsample)
    is_on_grid = pyramid.overlap == 0 and pyramid.tile == level.image.tile
    is_native = level.downsample == downsample and is_on_grid and level.image.passes_through
    return level if is_native else None


def native_tile(slide: "Slide", pyramid: DeepZoom, address: TileAddress) -> TileNumber | None:
    """Return which of the slide's own tiles is this tile of the pyramid, or None."""
    level = native_level(slide, pyramid, address.level)
    if level is None or not level.image.is_whole(address.col, address.row):
        return None
    return TileNumber(level.index, address.col, address.row)


def native_quarters(slide: "Slide", pyramid: DeepZoom, address: TileAddress) -> list[bytes] | None:
    """Return the four of the slide's own tiles that show what this tile shows, by rows.

    They are JPEG files, at twice the tile's resolution and of an even size. Return None if
    there are fewer. Costs one read for each row of two.
    """
    is_even = pyramid.tile.width % 2 == pyramid.tile.height % 2 == 0
    if not is_even or address.level + 1 >= pyramid.level_count:
        return None
    parts = pyramid.beneath(address)
    first, last = (native_tile(slide, pyramid, part) for part in (parts[0], parts[-1]))
    if len(parts) < 4 or first is None or last is None:
        return None
    cols = range(first.col, last.col + 1)
    tiles = [
        tile
        for row in (first.row, last.row)
        for tile in slide.jpeg_tiles(first.level, cols, row)
        if tile is not None
    ]
    return tiles if len(tiles) == 4 else None
