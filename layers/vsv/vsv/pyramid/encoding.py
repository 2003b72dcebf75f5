"""Pixels in memory: halved, averaged, encoded.

Nearly every tile between the slide's levels is made of four of its own, at half their size.
``vsv._halving`` decodes and averages them in one step, to planes of Y, Cb and Cr as in JPEG.
libturbojpeg encodes the planes as they are. Pillow does the rest.
"""

import ctypes
import ctypes.util
import io
import threading
import weakref
from collections.abc import Sequence
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import PIL
from PIL import Image

from vsv._halving import halve
from vsv.geometry import Size
from vsv.slides.ycbcr import to_rgb

__all__ = ["MEDIA_TYPES", "Pixels", "averaged", "encode", "halved", "is_jpeg"]

# What images are encoded as, by the extension that clients ask for. Pillow can write only what
# layers/pillow-simd/requirements.txt compiles into it.
MEDIA_TYPES: Final = {"jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png"}

# libturbojpeg's numbers: chroma as fine as luma; the more accurate cosine transform; leave my
# buffer where it is.
_444: Final = 0
_ACCURATE: Final = 4096
_NO_REALLOC: Final = 1024


class Pixels:
    """The pixels of a tile."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image

    @property
    def image(self) -> Image.Image:
        """The pixels as an RGB image."""
        return self._image

    def encode(self, quality: int) -> bytes:
        """Return a JPEG file, its chroma not subsampled."""
        return encode(self._image, "jpeg", quality)


class _Planes(Pixels):
    """Planes of Y, Cb and Cr, one after the other, each of that size."""

    def __init__(self, data: bytes, size: Size) -> None:
        self._data = data
        self._size = size

    @cached_property
    def _bands(self) -> list[Image.Image]:
        plane = self._size.width * self._size.height
        parts = (self._data[start : start + plane] for start in range(0, 3 * plane, plane))
        return [Image.frombytes("L", self._size, part) for part in parts]

    @property
    def image(self) -> Image.Image:
        """The pixels as an RGB image."""
        return to_rgb(Image.merge("RGB", self._bands))

    def encode(self, quality: int) -> bytes:
        """Return a JPEG file, its chroma not subsampled."""
        encoder = _encoder()
        if encoder is None:
            return encode(Image.merge("YCbCr", self._bands), "jpeg", quality)
        return encoder.encode(self._data, self._size, quality)


def halved(tiles: Sequence[bytes], cols: int, tile: Size) -> Pixels | None:
    """Return JPEG tiles side by side at half their size; they come by rows of ``cols``.

    All are of size ``tile``. Return None if anything is wrong with one of them, or if
    ``vsv._halving`` does not decode its kind.
    """
    data = halve(tuple(tiles), cols, tile.width, tile.height)
    if data is None:
        return None
    return _Planes(data, Size(cols * tile.width // 2, len(tiles) // cols * tile.height // 2))


def is_jpeg(image_format: str) -> bool:
    """Return whether images of this extension are JPEG files."""
    return MEDIA_TYPES[image_format] == "image/jpeg"


def encode(image: Image.Image, image_format: str, quality: int) -> bytes:
    """Return the image as a file: ``jpeg`` or ``jpg``, its chroma not subsampled, or ``png``."""
    buffer = io.BytesIO()
    match MEDIA_TYPES[image_format]:
        case "image/jpeg":
            image.save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
        case "image/png":
            image.save(buffer, "PNG", compress_level=1)
        case other:
            raise ValueError(f"images cannot be encoded as {other}")
    return buffer.getvalue()


def averaged(
    image: Image.Image, last_col: Fraction = Fraction(1), last_row: Fraction = Fraction(1)
) -> Image.Image:
    """Return averages of two by two pixels, or of fewer at the right and the bottom border.

    The last column and row count for the part of a pixel that they stand for. Counted as whole
    pixels they would weigh more with each level, until the topmost levels show little but the
    slide's border.
    """
    half = image.reduce(2)
    width, height = image.size
    if last_col < 1 and width % 2 == 0:
        inner = image.crop((width - 2, 0, width - 1, height))
        outer = image.crop((width - 1, 0, width, height))
        column = averaged(_blended(inner, outer, last_col), last_row=last_row)
        half.paste(column, (half.width - 1, 0))
    if last_row < 1 and height % 2 == 0:
        inner = image.crop((0, height - 2, width, height - 1))
        outer = image.crop((0, height - 1, width, height))
        row = averaged(_blended(inner, outer, last_row), last_col=last_col)
        half.paste(row, (0, half.height - 1))
    return half


def _blended(inner: Image.Image, outer: Image.Image, share: Fraction) -> Image.Image:
    """Return the mean of two lines of pixels; the outer one counts for its share.

    (Pillow's own blend rounds down, which would darken the border a little with each level.)
    """
    outer_part = share.numerator
    inner_part = share.denominator
    whole = inner_part + outer_part
    data = bytes(
        (one * inner_part + other * outer_part + whole // 2) // whole
        for one, other in zip(inner.tobytes(), outer.tobytes(), strict=True)
    )
    return Image.frombytes(inner.mode, inner.size, data)


_of_this_thread = threading.local()


def _encoder() -> "_Encoder | None":
    """Return this thread's encoder, or None without libturbojpeg."""
    library = _library()
    if library is None:
        return None
    encoder: _Encoder | None = _of_this_thread.__dict__.get("encoder")
    if encoder is None:
        encoder = _of_this_thread.encoder = _Encoder(library)
    return encoder


class _Encoder:
    """libturbojpeg's encoder, for planes as they are. Only one thread at a time may use it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._handle = ctypes.c_void_p(library.tjInitCompress())
        weakref.finalize(self, library.tjDestroy, self._handle)
        self._output: Any = ctypes.create_string_buffer(0)

    def encode(self, planes: bytes, size: Size, quality: int) -> bytes:
        """Return the planes of Y, Cb and Cr as a JPEG file."""
        capacity = self._library.tjBufSize(size.width, size.height, _444)
        if len(self._output) < capacity:
            self._output = ctypes.create_string_buffer(capacity)
        address = ctypes.cast(ctypes.c_char_p(planes), ctypes.c_void_p).value or 0
        plane = size.width * size.height
        starts = (ctypes.c_void_p * 3)(*range(address, address + 3 * plane, plane))
        output = ctypes.c_void_p(ctypes.addressof(self._output))
        length = ctypes.c_ulong(capacity)
        failed = self._library.tjCompressFromYUVPlanes(
            *(self._handle, starts, size.width, None, size.height, _444),
            *(ctypes.byref(output), ctypes.byref(length), quality, _ACCURATE | _NO_REALLOC),
        )
        if failed:
            raise MemoryError("libturbojpeg could not encode a tile")
        return ctypes.string_at(output, length.value)


@cache
def _library() -> ctypes.CDLL | None:
    """Return libturbojpeg, or None if the system has none.

    Pillow-SIMD's wheel brings one along, and then no other one will do. Other Pillows do not, and
    the system's is used.
    """
    bundled = Path(PIL.__file__).parents[1] / "pillow_simd.libs"
    name = "libturbojpeg.so.0"
    if bundled.exists():
        return _declared(ctypes.CDLL(str(bundled / name)))
    for found in (name, None):
        try:
            # The search is for other systems than Linux. (There, it would start a compiler.)
            return _declared(ctypes.CDLL(found or ctypes.util.find_library("turbojpeg") or name))
        except (OSError, AttributeError):
            continue
    return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    library.tjInitCompress.restype = ctypes.c_void_p
    library.tjBufSize.restype = ctypes.c_ulong
    return library
