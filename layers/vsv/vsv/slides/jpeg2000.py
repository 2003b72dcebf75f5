"""One JPEG 2000 tile, as Aperio's scanners write it: a bare codestream of three components.

TIFF compression 33003 is YCbCr, its chroma often at half the width; 33005 is RGB. The codestream
does not say which. One component is grey, a fourth one is not shown. OpenJPEG, by way of Pillow,
decodes it at full size, or at a half, a quarter and so on by leaving out the finest wavelet levels,
which are most of the work. Source: ITU-T T.800 (ISO/IEC 15444-1), Annex A for the codestream, F for
the wavelets.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Self

from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from vsv.errors import UnreadableSlide
from vsv.slides.damage import DamagedTile, UnsupportedTile
from vsv.slides.ycbcr import to_rgb

__all__ = ["decode", "resolutions", "why_unsupported"]

# As much of a codestream as ``why_unsupported`` needs.
_HEAD_BYTES: Final = 64

# Markers (T.800 table A.2). SOC and SIZ begin a codestream, SOT ends its main header.
_START: Final = b"\xff\x4f\xff\x51"
_COD: Final = 0xFF52
_COC: Final = 0xFF53
_SOT: Final = 0xFF90
_SOD: Final = 0xFF93
_UNSIGNED_8_BIT: Final = 7
_SIGNED: Final = 0x80
# A file format around a codestream (T.800, Annex I) begins so, behind four bytes.
_JP2: Final = b"jP  "

# A tile is decoded whole, and costs 19 bytes a pixel.
_MAX_PIXELS: Final = 4 * 2**20
# Scanners write a few at most. Of 65,535, even empty ones, OpenJPEG is busy for 11 s in 2 GB.
_MAX_LAYERS: Final = 64
# Scanners write one. OpenJPEG takes 12 kB for each as soon as it has read how many there are.
_MAX_TILES: Final = 256

# T.800, table A.15.
_MAX_WAVELET_LEVELS: Final = 32
# Code blocks, or precincts, of a component. Scanners write a few for a tile; OpenJPEG keeps some
# 100 bytes for each.
_MAX_PARTS: Final = 2**16
_MAX_TILE_PARTS: Final = 1024


def decode(
    data: bytes,
    size: tuple[int, int],
    color: Literal["YCbCr", "RGB"],
    reduce: int = 0,
    samples: int = 3,
) -> Image.Image:
    """Decode a codestream of ``size`` (width, height) pixels; return an RGB image.

    ``samples`` is how many components it has, by its directory: 1, which is grey, 3 or 4.

    The image is halved ``reduce`` times; 2 to that power divides width and height. At full size,
    the pixels are those that OpenSlide gives, or with subsampled chroma, which is enlarged by
    repetition, at most one level off. A half is what the wavelet leaves when its finest level is
    left out: a little sharper than means of blocks. A quarter and less are means of blocks of an
    image of twice the size, as long as wavelet levels (see ``resolutions``) last; left-out levels
    alone would be much coarser.

    Raises DamagedTile where the codestream is damaged, of another size than ``size``, of a kind
    that is not supported (see ``why_unsupported``), or would take more memory than a tile is worth;
    another UnreadableSlide where its components are not on one grid, which OpenSlide may read.
    """
    if any(length % (1 << reduce) for length in size):
        raise ValueError(f"{size[0]} × {size[1]} pixels cannot be halved {reduce} times")
    header = _Header.read(data, samples)
    _check_tile_parts(data)
    if header.size != size:
        raise DamagedTile(
            "is damaged: a JPEG 2000 tile of {} × {} pixels instead of {} × {}".format(
                *header.size, *size
            )
        )
    if header.is_subsampled and (color != "YCbCr" or samples != 3):
        raise UnreadableSlide(f"a JPEG 2000 tile in {color} with subsampled components")
    left_out = min(reduce, max(reduce - 1, 1), header.resolutions)
    try:
        tile = Jpeg2KImageFile(io.BytesIO(data))
        tile.reduce = left_out
        tile.load()
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise DamagedTile("is damaged: a JPEG 2000 tile cannot be decoded") from error
    # A plain image either way: Jpeg2KImageFile has a number where images have the method `reduce`.
    # (Of four components the first three are kept as they are.)
    image = tile.copy() if tile.mode == "RGB" else tile.convert("RGB")
    # Pillow knows subsampled components for YCbCr, and has converted them; others it takes for RGB.
    if color == "YCbCr" and samples > 1 and not header.is_subsampled:
        image = to_rgb(image)
    # Among these is the codestream's comment, which would end up in each JPEG made of the image.
    image.info.clear()
    if left_out:
        image = _centred(image, left_out)
    return image.reduce(1 << (reduce - left_out)) if reduce > left_out else image


def why_unsupported(data: bytes, samples: int) -> str | None:
    """Say why tiles that begin so cannot be shown; None if they can, or are damaged.

    ``samples`` is how many components the directory says. No decoder is asked: OpenSlide shows
    16 bits as noise.
    """
    if data[4:8] == _JP2:
        return "JPEG 2000 tiles in JP2 files are not supported, only codestreams"
    if not data.startswith(_START) or len(data) < _HEAD_BYTES:
        return None
    (components,) = struct.unpack_from(">H", data, 40)
    if components != samples:
        count = f"{components} sample{'s' * (components != 1)} per pixel"
        return f"JPEG 2000 data with {count}, where the file says {samples}"
    for depth in data[42 : 42 + 3 * components : 3]:
        if depth & _SIGNED:
            return "signed samples are not supported"
        if depth != _UNSIGNED_8_BIT:
            return f"{depth + 1} bits per sample are not supported, only 8"
    return None


def resolutions(data: bytes) -> int:
    """Return how often ``decode`` can halve the codestream by leaving wavelet levels out.

    Needs no more of ``data`` than the main header and the marker after it. Raises UnreadableSlide
    as ``decode`` does.
    """
    return _Header.read(data, 3).resolutions


@dataclass(frozen=True)
class _Header:
    """What the codestream's main header tells: the size in pixels, and see ``resolutions``."""

    size: tuple[int, int]
    is_subsampled: bool
    resolutions: int

    @classmethod
    def read(cls, data: bytes, samples: int) -> Self:
        reason = why_unsupported(data[:_HEAD_BYTES], samples)
        if reason:
            raise UnsupportedTile(reason)
        if not data.startswith(_START):
            raise DamagedTile("is damaged: it is not a JPEG 2000 codestream")
        try:
            size, is_subsampled, halvings = _geometry(data)
            wavelet_levels = _wavelet_levels(data, size[0] * size[1])
            return cls(size, is_subsampled, min(halvings, wavelet_levels))
        except (struct.error, IndexError) as error:
            raise DamagedTile("is damaged: the header of a JPEG 2000 tile") from error


