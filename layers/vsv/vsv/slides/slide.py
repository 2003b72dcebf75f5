"""One open slide file: its levels' pixels and its associated images.

JPEG-compressed levels are read by tile index and decoded here, so that every pixel is the
scanner's own. (OpenSlide places a region by a rounded average downsample and then interpolates: on
a level of downsample 4.0001 its pixels are blurred by up to half a pixel.) All else, JPEG 2000
among it, goes through OpenSlide.
"""

import io
import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from PIL import Image

from vsv.errors import FileChanged, UnreadableSlide
from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.tiff import Directory, read_directories

if TYPE_CHECKING:
    from vsv.slides.fallback import OpenSlideReader

__all__ = ["ASSOCIATED_IMAGES", "FileVersion", "Level", "Slide"]

ASSOCIATED_IMAGES: Final = ("label", "thumbnail", "macro")

_JPEG: Final = 7
_COMPRESSIONS: Final = {1: "none", 5: "LZW", 7: "JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000"}
_PHOTOMETRIC_RGB: Final = 2
# libjpeg's scaled decoding: as good as averaging (53 dB PSNR and more), at a quarter of the cost.
_SHRINKS: Final = (1, 2, 4, 8)
# What lies outside the scanned area, and under a tile that the scanner left empty.
_BACKGROUND: Final = (255, 255, 255)

# Adobe's APP14 segment with transform 0: the three components are RGB, not YCbCr. A TIFF says so in
# its photometric interpretation, which a JPEG taken out of the TIFF no longer has.
_ADOBE_RGB: Final = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"


