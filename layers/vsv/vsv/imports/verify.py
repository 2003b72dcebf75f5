"""Verification: whether index, tiles and associated images match the slide's file.

The slide file is compared with the checksum of its import. All else is compared with the slide
file: it is made again as the import did. Nothing is written, so that a read-only mount suffices.
The work is cut into pieces that each take no longer than a step of the import: they fit into a
Lambda function, and run in parallel.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self, cast

from PIL import Image

from vsv.catalogue.accessors import (
    file_version_of,
    filename_of,
    image_id_of,
    is_archived,
    is_imported,
    sha256_of,
    warnings_of,
)
from vsv.catalogue.record import SlideRecord
from vsv.errors import FileChanged, InvalidRequest, NotFound, UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.imports.comparison import ComparingStore, Flaw, decoded, is_alike, is_lost, is_own
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.encoding import encode
from vsv.pyramid.image_store import ImageStore
from vsv.pyramid.image_store import name as tile_name
from vsv.pyramid.native import default_pyramid, slide_levels
from vsv.pyramid.plan import Work, levels_to_render
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile import DEFAULT_QUALITY
from vsv.pyramid.tile_blocks import BlockAddress, blocks
from vsv.slides.associated import associated_image
from vsv.slides.damage import Damage, TileNumber
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.pages import ASSOCIATED_IMAGES
from vsv.slides.slide import Slide
from vsv.slides.tile_index import BLOCK_TILES, TileBlock
from vsv.storage.layout import Storage

__all__ = ["RecordedSlide", "verify"]

# As many as a call of RenderTiles renders: a few seconds' work, or a minute's with JPEG 2000.
_TILES_PER_PIECE: Final = 1000
# If something is wrong with a piece, mostly all of it is: the first findings suffice.
_MAX_FINDINGS: Final = 20
_PRERENDER_LEVELS: Final = ("all", "derived", "none")


@dataclass(frozen=True)
class RecordedSlide:
    """What a slide's record says of its files, for comparison with them.

    ``version`` is the slide file's; ``imported`` whether the import is complete; ``archived``
    whether the file has left the file system; ``images`` are the associated images that it has.
    """

    image_id: str
    filename: str
    version: FileVersion
    sha256: str | None
    imported: bool
    archived: bool
    images: tuple[str, ...]

    @classmethod
    def of(cls, record: SlideRecord) -> Self:
        """Return what the record says of a slide that is not deleted."""
        # The import warns of each image that is not there or cannot be read.
        warnings = warnings_of(record)
        return cls(
            image_id_of(record),
            filename_of(record),
            file_version_of(record),
            sha256_of(record),
            is_imported(record),
            is_archived(record),
            tuple(
                image
                for image in ASSOCIATED_IMAGES
                if not any(f"{image} image" in text for text in warnings)
            ),
        )

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the value that ``to_dict`` made this of."""
        version, images = FileVersion.parse(given["version"]), tuple(given["images"])
        return cls(**{**given, "version": version, "images": images})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "version": str(self.version), "images": list(self.images)}


def verify(storage: Storage, request: Mapping[str, Any]) -> dict[str, Any]:
    """Verify a piece of a slide; without one, verify what is single, and plan the pieces.

    ``request`` has the ``slide``, and as ``piece`` one of the plan's. The answer has ``findings``,
    a sentence for each; ``recoded``, how many images look as they should but
    have other bytes than they would have now; and ``pieces``, which are to be looked at next.
    Raises Unavailable where the store of images does not answer.
    """
    verifier = _Verifier(storage, RecordedSlide.from_dict(request["slide"]))
    pieces: list[dict[str, Any]] = []
    try:
        if "piece" in request:
            verifier.check(**request["piece"])
        else:
            pieces = verifier.plan()
    except (FileChanged, UnreadableSlide) as error:
        verifier.report(str(error))
    return {"findings": verifier.findings, "recoded": verifier.recoded, "pieces": pieces}


