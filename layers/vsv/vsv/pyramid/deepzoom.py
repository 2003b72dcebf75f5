"""DeepZoom geometry and the ``.dzi`` descriptor: pure, standard library only.

Coordinate planes, named as in OpenSlide Python: ``l0_`` are pixels of the slide at full resolution,
``z_`` pixels of a DeepZoom level, ``t_`` column and row of a tile.

DeepZoom halves the slide, rounding up, until one pixel is left. Level ``level_count - 1`` is the
slide itself and level ``k`` measures ``ceil(size / 2**(level_count - 1 - k))``. Source: Microsoft's
Deep Zoom file format overview, as OpenSeadragon reads it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

from vsv.errors import InvalidRequest, NotFound, quoted
from vsv.geometry import Box, Size

__all__ = ["DeepZoom", "Tile", "TileAddress"]

_ADDRESS = re.compile(r"(\d{1,3})/(\d{1,9})_(\d{1,9})", re.ASCII)


class TileAddress(NamedTuple):
    """Which tile: DeepZoom level, column and row."""

    level: int
    col: int
    row: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``level/col_row``; raise InvalidRequest where the text is anything else."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise InvalidRequest(f"{quoted(text)} is not a tile address; expected level/column_row")
        return cls(*map(int, match.groups()))


class Tile(NamedTuple):
    """A tile of a pyramid: its box in pixels of its level, and the level's downsample."""

    address: TileAddress
    box: Box
    downsample: int


@dataclass(frozen=True)
class DeepZoom:
    """The DeepZoom pyramid over one image.

    ``size`` is the image's size in pixels, ``tile`` the size of a tile without its overlap, and
    ``overlap`` the pixels that a tile takes from each of its neighbours.
    """

    size: Size
    tile: Size
    overlap: int = 0

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise InvalidRequest(f"an image of {self.size.width} × {self.size.height} has no tiles")
        if min(self.tile) < 1 or self.overlap < 0:
            raise InvalidRequest(
                f"no tiles of {self.tile.width} × {self.tile.height} with overlap {self.overlap}"
            )

    @cached_property
    def level_count(self) -> int:
        """Number of levels; the last one is the image at full resolution."""
        return (max(self.size) - 1).bit_length() + 1

    def downsample(self, level: int) -> int:
        """Return how many pixels of the full image one of the level spans along each axis: 2**n."""
        self._check_level(level)
        return 1 << (self.level_count - 1 - level)

    def level_size(self, level: int) -> Size:
        """Return the size of the level in its own pixels, each axis rounded up."""
        self._check_level(level)
        return self._level_sizes[level]

    def grid(self, level: int) -> Size:
        """Return the columns and rows of tiles on the level."""
        self._check_level(level)
        return self._grids[level]

    @cached_property
    def _level_sizes(self) -> tuple[Size, ...]:
        return tuple(
            Size(*(-(-length // self.downsample(level)) for length in self.size))
            for level in range(self.level_count)
        )

    @cached_property
    def _grids(self) -> tuple[Size, ...]:
        return tuple(
            Size(-(-z_size.width // self.tile.width), -(-z_size.height // self.tile.height))
            for z_size in self._level_sizes
        )

    def tile_at(self, address: TileAddress) -> Tile:
        """Return the tile; its box has the pixels of the level that it shows, overlap included.

        Raises NotFound for a level, column or row that the pyramid does not have.
        """
        level, col, row = address
        cols, rows = self.grid(level)
        if col >= cols or row >= rows or min(col, row) < 0:
            raise NotFound(
                f"tile {col}_{row} is not on level {level}: columns 0..{cols - 1}, "
                f"rows 0..{rows - 1}"
            )
        z_size = self.level_size(level)
        # The image's own border has no neighbour to overlap with.
        box = Box(
            max(col * self.tile.width - self.overlap, 0),
            max(row * self.tile.height - self.overlap, 0),
            min((col + 1) * self.tile.width + self.overlap, z_size.width),
            min((row + 1) * self.tile.height + self.overlap, z_size.height),
        )
        return Tile(address, box, self.downsample(level))

    def beneath(self, address: TileAddress) -> list[TileAddress]:
        """Return the tiles of the next finer level that show the same, by rows, without overlap."""
        level, col, row = address
        cols, rows = self.grid(level + 1)
        return [
            TileAddress(level + 1, part_col, part_row)
            for part_row in range(2 * row, min(2 * row + 2, rows))
            for part_col in range(2 * col, min(2 * col + 2, cols))
        ]

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """All levels, the finest first."""
        return tuple(reversed(range(self.level_count)))

    @cached_property
    def tile_count(self) -> int:
        """Number of tiles on all levels."""
        return self.count(self.levels)

    def count(self, levels: Sequence[int]) -> int:
        """Return the number of tiles on these levels."""
        return sum(cols * rows for cols, rows in map(self.grid, levels))

    def tiles(
        self, start: int = 0, stop: int | None = None, levels: Sequence[int] | None = None
    ) -> Iterator[TileAddress]:
        """Yield tiles ``start`` to ``stop`` of the levels (default: all, finest first), by rows.

        The order numbers the tiles, so that a range of numbers is a piece of work.
        """
        levels = self.levels if levels is None else levels
        stop = self.count(levels) if stop is None else stop
        first = 0
        for level in levels:
            cols, rows = self.grid(level)
            for number in range(max(start - first, 0), min(stop - first, cols * rows)):
                row, col = divmod(number, cols)
                yield TileAddress(level, col, row)
            first += cols * rows

    def descriptor(self, image_format: str = "jpeg") -> str:
        """Return the ``.dzi`` document. ``image_format`` is the extension of the tiles' names.

        DeepZoom knows square tiles only: raises InvalidRequest for others, and for an extension
        that is not letters and digits.
        """
        if not (image_format.isascii() and image_format.isalnum()):
            raise InvalidRequest(f"{quoted(image_format)} is not a file name extension")
        if self.tile.width != self.tile.height:
            raise InvalidRequest(
                f"DeepZoom's tiles are square, not {self.tile.width} × {self.tile.height}"
            )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008"'
            f' Format="{image_format}"'
            f' Overlap="{self.overlap}" TileSize="{self.tile.width}">\n'
            f'  <Size Width="{self.size.width}" Height="{self.size.height}"/>\n'
            "</Image>\n"
        )

    def _check_level(self, level: int) -> None:
        if not 0 <= level < self.level_count:
            raise NotFound(f"level {level} of 0..{self.level_count - 1}")