def _geometry(data: bytes) -> tuple[tuple[int, int], bool, int]:
    """Return the size, whether chroma is subsampled, and how often all can be halved evenly.

    From the SIZ segment (A.5.1). Pillow takes a row of a component to be as long as the image's,
    divided and rounded down; where T.800 rounds up instead, it would shear the image.
    """
    width, height, left, top, tile_width, tile_height, tile_left, tile_top, components = (
        struct.unpack_from(">8IH", data, 8)
    )
    if any((left, top, tile_left, tile_top)) or not all((width, height, tile_width, tile_height)):
        raise UnreadableSlide("a JPEG 2000 tile with a displaced or empty grid")
    if width * height > _MAX_PIXELS:
        raise DamagedTile(f"is damaged: a JPEG 2000 tile of {width} × {height} pixels")
    tiles = -(-width // tile_width) * -(-height // tile_height)
    if tiles > _MAX_TILES:
        raise DamagedTile(f"is damaged: a JPEG 2000 tile made of {tiles} tiles")
    widths = {width, min(width, tile_width)}
    heights = {height, min(height, tile_height)}
    halvings, steps = [], []
    (sizes,) = struct.unpack_from(f"{3 * components}s", data, 42)
    for _, step_x, step_y in struct.iter_unpack(">3B", sizes):
        steps.append((step_x, step_y))
        for lengths, step in ((widths, step_x), (heights, step_y)):
            if step == 0 or any(length % step for length in lengths):
                raise UnreadableSlide(f"a JPEG 2000 tile subsampled by {step_x} × {step_y}")
            halvings += [_trailing_zeros(length // step) for length in lengths]
    if steps[0] != (1, 1):
        raise UnreadableSlide("a JPEG 2000 tile with its first component subsampled")
    return (width, height), max(steps) > (1, 1), min(halvings)


def _wavelet_levels(data: bytes, pixels: int) -> int:
    """Return the wavelet levels by COD (A.6.1), or by COC (A.6.2) for components with fewer.

    Raises DamagedTile for a coding style by which a decoder would make more parts than fit into
    memory; ``pixels`` are those of the whole tile.
    """
    levels: list[int] = []
    for marker, position in _segments(data, 2):
        if marker == _COD:
            (layers,) = struct.unpack_from(">H", data, position + 6)
            if layers > _MAX_LAYERS:
                raise DamagedTile(f"is damaged: a JPEG 2000 tile of {layers} quality layers")
            levels.append(_coding_style(data, position + 9, data[position + 4] & 1, pixels))
        elif marker == _COC:
            levels.append(_coding_style(data, position + 6, data[position + 5] & 1, pixels))
    if not levels:
        raise DamagedTile("is damaged: a JPEG 2000 tile without its coding style")
    return min(levels)


def _coding_style(data: bytes, position: int, has_precincts: int, pixels: int) -> int:
    """Check what tables A.15 and A.20 have; return the wavelet levels."""
    levels, width, height = data[position], data[position + 1] + 2, data[position + 2] + 2
    if levels > _MAX_WAVELET_LEVELS:
        raise DamagedTile(f"is damaged: a JPEG 2000 tile of {levels} wavelet levels")
    blocks = pixels >> (width + height)
    precincts = 0
    for size in data[position + 5 : position + 6 + levels] if has_precincts else ():
        precincts += pixels >> ((size & 15) + (size >> 4))
    if max(blocks, precincts) > _MAX_PARTS:
        raise DamagedTile("is damaged: a JPEG 2000 tile cut into too many parts")
    return levels


def _segments(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Yield the marker and the position of each segment, from ``position`` up to SOT or SOD."""
    marker = 0
    while marker not in (_SOT, _SOD):
        marker, length = struct.unpack_from(">HH", data, position)
        yield marker, position
        position += 2 + max(length, 2)


def _check_tile_parts(data: bytes) -> None:
    """Raise DamagedTile where a part of the codestream changes what the main header says."""
    *_, (_, position) = _segments(data, 2)
    for _ in range(_MAX_TILE_PARTS):
        if data[position : position + 2] != _SOT.to_bytes(2):
            return
        try:
            (length,) = struct.unpack_from(">I", data, position + 6)
            changed = any(marker in (_COD, _COC) for marker, _ in _segments(data, position + 12))
        except struct.error:
            raise DamagedTile("is damaged: a JPEG 2000 tile is cut off") from None
        if changed:
            raise DamagedTile("is damaged: a JPEG 2000 tile with more than one coding style")
        if length < 14:
            return
        position += length
    raise DamagedTile(f"is damaged: a JPEG 2000 tile of more than {_MAX_TILE_PARTS} parts")


def _centred(image: Image.Image, left_out: int) -> Image.Image:
    """Move what the wavelet left to where means of blocks are.

    A low-pass sample stands on the first pixel of the block that it stands for (F.3: the even
    samples), not in the block's middle: uncorrected, the image lies up to half a pixel off. The
    last column and row, whose neighbours are in the next tile, are continued by themselves.
    """
    width, height = image.size
    continued = Image.new("RGB", (width + 1, height + 1))
    for corner in ((1, 1), (1, 0), (0, 1), (0, 0)):
        continued.paste(image, corner)
    offset = (1 - 0.5**left_out) / 2
    box = (offset, offset, width + offset, height + offset)
    return continued.resize(image.size, Image.Resampling.BICUBIC, box)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1
