"""The blocks of a slide's tile index: where its tiles lie, by levels of its pyramid.

They are numbered by DeepZoom levels of the slide's own grid, so that a viewer's tile address leads
to its block without another look.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from vsv.pyramid.native import default_pyramid, native_level, slide_levels
from vsv.slides.tile_index import BLOCK_TILES, TileBlock, TileEntry

if TYPE_CHECKING:
    from vsv.slides.fingerprint import Fingerprint
    from vsv.slides.slide import Slide

__all__ = ["BlockAddress", "block_of", "blocks"]


class BlockAddress(NamedTuple):
    """Which block: DeepZoom level, column and row of blocks."""

    level: int
    col: int
    row: int

    @classmethod
    def holding(cls, level: int, col: int, row: int) -> Self:
        """Return the block that holds this tile of the level."""
        return cls(level, col // BLOCK_TILES, row // BLOCK_TILES)


def block_of(
    slide: "Slide",
    filename: str,
    address: BlockAddress,
    locate: Callable[[int, int, int], TileEntry] | None = None,
    *,
    imported: bool = False,
) -> TileBlock | None:
    """Return the block at this address, or None if the slide has no such level.

    ``locate`` (default: the slide's own) tells where a level's tile, by column and row, lies.
    """
    level = slide_levels(slide).get(address.level)
    if level is None:
        return None
    find = locate or slide.locate
    return TileBlock.of(
        level.image,
        lambda col, row: find(level.index, col, row),
        (address.col, address.row),
        filename=filename,
        version=slide.version,
        passes_through=native_level(slide, default_pyramid(slide), address.level) is not None,
        imported=imported,
    )


def blocks(
    slide: "Slide", filename: str, fingerprint: "Fingerprint"
) -> Iterator[tuple[BlockAddress, TileBlock]]:
    """Yield all blocks of an imported slide with their addresses."""
    for number, level in slide_levels(slide).items():
        for row in range(-(-level.image.rows // BLOCK_TILES)):
            for col in range(-(-level.image.cols // BLOCK_TILES)):
                address = BlockAddress(number, col, row)
                block = block_of(slide, filename, address, fingerprint.locate, imported=True)
                if block:
                    yield address, block
