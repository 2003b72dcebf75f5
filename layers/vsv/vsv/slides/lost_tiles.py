"""Tiles that the scanner lost, and what it made of them.

A scanner that leaves a tile of one level empty, or writes a broken one, makes the coarser levels of
what it reads there: black, or the neighbours displaced by a tile (Aperio's vFS90 has done so).
So a tile of a coarser level that covers a lost one is lost as well: finer levels are shown instead.
"""

import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from vsv.slides.damage import TileNumber
from vsv.slides.level import Level

__all__ = ["LostTiles", "covered_tiles", "empty_tiles"]

# Where more of the finest level is empty than this, the scanner left out what has no tissue.
_MAX_EMPTY_SHARE: Final = 0.1


class LostTiles:
    """Some tiles of a slide, and all tiles of coarser levels that cover one of them.

    They may be millions: a byte is kept for each tile that the levels have, and they are looked
    through by rows.
    """

    def __init__(self, levels: Sequence[Level], tiles: Iterable[TileNumber] = ()) -> None:
        """Begin with these tiles, and what covers them."""
        self._levels = levels
        self._masks = [bytearray(level.image.cols * level.image.rows) for level in levels]
        for tile in tiles:
            self._masks[tile.level][tile.row * levels[tile.level].image.cols + tile.col] = 1
        self._spread()

    @classmethod
    def masked(cls, levels: Sequence[Level], masks: Iterable[bytes]) -> "LostTiles":
        """Begin with the tiles that are 1 in the levels' masks, by rows, and what covers them."""
        lost = cls(levels)
        lost._masks = [bytearray(mask) for mask in masks]
        lost._spread()
        return lost

    def __contains__(self, tile: TileNumber) -> bool:
        cols = self._levels[tile.level].image.cols
        return self._masks[tile.level][tile.row * cols + tile.col] == 1

    def __iter__(self) -> Iterator[TileNumber]:
        """Yield them by levels and rows."""
        for level, mask in zip(self._levels, self._masks, strict=True):
            for number in _ones(mask):
                row, col = divmod(number, level.image.cols)
                yield TileNumber(level.index, col, row)

    def mask(self, level: int) -> bytes:
        """Return a byte for each tile of the level, by rows: 1 where it is lost, else 0."""
        return bytes(self._masks[level])

    def _spread(self) -> None:
        lost = [bytes(mask) for mask in self._masks]
        for level in self._levels:
            if 1 in lost[level.index]:
                for other in self._levels:
                    if other.downsample > level.downsample:
                        self._cover(level, lost[level.index], other)

    def _cover(self, level: Level, mask: bytes, other: Level) -> None:
        """Add the other level's tiles that show a part of this level's."""
        cover = self._masks[other.index]
        across, down = _spans(level, other)
        stops = [cols.stop for cols in across]
        for row, rows in enumerate(down):
            first, end = row * level.image.cols, (row + 1) * level.image.cols
            at = mask.find(1, first, end)
            while at >= 0:
                cols = across[at - first]
                for each in rows:
                    start = each * other.image.cols
                    cover[start + cols.start : start + cols.stop] = b"\1" * len(cols)
                # On to the first tile that shows what is not covered now.
                at = mask.find(1, first + bisect_right(stops, cols.stop), end)


class _Axis(NamedTuple):
    """One axis of a level: a tile's length and the level's, in its pixels, and its downsample."""

    tile: int
    length: int
    downsample: int

    def onto(self, other: "_Axis") -> list[range]:
        """Return, for each tile of this axis, the other's tiles that show a part of it."""
        step = other.tile * other.downsample
        last = -(-other.length // other.tile)
        return [
            range(
                start * self.downsample // step,
                min(
                    -(-min(start + self.tile, self.length) * self.downsample // step),
                    last,
                ),
            )
            for start in range(0, self.length, self.tile)
        ]


def _spans(level: Level, other: Level) -> tuple[list[range], list[range]]:
    """Return, for each column and each row of the level, the other's that show a part of it."""
    across, down = (
        _Axis(level.image.tile[axis], level.image.size[axis], level.downsample).onto(
            _Axis(other.image.tile[axis], other.image.size[axis], other.downsample)
        )
        for axis in (0, 1)
    )
    return across, down


def covered_tiles(level: Level, tile: TileNumber, finer: Level) -> Iterator[TileNumber]:
    """Yield, by rows, the tiles of a finer level that this level's tile covers.

    On its own level a tile covers itself.
    """
    if finer is not level and finer.downsample >= level.downsample:
        return
    across, down = _spans(finer, level)
    cols = [col for col, covering in enumerate(across) if tile.col in covering]
    for row, covering in enumerate(down):
        if tile.row in covering:
            yield from (TileNumber(finer.index, col, row) for col in cols)


def empty_tiles(levels: Sequence[Level], byte_counts: Sequence[Sequence[int]]) -> list[bytes]:
    """Return a mask for each level, by rows: 1 for tiles that the scanner left empty amid others.

    A finest level that is empty over large parts was scanned only where there is tissue: none of
    these are lost, nor are tiles of coarser levels that show nothing else.
    """
    masks = [
        bytes(map(operator.not_, counts[: level.image.cols * level.image.rows]))
        if 0 in counts
        else bytes(level.image.cols * level.image.rows)
        for level, counts in zip(levels, byte_counts, strict=True)
    ]
    finest = masks[0]
    if finest.count(1) <= _MAX_EMPTY_SHARE * len(finest):
        return masks
    nothing = [bytes(len(mask)) for mask in masks]
    there = LostTiles.masked(levels, [bytes(map(operator.not_, finest)), *nothing[1:]])
    return [
        nothing[0],
        *(
            bytes(map(operator.and_, mask, there.mask(level.index)))
            for level, mask in zip(levels[1:], masks[1:], strict=True)
        ),
    ]


def _ones(mask: bytes | bytearray) -> Iterator[int]:
    """Yield where the mask has a 1."""
    at = mask.find(1)
    while at >= 0:
        yield at
        at = mask.find(1, at + 1)
