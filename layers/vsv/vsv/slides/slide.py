"""One open slide: its levels' pixels and its associated images.

Tiles are read by their offsets and decoded here, so that every pixel is the scanner's own.
(OpenSlide places a region by a rounded average downsample and then interpolates: on a level of
downsample 4.0001 its pixels are blurred by up to half a pixel.) Compressions other than JPEG,
JPEG 2000 and the lossless ones go through OpenSlide.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import gcd, inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from PIL import Image

from vsv.errors import NotFound, UnreadableSlide
from vsv.geometry import Box
from vsv.identifiers import FileVersion
from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.averaging import averaged_region
from vsv.slides.budget import UNLIMITED, PixelBudget, cost_of_tiles
from vsv.slides.damage import EMPTY, Damage, DamagedTile, TileNumber, log_damage
from vsv.slides.decoding import check_supported, decode
from vsv.slides.file import SlideFile
from vsv.slides.level import Level
from vsv.slides.lost_tiles import LostTiles, empty_tiles
from vsv.slides.pages import ASSOCIATED_IMAGES, Pages
from vsv.slides.tiff import Chunks, TiffFile
from vsv.slides.tile_index import TiledImage, TileEntry

if TYPE_CHECKING:
    from vsv.slides.openslide_reader import OpenSlideReader

__all__ = ["Slide"]

_COMPRESSIONS: Final = {
    **{1: "none", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "PackBits", 32946: "deflate"},
    **{33003: "JPEG 2000", 33005: "JPEG 2000"},
}
# libjpeg's scaled decoding, to a half, a quarter or an eighth: as good as averaging (53 dB PSNR and
# more), at a quarter of the cost.
_LARGEST_SHRINK: Final = 8
# One read of a row of tiles: a round trip on EFS brings a megabyte at most.
_MAX_READ_BYTES: Final = 2**20
# A tile of four million pixels has 12 MB of them.
_MAX_TILE_BYTES: Final = 16 * 2**20
# Where they lie is kept in memory: 16 bytes for each.
_MAX_TILES: Final = 6 * 2**20
# What lies outside the scanned area, and under a tile that the scanner left empty.
_BACKGROUND: Final = (255, 255, 255)
_THUMBNAIL_SIZE: Final = (1024, 1024)
_MAX_THUMBNAIL_SOURCE_PIXELS: Final = 16 * 2**20


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
            tiff = TiffFile(file.descriptor)
            pages = Pages.of(tiff.directories)
            chunks = _chunks_of_levels(tiff, pages)
            check_supported(file, pages.levels[0].tiled_image, chunks[0])
        except BaseException:
            file.close()
            raise
        images = tuple(page.tiled_image for page in pages.levels)

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
        """A slide whose directories need not be read, since an index tells what they say.

        ``images`` are the levels; ``locate`` tells where the tile of a level, at a column and row,
        lies in the file.
        """
        slide = cls.__new__(cls)
        slide._set(file, tuple(images), locate, on_damage)
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
        return self._read_pages()[1].levels[0].description

    @property
    def notices(self) -> tuple[str, ...]:
        """What of the file is not shown, or is shown by other pixels, in sentences.

        Known of a slide that was not opened by its index.
        """
        return tuple(self._notices)

    @property
    def associated_images(self) -> tuple[str, ...]:
        """The names of the associated images in the file. They may be damaged."""
        found = self._read_pages()[1].associated
        return tuple(name for name in ASSOCIATED_IMAGES if name in found)

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
                    if level.downsample < finer_than and downsample % level.downsample == 0
                ),
                key=lambda level: level.downsample,
            )
        return self._sources[key]

    def largest_shrink(self, level: int, factor: int) -> int:
        """The largest divisor of ``factor`` by which ``read`` can shrink the level's pixels."""
        image = self.images[level]
        if not image.is_decoded_here:
            return 1
        return gcd(factor, image.tile_width, image.tile_height, _LARGEST_SHRINK)

    def read(
        self,
        level: int,
        box: tuple[int, int, int, int],
        shrink: int = 1,
        budget: PixelBudget = UNLIMITED,
    ) -> Image.Image:
        """Return the level's pixels in ``box`` (left, top, right, bottom) as an RGB image.

        The box lies within the level. ``shrink`` (see ``largest_shrink``) averages blocks of as
        many pixels along each axis; left and top are multiples of it, and so are right and bottom
        except at the level's own border. Raises NotRendered where that takes more pixels than the
        budget has, UnreadableSlide where OpenSlide is needed and cannot read the finest level.
        """
        left, top, right, bottom = box
        tile_width, tile_height = self.images[level].tile_width, self.images[level].tile_height
        cols = range(left // tile_width, -(-right // tile_width))
        rows = range(top // tile_height, -(-bottom // tile_height))
        budget.spend(cost_of_tiles(len(cols) * len(rows), tile_width, tile_height))
        if not self.images[level].is_decoded_here:
            return self._read_by_openslide(level, box, budget)
        size = (-(-(right - left) // shrink), -(-(bottom - top) // shrink))
        # Not filled: each of its pixels is painted below.
        image = Image.new("RGB", size, None)
        for row in rows:
            data_of = self._row(level, cols, row)
            for col in cols:
                tile = self._tile(level, col, row, shrink, data_of, budget)
                image.paste(
                    tile, ((col * tile_width - left) // shrink, (row * tile_height - top) // shrink)
                )
        return image

    def jpeg_tile(self, level: int, col: int, row: int) -> bytes | None:
        """Return a tile of the level as a JPEG file that holds the scanner's data unchanged.

        ``None`` where the level has no such files, or the tile is empty or damaged.
        """
        (tile,) = self.jpeg_tiles(level, range(col, col + 1), row)
        return tile

    def jpeg_tiles(self, level: int, cols: range, row: int) -> list[bytes | None]:
        """The same of neighbours in a row, read in one call where they lie back to back."""
        image = self.images[level]
        if not image.passes_through:
            return [None] * len(cols)
        data_of = self._row(level, cols, row)
        tiles: list[bytes | None] = []
        for col in cols:
            tile = None
            try:
                data = data_of(col)
                tile = image.jpeg(data) if data else None
            except DamagedTile as damage:
                self._tell(level, col, row, str(damage))
            tiles.append(tile)
        return tiles

    def is_damaged(self, level: int, col: int, row: int) -> bool:
        """Whether the tile was found to be damaged when it was read."""
        return (level, col, row) in self._told

    def associated_image(self, name: str, budget: PixelBudget = UNLIMITED) -> Image.Image:
        """Return the label, thumbnail or macro as an RGB image.

        A thumbnail is made of the coarsest level where the file has none. Raises NotFound where
        the slide has no such image, UnreadableSlide where it cannot be decoded, NotRendered where
        making it takes more pixels than the budget has.
        """
        from vsv.slides.associated import read_image

        tiff, pages = self._read_pages()
        page = pages.associated.get(name)
        if page is None:
            return self._made_thumbnail(name, budget)
        if page.tiled_image.is_decoded_here:
            return read_image(name, self.file, page, tiff.chunks)
        return self._fallback().associated_image(name)

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
                number = tile.row * self.levels[tile.level].cols + tile.col
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

    def _made_thumbnail(self, name: str, budget: PixelBudget) -> Image.Image:
        coarsest = max(self.levels, key=lambda level: level.downsample)
        if name != "thumbnail" or coarsest.width * coarsest.height > _MAX_THUMBNAIL_SOURCE_PIXELS:
            raise NotFound(f"the slide has no {name} image")
        whole = (0, 0, coarsest.width, coarsest.height)
        image = self.read(coarsest.index, whole, budget=budget)
        image.thumbnail(_THUMBNAIL_SIZE, Image.Resampling.BOX)
        return image

    def _read_pages(self) -> tuple[TiffFile, Pages]:
        """The file's directories; of a slide that was opened by its index they are read now."""
        if self._tiff is None or self._pages is None:
            self._tiff = TiffFile(self.file.descriptor)
            self._pages = Pages.of(self._tiff.directories)
        return self._tiff, self._pages

    def _size(self, level: int) -> tuple[int, int]:
        return self.images[level].width, self.images[level].height

    def _tile(
        self,
        level: int,
        col: int,
        row: int,
        shrink: int,
        data_of: Callable[[int], bytes | None],
        budget: PixelBudget,
    ) -> Image.Image:
        """Return what of the tile lies within the level, in blocks of ``shrink`` pixels."""
        image = self.images[level]
        width = min(image.tile_width, image.width - col * image.tile_width)
        height = min(image.tile_height, image.height - row * image.tile_height)
        try:
            data = data_of(col)
            if data is None:
                if level > 0:
                    self._tell(level, col, row, EMPTY)
                return self._stand_in(level, col, row, shrink, budget)
            # A level that ends within a block: what pads the tile behind it must not count.
            cut = width % shrink or height % shrink
            try:
                size = (image.tile_width, image.tile_height)
                tile = decode(image, data, size, 1 if cut else shrink)
            except DamagedTile:
                raise
            except UnreadableSlide:
                # JPEG 2000 of a kind that is not decoded here.
                tile, cut = self._by_openslide(level, col, row), 1
            return tile.crop((0, 0, width, height)).reduce(shrink) if cut else tile
        except DamagedTile as damage:
            self._tell(level, col, row, str(damage))
            return self._stand_in(level, col, row, shrink, budget)

    def _row(self, level: int, cols: range, row: int) -> Callable[[int], bytes | None]:
        """What gives the compressed data of neighbours in a row, by their column.

        None for an empty tile; raises DamagedTile. They are read in one call where they lie back
        to back, as in what scanners write. On EFS each call saved is a millisecond.
        """
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
            if entry.length > _MAX_TILE_BYTES:
                raise DamagedTile(f"is damaged: it has {entry.length} bytes")
            offset = entry.offset - start
            data = (
                self.file.read(entry.offset, entry.length)
                if together is None
                else together[offset : offset + entry.length]
            )
            if not entry.matches(data):
                # Other data than those that were indexed: perhaps another file's?
                self.file.check_unchanged()
                raise DamagedTile("is damaged: it is not as it was imported")
            return data

        return data_of

    def _by_openslide(self, level: int, col: int, row: int) -> Image.Image:
        image = self.images[level]
        left, top = col * image.tile_width, row * image.tile_height
        right = min(left + image.tile_width, image.width)
        bottom = min(top + image.tile_height, image.height)
        try:
            return self._fallback().read(self._size(level), (left, top, right, bottom))
        except UnreadableSlide as error:
            raise DamagedTile("is damaged: it cannot be decoded") from error

    def _read_by_openslide(
        self, level: int, box: tuple[int, int, int, int], budget: PixelBudget
    ) -> Image.Image:
        """Return the pixels that OpenSlide reads; a finer level's where it cannot.

        It may see fewer levels than there are: of another software's file, those that are marked.
        """
        try:
            return self._fallback().read(self._size(level), box)
        except UnreadableSlide as error:
            if self.levels[level].downsample == 1:
                raise
            image = self.images[level]
            col, row = box[0] // image.tile_width, box[1] // image.tile_height
            self._tell(level, col, row, f"is damaged: {error}")
            return self._of_finer(level, box, 1, budget)

    def _stand_in(
        self, level: int, col: int, row: int, shrink: int, budget: PixelBudget
    ) -> Image.Image:
        """Return the next finer level's pixels in a tile's place, on the finest the background."""
        image = self.images[level]
        left, top = col * image.tile_width, row * image.tile_height
        right = min(left + image.tile_width, image.width)
        bottom = min(top + image.tile_height, image.height)
        return self._of_finer(level, (left, top, right, bottom), shrink, budget)

    def _of_finer(
        self, level: int, box: tuple[int, int, int, int], shrink: int, budget: PixelBudget
    ) -> Image.Image:
        """Return what the next finer level shows in the box, on the finest the background."""
        downsample = self.levels[level].downsample
        left, top = box[0] // shrink, box[1] // shrink
        right, bottom = -(-box[2] // shrink), -(-box[3] // shrink)
        shown = Image.new("RGB", (right - left, bottom - top), _BACKGROUND)
        if downsample == 1:
            return shown
        other = self.source_level(downsample, finer_than=downsample)
        factor = downsample // other.downsample * shrink
        # The finer level may have been rounded down where this one was rounded up.
        covered = Box(
            left,
            top,
            min(right, -(-other.width // factor)),
            min(bottom, -(-other.height // factor)),
        )
        if min(covered.size) > 0:
            shown.paste(averaged_region(self, other, factor, covered, budget), (0, 0))
        return shown

    def _tell(self, level: int, col: int, row: int, reason: str) -> None:
        """Report a damaged tile once, and of a level's empty ones the first."""
        key = (level, reason) if reason == EMPTY else (level, col, row)
        with self._lock:
            if key in self._told:
                return
            self._told.add(key)
        self._on_damage(Damage(level, col, row, reason))

    def _fallback(self) -> "OpenSlideReader":
        with self._lock:
            if self._openslide is None:
                from vsv.slides.openslide_reader import OpenSlideReader

                self._openslide = OpenSlideReader(self.path, _BACKGROUND)
                # The path was opened a second time: make sure that it was the same file.
                self.file.check_unchanged()
            return self._openslide


def _chunks_of_levels(tiff: TiffFile, pages: Pages) -> list[Chunks]:
    """Read where the levels' tiles lie. Raises UnreadableSlide where the file is truncated."""
    count = sum(page.offsets.length for page in pages.levels)
    if count > _MAX_TILES:
        raise UnreadableSlide(f"{count} tiles are too many for one slide")
    chunks = [tiff.chunks(page) for page in pages.levels]
    tiff.check_whole([page for page in tiff.directories if page not in pages.levels])
    return chunks
