"""The pixels of one tile or strip, from its compressed data.

What the directory says of a tile, size and colours, is compared with what the tile says before any
decoder gets the data: see ``vsv.slides.jpeg`` and ``jpeg2000``.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageChops

from vsv.errors import UnreadableSlide
from vsv.slides.damage import DamagedTile, UnsupportedTile
from vsv.slides.file import SlideFile
from vsv.slides.jpeg import check_scans, standalone
from vsv.slides.tiff import Chunks
from vsv.slides.tile_index import TiledImage

__all__ = ["check_supported", "decode"]

_NONE: Final = 1
_LZW: Final = 5
_DEFLATE: Final = frozenset({8, 32946})
_DIFFERENCES: Final = 2
# Of a tile, up to its frame header.
_HEAD_BYTES: Final = 2048
# Pillow's modes of raw pixels, by samples: grey, RGB, and RGB with one more, which is ignored.
_RAW_MODES: Final = {1: "L", 3: "RGB", 4: "RGBX"}


def decode(image: TiledImage, data: bytes, size: tuple[int, int], shrink: int = 1) -> Image.Image:
    """Return a tile or strip of ``size`` (width, height) pixels, averaged by ``shrink``, in RGB.

    Raises DamagedTile, or UnreadableSlide for what may be left to OpenSlide.
    """
    tile = _as_coded(image, data, size, shrink)
    return ImageChops.invert(tile) if image.is_inverted else tile


def check_supported(file: SlideFile, image: TiledImage, chunks: Chunks) -> None:
    """Raise UnreadableSlide where the level's tiles are of a kind that is not supported.

    If the first one is, two more are asked, by their headers: a single odd one is a damaged one.
    """
    if not image.is_jpeg and not image.is_jpeg2000:
        return
    reason = None
    for number in _samples(chunks):
        head = file.read(chunks.offsets[number], min(chunks.byte_counts[number], _HEAD_BYTES))
        reason = _why_unsupported(image, head)
        if reason is None:
            return
    if reason:
        raise UnreadableSlide(reason)


def _samples(chunks: Chunks) -> Iterator[int]:
    """Yield the first tile that is not empty; then the one in the middle of these, and the last."""
    numbers = (number for number, length in enumerate(chunks.byte_counts) if length)
    for first in numbers:
        yield first
        # Of millions of tiles, they are counted only where the first is odd.
        rest = [first, *numbers]
        yield from (rest[len(rest) // 2], rest[-1])


def _why_unsupported(image: TiledImage, head: bytes) -> str | None:
    if image.is_jpeg2000:
        from vsv.slides import jpeg2000

        return jpeg2000.why_unsupported(head, image.samples)
    try:
        image.jpeg(head)
    except UnsupportedTile as error:
        return error.reason
    except DamagedTile:
        pass
    return None


def _as_coded(image: TiledImage, data: bytes, size: tuple[int, int], shrink: int) -> Image.Image:
    """Do so, with white as it is in the file."""
    if image.is_jpeg:
        return _jpeg(image, data, size, shrink)
    if image.is_jpeg2000:
        from vsv.slides import jpeg2000

        reduce = shrink.bit_length() - 1
        return jpeg2000.decode(data, size, image.jpeg2000_color, reduce, image.samples)
    if not image.is_lossless:
        raise UnreadableSlide(f"TIFF compression {image.compression} is not decoded here")
    tile = _lossless(image, data, size)
    return tile.reduce(shrink) if shrink > 1 else tile


def _jpeg(image: TiledImage, data: bytes, size: tuple[int, int], shrink: int) -> Image.Image:
    stream, frame = standalone(image.jpeg_tables, data, size, image.color)
    check_scans(stream)
    scale = shrink // 2 if shrink > 1 and frame.has_subsampled_chroma else shrink
    try:
        # What Image.open would bring is not needed, and takes a quarter of the time.
        tile = Image.frombytes(
            "RGB",
            (-(-frame.width // scale), -(-frame.height // scale)),
            stream,
            "jpeg",
            *("RGB", "", scale, 0),  # raw mode, libjpeg's choice of colours, scale, no draft
        )
    except (OSError, ValueError) as error:
        raise DamagedTile("is damaged: it cannot be decoded") from error
    return tile if scale == shrink else tile.reduce(2)


def _lossless(image: TiledImage, data: bytes, size: tuple[int, int]) -> Image.Image:
    from vsv._tiffcodec import undo_differences

    width, height = size
    pixels = _decompressed(image.compression, data, width * height * image.samples)
    if len(pixels) != width * height * image.samples:
        raise DamagedTile("is damaged: pixels are missing")
    if image.predictor == _DIFFERENCES:
        pixels = undo_differences(pixels, width, image.samples)
    mode = "L" if image.samples == 1 else "RGB"
    tile = Image.frombytes(mode, size, pixels, "raw", _RAW_MODES[image.samples])
    return tile.convert("RGB")


def _decompressed(compression: int, data: bytes, length: int) -> bytes:
    """Return the first ``length`` bytes of the pixels, or what there is of them."""
    from vsv._tiffcodec import lzw_decode

    if compression == _NONE:
        return data[:length]
    if compression == _LZW:
        pixels = lzw_decode(data, length)
        if pixels is None:
            raise DamagedTile("is damaged: its LZW codes are wrong")
        return pixels
    if compression in _DEFLATE:
        try:
            return zlib.decompressobj().decompress(data, length)
        except zlib.error as error:
            raise DamagedTile("is damaged: it cannot be decompressed") from error
    return _unpack_bits(data, length)


def _unpack_bits(data: bytes, length: int) -> bytes:
    """Return PackBits-compressed bytes. Source: TIFF 6.0, section 9."""
    try:
        return Image.frombytes("L", (length, 1), data, "packbits", "L").tobytes()
    except ValueError as error:
        raise DamagedTile("is damaged: it cannot be decompressed") from error
