"""One DeepZoom tile from a slide.

A tile that is one of the slide's own JPEG tiles passes through byte for byte. One that shows four
of them is made of those. Any other is made from the coarsest level of the slide that is not coarser
than the tile's, by a box filter over whole pixels. Sizes are DeepZoom's (rounded up) always: where
the scanner rounded a level down, the last column and row come from the next finer level.
"""

from typing import Final

from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.encoding import encode, halved, is_jpeg
from vsv.pyramid.native import native_quarters, native_tile
from vsv.slides.budget import UNLIMITED, PixelBudget, cost_of_tiles
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide

__all__ = ["DEFAULT_QUALITY", "MAX_PIXELS_ON_REQUEST", "render_tile", "source_pixels"]

# 1..95 as in libjpeg. 90 without chroma subsampling costs less than the scanner's own compression.
DEFAULT_QUALITY: Final = 90
# Pixels of the slide that are read for a tile while a viewer waits: some three seconds' work. Where
# the slide has no coarse level of its own, a coarse tile takes more, and has to be pre-rendered.
MAX_PIXELS_ON_REQUEST: Final = 256 * 2**20


def render_tile(
    slide: Slide,
    pyramid: DeepZoom,
    address: TileAddress,
    image_format: str = "jpeg",
    quality: int = DEFAULT_QUALITY,
    budget: PixelBudget = UNLIMITED,
) -> bytes:
    """Return the encoded tile. ``image_format`` is one of ``MEDIA_TYPES``.

    Raises NotFound where the pyramid has no such tile, UnreadableSlide where the slide cannot be
    read, NotRendered where that takes more pixels than the budget has.
    """
    tile = pyramid.tile_at(address)
    # JPEG data of the slide's own serve JPEG tiles only: other formats are made of pixels.
    if is_jpeg(image_format):
        own = native_tile(slide, pyramid, address)
        native = slide.jpeg_tile(*own) if own else None
        if native is not None:
            return native
        quarters = native_quarters(slide, pyramid, address)
        pixels = halved(quarters, 2, pyramid.tile) if quarters else None
        if pixels is not None:
            return pixels.encode(quality)
    region = RegionReader(slide, budget).region(tile.downsample, tile.box)
    return encode(region, image_format, quality)


def source_pixels(slide: Slide, pyramid: DeepZoom, level: int) -> int:
    """Return how many of the slide's pixels are read, at most, for a tile of the pyramid's level.

    Where the level that it is made of has lost tiles, they are those of a finer one. (An index
    does not tell which levels have: reading is bounded by a budget, too.)
    """
    downsample = pyramid.downsample(level)
    source = slide.source_level(downsample)
    while source.index in slide.levels_with_losses:
        source = slide.source_level(downsample, finer_than=source.downsample)
    factor = downsample // source.downsample
    cols, rows = (
        -(-min(pyramid.tile[axis] * factor, source.image.size[axis]) // source.image.tile[axis])
        for axis in (0, 1)
    )
    return cost_of_tiles(cols * rows, *source.image.tile)
