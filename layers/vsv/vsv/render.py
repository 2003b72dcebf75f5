"""Rendering a pyramid's tiles: the work of RenderTiles and of ``vsv prerender``.

Uses TurboJPEG and numpy (``vsv.canvas``): half again as fast as Pillow here, where thousands of
tiles follow each other. The tile path, where a cold start counts, does without them.
"""

from collections.abc import Callable
from fractions import Fraction

from vsv.canvas import Pixels, canvas_for
from vsv.deepzoom import TileAddress
from vsv.index import SlideIndex, slide_levels
from vsv.pyramid import Band, Work
from vsv.slides import Slide
from vsv.stores import ImageStore, name
from vsv.tiles import read_region, render_tile

__all__ = ["Renderer"]


class Renderer:
    """Renders the pyramid that the index describes, of an open slide, into the store.

    ``on_tile`` is told of each tile whether it was rendered now (or was there already).
    """

    def __init__(
        self,
        slide: Slide,
        index: SlideIndex,
        store: ImageStore,
        on_tile: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self.work = Work.of(slide, index.pyramid, index.levels)
        self._slide = slide
        self._pyramid = index.pyramid
        self._quality = index.quality
        self._store = store
        self._on_tile = on_tile
        self._canvas = canvas_for(slide.jpeg_tile(0, 0, 0))
        self._own_levels = {number: level for level, number in slide_levels(slide).items()}

    def render(self, start: int = 0, stop: int | None = None) -> None:
        """Render the units ``start`` to ``stop`` (default: all), but for tiles that are there.

        A tile that is there is whole, so this can be repeated and resumes where it was killed.
        Raises UnreadableSlide where the slide cannot be read; what was rendered until then stays.
        """
        for band, root in self.work.units(start, stop):
            missing = self._missing(band, root)
            if missing:
                self._tile(band, root, missing)

    def _missing(self, band: Band, root: TileAddress) -> set[TileAddress]:
        """The unit's tiles that are not there.

        Rendering goes from its finest level to its root: where the first and the last are missing,
        nothing was begun.
        """
        tiles = list(self.work.beneath(band, root))
        first = next(tile for tile in tiles if tile.level == tiles[-1].level)
        if not self._store.has(name(tiles[0])) and not self._store.has(name(first)):
            return set(tiles)
        missing = {tile for tile in tiles if not self._store.has(name(tile))}
        for _ in range(len(tiles) - len(missing)):
            self._on_tile(False)
        return missing

    def _tile(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> None:
        """Write what is missing of the tile and of all beneath it."""
        if tile.level < band.finest:
            self._pixels(band, tile, missing)
        elif not (band.is_native and self._copied(tile, missing)):
            self._write(tile, missing, lambda: self._rendered(tile))

    def _pixels(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels:
        """The same; return the tile's pixels."""
        if tile.level == band.finest:
            return self._finest_pixels(band, tile, missing)
        pixels = self._of_four(band, tile, missing)
        if pixels is None:
            pixels = self._canvas.blank(self._pyramid.tile_box(tile).size)
            for part in self._beneath(tile):
                left = (part.col & 1) * self._pyramid.tile.width // 2
                top = (part.row & 1) * self._pyramid.tile.height // 2
                self._canvas.place(pixels, self._half(band, part, missing), left, top)
        self._write(tile, missing, lambda: self._canvas.encode(pixels, self._quality))
        return pixels

    def _of_four(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels | None:
        """The pixels of a tile over four of the slide's own that are as they should be."""
        parts = self._beneath(tile)
        if tile.level + 1 != band.finest or not band.is_native or len(parts) < 4:
            return None
        data = [data for data in map(self._own, parts) if data]
        pixels = self._canvas.halved(data, 2, self._pyramid.tile) if len(data) == 4 else None
        if pixels is not None:
            for part, own in zip(parts, data, strict=True):
                self._keep(part, missing, own)
        return pixels

    def _half(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels:
        """The same; return the tile's pixels averaged two by two: a quarter of the tile above."""
        if tile.level == band.finest and band.is_native:
            own = self._own(tile)
            half = self._canvas.halved([own], 1, self._pyramid.tile) if own else None
            if own and half is not None:
                self._keep(tile, missing, own)
                return half
        return self._canvas.averaged(self._pixels(band, tile, missing), *self._last_shares(tile))

    def _finest_pixels(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels:
        """Write a tile that comes from the slide, if it is missing; return its pixels."""
        box, downsample = self._pyramid.tile_box(tile), self._pyramid.downsample(tile.level)
        pixels = self._canvas.of(read_region(self._slide, downsample, box))
        # Now that all of it was decoded it is known whether it may be copied.
        if not (band.is_native and self._copied(tile, missing)):
            self._write(tile, missing, lambda: self._canvas.encode(pixels, self._quality))
        return pixels

    def _beneath(self, tile: TileAddress) -> list[TileAddress]:
        """The tiles of the next finer level that show the same, by rows."""
        cols, rows = self._pyramid.grid(tile.level + 1)
        return [
            TileAddress(tile.level + 1, col, row)
            for row in range(2 * tile.row, min(2 * tile.row + 2, rows))
            for col in range(2 * tile.col, min(2 * tile.col + 2, cols))
        ]

    def _own(self, tile: TileAddress) -> bytes | None:
        """The slide's own tile, where it shows just what DeepZoom's does."""
        level = self._own_levels[tile.level]
        image = self._slide.images[level]
        if (
            tile.col >= image.width // image.tile_width
            or tile.row >= image.height // image.tile_height
        ):
            return None
        return self._slide.jpeg_tile(level, tile.col, tile.row)

    def _last_shares(self, tile: TileAddress) -> tuple[Fraction, Fraction]:
        """How much of a pixel the tile's last column and its last row stand for.

        At the slide's right and bottom border a pixel of a level covers what is left of the slide.
        """
        downsample = self._pyramid.downsample(tile.level)
        box, z_size = self._pyramid.tile_box(tile), self._pyramid.level_size(tile.level)
        col, row = (
            Fraction(length % downsample or downsample, downsample) if last == end else Fraction(1)
            for length, last, end in zip(
                self._pyramid.size, (box.right, box.bottom), z_size, strict=True
            )
        )
        return col, row

    def _copied(self, tile: TileAddress, missing: set[TileAddress]) -> bool:
        """Whether the slide's own tile could take the place of a rendered one, and has."""
        data = self._own(tile)
        if not data or self._slide.is_damaged(self._own_levels[tile.level], tile.col, tile.row):
            return False
        self._keep(tile, missing, data)
        return True

    def _rendered(self, tile: TileAddress) -> bytes:
        return render_tile(self._slide, self._pyramid, tile, "jpeg", self._quality)

    def _keep(self, tile: TileAddress, missing: set[TileAddress], data: bytes) -> None:
        self._write(tile, missing, lambda: data)

    def _write(
        self, tile: TileAddress, missing: set[TileAddress], make: Callable[[], bytes]
    ) -> None:
        if tile in missing:
            self._store.write(name(tile), make())
            self._on_tile(True)
