"""A region of a level at a smaller size: each pixel the average of a block of the level's."""

from typing import TYPE_CHECKING, Final

from PIL import Image

from vsv.geometry import Box
from vsv.slides.budget import PixelBudget
from vsv.slides.level import Level

if TYPE_CHECKING:
    from vsv.slides.slide import Slide

__all__ = ["averaged_region"]

# Pixels of the slide that may be in memory at once (3 bytes each): 48 MB.
_MAX_SOURCE_PIXELS: Final = 16 * 2**20
# Pillow's reduce() divides in 24-bit fixed point: up to this factor it is right to a 16,000th, by
# 2,048 it darkens by 8 %.
_MAX_REDUCE: Final = 32


def averaged_region(
    slide: "Slide", level: Level, factor: int, box: Box, budget: PixelBudget
) -> Image.Image:
    """Return ``box``, in pixels of ``factor`` by ``factor`` of the level, by a box filter.

    Large regions are halved until a piece fits into memory. Raises what ``Slide.read`` raises.
    """
    source = Box(
        box.left * factor,
        box.top * factor,
        min(box.right * factor, level.width),
        min(box.bottom * factor, level.height),
    )
    width, height = box.size
    shrink = slide.largest_shrink(level.index, factor)
    if source.size.width * source.size.height <= _MAX_SOURCE_PIXELS * shrink**2:
        pixels = slide.read(level.index, source, shrink, budget)
        return _box_filtered(pixels, factor // shrink)
    if width == height == 1:
        finer = Box(
            box.left * 2,
            box.top * 2,
            min(box.right * 2, -(-level.width * 2 // factor)),
            min(box.bottom * 2, -(-level.height * 2 // factor)),
        )
        return averaged_region(slide, level, factor // 2, finer, budget).reduce(2)
    image = Image.new("RGB", box.size)
    middle = Box(box.left, box.top, box.left + -(-width // 2), box.top + -(-height // 2))
    for part in (
        middle,
        Box(middle.right, box.top, box.right, middle.bottom),
        Box(box.left, middle.bottom, middle.right, box.bottom),
        Box(middle.right, middle.bottom, box.right, box.bottom),
    ):
        if min(part.size) > 0:
            offset = (part.left - box.left, part.top - box.top)
            image.paste(averaged_region(slide, level, factor, part, budget), offset)
    return image


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
