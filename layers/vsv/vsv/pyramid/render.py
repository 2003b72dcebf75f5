"""Rendering a pyramid's tiles: the work of RenderTiles and of ``vsv prerender``."""

from collections.abc import Callable, Iterable
from fractions import Fraction

from PIL import Image

from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.encoding import Pixels, averaged, halved
from vsv.pyramid.image_store import ImageStore, Write, name
from vsv.pyramid.plan import Band, Work, tiles_over
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile import native_address, native_quarters, read_region, render_tile
from vsv.slides.damage import Damage
from vsv.slides.lost_tiles import LostTiles
from vsv.slides.slide import Slide

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
        self._put: Write
        self._on_tile = on_tile

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

    def render_what_shows(self, damages: Iterable[Damage]) -> LostTiles:
        """Make damaged tiles lost to the slide, and render anew what shows a part of them.

        What a decoder finds to be damaged may have been shown by then, in tiles of coarser levels.
        Return the slide's tiles that are lost: these, and those of coarser levels that cover them.
        """
        lost = self._slide.lose(damage.tile for damage in damages)
        again = tiles_over(self._pyramid, self.work.levels, self._slide, lost)
        with self._store.writing(lambda: None) as self._put:
            for band, root in self.work.units():
                beneath = again.intersection(self.work.beneath(band, root))
                if beneath:
                    self._tile(band, root, beneath)
        return lost

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
        pixels = self._of_four(tile, missing)
        if pixels is None:
            image = Image.new("RGB", self._pyramid.tile_box(tile).size)
            for part in self._pyramid.beneath(tile):
                left = (part.col & 1) * self._pyramid.tile.width // 2
                top = (part.row & 1) * self._pyramid.tile.height // 2
                image.paste(self._half(band, part, missing), (left, top))
            pixels = Pixels(image)
        self._write(tile, missing, lambda: pixels.encode(self._quality))
        return pixels

    def _of_four(self, tile: TileAddress, missing: set[TileAddress]) -> Pixels | None:
        """The pixels of a tile over four of the slide's own that are as they should be."""
        quarters = native_quarters(self._slide, self._pyramid, tile)
        pixels = halved(quarters, 2, self._pyramid.tile) if quarters else None
        if quarters and pixels is not None:
            for part, data in zip(self._pyramid.beneath(tile), quarters, strict=True):
                self._keep(part, missing, data)
        return pixels

    def _half(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Image.Image:
        """The same; return the tile's pixels averaged two by two: a quarter of the tile above."""
        if tile.level == band.finest and band.is_native:
            own = native_address(self._slide, self._pyramid, tile)
            data = self._slide.jpeg_tile(*own) if own else None
            half = halved([data], 1, self._pyramid.tile) if data else None
            if data and half is not None:
                self._keep(tile, missing, data)
                return half.image
        return averaged(self._pixels(band, tile, missing).image, *self._last_shares(tile))

    def _finest_pixels(self, band: Band, tile: TileAddress, missing: set[TileAddress]) -> Pixels:
        """Write a tile that comes from the slide, if it is missing; return its pixels."""
        box, downsample = self._pyramid.tile_box(tile), self._pyramid.downsample(tile.level)
        pixels = Pixels(read_region(self._slide, downsample, box))
        # Now that all of it was decoded it is known whether it may be copied.
        if not (band.is_native and self._copied(tile, missing)):
            self._write(tile, missing, lambda: pixels.encode(self._quality))
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

    def _rendered(self, tile: TileAddress) -> bytes:
        return render_tile(self._slide, self._pyramid, tile, "jpeg", self._quality)

    def _keep(self, tile: TileAddress, missing: set[TileAddress], data: bytes) -> None:
        self._write(tile, missing, lambda: data)

    def _write(
        self, tile: TileAddress, missing: set[TileAddress], make: Callable[[], bytes]
    ) -> None:
        if tile in missing:
            self._put(name(tile), make())
