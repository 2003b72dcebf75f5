"""Open slides by ImageID, as many as memory and file handles allow.

On EFS every call costs about a millisecond, so what is known is not asked for again: a slide whose
tile index is in memory costs one read a tile. A slide is opened by a block of its index where there
is one, which is all that a tile of its own needs; by its slide index where more is wanted; by
walking through its TIFF directories if no index can be used.
"""

import errno
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from threading import RLock
from typing import Final, Self

from vsv.errors import Archived, FileChanged, InvalidRequest, NotFound, UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import slide_levels
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile_blocks import BlockAddress, block_of
from vsv.slides.file import SlideFile
from vsv.slides.slide import Slide
from vsv.slides.tile_index import TileBlock, TileEntry
from vsv.storage.layout import Storage

__all__ = ["CachedSlide", "SlideCache"]

# After this time a slide is checked again: is it still the same? NFS's own client takes attributes
# from its cache for three seconds.
_TRUST_S: Final = 1.0
_MAX_BYTES: Final = 96 * 2**20
_MAX_HANDLES: Final = 128
_MAX_ABSENT: Final = 1000

# What an open slide takes at least; what a block takes; what OpenSlide takes for a slide.
_SLIDE_BYTES: Final = 24 * 2**10
_BLOCK_BYTES: Final = 5 * 2**10
_OPENSLIDE_BYTES: Final = 4 * 2**20


