"""The blocks of a slide's tile index: where its tiles lie, by levels of its pyramid.

They are numbered by DeepZoom levels of the slide's own grid, so that a viewer's tile address leads
to its block without another look.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from vsv.pyramid.slide_index import default_pyramid
from vsv.slides.tile_index import BLOCK_TILES, TileBlock, TileEntry

if TYPE_CHECKING:
    from vsv.slides.fingerprint import Fingerprint
    from vsv.slides.slide import Slide

__all__ = ["BlockAddress", "block_of", "blocks", "slide_levels"]


class BlockAddress(NamedTuple):
    """Which block: DeepZoom level, column and row of blocks."""

    level: int
    col: int
    row: int

    @classmethod
    def holding(cls, level: int, col: int, row: int) -> Self:
        """The block that holds this tile of the level."""
        return cls(level, col // BLOCK_TILES, row // BLOCK_TILES)


def slide_levels(slide: "Slide") -> dict[int, int]:
    """Which DeepZoom level a level of the slide is, by its index, as far as it is one."""
    full = default_pyramid(slide).level_count - 1
    found: dict[int, int] = {}
    for level in slide.levels:
        exponent = (level.downsample or 0).bit_length() - 1
        number = full - exponent
        if level.downsample == 1 << max(exponent, 0) and number not in found.values():
            found[level.index] = number
    return found


def block_of(
    slide: "Slide",
    filename: str,
    address: BlockAddress,
    locate: Callable[[int, int, int], TileEntry] | None = None,
    *,
    imported: bool = False,
) -> TileBlock | None:
    """The block at this address; None where the slide has no such level.

    ``locate`` (default: the slide's own) tells where a level's tile, by column and row, lies.
    """
    pyramid = default_pyramid(slide)
    levels = {number: index for index, number in slide_levels(slide).items()}
    level = levels.get(address.level)
    if level is None:
        return None
    image = slide.images[level]
    find = locate or slide.locate
    is_on_grid = pyramid.tile == (image.tile_width, image.tile_height)
    return TileBlock.of(
        image,
        lambda col, row: find(level, col, row),
        (address.col, address.row),
        filename=filename,
        version=slide.version,
        passes_through=image.passes_through and is_on_grid,
        imported=imported,
    )


def blocks(
    slide: "Slide", filename: str, fingerprint: "Fingerprint"
) -> Iterator[tuple[BlockAddress, TileBlock]]:
    """All blocks of an imported slide."""
    for index, level in slide_levels(slide).items():
        image = slide.images[index]
        for row in range(-(-image.rows // BLOCK_TILES)):
            for col in range(-(-image.cols // BLOCK_TILES)):
                address = BlockAddress(level, col, row)
                block = block_of(slide, filename, address, fingerprint.locate, imported=True)
                if block:
                    yield address, block
