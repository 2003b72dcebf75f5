"""What a viewer may ask for: descriptor, tiles, associated images of one slide by its ImageID.

A tile has three sources, asked in this order: the slide's own tiles (*native*), the pyramid of the
import (*pre-rendered*), the slide's pixels (*made*). Where none has it, NotFound is raised. Every
tile gets its tag before any pixel is read, so that a viewer that has it already costs nothing. (An
associated image that the import did not keep is decoded first, which shows whether it is sound.)
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image

from vsv import __version__
from vsv.errors import Archived, FileChanged, NotFound, NotRendered, quoted
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.encoding import MEDIA_TYPES, encode, is_jpeg
from vsv.pyramid.image_store import name as tile_name
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile import MAX_PIXELS_ON_REQUEST, render_tile, source_pixels
from vsv.slides.associated import associated_image
from vsv.slides.budget import PixelBudget
from vsv.slides.pages import ASSOCIATED_IMAGES
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.viewing.slide_cache import CachedSlide, SlideCache

__all__ = ["Images", "Resource", "TileOptions"]


@dataclass(frozen=True)
class TileOptions:
    """How the viewer wants the slide cut up; None leaves it to the slide.

    ``tile_size`` and ``overlap`` are in pixels, ``image_format`` is one of ``MEDIA_TYPES``.
    """

    tile_size: int | None = None
    overlap: int | None = None
    image_format: str = "jpeg"


# What the import's pyramid is: JPEG, by either extension, on the slide's own grid.
_DEFAULT_OPTIONS: Final = tuple(
    TileOptions(image_format=name) for name in MEDIA_TYPES if is_jpeg(name)
)


@dataclass(frozen=True)
class Resource:
    """An answer. Equal tags stand for equal bytes; ``load`` reads or renders them."""

    tag: str
    media_type: str
    load: Callable[[], bytes]


class Images:
    """The slides beneath one images path, as a viewer sees them.

    ``quality`` is the JPEG quality (1..95) of what is rendered. With ``keeps_index`` a missing
    index is written, if the file system allows it. Tiles that would take more than ``max_pixels``
    of the slide are left to the import.
    """

    def __init__(
        self,
        storage: Storage,
        quality: int,
        *,
        keeps_index: bool = False,
        max_pixels: float = MAX_PIXELS_ON_REQUEST,
    ) -> None:
        self._storage = storage
        self._quality = quality
        self._max_pixels = max_pixels
        self._slides = SlideCache(storage, keeps_index=keeps_index)

    def descriptor(self, image_id: str, options: TileOptions) -> Resource:
        """Return the ``.dzi`` document.

        Raises NotFound for an unknown slide, and Archived where the slide has left EFS without
        leaving the pyramid that is wanted.
        """
        index = self._storage.read_index(image_id)
        imported = index if index and index.imported else None
        if index and index.archived and not (index.levels and _fits(index, options)):
            raise Archived
        own_grid = imported.pyramid if imported else default_pyramid(self._slide(image_id))
        document = _cut_as_asked(own_grid, options).descriptor(options.image_format).encode()
        return Resource(_digest(document.decode()), "application/xml", lambda: document)

    def tile(self, image_id: str, address: TileAddress, options: TileOptions) -> Resource:
        """Return one tile, from the first of its sources that has it.

        Raises NotFound for an unknown slide, level, column or row, Archived where the tile would
        have to be made of a slide that has left EFS, and NotRendered where it would take too many
        pixels. ``load`` raises FileChanged where the file has changed since the import.
        """
        if options not in _DEFAULT_OPTIONS:
            return self._as_asked(image_id, address, options)
        slide = self._slides.get_if_open(image_id, address)
        return (
            self._native(slide, address)
            or self._pre_rendered(slide, image_id, address)
            # There was no index: now the slide's own directories tell.
            or self._native(self._slides.get(image_id), address)
            or self._made(image_id, address, options)
        )

    def _as_asked(self, image_id: str, address: TileAddress, options: TileOptions) -> Resource:
        """Return the tile by the viewer's own tile size, overlap or format."""
        if is_jpeg(options.image_format):
            index = self._storage.read_index(image_id)
            if index and _fits(index, options):
                return self.tile(image_id, address, TileOptions(image_format=options.image_format))
        return self._made(image_id, address, options)

    def _native(self, slide: CachedSlide | None, address: TileAddress) -> Resource | None:
        """Return the tile straight from the slide's file, or None if it is not one of its own.

        Costs one read, when it is loaded.
        """
        block = slide.native_block(address) if slide else None
        if slide is None or block is None:
            return None

        def load() -> bytes:
            # The file may have left since: then there is the pyramid's copy. A tile that is unlike
            # its index is made of what can be read.
            try:
                tile = slide.native_tile(block, address)
            except FileNotFoundError:
                stored = self._stored(slide.image_id, tile_name(address))
                if stored is None:
                    index = self._storage.read_index(slide.image_id)
                    if index and index.archived:
                        raise Archived from None
                    raise FileChanged("the slide file was removed since it was imported") from None
                return stored.load()
            return tile or self._made(slide.image_id, address, TileOptions()).load()

        tag = f"{block.version}-{address.level}-{address.col}-{address.row}"
        return Resource(tag, "image/jpeg", load)

    def _pre_rendered(
        self, slide: CachedSlide | None, image_id: str, address: TileAddress
    ) -> Resource | None:
        """Return the tile of the finished pyramid, or None if it has not been rendered."""
        levels = slide.rendered_levels if slide else None
        # A level that is known not to be rendered is not looked for.
        if levels is not None and address.level not in levels:
            return None
        return self._stored(image_id, tile_name(address))

    def _made(self, image_id: str, address: TileAddress, options: TileOptions) -> Resource:
        """Return the tile, made of the slide: of its own JPEG tiles if possible, else of pixels."""
        slide = self._slide(image_id)
        pyramid = _cut_as_asked(default_pyramid(slide), options)
        pyramid.tile_at(address)
        pixels = source_pixels(slide, pyramid, address.level)
        if pixels > self._max_pixels:
            raise NotRendered(
                f"a tile of level {address.level} shows {pixels:,} pixels, too many to "
                "be read on request; the import renders it as a JPEG tile of the default grid"
            )
        return self._tagged(
            slide,
            f"{pyramid} {address}",
            options.image_format,
            lambda: render_tile(
                slide, pyramid, address, options.image_format, self._quality, self._budget()
            ),
        )

    def associated(self, image_id: str, name: str, image_format: str) -> Resource:
        """Return the label, thumbnail or macro. Raises NotFound where the slide has none."""
        if name not in ASSOCIATED_IMAGES:
            raise NotFound(f"{quoted(name)} is not one of {', '.join(ASSOCIATED_IMAGES)}")
        if is_jpeg(image_format):
            extracted = self._stored(image_id, name)
            if extracted:
                return extracted
        try:
            slide = self._slide(image_id)
        except Archived:
            return self._converted(image_id, name, image_format)
        image = associated_image(slide, name, self._budget())
        return self._tagged(
            slide, name, image_format, lambda: encode(image, image_format, self._quality)
        )

    def _converted(self, image_id: str, name: str, image_format: str) -> Resource:
        """Return an archived slide's associated image in another format than it is kept in.

        The import kept all that the slide has.
        """
        kept = self._stored(image_id, name)
        if kept is None:
            raise NotFound(f"the slide has no {name} image")

        def load() -> bytes:
            with Image.open(io.BytesIO(kept.load())) as image:
                return encode(image, image_format, self._quality)

        return Resource(f"{kept.tag}-{image_format}", MEDIA_TYPES[image_format], load)

    def _slide(self, image_id: str) -> Slide:
        return self._slides.get(image_id).slide

    def _stored(self, image_id: str, name: str) -> Resource | None:
        """Return a tile of the pyramid, or an associated image, if the import left it."""
        found = self._storage.images(image_id).find(name)
        return Resource(found.tag, "image/jpeg", found.read) if found else None

    def _budget(self) -> PixelBudget:
        """Return what may be read for one answer, with the damaged tiles that are found by then.

        The estimate leaves out what a border, or another grid than the slide's, takes beyond.
        """
        return PixelBudget(2 * self._max_pixels)

    def _tagged(
        self, slide: Slide, what: str, image_format: str, load: Callable[[], bytes]
    ) -> Resource:
        tag = _digest(f"{slide.version} {what} {image_format} {self._quality} {__version__}")
        return Resource(tag, MEDIA_TYPES[image_format], load)


def _fits(index: SlideIndex, options: TileOptions) -> bool:
    """Return whether the slide's pyramid has the tile size, overlap and format that are asked."""
    return is_jpeg(options.image_format) and _cut_as_asked(index.pyramid, options) == index.pyramid


def _cut_as_asked(own_grid: DeepZoom, options: TileOptions) -> DeepZoom:
    if options in _DEFAULT_OPTIONS:
        return own_grid  # as below, but sooner
    tile = Size(options.tile_size, options.tile_size) if options.tile_size else own_grid.tile
    return DeepZoom(own_grid.size, tile, options.overlap or 0)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
