"""Tiles that the scanner lost, and what it made of them.

A scanner that leaves a tile of one level empty, or writes a broken one, makes the coarser levels of
what it reads there: black, or the neighbours displaced by a tile (Aperio's vFS90 has done so).
So a tile of a coarser level that covers a lost one is lost as well: finer levels are shown instead.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from vsv.slides.level import Level

__all__ = ["TileNumber", "empty_tiles", "with_coarser"]

# Where more of the finest level is empty than this, the scanner left out what has no tissue.
_MAX_EMPTY_SHARE: Final = 0.1


class TileNumber(NamedTuple):
    """Which tile of a slide: level, column and row."""

    level: int
    col: int
    row: int


def empty_tiles(level: Level, byte_counts: Sequence[int]) -> list[TileNumber]:
    """Return the tiles of the level that the scanner left empty amid others.

    A finest level that is empty over large parts was scanned only where there is tissue: none of
    these are lost.
    """
    cols, rows = level.cols, level.rows
    empty = byte_counts.count(0)
    if empty == 0 or (level.downsample == 1 and empty > _MAX_EMPTY_SHARE * cols * rows):
        return []
    numbers = (number for number in range(cols * rows) if byte_counts[number] == 0)
    return [TileNumber(level.index, number % cols, number // cols) for number in numbers]


def with_coarser(levels: Sequence[Level], tiles: Iterable[TileNumber]) -> set[TileNumber]:
    """Return the tiles, and all tiles of coarser levels that cover one of them."""
    lost = set(tiles)
    for tile in list(lost):
        level = levels[tile.level]
        for other in levels:
            if other.downsample > level.downsample:
                lost.update(_covering(level, other, tile))
    return lost


def _covering(level: Level, other: Level, tile: TileNumber) -> Iterator[TileNumber]:
    """Yield the tiles of a coarser level that show a part of the tile."""
    cols = _range(
        (tile.col, level.tile_width, level.width, level.downsample),
        (other.tile_width, other.width, other.downsample),
    )
    rows = _range(
        (tile.row, level.tile_height, level.height, level.downsample),
        (other.tile_height, other.height, other.downsample),
    )
    for row in rows:
        for col in cols:
            yield TileNumber(other.index, col, row)


def _range(fine: tuple[int, int, int, int], coarse: tuple[int, int, int]) -> range:
    """The numbers along one axis: tile, tile length, level length and downsample."""
    number, length, total, downsample = fine
    other_length, other_total, other_downsample = coarse
    step = other_length * other_downsample
    start = number * length * downsample // step
    stop = -(-min((number + 1) * length, total) * downsample // step)
    return range(start, min(stop, -(-other_total // other_length)))
