"""One open slide: its levels' pixels and its associated images.

Tiles are read by their offsets and decoded here, so that every pixel is the scanner's own.
(OpenSlide places a region by a rounded average downsample and then interpolates: on a level of
downsample 4.0001 its pixels are blurred by up to half a pixel.) Compressions other than JPEG and
JPEG 2000 go through OpenSlide.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd, inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from PIL import Image

from vsv.errors import UnreadableSlide
from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.file import FileVersion, SlideFile
from vsv.slides.index import TiledImage, TileEntry
from vsv.slides.jpeg import has_subsampled_chroma
from vsv.slides.tiff import Directory, read_directories

if TYPE_CHECKING:
    from vsv.slides.fallback import OpenSlideReader

__all__ = ["ASSOCIATED_IMAGES", "MAX_REDUCE", "Damage", "Level", "Slide", "log_damage"]

ASSOCIATED_IMAGES: Final = ("label", "thumbnail", "macro")

_COMPRESSIONS: Final = {1: "none", 5: "LZW", 7: "JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000"}
# libjpeg's scaled decoding, to a half, a quarter or an eighth: as good as averaging (53 dB PSNR and
# more), at a quarter of the cost.
_LARGEST_SHRINK: Final = 8
# Pillow's reduce() divides in 24-bit fixed point: up to this factor it is right to a 16,000th, by
# 2,048 it darkens by 8 %.
MAX_REDUCE: Final = 32
# One read of a row of tiles: a round trip on EFS brings a megabyte at most.
_MAX_READ_BYTES: Final = 2**20
# What lies outside the scanned area, and under a tile that the scanner left empty.
_BACKGROUND: Final = (255, 255, 255)

_log = logging.getLogger(__name__)


class Damage(NamedTuple):
    """A tile of the slide that is not as it should be; something else is shown in its place."""

    level: int
    col: int
    row: int
    reason: str

    def __str__(self) -> str:
        return f"tile {self.col}_{self.row} of level {self.level} {self.reason}"


def log_damage(damage: Damage) -> None:
    """Log a warning. It does not tell the slide's name, which may be a patient's."""
    _log.warning("%s: another level or the background is shown in its place", damage)


class _DamagedTile(Exception):
    """The tile's data are not what they should be. The message says why."""


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
    """An open slide. Use as a context manager, or call ``close``.

    Safe to be read by several threads at once. A tile that is empty on a coarser level, or damaged,
    is told to ``on_damage`` and shown by the next finer level's pixels, on the finest level by the
    background; its neighbours are not touched by it.
    """

    def __init__(
        self, source: Path | SlideFile, on_damage: Callable[[Damage], None] = log_damage
    ) -> None:
        """Open the file. Raises FileNotFoundError, or UnreadableSlide for what is no slide."""
        file = source if isinstance(source, SlideFile) else SlideFile(source)
        try:
            directories = _level_directories(read_directories(file.descriptor))
        except BaseException:
            file.close()
            raise
        images = tuple(directory.tiled_image for directory in directories)

        def locate(level: int, col: int, row: int) -> TileEntry:
            directory, number = directories[level], row * images[level].cols + col
            return TileEntry(directory.offsets[number], directory.byte_counts[number])

        self._set(file, images, locate, on_damage)
        self._description: str | None = directories[0].description
        self.memory_bytes = sum(
            16 * len(directory.offsets) + len(directory.jpeg_tables) for directory in directories
        )

    @classmethod
    def indexed(
        cls,
        file: SlideFile,
        images: Sequence[TiledImage],
        locate: Callable[[int, int, int], TileEntry],
        on_damage: Callable[[Damage], None] = log_damage,
    ) -> Self:
        """A slide whose directories need not be read, since an index tells what they say.

        ``images`` are the levels; ``locate`` tells where the tile of a level, at a column and row,
        lies in the file.
        """
        slide = cls.__new__(cls)
        slide._set(file, tuple(images), locate, on_damage)
        slide._description = None
        slide.memory_bytes = 0
        return slide

    def _set(
        self,
        file: SlideFile,
        images: tuple[TiledImage, ...],
        locate: Callable[[int, int, int], TileEntry],
        on_damage: Callable[[Damage], None],
    ) -> None:
        self.file = file
        self.images = images
        self.locate = locate
        self.width, self.height = images[0].width, images[0].height
        self.levels = tuple(_level(index, image, images[0]) for index, image in enumerate(images))
        self._sources: dict[tuple[int, float], Level] = {}
        self._on_damage = on_damage
        self._told: set[tuple[object, ...]] = set()
        self._openslide: OpenSlideReader | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file. A closed slide cannot be read; closing twice does no harm."""
        self.file.close()
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

    @property
    def path(self) -> Path:
        """Where the file was opened."""
        return self.file.path

    @property
    def version(self) -> FileVersion:
        """Which bytes the file holds."""
        return self.file.version

    @property
    def description(self) -> str:
        """What the scanner wrote about the slide: the first image's description."""
        if self._description is None:
            self._description = read_directories(self.file.descriptor)[0].description
        return self._description

    @property
    def has_openslide(self) -> bool:
        """Whether OpenSlide has the file open as well."""
        return self._openslide is not None

    def metadata(self) -> Metadata:
        """What the scanner wrote about the slide, in the scanner's zone where it names none."""
        return parse_description(self.description)

    def compression(self, level: int) -> str:
        """How the level's tiles are compressed, in words."""
        number = self.images[level].compression
        return _COMPRESSIONS.get(number, f"TIFF compression {number}")

    def source_level(self, downsample: int, finer_than: float = inf) -> Level:
        """The coarsest level whose pixels fit a whole number of times into those wanted.

        Only levels finer than ``finer_than`` count, of which the finest always is one if that is
        more than 1.
        """
        key = (downsample, finer_than)
        if key not in self._sources:
            self._sources[key] = max(
                (
                    level
                    for level in self.levels
                    if level.downsample
                    and level.downsample < finer_than
                    and downsample % level.downsample == 0
                ),
                key=lambda level: level.downsample or 0,
            )
        return self._sources[key]

    def largest_shrink(self, level: int, factor: int) -> int:
        """The largest divisor of ``factor`` by which ``read`` can shrink the level's pixels."""
        image = self.images[level]
        if not image.is_decoded_here:
            return 1
        return gcd(factor, image.tile_width, image.tile_height, _LARGEST_SHRINK)

    def read(self, level: int, box: tuple[int, int, int, int], shrink: int = 1) -> Image.Image:
        """Return the level's pixels in ``box`` (left, top, right, bottom) as an RGB image.

        The box lies within the level. ``shrink`` (see ``largest_shrink``) averages blocks of as
        many pixels along each axis; left and top are multiples of it, and so are right and bottom
        except at the level's own border. Raises UnreadableSlide where OpenSlide is needed and
        cannot read.
        """
        if not self.images[level].is_decoded_here:
            return self._fallback().read(level, box)
        left, top, right, bottom = box
        tile_width, tile_height = self.images[level].tile_width, self.images[level].tile_height
        size = (-(-(right - left) // shrink), -(-(bottom - top) // shrink))
        # Not filled: each of its pixels is painted below.
        image = Image.new("RGB", size, None)
        cols = range(left // tile_width, -(-right // tile_width))
        for row in range(top // tile_height, -(-bottom // tile_height)):
            data_of = self._row(level, cols, row)
            for col in cols:
                tile = self._tile(level, col, row, shrink, data_of)
                x, y = (col * tile_width - left) // shrink, (row * tile_height - top) // shrink
                if tile is not None:
                    image.paste(tile, (x, y))
                else:
                    image.paste(
                        _BACKGROUND, (x, y, x + tile_width // shrink, y + tile_height // shrink)
                    )
        return image

    def jpeg_tile(self, level: int, col: int, row: int) -> bytes | None:
        """Return a tile of the level as a JPEG file that holds the scanner's data unchanged.

        ``None`` where the level is not JPEG-compressed, or the tile is empty or damaged.
        """
        (tile,) = self.jpeg_tiles(level, range(col, col + 1), row)
        return tile

    def jpeg_tiles(self, level: int, cols: range, row: int) -> list[bytes | None]:
        """The same of neighbours in a row, read in one call where they lie back to back."""
        image = self.images[level]
        if not image.is_jpeg:
            return [None] * len(cols)
        data_of = self._row(level, cols, row)
        prefix = image.jpeg_prefix
        tiles = []
        for col in cols:
            try:
                data = data_of(col)
            except _DamagedTile as damage:
                self._tell(level, col, row, str(damage))
                data = None
            tiles.append(data and prefix + data[2:])
        return tiles

    def is_damaged(self, level: int, col: int, row: int) -> bool:
        """Whether the tile was found to be damaged when it was read."""
        return (level, col, row) in self._told

    def associated_image(self, name: str) -> Image.Image:
        """Return the label, thumbnail or macro as an RGB image.

        Raises NotFound where the slide has none, UnreadableSlide where it cannot be decoded.
        """
        return self._fallback().associated_image(name)

    def _tile(
        self, level: int, col: int, row: int, shrink: int, data_of: Callable[[int], bytes | None]
    ) -> Image.Image | None:
        """What of the tile lies within the level, in blocks of ``shrink`` pixels.

        None where there is nothing to show but the background.
        """
        image = self.images[level]
        width = min(image.tile_width, image.width - col * image.tile_width)
        height = min(image.tile_height, image.height - row * image.tile_height)
        try:
            data = data_of(col)
            if data is None:
                if level > 0:
                    self._tell(level, col, row, "is empty")
                return self._stand_in(level, col, row, shrink)
            # A level that ends within a block: what pads the tile behind it must not count.
            cut = width % shrink or height % shrink
            try:
                tile = self._decode(image, data, 1 if cut else shrink)
            except UnreadableSlide:
                # JPEG 2000 of a kind that is not decoded here, or it is damaged after all.
                tile, cut = self._by_openslide(level, col, row), 1
            return tile.crop((0, 0, width, height)).reduce(shrink) if cut else tile
        except _DamagedTile as damage:
            self._tell(level, col, row, str(damage))
            return self._stand_in(level, col, row, shrink)

    def _row(self, level: int, cols: range, row: int) -> Callable[[int], bytes | None]:
        """What gives the compressed data of neighbours in a row, by their column.

        None for an empty tile; raises _DamagedTile. They are read in one call where they lie back
        to back, as in what scanners write. On EFS each call saved is a millisecond.
        """
        image = self.images[level]
        entries = [self.locate(level, col, row) for col in cols]
        start = entries[0].offset
        length = sum(entry.length for entry in entries)
        follow = all(one.offset + one.length == other.offset for one, other in pairwise(entries))
        together = (
            self.file.read(start, length)
            if follow and len(entries) > 1 and length <= _MAX_READ_BYTES
            else None
        )

        def data_of(col: int) -> bytes | None:
            entry = entries[col - cols.start]
            if entry.length == 0:
                return None
            offset = entry.offset - start
            data = (
                self.file.read(entry.offset, entry.length)
                if together is None
                else together[offset : offset + entry.length]
            )
            if not entry.matches(data):
                # Other data than those that were indexed: perhaps another file's?
                self.file.check_unchanged()
                raise _DamagedTile("is damaged: it is not as it was imported")
            if image.is_jpeg and not TiledImage.is_jpeg_data(data):
                raise _DamagedTile("is damaged: it is no JPEG")
            return data

        return data_of

    def _decode(self, image: TiledImage, data: bytes, shrink: int = 1) -> Image.Image:
        """The tile, decoded at the full size or at a half, a quarter, an eighth.

        Raises _DamagedTile, or UnreadableSlide for what may be left to OpenSlide.
        """
        size = (image.tile_width, image.tile_height)
        if image.is_jpeg2000:
            from vsv.slides import jpeg2000

            return jpeg2000.decode(data, size, image.jpeg2000_color, shrink.bit_length() - 1)
        scale = shrink // 2 if shrink > 1 and has_subsampled_chroma(data) else shrink
        try:
            # What Image.open would bring is not needed, and takes a quarter of the time.
            tile = Image.frombytes(
                "RGB",
                (size[0] // scale, size[1] // scale),
                image.jpeg_prefix + data[2:],
                "jpeg",
                *("RGB", "", scale, 0),  # raw mode, libjpeg's choice of colours, scale, no draft
            )
        except (OSError, ValueError) as error:
            raise _DamagedTile("is damaged: it cannot be decoded") from error
        return tile if scale == shrink else tile.reduce(2)

    def _by_openslide(self, level: int, col: int, row: int) -> Image.Image:
        image = self.images[level]
        left, top = col * image.tile_width, row * image.tile_height
        right = min(left + image.tile_width, image.width)
        bottom = min(top + image.tile_height, image.height)
        try:
            return self._fallback().read(level, (left, top, right, bottom))
        except UnreadableSlide as error:
            raise _DamagedTile("is damaged: it cannot be decoded") from error

    def _stand_in(self, level: int, col: int, row: int, shrink: int) -> Image.Image | None:
        """The next finer level's pixels in a tile's place; None on the finest."""
        downsample = self.levels[level].downsample
        if downsample is None or downsample == 1:
            return None
        other = self.source_level(downsample, finer_than=downsample)
        image, ratio = self.images[level], downsample // (other.downsample or 1)
        box = (
            col * image.tile_width * ratio,
            row * image.tile_height * ratio,
            min(min((col + 1) * image.tile_width, image.width) * ratio, other.width),
            min(min((row + 1) * image.tile_height, image.height) * ratio, other.height),
        )
        factor = ratio * shrink
        shrunk = self.largest_shrink(other.index, factor)
        pixels, factor = self.read(other.index, box, shrunk), factor // shrunk
        while factor > 1:
            divisors = [n for n in range(2, MAX_REDUCE + 1) if factor % n == 0]
            step = max(divisors, default=factor)
            pixels, factor = pixels.reduce(step), factor // step
        return pixels

    def _tell(self, level: int, col: int, row: int, reason: str) -> None:
        """Report a damaged tile once, and of a level's empty ones the first."""
        key = (level, reason) if reason == "is empty" else (level, col, row)
        with self._lock:
            if key in self._told:
                return
            self._told.add(key)
        self._on_damage(Damage(level, col, row, reason))

    def _fallback(self) -> "OpenSlideReader":
        with self._lock:
            if self._openslide is None:
                from vsv.slides.fallback import OpenSlideReader

                self._openslide = OpenSlideReader(self.path, _BACKGROUND)
                # The path was opened a second time: make sure that it was the same file.
                self.file.check_unchanged()
            return self._openslide


def _level_directories(directories: list[Directory]) -> list[Directory]:
    """The tiled directories are the levels, the first in the file being the finest."""
    levels = [directory for directory in directories if directory.is_tiled]
    if not levels or not directories[0].is_tiled:
        raise UnreadableSlide("the file is a TIFF file, but its first image is not tiled")
    return levels


def _level(index: int, image: TiledImage, full: TiledImage) -> Level:
    return Level(
        index,
        image.width,
        image.height,
        image.tile_width,
        image.tile_height,
        _whole_downsample(image, full),
    )


def _whole_downsample(image: TiledImage, full: TiledImage) -> int | None:
    """The whole number by which both sizes are rounded, up or down; ``None`` if there is none.

    Scanners downsample by powers of two: on small levels, where rounding lets several numbers fit,
    those are tried first.
    """
    guess = round(max(full.width / image.width, full.height / image.height))
    power = 1 << (guess.bit_length() - 1)
    for downsample in (power, 2 * power, guess):
        if all(
            length // downsample <= rounded <= -(-length // downsample)
            for length, rounded in (
                (full.width, image.width),
                (full.height, image.height),
            )
        ):
            return downsample
    return None
