"""The label, thumbnail and macro of a slide, read from their strips or tiles."""

from collections.abc import Callable
from typing import Final

from PIL import Image

from vsv.errors import NotFound, UnreadableSlide
from vsv.geometry import Box
from vsv.slides.budget import UNLIMITED, PixelBudget
from vsv.slides.damage import DamagedTile
from vsv.slides.decoding import decode
from vsv.slides.file import SlideFile
from vsv.slides.jpeg import Frame
from vsv.slides.pages import MAX_TILE_PIXELS, check_size, why_pixels_unsupported
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.slides.tiff import Chunks, Directory
from vsv.slides.tile_index import TiledImage

__all__ = ["associated_image"]

_MAX_BYTES: Final = 256 * 2**20
# Scanners write strips of 16 rows and more.
_MAX_CHUNKS: Final = 2**14
_THUMBNAIL_SIZE: Final = (1024, 1024)
_MAX_THUMBNAIL_SOURCE_PIXELS: Final = 16 * 2**20


def associated_image(slide: Slide, name: str, budget: PixelBudget = UNLIMITED) -> Image.Image:
    """Return the label, thumbnail or macro as an RGB image.

    A thumbnail is made of the coarsest level where the file has none. Raises NotFound where the
    slide has no such image, UnreadableSlide where it cannot be decoded, NotRendered where making it
    takes more pixels than the budget has.
    """
    tiff, pages = slide.directories()
    page = pages.associated.get(name)
    if page is None:
        return _made_thumbnail(slide, name, budget)
    if page.tiled_image.is_decoded_here:
        return _read_image(name, slide.file, page, tiff.chunks)
    return slide.openslide().associated_image(name)


def _made_thumbnail(slide: Slide, name: str, budget: PixelBudget) -> Image.Image:
    coarsest = max(slide.levels, key=lambda level: level.downsample)
    size = coarsest.image.size
    if name != "thumbnail" or size.width * size.height > _MAX_THUMBNAIL_SOURCE_PIXELS:
        raise NotFound(f"the slide has no {name} image")
    image = RegionReader(slide, budget).read(coarsest, Box(0, 0, *size))
    image.thumbnail(_THUMBNAIL_SIZE, Image.Resampling.BOX)
    return image


def _read_image(
    name: str,
    file: SlideFile,
    page: Directory,
    chunks_of: Callable[[Directory], Chunks],
) -> Image.Image:
    """Return the associated image as an RGB image.

    Raises UnreadableSlide where it is damaged, empty or too large.
    """
    check_size(name, page.width, page.height)
    reason = why_pixels_unsupported(page)
    if reason:
        raise UnreadableSlide(f"the {name} image cannot be read: {reason}")
    image = page.tiled_image
    if page.is_tiled and image.tile_width * image.tile_height > MAX_TILE_PIXELS:
        tile = f"{image.tile_width} × {image.tile_height} pixels"
        raise UnreadableSlide(f"the {name} image has tiles of {tile}: too many")
    try:
        return _read(file, image, chunks_of(page), is_tiled=page.is_tiled)
    except DamagedTile as error:
        raise UnreadableSlide(f"the {name} image {error}") from error
    except UnreadableSlide as error:
        raise UnreadableSlide(f"the {name} image cannot be read: {error}") from error


def _read(file: SlideFile, image: TiledImage, chunks: Chunks, *, is_tiled: bool) -> Image.Image:
    if sum(chunks.byte_counts) > _MAX_BYTES:
        raise UnreadableSlide("its data are too long")
    if image.cols * image.rows > _MAX_CHUNKS:
        raise UnreadableSlide(f"{image.cols * image.rows} tiles or strips are too many")
    picture = Image.new("RGB", (image.width, image.height))
    for number in range(image.cols * image.rows):
        row, col = divmod(number, image.cols)
        box = image.tile_box(col, row)
        # The last strip has what rows are left; a tile is padded.
        size = image.tile if is_tiled else box.size
        length = chunks.byte_counts[number]
        if length == 0:
            raise DamagedTile("is empty")
        data = file.read(chunks.offsets[number], length)
        if len(data) < length:
            raise DamagedTile("is damaged: its data are missing")
        picture.paste(decode(image, data, _strip_size(image, data, size)), box[:2])
    return picture


def _strip_size(image: TiledImage, data: bytes, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a JPEG strip: the last one may have as many rows as the others.

    (Aperio's have. Rows beneath the image are cut off.)
    """
    if not image.is_jpeg or size[1] == image.tile_height:
        return size
    try:
        frame = Frame.read(data)
    except DamagedTile:
        return size
    return (size[0], image.tile_height) if frame.height == image.tile_height else size
