"""What a viewer may ask for: descriptor, tiles, associated images of one slide by its ImageID.

Answers come from the finished pyramid where there is one, else from the slide itself. Each is named
by a tag before any pixel is read, so that a viewer that has it already costs nothing.
"""

import hashlib
import os
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from vsv import __version__
from vsv.deepzoom import DeepZoom, Size, TileAddress
from vsv.errors import NotFound
from vsv.slides import ASSOCIATED_IMAGES, FileVersion, Slide
from vsv.storage import SlideIndex, Storage
from vsv.tiles import default_pyramid, encode, render_tile

__all__ = ["Images", "Resource", "TileOptions"]

_JPEG_NAMES: Final = ("jpeg", "jpg")
_OPEN_SLIDES: Final = 16


@dataclass(frozen=True)
class TileOptions:
    """How the viewer wants the slide cut up; None leaves it to the slide.

    ``tile_size`` and ``overlap`` are in pixels, ``image_format`` is ``jpeg``, ``jpg`` or ``png``.
    """

    tile_size: int | None = None
    overlap: int | None = None
    image_format: str = "jpeg"


_DEFAULT_OPTIONS: Final = tuple(TileOptions(image_format=name) for name in _JPEG_NAMES)


@dataclass(frozen=True)
class Resource:
    """Something to be shown. Equal tags stand for equal bytes; ``load`` reads or renders them."""

    tag: str
    media_type: str
    load: Callable[[], bytes]


class Images:
    """The slides beneath one images path, as a viewer sees them."""

    def __init__(self, storage: Storage, quality: int) -> None:
        self._storage = storage
        self._quality = quality
        self._slides = _OpenSlides(_OPEN_SLIDES)

    def descriptor(self, image_id: str, options: TileOptions) -> Resource:
        """The ``.dzi`` document. Raises NotFound for an unknown slide."""
        index = self._storage.read_index(image_id)
        native = index.pyramid if index else default_pyramid(self._open(image_id, None))
        document = _with(native, options).descriptor(options.image_format).encode()
        return Resource(_digest(document.decode()), "application/xml", lambda: document)

    def tile(self, image_id: str, address: TileAddress, options: TileOptions) -> Resource:
        """One tile. Raises NotFound for an unknown slide, level, column or row."""
        # What is asked for most is one file: found by its name, without the index.
        is_default = options in _DEFAULT_OPTIONS
        rendered = self._rendered(image_id, address) if is_default else None
        if rendered:
            return rendered
        index = self._storage.read_index(image_id)
        if index and not is_default and _is_pre_rendered(index, options):
            rendered = self._rendered(image_id, address)
            if rendered:
                return rendered
        slide = self._open(image_id, index)
        pyramid = _with(default_pyramid(slide), options)
        pyramid.tile_box(address)
        return self._made_of(
            slide,
            f"{pyramid} {address}",
            options.image_format,
            lambda: render_tile(slide, pyramid, address, options.image_format, self._quality),
        )

    def associated(self, image_id: str, name: str, image_format: str) -> Resource:
        """The label, thumbnail or macro. Raises NotFound where the slide has none."""
        if name not in ASSOCIATED_IMAGES:
            raise NotFound(f"{name!r} is not one of {', '.join(ASSOCIATED_IMAGES)}")
        index = self._storage.read_index(image_id)
        if index and image_format in _JPEG_NAMES:
            extracted = _file(self._storage.associated_image(image_id, name))
            if extracted:
                return extracted
        slide = self._open(image_id, index)
        image = slide.associated_image(name)
        return self._made_of(
            slide, name, image_format, lambda: encode(image, image_format, self._quality)
        )

    def _rendered(self, image_id: str, address: TileAddress) -> Resource | None:
        """The tile of the finished pyramid, if it is there."""
        return _file(self._storage.tile(image_id, address))

    def _open(self, image_id: str, index: SlideIndex | None) -> Slide:
        """Open the slide that was imported under this ID; without an import, one named like it."""
        if index:
            path = self._storage.locate(index.filename, index.version)
        else:
            path = self._storage.slide_named_like(image_id)
        try:
            return self._slides.open(path)
        except FileNotFoundError:
            raise NotFound(f"no slide {image_id!r}") from None

    def _made_of(
        self, slide: Slide, what: str, image_format: str, load: Callable[[], bytes]
    ) -> Resource:
        tag = _digest(f"{slide.version} {what} {image_format} {self._quality} {__version__}")
        return Resource(tag, f"image/{'png' if image_format == 'png' else 'jpeg'}", load)


class _OpenSlides:
    """The slides used last, kept open. A file that was replaced is opened anew.

    A slide that drops out closes once nobody reads it any more.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._slides: OrderedDict[tuple[Path, FileVersion], Slide] = OrderedDict()
        self._lock = Lock()

    def open(self, path: Path) -> Slide:
        key = (path, FileVersion.of(path))
        with self._lock:
            slide = self._slides.get(key)
            if slide is None:
                slide = Slide(path)
                self._slides[path, slide.version] = slide
            self._slides.move_to_end((path, slide.version))
            while len(self._slides) > self._capacity:
                self._slides.popitem(last=False)
            return slide


def _with(native: DeepZoom, options: TileOptions) -> DeepZoom:
    tile = Size(options.tile_size, options.tile_size) if options.tile_size else native.tile
    return DeepZoom(native.size, tile, options.overlap or 0)


def _is_pre_rendered(index: SlideIndex, options: TileOptions) -> bool:
    return options.image_format in _JPEG_NAMES and _with(index.pyramid, options) == index.pyramid


class _JpegFile:
    """An open JPEG file: one round trip to open it, one to read it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Closed as soon as nobody holds it, read or not (304).
        weakref.finalize(self, os.close, self._descriptor)
        self._status = os.fstat(self._descriptor)

    @property
    def tag(self) -> str:
        return f"{self._status.st_mtime_ns:x}-{self._status.st_size:x}"

    def read(self) -> bytes:
        return os.pread(self._descriptor, self._status.st_size, 0)


def _file(path: Path) -> Resource | None:
    """A JPEG file as a resource; None where there is no such file."""
    try:
        file = _JpegFile(path)
    except FileNotFoundError:
        return None
    return Resource(file.tag, "image/jpeg", file.read)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
