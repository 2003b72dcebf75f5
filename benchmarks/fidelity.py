"""How true tiles are: PSNR against box averages of the slide's level-0 pixels."""

import os
from collections.abc import Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from benchmarks.places import BENCH
from vsv.geometry import Box, Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

__all__ = ["Pixels", "Reference", "encoder_alone", "psnr_db", "sample"]

# Coarser levels are averaged from this one, so that level 0 is decoded once.
_SHARED: Final = 16
# Tiles of a level that are looked at.
_SAMPLE: Final = 6

Pixels = NDArray[np.float32]


class Reference:
    """What a DeepZoom level would be if its pixels were averages of level 0's pixels.

    With ``source``, the downsample of a coarser level of the slide, they are averages of that
    level's pixels: what a tile made from it can be at best, whatever the scanner's encoder did to
    the level. There the plane may end a pixel early, as Aperio's levels do.
    """

    def __init__(self, path: Path, pyramid: DeepZoom, source: int = 1) -> None:
        self._path = path
        self._pyramid = pyramid
        self._source = source
        # The size of the level, and that of level 0 as the level has it.
        self._size = Size(*(length // source for length in pyramid.size))

    def tile(self, address: TileAddress) -> Pixels:
        """Return the tile's pixels (height × width × 3, 0..255), not rounded."""
        factor = self._pyramid.downsample(address.level) // self._source
        box = self._pyramid.tile_at(address).box
        if self._source > 1 or factor < _SHARED:
            sums = self._sums(box, factor)
        else:
            shared = factor // _SHARED
            area = self._shared[
                box.top * shared : box.bottom * shared, box.left * shared : box.right * shared
            ]
            sums = _blocks(area, shared)
        counts = np.outer(
            _lengths(box.top, box.bottom, factor, self._size.height),
            _lengths(box.left, box.right, factor, self._size.width),
        )
        return np.asarray(sums / counts[:, :, np.newaxis], np.float32)

    def _sums(self, box: Box, factor: int) -> Pixels:
        """Sum up the level's pixels over the box's blocks."""
        width, height = self._size
        left, top = box.left * factor, box.top * factor
        region = self._level.crop(
            left, top, min(box.right * factor, width) - left, min(box.bottom * factor, height) - top
        )
        return _blocks(region.numpy().astype(np.float32), factor)

    @cached_property
    def _level(self) -> Any:
        """The level's pixels, by libvips: OpenSlide resamples levels that were rounded down."""
        full = pyvips.Image.tiffload(str(self._path), access="random")
        for number in range(full.get("n-pages")):
            page = pyvips.Image.tiffload(str(self._path), page=number, access="random")
            if (page.width, page.height) == self._size and "tile-width" in page.get_fields():
                return page
        raise ValueError(f"{self._path.name} has no level of downsample {self._source}")

    @cached_property
    def _shared(self) -> Pixels:
        """Sums of the whole slide at downsample 16: a minute's work, and so kept in a file."""
        folder = BENCH / "references"
        path = folder / f"{self._path.stem}.npy"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f".{self._path.stem}.{os.getpid()}.partial.npy"
            np.save(partial, self._all_sums())
            os.replace(partial, path)
        return np.asarray(np.load(path, mmap_mode="r"))

    def _all_sums(self) -> Pixels:
        width, height = (-(-length // _SHARED) for length in self._pyramid.size)
        sums = np.empty((height, width, 3), np.float32)
        # In squares that fit into memory.
        for top in range(0, height, self._pyramid.tile.height):
            for left in range(0, width, self._pyramid.tile.width):
                right = min(left + self._pyramid.tile.width, width)
                bottom = min(top + self._pyramid.tile.height, height)
                box = Box(left, top, right, bottom)
                sums[top:bottom, left:right] = self._sums(box, _SHARED)
        return sums


def _lengths(start: int, stop: int, factor: int, end: int) -> NDArray[np.int64]:
    """How many pixels of the level each pixel from ``start`` to ``stop`` covers along one axis."""
    lengths = np.diff(np.minimum(np.arange(start, stop + 1) * factor, end))
    return lengths[lengths > 0]


def _blocks(pixels: Pixels, factor: int) -> Pixels:
    """Sum blocks of ``factor`` by ``factor``; those that the edge cuts have fewer pixels."""
    rows = np.arange(0, pixels.shape[0], factor)
    cols = np.arange(0, pixels.shape[1], factor)
    return np.asarray(np.add.reduceat(np.add.reduceat(pixels, rows, 0), cols, 1), np.float32)


def sample(pyramid: DeepZoom, level: int) -> Sequence[TileAddress]:
    """Return a few of the level's tiles, spread over it; the last, in the corner, always."""
    cols, rows = pyramid.grid(level)
    count = cols * rows
    numbers = {round(place * (count - 1) / (_SAMPLE - 1)) for place in range(_SAMPLE)}
    return [TileAddress(level, number % cols, number // cols) for number in sorted(numbers)]


def psnr_db(tiles: Sequence[tuple[bytes, Pixels]]) -> float | None:
    """Peak signal to noise of encoded tiles against references, in dB; None if sizes differ.

    A reference may be a column or a row short (see ``Reference``): that one is left out.
    """
    squares, count = 0.0, 0
    for data, reference in tiles:
        pixels = np.asarray(Image.open(BytesIO(data)).convert("RGB"), np.float32)
        height, width, _ = reference.shape
        if not (0 <= pixels.shape[0] - height <= 1 and 0 <= pixels.shape[1] - width <= 1):
            return None
        pixels = pixels[:height, :width]
        squares += float(np.square(pixels - reference, dtype=np.float64).sum())
        count += pixels.size
    return float(10 * np.log10(255**2 * count / squares)) if squares else float("inf")


def encoder_alone(data: bytes, reference: Pixels) -> bytes:
    """Return the reference, encoded as the tile ``data`` is: same tables, same subsampling."""
    image: Any = Image.open(BytesIO(data))
    buffer = BytesIO()
    Image.fromarray(np.rint(reference).astype(np.uint8)).save(
        buffer,
        "JPEG",
        qtables=image.quantization,
        subsampling=JpegImagePlugin.get_sampling(image),
    )
    return buffer.getvalue()
