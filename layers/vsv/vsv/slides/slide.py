"""One open slide: its levels, its tiles as they are in the file, and its associated images.

Tiles are read by their offsets, so that every pixel is the scanner's own. (OpenSlide places a
region by a rounded average downsample and then interpolates: on a level of downsample 4.0001 its
pixels are blurred by up to half a pixel.) Compressions other than JPEG, JPEG 2000 and the lossless
ones go through OpenSlide. Pixels of a region are read in ``regions``.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, tzinfo
from itertools import pairwise
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from vsv.errors import UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.damage import EMPTY, Damage, DamagedTile, TileNumber, log_damage
from vsv.slides.decoding import check_supported
from vsv.slides.file import SlideFile
from vsv.slides.level import Level
from vsv.slides.lost_tiles import LostTiles, empty_tiles
from vsv.slides.pages import ASSOCIATED_IMAGES, Pages
from vsv.slides.tiff import Chunks, TiffFile
from vsv.slides.tile_index import TiledImage, TileEntry

if TYPE_CHECKING:
    from vsv.slides.openslide_reader import OpenSlideReader

__all__ = ["BACKGROUND", "Slide", "TileData"]

# Returns the compressed data of a tile by its column, None for an empty one; raises DamagedTile.
TileData = Callable[[int], bytes | None]

_COMPRESSIONS: Final = {
    **{1: "none", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "PackBits", 32946: "deflate"},
    **{33003: "JPEG 2000", 33005: "JPEG 2000"},
}
# One read of a row of tiles: a round trip on EFS brings a megabyte at most.
_MAX_READ_BYTES: Final = 2**20
# A tile of four million pixels has 12 MB of them.
_MAX_TILE_BYTES: Final = 16 * 2**20
# Where they lie is kept in memory: 16 bytes for each.
_MAX_TILES: Final = 6 * 2**20
# What lies outside the scanned area, and under a tile that the scanner left empty.
BACKGROUND: Final = (255, 255, 255)


class Slide:
    """An open slide. Use as a context manager, or call ``close``.

    Safe to be read by several threads at once. A tile that is empty on a coarser level, or damaged,
    is told to ``on_damage`` and shown by the next finer level's pixels, on the finest level by the
    background; its neighbours are not touched by it.
    """

    def __init__(
        self, source: Path | SlideFile, on_damage: Callable[[Damage], None] = log_damage
    ) -> None:
        """Open the file. Raises FileNotFoundError, or UnreadableSlide for another file."""
        file = source if isinstance(source, SlideFile) else SlideFile(source)
        try:
            tiff = TiffFile(file.descriptor)
            pages = Pages.of(tiff.directories)
            chunks = _chunks_of_levels(tiff, pages)
            check_supported(file, pages.levels[0].tiled_image, chunks[0])
        except BaseException:
            file.close()
            raise
        images = [page.tiled_image for page in pages.levels]

        def locate(level: int, col: int, row: int) -> TileEntry:
            number = row * images[level].cols + col
            return TileEntry(chunks[level].offsets[number], chunks[level].byte_counts[number])

        self._set(file, images, locate, on_damage)
        self._tiff: TiffFile | None = tiff
        self._pages: Pages | None = pages
        self._chunks: Sequence[Chunks] = chunks
        self._notices.extend(pages.notices)
        self.memory_bytes = sum(each.memory_bytes for each in chunks)
        self._lose_empty()

    @classmethod
    def indexed(
        cls,
        file: SlideFile,
        images: Sequence[TiledImage],
        locate: Callable[[int, int, int], TileEntry],
        on_damage: Callable[[Damage], None] = log_damage,
    ) -> Self:
        """Return a slide whose directories need not be read, since an index has their content.

        ``images`` are the levels; ``locate`` tells where the tile of a level, at a column and row,
        lies in the file.
        """
        slide = cls.__new__(cls)
        slide._set(file, images, locate, on_damage)
        return slide

    def _set(
        self,
        file: SlideFile,
        images: Sequence[TiledImage],
        locate: Callable[[int, int, int], TileEntry],
        on_damage: Callable[[Damage], None],
    ) -> None:
        self.file = file
        self.locate = locate
        self.width, self.height = images[0].width, images[0].height
        self.levels = tuple(Level.of(index, image, images[0]) for index, image in enumerate(images))
        # What the directories say; of a slide that was opened by its index as far as it is needed.
        self.memory_bytes = 0
        # Levels, but for the finest, some of whose tiles are lost; not told by an index.
        self.levels_with_losses: set[int] = set()
        self._tiff = None
        self._pages = None
        self._chunks = ()
        self._notices: list[str] = []
        self._sources: dict[tuple[int, float], Level] = {}
        self._on_damage = on_damage
        self._reported: set[tuple[object, ...]] = set()
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
        return self.directories()[1].levels[0].description

    @property
    def notices(self) -> tuple[str, ...]:
        """What of the file is not shown, or is shown by other pixels, in sentences.

        Known of a slide that was not opened by its index.
        """
        return tuple(self._notices)

    @property
    def associated_images(self) -> tuple[str, ...]:
        """The names of the associated images in the file. They may be damaged."""
        found = self.directories()[1].associated
        return tuple(name for name in ASSOCIATED_IMAGES if name in found)

    @property
    def has_openslide(self) -> bool:
        """Whether OpenSlide has the file open as well."""
        return self._openslide is not None

    def metadata(self, default_zone: tzinfo = UTC) -> Metadata:
        """Return what the scanner wrote about the slide; its times may leave the zone out."""
        return parse_description(self.description, default_zone)

    def compression(self, level: int) -> str:
        """Return how the level's tiles are compressed, in words."""
        number = self.levels[level].image.compression
        return _COMPRESSIONS.get(number, f"TIFF compression {number}")

    def source_level(self, downsample: int, finer_than: float = inf) -> Level:
        """Return the coarsest level whose pixels fit a whole number of times into those wanted.

        Only levels finer than ``finer_than`` count, of which the finest always is one if that is
        more than 1.
        """
        key = (downsample, finer_than)
        if key not in self._sources:
            self._sources[key] = max(
                (
                    level
                    for level in self.levels
                    if level.downsample < finer_than and downsample % level.downsample == 0
                ),
                key=lambda level: level.downsample,
            )
        return self._sources[key]

    def jpeg_tile(self, level: int, col: int, row: int) -> bytes | None:
        """Return a tile of the level as a JPEG file that holds the scanner's data unchanged.

        ``None`` where the level has no such files, or the tile is empty or damaged.
        """
        (tile,) = self.jpeg_tiles(level, range(col, col + 1), row)
        return tile

    def jpeg_tiles(self, level: int, cols: range, row: int) -> list[bytes | None]:
        """Return neighbours in a row, in one read if they lie back to back (see ``jpeg_tile``)."""
        image = self.levels[level].image
        if not image.passes_through:
            return [None] * len(cols)
        data = self.tile_data(self.levels[level], cols, row)
        tiles: list[bytes | None] = []
        for col in cols:
            tile = None
            try:
                compressed = data(col)
                tile = image.jpeg(compressed) if compressed else None
            except DamagedTile as damage:
                self.report(self.levels[level], col, row, str(damage))
            tiles.append(tile)
        return tiles

    def tile_data(self, level: Level, cols: range, row: int) -> TileData:
        """Return what gives the compressed data of neighbours in a row, by their column.

        They are read in one call where they lie back to back, as in what scanners write. On EFS
        each call that is saved is a millisecond.
        """
        entries = [self.locate(level.index, col, row) for col in cols]
        start = entries[0].offset
        length = sum(entry.length for entry in entries)
        follow = all(one.offset + one.length == other.offset for one, other in pairwise(entries))
        together = (
            self.file.read(start, length)
            if follow and len(entries) > 1 and length <= _MAX_READ_BYTES
            else None
        )

        def data(col: int) -> bytes | None:
            entry = entries[col - cols.start]
            if entry.length == 0:
                return None
            if entry.length > _MAX_TILE_BYTES:
                raise DamagedTile(f"is damaged: it has {entry.length} bytes")
            offset = entry.offset - start
            compressed = (
                self.file.read(entry.offset, entry.length)
                if together is None
                else together[offset : offset + entry.length]
            )
            if not entry.matches(compressed):
                # Other data than those that were indexed: perhaps another file's?
                self.file.check_unchanged()
                raise DamagedTile("is damaged: it is not as it was imported")
            return compressed

        return data

    def report(self, level: Level, col: int, row: int, reason: str) -> None:
        """Tell ``on_damage`` of a damaged tile once, and of a level's empty ones the first."""
        tile = (level.index, col, row)
        key = (level.index, reason) if reason == EMPTY else tile
        with self._lock:
            if key in self._reported:
                return
            self._reported.add(key)
        self._on_damage(Damage(*tile, reason))

    def is_damaged(self, level: int, col: int, row: int) -> bool:
        """Whether the tile was found to be damaged when it was read."""
        return (level, col, row) in self._reported

    def openslide(self) -> "OpenSlideReader":
        """Return the file as OpenSlide reads it. Raises UnreadableSlide where it cannot."""
        with self._lock:
            if self._openslide is None:
                from vsv.slides.openslide_reader import OpenSlideReader

                self._openslide = OpenSlideReader(self.path, BACKGROUND)
                # The path was opened a second time: make sure that it was the same file.
                self.file.check_unchanged()
            return self._openslide

    def lose(self, tiles: Iterable[TileNumber]) -> LostTiles:
        """Show finer levels in place of these tiles and of those of coarser levels above them.

        Return all of them. On the finest level, nothing can take their place. The slide must not
        have been opened by its index, which tells as much.
        """
        lost = LostTiles(self.levels, tiles)
        self._lose(lost)
        return lost

    def _lose(self, lost: LostTiles) -> None:
        for tile in lost:
            if tile.level > 0:
                self.levels_with_losses.add(tile.level)
                number = tile.row * self.levels[tile.level].image.cols + tile.col
                self._chunks[tile.level].byte_counts[number] = 0

    def _lose_empty(self) -> None:
        """Do so with tiles that the scanner left empty, and say so."""
        masks = empty_tiles(self.levels, [chunks.byte_counts for chunks in self._chunks])
        for level, mask in zip(self.levels, masks, strict=True):
            count = mask.count(1)
            if count:
                there = "finer levels are" if level.index else "nothing is"
                self._notices.append(
                    f"the scanner left {count} tile{'s' * (count > 1)} empty at "
                    f"1/{level.downsample} of the resolution; {there} shown there"
                )
        if any(1 in mask for mask in masks):
            self._lose(LostTiles.masked(self.levels, masks))

    def directories(self) -> tuple[TiffFile, Pages]:
        """Return the file's directories, and read them if the slide was opened by its index."""
        if self._tiff is None or self._pages is None:
            self._tiff = TiffFile(self.file.descriptor)
            self._pages = Pages.of(self._tiff.directories)
        return self._tiff, self._pages


def _chunks_of_levels(tiff: TiffFile, pages: Pages) -> list[Chunks]:
    """Read where the levels' tiles lie. Raises UnreadableSlide where the file is truncated."""
    count = sum(page.offsets.length for page in pages.levels)
    if count > _MAX_TILES:
        raise UnreadableSlide(f"{count} tiles are too many for one slide")
    chunks = [tiff.chunks(page) for page in pages.levels]
    tiff.check_whole([page for page in tiff.directories if page not in pages.levels])
    return chunks
