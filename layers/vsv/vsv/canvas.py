"""Pixels in memory while a pyramid is rendered: decoded, put together, averaged, encoded.

There are two kinds. ``Planes`` keep YCbCr as JPEG does, each component by itself: nothing is
converted to RGB and back, and subsampled chroma is averaged as it was sampled. They need
libturbojpeg. ``Rgb`` takes what is not YCbCr, and everything where that library is missing.
"""

import ctypes
import ctypes.util
import weakref
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from vsv.deepzoom import Size
from vsv.slides import has_subsampled_chroma

__all__ = ["Canvas", "Pixels", "Planes", "Rgb", "canvas_for"]

Pixels = NDArray[np.uint8]

_ALL_BUT_LAST_BIT: Final = np.uint64(0xFEFEFEFEFEFEFEFE)
_LAST_BIT_OF_ODD_BYTES: Final = np.uint64(0x0100010001000100)

# What libturbojpeg calls the subsamplings 4:2:2 and 4:2:0, and by how much chroma is narrower and
# lower than luma in each.
_SUBSAMPLINGS: Final = {1: (2, 1), 2: (2, 2)}
_YCBCR: Final = 1


class Canvas(Protocol):
    """How one kind of pixels is handled. All sizes are in pixels."""

    def blank(self, size: Size) -> Pixels:
        """A canvas to be filled."""

    def of(self, image: Image.Image) -> Pixels:
        """The pixels of an RGB image."""

    def place(self, canvas: Pixels, part: Pixels, left: int, top: int) -> None:
        """Put pixels into a canvas."""

    def halved(self, tiles: Sequence[bytes], cols: int, tile: Size) -> Pixels | None:
        """JPEG tiles of one even size, given by rows of ``cols``, side by side at half their size.

        None where the least thing is wrong with one of them, or another way is needed.
        """

    def averaged(self, pixels: Pixels, last_col: Fraction, last_row: Fraction) -> Pixels:
        """Averages of two by two pixels, or of what there is of them at the right and the bottom.

        The last column and row count for as much of a pixel as they stand for: counted as whole
        ones they would weigh more with each level, until the topmost ones show little but the
        slide's border.
        """

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """A JPEG file, its chroma not subsampled."""


def canvas_for(*, subsampled_chroma: bool) -> Canvas:
    """The better one for JPEG tiles with or without subsampled chroma."""
    library = _turbojpeg() if subsampled_chroma else None
    return Planes(library) if library else Rgb()