class CachedSlide:
    """An open slide with what was needed of it so far: its file, blocks of its index, its levels.

    ``filename`` and ``version`` say which bytes the ImageID stands for, ``imported`` whether an
    import says so. ``index`` is None where no index can be used.
    """

    def __init__(
        self,
        storage: Storage,
        image_id: str,
        file: SlideFile,
        identity: tuple[str, FileVersion, bool],
        index: SlideIndex | None = None,
        *,
        keeps_index: bool = False,
    ) -> None:
        self._storage = storage
        self.image_id = image_id
        self._index = index
        self._keeps_index = keeps_index
        self._slide: Slide | None = None
        self._walked: Slide | None = None
        self._blocks: dict[BlockAddress, TileBlock | None] = {}
        self.file = file
        self.filename, self.version, self.imported = identity

    @classmethod
    def by_block(cls, storage: Storage, image_id: str, address: TileAddress) -> Self | None:
        """Return the slide, opened by the index's block of this tile, or None. Costs two calls."""
        where = BlockAddress.holding(*address)
        block = storage.read_block(image_id, where)
        if block is None:
            return None
        try:
            file = SlideFile(storage.slide(block.filename))
        except (FileNotFoundError, InvalidRequest, UnreadableSlide):
            return None  # the second from a block of version 0.1 that was damaged
        # The bytes of an imported slide's tile prove themselves; of another's, the version does.
        if not block.imported and file.version != block.version:
            return None
        opened = cls(storage, image_id, file, (block.filename, block.version, block.imported))
        opened._blocks[where] = block
        return opened

    @classmethod
    def by_index(cls, storage: Storage, image_id: str, *, keeps_index: bool) -> Self:
        """Open the slide that was imported under this ID; without an import, one named like it.

        Where the index is lost, any of its blocks tells what was imported. With ``keeps_index``
        an index is written for a slide that has none. Raises NotFound, Archived, or FileChanged
        where the file is no longer the one that was imported.
        """
        index = storage.read_index(image_id)
        if index and index.archived:
            raise Archived
        imported = index or storage.imported_block(image_id)
        if imported and imported.imported:
            file = storage.open(imported.filename, imported.version)
            identity = (imported.filename, imported.version, True)
            keeps_index = keeps_index and index is None
            return cls(storage, image_id, file, identity, index, keeps_index=keeps_index)
        path = storage.slide_named_like(image_id)
        try:
            file = SlideFile(path)
        except FileNotFoundError:
            raise NotFound(f"no slide {image_id!r}") from None
        known = index if index and index.version == file.version else None
        return cls(
            storage,
            image_id,
            file,
            (path.name, file.version, False),
            known,
            keeps_index=keeps_index,
        )

    @property
    def slide(self) -> Slide:
        """The slide with its levels. Raises as ``open_levels`` does."""
        return self.open_levels()

    def open_levels(self) -> Slide:
        """Return the slide, and read its levels if they are not known yet.

        Raises UnreadableSlide, or FileChanged where the file is not what the ImageID stands for.
        """
        if self._slide is None:
            if self.file.version != self.version:
                raise FileChanged("the slide file was replaced or set aside since it was imported")
            index = self._index or self._storage.read_index(self.image_id)
            if index and index.version == self.version:
                self._index = index
            if self._index and self._index.images:
                self._slide = Slide.indexed(self.file, self._index.images, self._locate)
            else:
                self._slide = self._walk()
        return self._slide

    @property
    def rendered_levels(self) -> tuple[int, ...] | None:
        """The DeepZoom levels that were pre-rendered, or None if that is not known yet."""
        return self._index.levels if self._index else None

    def native_block(self, address: TileAddress) -> TileBlock | None:
        """Return the block of a tile that can be passed through, or None for any other tile."""
        block = self._block(BlockAddress.holding(*address))
        return block if block and block.passes_through(address.col, address.row) else None

    def native_tile(self, block: TileBlock, address: TileAddress) -> bytes | None:
        """Return the slide's own tile, or None if it is not as it was indexed. Costs one read.

        Raises FileNotFoundError where the file was removed since it was opened (NFS tells that).
        """
        entry = block.entry(address.col, address.row)
        try:
            data = self.file.read(entry.offset, entry.length)
        except OSError as error:
            if error.errno == errno.ESTALE:
                raise FileNotFoundError(error.errno, "the slide file was removed") from error
            raise
        return block.jpeg(data) if entry.matches(data) else None

    @property
    def memory_bytes(self) -> int:
        """How much memory the slide takes, roughly."""
        return (
            _SLIDE_BYTES
            + _BLOCK_BYTES * len(self._blocks)
            + _OPENSLIDE_BYTES * (self.handles - 1)
            + (self._walked.memory_bytes if self._walked else 0)
        )

    @property
    def handles(self) -> int:
        """How many files the slide has open."""
        return 1 + (self._slide is not None and self._slide.has_openslide)

    def is_current(self) -> bool:
        """Whether the ImageID still stands for the bytes that are open here."""
        index = self._storage.read_index(self.image_id)
        if self.imported or (index and index.imported):
            return bool(
                self.imported and index and index.version == self.version and not index.archived
            )
        try:
            return FileVersion.of(self.file.path) == self.version
        except FileNotFoundError:
            return False

    def _block(self, where: BlockAddress) -> TileBlock | None:
        if where not in self._blocks:
            block = self._storage.read_block(self.image_id, where)
            if block and (block.filename, block.version) != (self.filename, self.version):
                block = None
            if block is None and self._walked:
                block = block_of(self._walked, self.filename, where)
                if block:
                    self._keep(lambda: self._storage.write_block(self.image_id, where, block))
            self._blocks[where] = block
        return self._blocks[where]

    def _walk(self) -> Slide:
        """Return the slide, read from its TIFF directories."""
        if self._walked is None:
            self._walked = slide = Slide(self.file)
            self._keep(lambda: self._storage.write_index(self.image_id, self._seen(slide)))
        return self._walked

    def _seen(self, slide: Slide) -> SlideIndex:
        """Return an index of what is there: a pyramid outlives the index of its import."""
        levels = self._storage.images(self.image_id).rendered_levels()
        return SlideIndex.seen(slide, self.filename, levels, imported=self.imported)

    def _keep(self, write: Callable[[], None]) -> None:
        """Write a piece of index that was missing, if that may be."""
        if self._keeps_index:
            try:
                write()
            except OSError:
                # Mounted for reading only, most likely. The slide is shown all the same.
                self._keeps_index = False

    def _locate(self, level: int, col: int, row: int) -> TileEntry:
        """Return where a tile of the slide lies, as the index says, or else the file."""
        number = self._level_numbers.get(level)
        if number is None:
            return self._walk().locate(level, col, row)
        where = BlockAddress.holding(number, col, row)
        if self._block(where) is None and self._walked is None:
            self._walk()
            self._blocks.pop(where, None)  # read it again, from the file this time
        block = self._block(where)
        return block.entry(col, row) if block else self._walk().locate(level, col, row)

    @cached_property
    def _level_numbers(self) -> dict[int, int]:
        return {level.index: number for number, level in slide_levels(self.slide).items()}


