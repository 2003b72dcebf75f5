"""Rendering a pyramid's tiles: the work of RenderTiles and of ``vsv prerender``."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.encoding import Pixels, averaged, halved
from vsv.pyramid.image_store import ImageStore, Write, name
from vsv.pyramid.native import native_quarters, native_tile
from vsv.pyramid.plan import Band, Work, tiles_over
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile import render_tile
from vsv.slides.damage import Damage
from vsv.slides.lost_tiles import LostTiles
from vsv.slides.regions import RegionReader
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
        self._on_tile = on_tile

    def render(self, start: int = 0, stop: int | None = None) -> None:
        """Render the units ``start`` to ``stop`` (default: all), but for tiles that are there.

        A tile that is there is whole, so this can be repeated and resumes where it was killed.
        Raises UnreadableSlide where the slide cannot be read; what was rendered until then stays.
        """
        with self._store.writing(lambda: self._on_tile(True)) as put:
            for band, root in self.work.units(start, stop):
                missing = self._missing(band, root)
                if missing:
                    self._unit(band, missing, put).write(root)

    def render_what_shows(self, damages: Iterable[Damage]) -> LostTiles:
        """Make damaged tiles lost to the slide, and render again what shows a part of them.

        What a decoder finds to be damaged may have been shown by then, in tiles of coarser levels.
        Return the slide's tiles that are lost: these, and those of coarser levels that cover them.
        """
        lost = self._slide.lose(damage.tile for damage in damages)
        again = tiles_over(self._pyramid, self.work.levels, self._slide, lost)
        with self._store.writing(lambda: None) as put:
            for band, root in self.work.units():
                beneath = again.intersection(self.work.beneath(band, root))
                if beneath:
                    self._unit(band, beneath, put).write(root)
        return lost

    def _unit(self, band: Band, wanted: Collection[TileAddress], put: Write) -> "_Unit":
        return _Unit(self._slide, self._pyramid, self._quality, band, wanted, put)

    def _missing(self, band: Band, root: TileAddress) -> set[TileAddress]:
        """Return the unit's tiles that are not there.

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


@dataclass(frozen=True)
class _Unit:
    """A tile of a band's coarsest level with all of the band's tiles beneath it.

    Each tile is made of the four beneath it, so that none of the slide's is decoded twice. The
    tiles that are ``wanted`` are written by ``put``.
    """

    slide: Slide
    pyramid: DeepZoom
    quality: int
    band: Band
    wanted: Collection[TileAddress]
    put: Write

    def write(self, root: TileAddress) -> None:
        """Write what is wanted of the tile and of all beneath it."""
        if root.level < self.band.finest:
            self._pixels(root)
        elif not self._copied(root):
            self._write(
                root, lambda: render_tile(self.slide, self.pyramid, root, "jpeg", self.quality)
            )

    def _pixels(self, tile: TileAddress) -> Pixels:
        """Write what is wanted of the tile and of all beneath it; return the tile's pixels."""
        if tile.level == self.band.finest:
            return self._from_slide(tile)
        pixels = self._of_native_tiles(tile) or self._of_tiles_beneath(tile)
        self._write(tile, lambda: pixels.encode(self.quality))
        return pixels

    def _from_slide(self, address: TileAddress) -> Pixels:
        tile = self.pyramid.tile_at(address)
        pixels = Pixels(RegionReader(self.slide).region(tile.downsample, tile.box))
        # Now that all of it was decoded it is known whether it may be copied.
        if not self._copied(address):
            self._write(address, lambda: pixels.encode(self.quality))
        return pixels

    def _of_native_tiles(self, tile: TileAddress) -> Pixels | None:
        """Return the pixels of a tile over four of the slide's own that are as they should be."""
        quarters = native_quarters(self.slide, self.pyramid, tile)
        pixels = halved(quarters, 2, self.pyramid.tile) if quarters else None
        if quarters and pixels is not None:
            for part, data in zip(self.pyramid.beneath(tile), quarters, strict=True):
                self._keep(part, data)
        return pixels

    def _of_tiles_beneath(self, tile: TileAddress) -> Pixels:
        image = Image.new("RGB", self.pyramid.tile_at(tile).box.size)
        for part in self.pyramid.beneath(tile):
            left = (part.col & 1) * self.pyramid.tile.width // 2
            top = (part.row & 1) * self.pyramid.tile.height // 2
            image.paste(self._half(part), (left, top))
        return Pixels(image)

    def _half(self, tile: TileAddress) -> Image.Image:
        """Do as ``_pixels`` does; return them averaged two by two: a quarter of the tile above."""
        if tile.level == self.band.finest:
            data = self._native_data(tile)
            half = halved([data], 1, self.pyramid.tile) if data else None
            if data and half is not None:
                self._keep(tile, data)
                return half.image
        return averaged(self._pixels(tile).image, *self._last_shares(tile))

    def _last_shares(self, address: TileAddress) -> tuple[Fraction, Fraction]:
        """Return how much of a pixel the tile's last column and its last row stand for.

        At the slide's right and bottom border a pixel of a level covers what is left of the slide.
        """
        tile, z_size = self.pyramid.tile_at(address), self.pyramid.level_size(address.level)
        col, row = (
            Fraction(length % tile.downsample or tile.downsample, tile.downsample)
            if last == end
            else Fraction(1)
            for length, last, end in zip(
                self.pyramid.size, (tile.box.right, tile.box.bottom), z_size, strict=True
            )
        )
        return col, row

    def _native_data(self, tile: TileAddress) -> bytes | None:
        """Return the slide's own tile as a JPEG file, where that is this tile and is sound."""
        own = native_tile(self.slide, self.pyramid, tile) if self.band.is_native else None
        data = self.slide.jpeg_tile(*own) if own else None
        return data if own and not self.slide.is_damaged(*own) else None

    def _copied(self, tile: TileAddress) -> bool:
        """Whether the slide's own tile could take the place of a rendered one, and has."""
        data = self._native_data(tile)
        if data is None:
            return False
        self._keep(tile, data)
        return True

    def _keep(self, tile: TileAddress, data: bytes) -> None:
        self._write(tile, lambda: data)

    def _write(self, tile: TileAddress, make: Callable[[], bytes]) -> None:
        if tile in self.wanted:
            self.put(name(tile), make())
