"""The label, thumbnail and macro of a slide, read from their strips or tiles."""

from collections.abc import Callable
from typing import Final

from PIL import Image

from vsv.errors import UnreadableSlide
from vsv.slides.damage import DamagedTile
from vsv.slides.decoding import decode
from vsv.slides.file import SlideFile
from vsv.slides.jpeg import Frame
from vsv.slides.pages import MAX_TILE_PIXELS, why_pixels_unsupported
from vsv.slides.tiff import Chunks, Directory
from vsv.slides.tile_index import TiledImage

__all__ = ["check_size", "read_image"]

# Ten times what scanners take of a label or of a whole slide; more would not fit into memory.
_MAX_PIXELS: Final = 32 * 2**20
# What a JPEG file can show.
_MAX_SIDE: Final = 65_500
_MAX_BYTES: Final = 256 * 2**20
# Scanners write strips of 16 rows and more.
_MAX_CHUNKS: Final = 2**14


def check_size(name: str, width: int, height: int) -> None:
    """Raise UnreadableSlide for an image that would not fit into memory, or into a JPEG file."""
    if width * height > _MAX_PIXELS or max(width, height) > _MAX_SIDE:
        raise UnreadableSlide(f"the {name} image has {width} × {height} pixels: too many")


def read_image(
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
