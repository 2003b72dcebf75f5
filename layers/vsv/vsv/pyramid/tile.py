"""One DeepZoom tile from a slide.

A tile that is one of the SVS's own JPEG tiles is passed through byte for byte, one that shows four
of them is made of those. Any other is made from the coarsest level of the slide that is not coarser
than the tile's, by a box filter over whole pixels. Sizes are DeepZoom's (rounded up) always: where
the scanner rounded a level down, the last column and row come from the next finer level.
"""

from typing import Final, NamedTuple

from PIL import Image

from vsv.geometry import Box, Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.encoding import encode, halved
from vsv.slides.averaging import averaged_region
from vsv.slides.budget import UNLIMITED, PixelBudget
from vsv.slides.level import Level
from vsv.slides.slide import Slide

__all__ = [
    "DEFAULT_QUALITY",
    "native_address",
    "native_quarters",
    "read_region",
    "render_tile",
]

# 1..95 as in libjpeg. 90 without chroma subsampling costs less than the scanner's own compression.
DEFAULT_QUALITY: Final = 90


class NativeAddress(NamedTuple):
    """One of the slide's own tiles: level of the slide, column and row."""

    level: int
    col: int
    row: int


def render_tile(
    slide: Slide,
    pyramid: DeepZoom,
    address: TileAddress,
    image_format: str = "jpeg",
    quality: int = DEFAULT_QUALITY,
    budget: PixelBudget = UNLIMITED,
) -> bytes:
    """Return the encoded tile. ``image_format`` is ``jpeg``, ``jpg`` or ``png``.

    Raises NotFound where the pyramid has no such tile, UnreadableSlide where the slide cannot be
    read, NotRendered where that takes more pixels than the budget has.
    """
    box = pyramid.tile_box(address)
    downsample = pyramid.downsample(address.level)
    if image_format != "png":
        own = native_address(slide, pyramid, address)
        native = slide.jpeg_tile(*own) if own else None
        if native is not None:
            return native
        quarters = native_quarters(slide, pyramid, address)
        pixels = halved(quarters, 2, pyramid.tile) if quarters else None
        if pixels is not None:
            return pixels.encode(quality)
    return encode(read_region(slide, downsample, box, budget), image_format, quality)


def read_region(
    slide: Slide, downsample: int, box: Box, budget: PixelBudget = UNLIMITED
) -> Image.Image:
    """Return the pixels in ``box`` of the slide downsampled by ``downsample``, as an RGB image.

    The box is in pixels of that plane, whose size is the slide's divided and rounded up.
    """
    level = slide.source_level(downsample)
    factor = downsample // (level.downsample or 1)
    if box.right <= level.width // factor and box.bottom <= level.height // factor:
        return averaged_region(slide, level, factor, box, budget)
    image = Image.new("RGB", box.size)
    _paint(image, (0, 0), slide, level, downsample, box, budget)
    return image


def native_address(slide: Slide, pyramid: DeepZoom, address: TileAddress) -> NativeAddress | None:
    """Which of the slide's own tiles shows exactly what the pyramid's does, if one does."""
    box, downsample = pyramid.tile_box(address), pyramid.downsample(address.level)
    level = slide.source_level(downsample)
    inside = box.right <= level.width and box.bottom <= level.height
    if level.downsample != downsample or not inside:
        return None
    tile = Size(level.tile_width, level.tile_height)
    if box.size != tile or box.left % tile.width or box.top % tile.height:
        return None
    return NativeAddress(level.index, box.left // tile.width, box.top // tile.height)


def native_quarters(slide: Slide, pyramid: DeepZoom, address: TileAddress) -> list[bytes] | None:
    """The four of the slide's own tiles that show what the pyramid's does, as JPEG files, by rows.

    None where there are no such four. They are at twice the resolution, and of an even size.
    """
    if (
        pyramid.tile.width % 2
        or pyramid.tile.height % 2
        or address.level + 1 >= pyramid.level_count
    ):
        return None
    parts = pyramid.beneath(address)
    first = native_address(slide, pyramid, parts[0])
    if len(parts) < 4 or first is None or native_address(slide, pyramid, parts[3]) is None:
        return None
    level, col, row = first
    cols = range(col, col + 2)
    tiles = [
        tile
        for each in (row, row + 1)
        for tile in slide.jpeg_tiles(level, cols, each)
        if tile is not None
    ]
    return tiles if len(tiles) == 4 else None


def _paint(
    image: Image.Image,
    at: tuple[int, int],
    slide: Slide,
    level: Level,
    downsample: int,
    box: Box,
    budget: PixelBudget,
) -> None:
    """Paint ``box`` of the plane into the image, from ``level`` as far as that reaches."""
    factor = downsample // (level.downsample or 1)
    right = max(min(box.right, -(-level.width // factor)), box.left)
    bottom = max(min(box.bottom, -(-level.height // factor)), box.top)
    left, top = at
    covered = Box(box.left, box.top, right, bottom)
    if min(covered.size) > 0:
        image.paste(averaged_region(slide, level, factor, covered, budget), at)
    if (right, bottom) == (box.right, box.bottom):
        return
    # The scanner rounded this level down: a finer one has the last column and row.
    finer = slide.source_level(downsample, finer_than=level.downsample or 1)
    for rest in (
        Box(right, box.top, box.right, bottom),
        Box(box.left, bottom, box.right, box.bottom),
    ):
        if min(rest.size) > 0:
            offset = (left + rest.left - box.left, top + rest.top - box.top)
            _paint(image, offset, slide, finer, downsample, rest, budget)
