"""Pixels in memory: decoded into, averaged, encoded.

Nearly every tile between the slide's levels is made of four of its own, at half their size.
libturbojpeg decodes each straight into its place, in memory that Pillow sees as an image, and
encodes from there: nothing is copied, and no more asked of the library than it does best. Where it
is missing, Pillow does the same in half again as much time.
"""

import ctypes
import ctypes.util
import io
import threading
import weakref
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

import PIL
from PIL import Image

from vsv.deepzoom import Size
from vsv.slides import read_frame

__all__ = ["Canvas", "averaged", "encode", "halved"]

# libturbojpeg's numbers: pixels of red, green, blue and an unused byte; chroma as fine as luma; the
# more accurate cosine transform; leave my buffer where it is.
_RGBX: Final = 2
_444: Final = 0
_ACCURATE: Final = 4096
_NO_REALLOC: Final = 1024
_PIXEL_BYTES: Final = 4

_FORMATS: Final = {"jpeg": "JPEG", "jpg": "JPEG", "png": "PNG"}


class Canvas:
    """RGB pixels of a given size, at first black."""

    def __init__(self, size: Size) -> None:
        self.size = size
        memory = bytearray(size.width * size.height * _PIXEL_BYTES)
        self._first_byte = ctypes.c_ubyte.from_buffer(memory)
        self._address = ctypes.addressof(self._first_byte)
        self.image = Image.frombuffer("RGBX", size, memory, "raw", "RGBX", 0, 1)
        # Pasting shall write to this memory, not to a copy.
        self.image.readonly = 0

    @classmethod
    def of(cls, image: Image.Image) -> "Canvas":
        """A canvas with the pixels of an RGB image."""
        canvas = cls(Size(*image.size))
        canvas.paste(image, 0, 0)
        return canvas

    def paste(self, image: Image.Image, left: int, top: int) -> None:
        """Put an RGB or RGBX image in its place."""
        self.image.paste(image if image.mode == "RGBX" else image.convert("RGBX"), (left, top))

    def decode(self, data: bytes, left: int, top: int, size: Size) -> bool:
        """Decode a JPEG file, scaled to ``size``, into its place; return whether all was well.

        False where the least thing is wrong with the file, or without libturbojpeg. The size is
        the file's own or the half of it.
        """
        if (
            min(left, top) < 0
            or left + size.width > self.size.width
            or (top + size.height > self.size.height)
        ):
            raise ValueError(f"{size} at {left}, {top} is not within {self.size}")
        library = _library()
        if library is None:
            return False
        return _codec(library).decode(
            data, self._address + self._offset(left, top), self._offset(0, 1), size
        )

    def encode(self, quality: int) -> bytes:
        """Return a JPEG file, its chroma not subsampled."""
        library = _library()
        if library is None:
            return encode(self.image, "jpeg", quality)
        return _codec(library).encode(self._address, self.size, quality)

    def _offset(self, left: int, top: int) -> int:
        return (top * self.size.width + left) * _PIXEL_BYTES


