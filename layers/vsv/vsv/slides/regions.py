"""Pixels of a slide's levels: any region, at any whole downsample.

Each pixel is the average of a block of the level's own pixels. A tile that the file has lost is
shown by the next finer level's pixels, and on the finest level by the background; its neighbours
do not change.
"""

from typing import Final

from PIL import Image

from vsv.errors import UnreadableSlide
from vsv.geometry import Box
from vsv.slides.budget import UNLIMITED, PixelBudget, cost_of_tiles
from vsv.slides.damage import EMPTY, DamagedTile
from vsv.slides.decoding import decode
from vsv.slides.level import Level
from vsv.slides.slide import BACKGROUND, Slide, TileData

__all__ = ["RegionReader"]

# Pixels of the slide that may be in memory at once (3 bytes each): 48 MB.
_MAX_SOURCE_PIXELS: Final = 16 * 2**20
# Pillow's reduce() divides in 24-bit fixed point: up to this factor it is right to a 16,000th, by
# 2,048 it darkens by 8 %.
_MAX_REDUCE: Final = 32


class RegionReader:
    """Reads regions of an open slide, within a budget of pixels.

    All methods return RGB images. They raise NotRendered where the region takes more pixels than
    the budget has, and UnreadableSlide where OpenSlide is needed and cannot read the finest level.
    """

    def __init__(self, slide: Slide, budget: PixelBudget = UNLIMITED) -> None:
        self._slide = slide
        self._budget = budget

    def region(self, downsample: int, box: Box) -> Image.Image:
        """Return the pixels in ``box`` of the slide downsampled by ``downsample``.

        The box is in pixels of that plane, whose size is the slide's divided and rounded up.
        """
        level = self._slide.source_level(downsample)
        factor = downsample // level.downsample
        if box.right <= level.image.width // factor and box.bottom <= level.image.height // factor:
            return self.averaged(level, factor, box)
        shown = Image.new("RGB", box.size)
        self._paint(shown, (0, 0), level, downsample, box)
        return shown

    def averaged(self, level: Level, factor: int, box: Box) -> Image.Image:
        """Return ``box``, in pixels of ``factor`` by ``factor`` of the level, by a box filter.

        Large regions are halved until a piece fits into memory.
        """
        source = Box(
            box.left * factor,
            box.top * factor,
            min(box.right * factor, level.image.width),
            min(box.bottom * factor, level.image.height),
        )
        width, height = box.size
        shrink = level.image.largest_shrink(factor)
        if source.size.width * source.size.height <= _MAX_SOURCE_PIXELS * shrink**2:
            return _box_filtered(self.read(level, source, shrink), factor // shrink)
        if width == height == 1:
            finer = Box(
                box.left * 2,
                box.top * 2,
                min(box.right * 2, -(-level.image.width * 2 // factor)),
                min(box.bottom * 2, -(-level.image.height * 2 // factor)),
            )
            return self.averaged(level, factor // 2, finer).reduce(2)
        shown = Image.new("RGB", box.size)
        middle = Box(box.left, box.top, box.left + -(-width // 2), box.top + -(-height // 2))
        for part in (
            middle,
            Box(middle.right, box.top, box.right, middle.bottom),
            Box(box.left, middle.bottom, middle.right, box.bottom),
            Box(middle.right, middle.bottom, box.right, box.bottom),
        ):
            if min(part.size) > 0:
                offset = (part.left - box.left, part.top - box.top)
                shown.paste(self.averaged(level, factor, part), offset)
        return shown

    def read(self, level: Level, box: Box, shrink: int = 1) -> Image.Image:
        """Return the level's pixels in ``box``, which lies within the level.

        ``shrink`` (see ``TiledImage.largest_shrink``) averages blocks of as many pixels along each
        axis. Left and top are multiples of it, and so are right and bottom except at the level's
        own border.
        """
        image = level.image
        cols = range(box.left // image.tile_width, -(-box.right // image.tile_width))
        rows = range(box.top // image.tile_height, -(-box.bottom // image.tile_height))
        self._budget.spend(cost_of_tiles(len(cols) * len(rows), *image.tile))
        if not image.is_decoded_here:
            return self._by_openslide(level, box)
        width, height = box.size
        # Not filled: each of its pixels is painted below.
        shown = Image.new("RGB", (-(-width // shrink), -(-height // shrink)), None)
        for row in rows:
            data = self._slide.tile_data(level, cols, row)
            for col in cols:
                left, top, _, _ = image.tile_box(col, row)
                at = ((left - box.left) // shrink, (top - box.top) // shrink)
                shown.paste(self._tile(level, col, row, shrink, data), at)
        return shown

    def _paint(
        self, shown: Image.Image, at: tuple[int, int], level: Level, downsample: int, box: Box
    ) -> None:
        """Paint ``box`` of the plane into the image, from ``level`` as far as that reaches."""
        factor = downsample // level.downsample
        right = max(min(box.right, -(-level.image.width // factor)), box.left)
        bottom = max(min(box.bottom, -(-level.image.height // factor)), box.top)
        left, top = at
        covered = Box(box.left, box.top, right, bottom)
        if min(covered.size) > 0:
            shown.paste(self.averaged(level, factor, covered), at)
        if (right, bottom) == (box.right, box.bottom):
            return
        # The scanner rounded this level down: a finer one has the last column and row.
        finer = self._slide.source_level(downsample, finer_than=level.downsample)
        for rest in (
            Box(right, box.top, box.right, bottom),
            Box(box.left, bottom, box.right, box.bottom),
        ):
            if min(rest.size) > 0:
                offset = (left + rest.left - box.left, top + rest.top - box.top)
                self._paint(shown, offset, finer, downsample, rest)

    def _tile(self, level: Level, col: int, row: int, shrink: int, data: TileData) -> Image.Image:
        """Return what of the tile lies within the level, in blocks of ``shrink`` pixels."""
        image = level.image
        box = image.tile_box(col, row)
        width, height = box.size
        try:
            compressed = data(col)
            if compressed is None:
                if level.index > 0:
                    self._slide.report(level, col, row, EMPTY)
                return self._of_finer(level, box, shrink)
            # A level that ends within a block: what pads the tile behind it must not count.
            cut = width % shrink or height % shrink
            try:
                tile = decode(image, compressed, image.tile, 1 if cut else shrink)
            except DamagedTile:
                raise
            except UnreadableSlide:
                # JPEG 2000 of a kind that is not decoded here.
                tile, cut = self._tile_by_openslide(level, box), 1
            return tile.crop((0, 0, width, height)).reduce(shrink) if cut else tile
        except DamagedTile as damage:
            self._slide.report(level, col, row, str(damage))
            return self._of_finer(level, box, shrink)

    def _tile_by_openslide(self, level: Level, box: Box) -> Image.Image:
        try:
            return self._slide.openslide().read(level.image.size, box)
        except UnreadableSlide as error:
            raise DamagedTile("is damaged: it cannot be decoded") from error

    def _by_openslide(self, level: Level, box: Box) -> Image.Image:
        """Return the pixels that OpenSlide reads, or a finer level's where it cannot.

        OpenSlide may see fewer levels than there are: in another software's file, those that are
        marked as such.
        """
        try:
            return self._slide.openslide().read(level.image.size, box)
        except UnreadableSlide as error:
            if level.downsample == 1:
                raise
            col, row = box.left // level.image.tile_width, box.top // level.image.tile_height
            self._slide.report(level, col, row, f"is damaged: {error}")
            return self._of_finer(level, box, 1)

    def _of_finer(self, level: Level, box: Box, shrink: int) -> Image.Image:
        """Return what the next finer level shows in the box, on the finest the background."""
        left, top = box.left // shrink, box.top // shrink
        right, bottom = -(-box.right // shrink), -(-box.bottom // shrink)
        shown = Image.new("RGB", (right - left, bottom - top), BACKGROUND)
        if level.downsample == 1:
            return shown
        other = self._slide.source_level(level.downsample, finer_than=level.downsample)
        factor = level.downsample // other.downsample * shrink
        # The finer level may have been rounded down where this one was rounded up.
        covered = Box(
            left,
            top,
            min(right, -(-other.image.width // factor)),
            min(bottom, -(-other.image.height // factor)),
        )
        if min(covered.size) > 0:
            shown.paste(self.averaged(other, factor, covered), (0, 0))
        return shown


def _box_filtered(pixels: Image.Image, factor: int) -> Image.Image:
    """Average blocks of ``factor`` by ``factor`` pixels, and what there is of them at the edges."""
    if factor == 1:
        return pixels
    # Beyond, resize() is slower, and right for any factor.
    if factor <= _MAX_REDUCE:
        return pixels.reduce(factor)
    width, height = pixels.size
    image = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    # Whole blocks first; then those that the right and the bottom edge cut, of their own size.
    x_spans = [(0, width // factor), (width // factor, image.width)]
    y_spans = [(0, height // factor), (height // factor, image.height)]
    for left, right in x_spans:
        for top, bottom in y_spans:
            if right > left and bottom > top:
                source = (
                    left * factor,
                    top * factor,
                    min(right * factor, width),
                    min(bottom * factor, height),
                )
                size = (right - left, bottom - top)
                image.paste(pixels.resize(size, Image.Resampling.BOX, source), (left, top))
    return image