@dataclass(frozen=True)
class FileVersion:
    """Which bytes a file holds, as far as its directory entry tells.

    ``size`` is in bytes, ``mtime_ns`` in nanoseconds since 1970. A rescan under the same name has
    another modification time; a copy that keeps the time (as DataSync's does) is the same version.
    """

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, file: int | Path) -> Self:
        """The version of an open file or a path. Raises OSError as ``os.stat`` does."""
        status = os.stat(file)
        return cls(status.st_size, status.st_mtime_ns)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version that ``str`` gave the text of."""
        size, mtime_ns = text.split("-")
        return cls(int(size, 16), int(mtime_ns, 16))

    def __str__(self) -> str:
        return f"{self.size:x}-{self.mtime_ns:x}"


@dataclass(frozen=True)
class Level:
    """A level of the slide: size and tile size in pixels, and the downsample from level 0.

    ``downsample`` is the whole number that the scanner meant: sizes are rounded (Aperio rounds
    down), so their ratio is 4.0001 where the pixels are spaced by 4. It is ``None`` for a level
    whose size is no rounding of the slide's by any whole number.
    """

    index: int
    width: int
    height: int
    tile_width: int
    tile_height: int
    downsample: int | None


class Slide:
    """An open slide file. Use as a context manager, or call ``close``.

    Safe to be read by several threads at once.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises FileNotFoundError, or UnreadableSlide for what is no slide."""
        self.path = path
        self._openslide: OpenSlideReader | None = None
        self._fallback_lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # A slide that is dropped from a cache while another thread reads it closes with its last
        # reader.
        self._close = weakref.finalize(self, os.close, self._descriptor)
        try:
            self.version = FileVersion.of(self._descriptor)
            self._levels = _level_directories(read_directories(self._descriptor))
        except BaseException:
            self._close()
            raise
        full = self._levels[0]
        self.width, self.height = full.width, full.height
        self.levels = tuple(_level(index, level, full) for index, level in enumerate(self._levels))
        self.description = full.description

    def close(self) -> None:
        """Close the file. A closed slide cannot be read; closing twice does no harm."""
        self._close()
        self._openslide = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def check_unchanged(self) -> None:
        """Raise FileChanged where the path no longer leads to the bytes that are open here."""
        try:
            if FileVersion.of(self.path) == self.version:
                return
        except FileNotFoundError:
            pass
        raise FileChanged("the slide file was replaced or removed while it was read")

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the file's bytes in chunks of ``size`` bytes, the last one shorter."""
        offset = 0
        while data := os.pread(self._descriptor, size, offset):
            offset += len(data)
            yield data

    def compression(self, level: int) -> str:
        """How the level's tiles are compressed, in words."""
        number = self._levels[level].compression
        return _COMPRESSIONS.get(number, f"TIFF compression {number}")

    def largest_shrink(self, level: int, factor: int) -> int:
        """The largest divisor of ``factor`` by which ``read`` can shrink the level's pixels."""
        directory = self._levels[level]
        return max(
            shrink
            for shrink in _SHRINKS
            if shrink == 1
            or (
                directory.compression == _JPEG
                and not any(
                    length % shrink
                    for length in (factor, directory.tile_width, directory.tile_height)
                )
            )
        )

    def read(self, level: int, box: tuple[int, int, int, int], shrink: int = 1) -> Image.Image:
        """Return the level's pixels in ``box`` (left, top, right, bottom) as an RGB image.

        The box lies within the level. ``shrink`` (see ``largest_shrink``) averages blocks of as
        many pixels along each axis; left and top are multiples of it, and so are right and bottom
        except at the level's own border. Raises UnreadableSlide where the data cannot be decoded.
        """
        directory = self._levels[level]
        if directory.compression != _JPEG:
            return self._fallback().read(level, box)
        left, top, right, bottom = box
        tile_width, tile_height = directory.tile_width, directory.tile_height
        size = (-(-(right - left) // shrink), -(-(bottom - top) // shrink))
        image = Image.new("RGB", size, _BACKGROUND)
        for row in range(top // tile_height, -(-bottom // tile_height)):
            for col in range(left // tile_width, -(-right // tile_width)):
                tile = self._shrunk(level, col, row, shrink)
                if tile is not None:
                    at = (
                        (col * tile_width - left) // shrink,
                        (row * tile_height - top) // shrink,
                    )
                    image.paste(tile, at)
        return image

    def jpeg_tile(self, level: int, col: int, row: int) -> bytes | None:
        """Return a tile of the level as a JPEG file that holds the scanner's data unchanged.

        ``None`` where the level is not JPEG-compressed or the scanner left the tile empty.
        """
        directory = self._levels[level]
        if directory.compression != _JPEG:
            return None
        number = row * -(-directory.width // directory.tile_width) + col
        length = directory.byte_counts[number]
        if length == 0:
            return None
        data = os.pread(self._descriptor, length, directory.offsets[number])
        if len(data) != length or not data.startswith(_SOI):
            raise UnreadableSlide(f"tile {col}_{row} of level {level} cannot be read")
        marker = _ADOBE_RGB if directory.photometric == _PHOTOMETRIC_RGB else b""
        tables = directory.jpeg_tables.removeprefix(_SOI).removesuffix(_EOI)
        return b"".join((_SOI, marker, tables, data[len(_SOI) :]))

    def associated_image(self, name: str) -> Image.Image:
        """Return the label, thumbnail or macro as an RGB image.

        Raises NotFound where the slide has none, UnreadableSlide where it cannot be decoded.
        """
        return self._fallback().associated_image(name)

    def metadata(self) -> Metadata:
        """What the scanner wrote about the slide, in the scanner's zone where it names none."""
        return parse_description(self.description)

    def _shrunk(self, level: int, col: int, row: int, shrink: int) -> Image.Image | None:
        """The tile, or what of it lies within the level, in blocks of ``shrink`` pixels."""
        directory = self._levels[level]
        width = min(directory.tile_width, directory.width - col * directory.tile_width)
        height = min(directory.tile_height, directory.height - row * directory.tile_height)
        if width % shrink == height % shrink == 0:
            return self._decode(level, col, row, shrink)
        # The level ends within a block, and what pads the tile behind it must not count.
        tile = self._decode(level, col, row)
        return tile and tile.crop((0, 0, width, height)).reduce(shrink)

    def _decode(self, level: int, col: int, row: int, shrink: int = 1) -> Image.Image | None:
        """The tile, decoded by libjpeg at the full size or at a half, a quarter, an eighth."""
        data = self.jpeg_tile(level, col, row)
        if data is None:
            return None
        directory = self._levels[level]
        size = (directory.tile_width, directory.tile_height)
        shrunk_size = (size[0] // shrink, size[1] // shrink)
        try:
            tile = Image.open(io.BytesIO(data), formats=["JPEG"])
            if tile.size != size:
                raise UnreadableSlide(f"tile {col}_{row} of level {level} has size {tile.size}")
            if shrink > 1:
                tile.draft(None, shrunk_size)
            tile.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UnreadableSlide(f"tile {col}_{row} of level {level} is damaged") from error
        if tile.size != shrunk_size:
            raise UnreadableSlide(f"tile {col}_{row} of level {level} has size {tile.size}")
        return tile if tile.mode == "RGB" else tile.convert("RGB")

    def _fallback(self) -> "OpenSlideReader":
        with self._fallback_lock:
            if self._openslide is None:
                from vsv.slides.fallback import OpenSlideReader

                self._openslide = OpenSlideReader(self.path, _BACKGROUND)
                # The path was opened a second time: make sure that it was the same file.
                self.check_unchanged()
            return self._openslide


def _level_directories(directories: list[Directory]) -> list[Directory]:
    """The tiled directories are the levels, the first in the file being the finest."""
    levels = [directory for directory in directories if directory.is_tiled]
    if not levels or not directories[0].is_tiled:
        raise UnreadableSlide("the file is a TIFF file, but its first image is not tiled")
    return levels


def _level(index: int, directory: Directory, full: Directory) -> Level:
    return Level(
        index,
        directory.width,
        directory.height,
        directory.tile_width,
        directory.tile_height,
        _whole_downsample(directory, full),
    )


def _whole_downsample(directory: Directory, full: Directory) -> int | None:
    """The whole number by which both sizes are rounded, up or down; ``None`` if there is none.

    Scanners downsample by powers of two: on small levels, where rounding lets several numbers fit,
    those are tried first.
    """
    guess = round(max(full.width / directory.width, full.height / directory.height))
    power = 1 << (guess.bit_length() - 1)
    for downsample in (power, 2 * power, guess):
        if all(
            length // downsample <= rounded <= -(-length // downsample)
            for length, rounded in (
                (full.width, directory.width),
                (full.height, directory.height),
            )
        ):
            return downsample
    return None
