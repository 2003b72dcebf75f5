"""Rendering a pyramid's tiles: the work of RenderTiles and of ``vsv prerender``.

Uses TurboJPEG and numpy (``vsv.canvas``): half again as fast as Pillow here, where thousands of
tiles follow each other. The tile path, where a cold start counts, does without them.
"""

import threading
from collections.abc import Callable
from fractions import Fraction

from vsv.canvas import Canvas, Pixels, canvas_for
from vsv.deepzoom import DeepZoom, TileAddress
from vsv.index import SlideIndex
from vsv.pyramid import Band, Work
from vsv.slides import Slide, has_subsampled_chroma
from vsv.stores import ImageStore, Write, name
from vsv.tiles import DEFAULT_QUALITY, native_address, read_region, render_tile

__all__ = ["Renderer", "quick_tile"]


def beneath(pyramid: DeepZoom, tile: TileAddress) -> list[TileAddress]:
    """The tiles of the next finer level that show the same, by rows."""
    cols, rows = pyramid.grid(tile.level + 1)
    return [
        TileAddress(tile.level + 1, col, row)
        for row in range(2 * tile.row, min(2 * tile.row + 2, rows))
        for col in range(2 * tile.col, min(2 * tile.col + 2, cols))
    ]


def _own_tile(slide: Slide, pyramid: DeepZoom, tile: TileAddress) -> bytes | None:
    """The slide's own tile, where it shows just what DeepZoom's does, as a JPEG file."""
    own = native_address(slide, pyramid, tile)
    return slide.jpeg_tile(*own) if own else None


def quick_tile(
    slide: Slide,
    pyramid: DeepZoom,
    address: TileAddress,
    image_format: str = "jpeg",
    quality: int = DEFAULT_QUALITY,
) -> bytes:
    """The same as ``vsv.tiles.render_tile``, faster for a tile made of four of the slide's own.

    For processes that live long enough to have numpy and TurboJPEG loaded.
    """
    if (
        image_format != "png"
        and not pyramid.tile.width % 2
        and address.level + 1 < pyramid.level_count
    ):
        parts = beneath(pyramid, address)
        tiles = [data for data in (_own_tile(slide, pyramid, part) for part in parts) if data]
        if len(tiles) == 4:
            canvas = _canvas(has_subsampled_chroma(tiles[0]))
            pixels = canvas.halved(tiles, 2, pyramid.tile)
            if pixels is not None:
                return canvas.encode(pixels, quality)
    return render_tile(slide, pyramid, address, image_format, quality)


_of_this_thread = threading.local()


def _canvas(subsampled: bool) -> Canvas:
    """This thread's canvas for such tiles: its memory is used again and again."""
    canvases: dict[bool, Canvas] = _of_this_thread.__dict__.setdefault("canvases", {})
    if subsampled not in canvases:
        canvases[subsampled] = canvas_for(subsampled_chroma=subsampled)
    return canvases[subsampled]


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
        self._put: Write
        self._on_tile = on_tile
        first = slide.jpeg_tile(0, 0, 0)
        self._canvas = canvas_for(
            subsampled_chroma=first is not None and has_subsampled_chroma(first)
        )

    def render(self, start: int = 0, stop: int | None = None) -> None:
        """Render the units ``start`` to ``stop`` (default: all), but for tiles that are there.

        A tile that is there is whole, so this can be repeated and resumes where it was killed.
        Raises UnreadableSlide where the slide cannot be read; what was rendered until then stays.
        """
        with self._store.writing(lambda: self._on_tile(True)) as self._put:
            for band, root in self.work.units(start, stop):
                missing = self._missing(band, root)
                if missing:
                    self._tile(band, root, missing)

    def _missing(self, band: Band, root: TileAddress) -> set[TileAddress]:
        """The unit's tiles that are not there.

        Rendering goes from its finest level to its root: where the first and the last are missing,
        nothing was begun. (Or next to nothing, in a store that writes many at a time. Then a few
        tiles are written again, with the same bytes.)
        """
        tiles = {name(tile): tile for tile in self.work.beneath(band, root)}
        names, levels = list(tiles), [tile.level for tile in tiles.values()]
        ends = {names[0], names[levels.index(levels[-1])]}
        if self._store.missing(ends) == ends:
            return set(tiles.values())
        missing = self._store.missing(tiles)
        for _ in range(len(tiles) - len(missing)):
            self._on_tile(False)
        return {tiles[each] for each in missing}

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
            for part in beneath(self._pyramid, tile):
                left = (part.col & 1) * self._pyramid.tile.width // 2
                top = (part.row & 1) * self._pyramid.tile.height // 2
                self._canvas.place(pixels, self._half(band, part, missing), left, top)
        self._write(tile, missing, lambda: self._canvas.encode(pixels, self._quality))
        return pixels

    def _of_four(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels | None:
        """The pixels of a tile over four of the slide's own that are as they should be."""
        parts = beneath(self._pyramid, tile)
        if tile.level + 1 != band.finest or not band.is_native or len(parts) < 4:
            return None
        data = [data for data in map(self._own_tile, parts) if data]
        pixels = self._canvas.halved(data, 2, self._pyramid.tile) if len(data) == 4 else None
        if pixels is not None:
            for part, own in zip(parts, data, strict=True):
                self._keep(part, missing, own)
        return pixels

    def _half(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels:
        """The same; return the tile's pixels averaged two by two: a quarter of the tile above."""
        if tile.level == band.finest and band.is_native:
            own = self._own_tile(tile)
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
        own = native_address(self._slide, self._pyramid, tile)
        data = self._slide.jpeg_tile(*own) if own else None
        if own is None or data is None or self._slide.is_damaged(*own):
            return False
        self._keep(tile, missing, data)
        return True

    def _own_tile(self, tile: TileAddress) -> bytes | None:
        return _own_tile(self._slide, self._pyramid, tile)

    def _rendered(self, tile: TileAddress) -> bytes:
        return render_tile(self._slide, self._pyramid, tile, "jpeg", self._quality)

    def _keep(self, tile: TileAddress, missing: set[TileAddress], data: bytes) -> None:
        self._write(tile, missing, lambda: data)

    def _write(
        self, tile: TileAddress, missing: set[TileAddress], make: Callable[[], bytes]
    ) -> None:
        if tile in missing:
            self._put(name(tile), make())