def halved(tiles: Sequence[bytes], cols: int, tile: Size) -> Canvas | None:
    """JPEG tiles of one even size, given by rows of ``cols``, side by side at half their size.

    None where the least thing is wrong with one of them, or without libturbojpeg. The canvas is
    this thread's: the next call uses it again.
    """
    frames = [read_frame(data) for data in tiles]
    if any(frame is None or (frame.width, frame.height) != tile for frame in frames):
        return None
    # Averaged after decoding, or while.
    scale = 1 if any(frame and frame.has_subsampled_chroma for frame in frames) else 2
    part = Size(tile.width // scale, tile.height // scale)
    rows = len(tiles) // cols
    canvas = _own_canvas(Size(cols * part.width, rows * part.height))
    for number, data in enumerate(tiles):
        row, col = divmod(number, cols)
        if not canvas.decode(data, col * part.width, row * part.height, part):
            return None
    if scale == 2:
        return canvas
    half = _own_canvas(Size(cols * tile.width // 2, rows * tile.height // 2))
    half.paste(canvas.image.reduce(2), 0, 0)
    return half


def encode(image: Image.Image, image_format: str, quality: int) -> bytes:
    """Return the image as a file: ``jpeg`` or ``jpg``, its chroma not subsampled, or ``png``."""
    buffer = io.BytesIO()
    if _FORMATS[image_format] == "JPEG":
        image.save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def averaged(
    image: Image.Image, last_col: Fraction = Fraction(1), last_row: Fraction = Fraction(1)
) -> Image.Image:
    """Averages of two by two pixels, or of what there is of them at the right and the bottom.

    The last column and row count for as much of a pixel as they stand for: counted as whole ones
    they would weigh more with each level, until the topmost ones show little but the slide's
    border.
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
    """The mean of two lines of pixels, the outer one of which counts for its share.

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


def _own_canvas(size: Size) -> Canvas:
    """This thread's canvas of that size. New memory would cost a tenth of the tile's time."""
    canvases: dict[Size, Canvas] = _of_this_thread.__dict__.setdefault("canvases", {})
    if size not in canvases:
        canvases[size] = Canvas(size)
    return canvases[size]


def _codec(library: ctypes.CDLL) -> "_Codec":
    """This thread's."""
    codec: _Codec | None = _of_this_thread.__dict__.get("codec")
    if codec is None:
        codec = _of_this_thread.codec = _Codec(library)
    return codec


class _Codec:
    """libturbojpeg's compressor and decompressor. No other thread may use them meanwhile."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._compressor = ctypes.c_void_p(library.tjInitCompress())
        weakref.finalize(self, library.tjDestroy, self._compressor)
        self._renew()
        self._output: Any = None

    def decode(self, data: bytes, address: int, stride: int, size: Size) -> bool:
        """Decode to that size in pixels, into rows of ``stride`` bytes; tell if all was well."""
        failed = self._library.tjDecompress2(
            self._decompressor,
            data,
            ctypes.c_ulong(len(data)),
            ctypes.c_void_p(address),
            *(size.width, stride, size.height, _RGBX, 0),
        )
        if failed:
            # It may be stuck within a header. It is not used again.
            self._destroy()
            self._renew()
        return not failed

    def encode(self, address: int, size: Size, quality: int) -> bytes:
        """Return the pixels as a JPEG file."""
        capacity = self._library.tjBufSize(size.width, size.height, _444)
        if self._output is None or len(self._output) < capacity:
            self._output = ctypes.create_string_buffer(capacity)
        start = ctypes.c_void_p(ctypes.addressof(self._output))
        length = ctypes.c_ulong(capacity)
        failed = self._library.tjCompress2(
            self._compressor,
            ctypes.c_void_p(address),
            *(size.width, size.width * _PIXEL_BYTES, size.height, _RGBX),
            *(ctypes.byref(start), ctypes.byref(length)),
            *(_444, quality, _ACCURATE | _NO_REALLOC),
        )
        if failed:
            raise MemoryError("libturbojpeg could not encode a tile")
        return ctypes.string_at(start, length.value)

    def _renew(self) -> None:
        self._decompressor = ctypes.c_void_p(self._library.tjInitDecompress())
        self._destroy = weakref.finalize(self, self._library.tjDestroy, self._decompressor)


@cache
def _library() -> ctypes.CDLL | None:
    """libturbojpeg: of the Lambda layer, or the system's; None where there is none."""
    bundled = Path(PIL.__file__).parents[1] / "pillow_simd.libs" / "libturbojpeg.so.0"
    for where in (str(bundled), bundled.name, None):
        try:
            # The search is for other systems than Linux. (There, it would start a compiler.)
            library = ctypes.CDLL(where or ctypes.util.find_library("turbojpeg") or bundled.name)
            library.tjInitCompress.restype = library.tjInitDecompress.restype = ctypes.c_void_p
            library.tjBufSize.restype = ctypes.c_ulong
            return library
        except (OSError, AttributeError):
            continue
    return None