class Rgb:
    """Pixels as arrays of rows, columns, and red, green, blue."""

    def blank(self, size: Size) -> Pixels:
        """A canvas to be filled."""
        return np.empty((size.height, size.width, 3), np.uint8)

    def of(self, image: Image.Image) -> Pixels:
        """The pixels of an RGB image."""
        return np.asarray(image)

    def place(self, canvas: Pixels, part: Pixels, left: int, top: int) -> None:
        """Put pixels into a canvas."""
        height, width = part.shape[:2]
        canvas[top : top + height, left : left + width] = part

    def halved(self, tiles: Sequence[bytes], cols: int, tile: Size) -> Pixels | None:
        """JPEG tiles side by side, scaled to a half by libjpeg."""
        width, height = tile.width // 2, tile.height // 2
        canvas = self.blank(Size(cols * width, len(tiles) // cols * height))
        for number, data in enumerate(tiles):
            row, col = divmod(number, cols)
            scale = 1 if has_subsampled_chroma(data) else 2
            try:
                part = simplejpeg.decode_jpeg(
                    data,
                    "RGB",
                    min_width=tile.width // scale,
                    min_height=tile.height // scale,
                    min_factor=scale,
                )
            except ValueError:
                return None
            if part.shape != (tile.height // scale, tile.width // scale, 3):
                return None
            if scale == 1:
                part = _averaged(part, 1, 1)
            self.place(canvas, part, col * width, row * height)
        return canvas

    def averaged(self, pixels: Pixels, last_col: Fraction, last_row: Fraction) -> Pixels:
        """Averages of two by two pixels."""
        return _averaged(pixels, float(last_col), float(last_row))

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """A JPEG file."""
        data: bytes = simplejpeg.encode_jpeg(pixels, quality, "RGB", "444")
        return data


class Planes:
    """Pixels as arrays of the components Y, Cb, Cr, each of rows and columns.

    For JPEG tiles with subsampled chroma.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._decompressor = _Decompressor(library)
        self._buffers: dict[tuple[object, ...], _Buffer] = {}

    def blank(self, size: Size) -> Pixels:
        """A canvas to be filled."""
        return np.empty((3, size.height, size.width), np.uint8)

    def of(self, image: Image.Image) -> Pixels:
        """The pixels of an RGB image."""
        return np.stack([np.asarray(plane) for plane in image.convert("YCbCr").split()])

    def place(self, canvas: Pixels, part: Pixels, left: int, top: int) -> None:
        """Put pixels into a canvas."""
        height, width = part.shape[1:]
        canvas[:, top : top + height, left : left + width] = part

    def halved(self, tiles: Sequence[bytes], cols: int, tile: Size) -> Pixels | None:
        """JPEG tiles side by side, decoded and averaged by component."""
        subsampling = self._subsampling(tiles[0], tile)
        if subsampling is None:
            return None
        key = (subsampling, len(tiles), cols, tile)
        buffer = self._buffers.get(key)
        if buffer is None:
            buffer = self._buffers[key] = _Buffer(subsampling, len(tiles), cols, tile)
        for number, data in enumerate(tiles):
            # What is decoded into a buffer must fit it.
            if number and self._subsampling(data, tile) != subsampling:
                return None
            planes, strides = buffer.targets[number]
            if not self._decompressor.decode(data, planes, strides):
                return None
        return buffer.halved()

    def averaged(self, pixels: Pixels, last_col: Fraction, last_row: Fraction) -> Pixels:
        """Averages of two by two pixels."""
        return np.stack([_averaged(plane, float(last_col), float(last_row)) for plane in pixels])

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """A JPEG file."""
        data: bytes = simplejpeg.encode_jpeg_yuv_planes(*pixels, quality)
        return data

    def _subsampling(self, data: bytes, tile: Size) -> tuple[int, int] | None:
        """By how much chroma is narrower and lower; None if the JPEG is not as is expected."""
        width, height, subsampling, color = self._decompressor.header(data)
        if (width, height, color) != (*tile, _YCBCR):
            return None
        return _SUBSAMPLINGS.get(subsampling)


class _Decompressor:
    """libturbojpeg's. One that failed is not used again: it may be stuck within a header."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._renew()

    def header(self, data: bytes) -> tuple[int, int, int, int]:
        """Width, height, subsampling and colour space in the library's numbers; -1 for no JPEG."""
        facts = [ctypes.c_int(-1) for _ in range(4)]
        self._call(self._library.tjDecompressHeader3, data, *map(ctypes.byref, facts))
        width, height, subsampling, color = (fact.value for fact in facts)
        return width, height, subsampling, color

    def decode(self, data: bytes, planes: Any, strides: Any) -> bool:
        """Decode into the planes; whether not the least was wrong."""
        return self._call(self._library.tjDecompressToYUVPlanes, data, planes, 0, strides, 0, 0)

    def _call(self, function: Callable[..., int], data: bytes, *arguments: Any) -> bool:
        if function(self._handle, data, ctypes.c_ulong(len(data)), *arguments) == 0:
            return True
        self._close()
        self._renew()
        return False

    def _renew(self) -> None:
        self._handle = ctypes.c_void_p(self._library.tjInitDecompress())
        self._close = weakref.finalize(self, self._library.tjDestroy, self._handle)


class _Buffer:
    """Planes that some tiles side by side are decoded into, to be averaged all at once.

    ``targets`` has for each tile where its planes begin and how long their rows are, in bytes.
    """

    def __init__(self, subsampling: tuple[int, int], tiles: int, cols: int, tile: Size) -> None:
        shares = [(1, 1), subsampling, subsampling]
        sizes = [Size(tile.width // x, tile.height // y) for x, y in shares]
        rows = tiles // cols
        self._chroma_lines = sizes[1].height, sizes[1].width
        self.planes = [
            np.empty((rows * size.height, cols * size.width), np.uint8) for size in sizes
        ]
        strides = (ctypes.c_int * 3)(*(plane.shape[1] for plane in self.planes))
        self.targets: list[tuple[Any, Any]] = []
        for number in range(tiles):
            row, col = divmod(number, cols)
            starts = (
                plane[row * size.height :, col * size.width :].ctypes.data
                for plane, size in zip(self.planes, sizes, strict=True)
            )
            self.targets.append(((ctypes.c_void_p * 3)(*starts), strides))

    def halved(self) -> Pixels:
        """What was decoded, at half its size, in three planes alike."""
        luma, *chroma = self.planes
        full_height = len(chroma[0]) == len(luma)
        return np.stack(
            [
                _averaged_luma(luma),
                *(_averaged_chroma(plane, self._chroma_lines, full_height) for plane in chroma),
            ]
        )


def _averaged_luma(plane: Pixels) -> Pixels:
    """Means of two by two samples."""
    if plane.shape[1] % 8:
        return _averaged(plane, 1, 1)
    return _column_means(_row_means(plane))


def _row_means(plane: Pixels) -> Pixels:
    """Means of rows two by two, eight pixels at once (Pillow's reduce takes three times as long).

    a + b = 2 (a & b) + (a ^ b), byte by byte. The halves that are left are rounded down in even
    columns and up in odd ones, so that the image gets neither darker nor brighter.
    """
    upper, lower = plane[0::2].view(np.uint64), plane[1::2].view(np.uint64)
    differing = upper ^ lower
    means = (upper & lower) + ((differing & _ALL_BUT_LAST_BIT) >> np.uint64(1))
    means += differing & _LAST_BIT_OF_ODD_BYTES
    return means.view(np.uint8)


def _column_means(plane: Pixels) -> Pixels:
    """Means of columns two by two, rounded down and up by turns."""
    pairs = plane.view(np.uint16)
    sums = (pairs & np.uint16(0xFF)) + (pairs >> np.uint16(8))
    sums[:, 1::2] += np.uint16(1)
    return (sums >> np.uint16(1)).astype(np.uint8)


def _averaged_chroma(plane: Pixels, lines: tuple[int, int], full_height: bool) -> Pixels:
    """Means of two by two samples of chroma, as if it had been brought to luma's size before.

    Decoders enlarge chroma by a triangle filter, each new sample being 3/4 of the nearer and 1/4 of
    the farther old one, and tile by tile, whose ``lines`` are so many samples high and wide. The
    mean of the two new samples then is 6/8 of the old one and 1/8 of each neighbour.
    """
    height, width = lines
    if full_height:
        sums = _smoothed(np.add(plane[0::2], plane[1::2], dtype=np.uint16), width)
        return ((sums + np.uint16(8)) >> np.uint16(4)).astype(np.uint8)
    sums = _smoothed(plane.astype(np.uint16), width)
    turned = _smoothed(np.ascontiguousarray(sums.T), height)
    return ((turned.T + np.uint16(32)) >> np.uint16(6)).astype(np.uint8)


def _smoothed(samples: NDArray[np.uint16], length: int) -> NDArray[np.uint16]:
    """Six times each sample and its neighbours in the row, within lines of ``length``."""
    lines = samples.reshape(len(samples), -1, length)
    sums = lines * np.uint16(6)
    sums[..., 1:] += lines[..., :-1]
    sums[..., :-1] += lines[..., 1:]
    sums[..., 0] += lines[..., 0]
    sums[..., -1] += lines[..., -1]
    return sums.reshape(samples.shape)


def _averaged(pixels: Pixels, last_col: float, last_row: float) -> Pixels:
    halved: Pixels = np.array(Image.fromarray(pixels).reduce(2))
    if last_col < 1 and pixels.shape[1] % 2 == 0:
        strip = (pixels[:, -2] + pixels[:, -1] * last_col) / (1 + last_col)
        halved[:, -1] = np.rint(_pairs_averaged(strip, last_row))
    if last_row < 1 and pixels.shape[0] % 2 == 0:
        strip = (pixels[-2] + pixels[-1] * last_row) / (1 + last_row)
        halved[-1] = np.rint(_pairs_averaged(strip, last_col))
    return halved


def _pairs_averaged(strip: NDArray[np.float64], last: float) -> NDArray[np.float64]:
    """Averages of two by two pixels of a line, the last of which counts for ``last``."""
    pairs = (strip[0:-1:2] + strip[1::2]) / 2
    if len(strip) % 2:
        return np.concatenate([pairs, strip[-1:]])
    pairs[-1] = (strip[-2] + strip[-1] * last) / (1 + last)
    return pairs


@cache
def _turbojpeg() -> ctypes.CDLL | None:
    """libturbojpeg: of the Lambda layer, or the system's; None where there is none."""
    bundled = Path(simplejpeg.__file__).parents[1] / "turbojpeg.libs" / "libturbojpeg.so.0"
    name = str(bundled) if bundled.exists() else ctypes.util.find_library("turbojpeg")
    if name is None:
        return None
    try:
        library = ctypes.CDLL(name)
        library.tjInitDecompress.restype = ctypes.c_void_p
    except (OSError, AttributeError):
        return None
    return library