class _Verifier:
    """Verifies one slide, and collects findings."""

    def __init__(self, storage: Storage, recorded: RecordedSlide) -> None:
        self._storage = storage
        self._recorded = recorded
        self._findings: list[str] = []
        self.recoded = 0

    def report(self, finding: str) -> None:
        """Add a finding."""
        self._findings.append(finding)

    @property
    def findings(self) -> list[str]:
        """Return the findings, in sentences."""
        more = len(self._findings) - _MAX_FINDINGS
        return self._findings[:_MAX_FINDINGS] + (
            [f"… and {more} more of these"] if more > 0 else []
        )

    def plan(self) -> list[dict[str, Any]]:
        """Verify what is single; return the pieces of the rest."""
        if self._recorded.archived:
            return self._plan_of_archived()
        announced = self._is_announced()
        if announced != self._recorded.imported:
            self.report(
                "there is a descriptor, although the import is not complete"
                if announced
                else "the descriptor is missing"
            )
        with self._open() as slide:
            if not self._recorded.imported:
                return [{"part": "file"}]
            index = self._index()
            self._check_images(slide, index.quality if index else DEFAULT_QUALITY)
            work = self._work(slide, index) if index else None
            pieces = work.pieces(_TILES_PER_PIECE) if work else ()
            return [{"part": "file"}, *_parts("tiles", pieces)]

    def check(self, part: str, start: int = 0, stop: int = 0) -> None:
        """Verify a piece."""
        if part == "file":
            self._check_file()
        elif part == "tiles":
            self._check_tiles(start, stop)
        else:
            self._check_kept(start, stop)

    def _open(self, on_damage: Callable[[Damage], None] = lambda _: None) -> Slide:
        """Open the slide without its index. Raises FileChanged."""
        return Slide(self._storage.open(self._recorded.filename, self._recorded.version), on_damage)

    @property
    def _images(self) -> ImageStore:
        return self._storage.images(self._recorded.image_id)

    def _is_announced(self) -> bool:
        try:
            return self._images.has_descriptor()
        except InvalidRequest:
            return False  # a failure's record, under its file's name: nothing was made of that

    def _index(self) -> SlideIndex | None:
        """Return the slide's index if it is that of this file; report a finding otherwise."""
        index = self._storage.read_index(self._recorded.image_id)
        if index is None:
            self.report("the slide index is missing or damaged")
        elif (index.filename, index.version) != (self._recorded.filename, self._recorded.version):
            self.report("the slide index is another file's")
        elif not index.imported:
            self.report("the slide index is not the import's, but was made by looking at the slide")
        else:
            return index
        return None

    def _work(self, slide: Slide, index: SlideIndex) -> Work | None:
        """Compare the slide index with the file; return the work that made the tiles.

        None where the index does not say which tiles there should be.
        """
        pyramid = default_pyramid(slide)
        expected = SlideIndex.of(
            slide,
            self._recorded.filename,
            pyramid,
            quality=index.quality,
            levels=index.levels,
            sha256=self._recorded.sha256 or index.sha256,
            lost=index.lost,
        )
        wrong = [
            field.name
            for field in fields(SlideIndex)
            if getattr(index, field.name) != getattr(expected, field.name)
        ]
        # The deployment's PrerenderLevels may have been others at the time.
        found = [levels_to_render(slide, each) for each in _PRERENDER_LEVELS]
        # Nor is it known whether the import had found lost tiles, which may add levels.
        slide.lose(index.lost)
        found += [levels_to_render(slide, each) for each in _PRERENDER_LEVELS]
        if index.levels not in found:
            wrong.append("levels")
        if wrong:
            self.report(f"the slide index is wrong about {', '.join(wrong)}")
        if index.pyramid != pyramid or "levels" in wrong:
            return None
        return Work.of(slide, pyramid, index.levels)

    # Single parts

    def _check_images(self, slide: Slide, quality: int) -> None:
        """Compare label, thumbnail and macro with the slide's own."""
        for name in ASSOCIATED_IMAGES:
            try:
                image = associated_image(slide, name)
            except (NotFound, UnreadableSlide):
                if self._find(name) is not None:
                    self.report(f"there is a {name} image, but the slide has none")
            else:
                wanted = encode(image, "jpeg", quality)
                self._compare(f"the {name} image", self._find(name), wanted, image.size, quality)

    def _plan_of_archived(self) -> list[dict[str, Any]]:
        """Plan the same for a slide whose file is in the archive.

        Its associated images stay; in a bucket, a complete pyramid stays as well.
        """
        index = self._index()
        if index and not index.archived:
            self.report("the slide index does not say that the slide is archived")
        for name in self._recorded.images:
            self._decode(f"the {name} image", self._find(name), None)
        levels = index.levels if index and index.archived else ()
        if self._is_announced() != bool(levels):
            self.report(
                "the descriptor is missing"
                if levels
                else "there is a descriptor, although the slide is archived"
            )
        with suppress(FileChanged):
            self._storage.locate(self._recorded.filename, self._recorded.version)
            self.report("the slide file is still on the file system")
        count = index.pyramid.count(levels) if index else 0
        starts = range(0, count, _TILES_PER_PIECE)
        pieces = ((start, min(start + _TILES_PER_PIECE, count)) for start in starts)
        return list(_parts("kept", pieces))

    # Pieces

    def _check_file(self) -> None:
        """Read the file once, and compare it with its checksum and with the tile index."""
        index = (
            self._storage.read_index(self._recorded.image_id) if self._recorded.imported else None
        )
        with self._open() as slide:
            slide.lose(index.lost if index else ())
            fingerprint = Fingerprint.of(slide)
            slide.file.check_unchanged()
            wanted = self._recorded.sha256
            if wanted and fingerprint.sha256 != wanted:
                self.report(f"the slide file has SHA-256 {fingerprint.sha256}, not {wanted}")
            if self._recorded.imported:
                for address, block in blocks(slide, self._recorded.filename, fingerprint):
                    self._check_block(slide, address, block)

    def _check_block(self, slide: Slide, address: BlockAddress, wanted: TileBlock) -> None:
        """Compare a block of the tile index with what it should be."""
        what = "block {}_{}_{} of the tile index".format(*address)
        found = self._storage.read_block(self._recorded.image_id, address)
        if found is None:
            self.report(f"{what} is missing or damaged")
        elif (found.filename, found.version) != (wanted.filename, wanted.version):
            self.report(f"{what} is another file's")
        elif replace(found, entries=wanted.entries) != wanted:
            self.report(f"{what} is wrong about the level's tiles")
        elif found != wanted:
            level, (_, left, top) = slide_levels(slide)[address.level].index, address
            for number in range(BLOCK_TILES**2):
                row, col = divmod(number, BLOCK_TILES)
                row, col = top * BLOCK_TILES + row, left * BLOCK_TILES + col
                one, other = found.entry(col, row), wanted.entry(col, row)
                # Version 0.1 told of a damaged tile in the block alone.
                if one != other and (one.length or not is_lost(slide, TileNumber(level, col, row))):
                    lies_there = one[:2] == other[:2]
                    self.report(
                        f"tile {col}_{row} of level {level} "
                        f"{'is not what' if lies_there else 'is not where'} the tile index says"
                    )

    def _check_tiles(self, start: int, stop: int) -> None:
        """Render units of the pyramid again, and compare the tiles with them."""
        index = self._index()
        if index is None:
            return
        damages: list[Damage] = []
        with self._open(damages.append) as slide:
            slide.lose(index.lost)

            def compare(name: str, wanted: bytes) -> None:
                tile = TileAddress.parse(name)
                found = self._find(name)
                if found not in (None, wanted) and is_own(slide, index.pyramid, tile, wanted):
                    self.report(f"tile {name} is not the slide's own")
                    return
                size = index.pyramid.tile_at(tile).box.size
                self._compare(f"tile {name}", found, wanted, size, index.quality)

            # A renderer writes what its store reports as missing.
            store = cast("ImageStore", ComparingStore(compare))
            Renderer(slide, index, store).render(start, stop)
            slide.file.check_unchanged()
        for damage in damages:
            if damage.level == 0:
                self.report(str(damage))

    def _check_kept(self, start: int, stop: int) -> None:
        """Check that the tiles of an archived slide are images of the right size."""
        index = self._index()
        if index:
            for tile in index.pyramid.tiles(start, stop, index.levels):
                found, box = self._find(tile_name(tile)), index.pyramid.tile_at(tile).box
                self._decode(f"tile {tile_name(tile)}", found, box.size)

    # Images

    def _find(self, name: str) -> bytes | None:
        found = self._images.find(name)
        return found.read() if found else None

    def _compare(
        self, what: str, found: bytes | None, wanted: bytes, size: tuple[int, int], quality: int
    ) -> None:
        """Compare an image with what it would be now."""
        image = self._decode(what, found, size) if found != wanted else None
        if image is None:
            return
        if is_alike(image, decoded(wanted, size), quality):
            self.recoded += 1
        else:
            self.report(f"{what} does not show what the slide does")

    def _decode(
        self, what: str, found: bytes | None, size: tuple[int, int] | None
    ) -> Image.Image | None:
        """Return the image; report a finding if it is missing or of another size."""
        try:
            if found is None:
                raise Flaw("is missing")
            return decoded(found, size)
        except Flaw as flaw:
            self.report(f"{what} {flaw}")
            return None


def _parts(part: str, ranges: Iterable[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    for start, stop in ranges:
        yield {"part": part, "start": start, "stop": stop}