class SlideCache:
    """The slides used last, kept open within a budget of memory and of file handles.

    A slide that is evicted closes once no thread reads it any more. A slide whose file or index was
    replaced is opened again. With ``keeps_index`` a missing index is written.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        keeps_index: bool = False,
        max_bytes: int = _MAX_BYTES,
        max_handles: int = _MAX_HANDLES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._keeps_index = keeps_index
        self._max_bytes = max_bytes
        self._max_handles = max_handles
        self._now = now
        self._slides: OrderedDict[str, tuple[CachedSlide, float]] = OrderedDict()
        self._absent: dict[tuple[str, BlockAddress], float] = {}
        self._lock = RLock()

    def get_if_open(self, image_id: str, address: TileAddress) -> CachedSlide | None:
        """Return the slide if it is open, or if the block of this tile is enough to open it."""
        opened = self._known(image_id)
        if opened is None and not self._is_absent(image_id, address):
            opened = CachedSlide.by_block(self._storage, image_id, address)
            if opened:
                self._put(image_id, opened)
            else:
                self._absent[image_id, BlockAddress.holding(*address)] = self._now()
        return opened

    def get(self, image_id: str) -> CachedSlide:
        """Return the slide with its levels.

        Raises NotFound, Archived, FileChanged or UnreadableSlide.
        """
        opened = self._known(image_id)
        if opened:
            try:
                opened.open_levels()
                return opened
            except FileChanged:
                self._drop(image_id)
        opened = CachedSlide.by_index(self._storage, image_id, keeps_index=self._keeps_index)
        opened.open_levels()
        self._put(image_id, opened)
        return opened

    def _is_absent(self, image_id: str, address: TileAddress) -> bool:
        """Whether the block, or its slide, was missing a moment ago.

        (A pyramid may have tiles without either.)
        """
        if len(self._absent) > _MAX_ABSENT:
            self._absent.clear()
        checked_at = self._absent.get((image_id, BlockAddress.holding(*address)))
        return checked_at is not None and self._now() - checked_at <= _TRUST_S

    def _known(self, image_id: str) -> CachedSlide | None:
        """Return the slide if it is open and is, or was a moment ago, still the same."""
        with self._lock:
            opened, checked_at = self._slides.get(image_id, (None, 0.0))
            if opened is None:
                return None
            self._slides.move_to_end(image_id)
        if self._now() - checked_at > _TRUST_S:
            if not opened.is_current():
                self._drop(image_id)
                return None
            self._put(image_id, opened)
        return opened

    def _put(self, image_id: str, opened: CachedSlide) -> None:
        with self._lock:
            self._slides[image_id] = (opened, self._now())
            self._slides.move_to_end(image_id)
            self._evict()

    def _drop(self, image_id: str) -> None:
        with self._lock:
            self._slides.pop(image_id, None)

    def _evict(self) -> None:
        """Drop the slides that were used longest ago, but never the last one."""
        slides = [opened for opened, _ in self._slides.values()]
        memory_bytes = sum(opened.memory_bytes for opened in slides)
        handles = sum(opened.handles for opened in slides)
        for opened in slides[:-1]:
            if memory_bytes <= self._max_bytes and handles <= self._max_handles:
                return
            memory_bytes -= opened.memory_bytes
            handles -= opened.handles
            self._slides.popitem(last=False)
