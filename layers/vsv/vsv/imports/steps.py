"""The steps of the import workflow. Each may be killed at any point and repeated."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from PIL import Image

from vsv.catalogue.record import ReviewStatus, changed
from vsv.catalogue.same_ids import warn_of_same_slide_id
from vsv.catalogue.table import Catalogue
from vsv.errors import ChecksumMismatch, FileChanged, NotFound, UnreadableSlide
from vsv.imports import records
from vsv.imports.conflicts import id_taken
from vsv.imports.identity import identify
from vsv.imports.others import OtherSlides
from vsv.imports.workflow import ImportJob
from vsv.pyramid.encoding import encode
from vsv.pyramid.native import default_pyramid, slide_levels
from vsv.pyramid.plan import Work, check_complete, levels_to_render
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile_blocks import BlockAddress, blocks
from vsv.settings import ExtractMetadataSettings
from vsv.slides.associated import associated_image
from vsv.slides.barcode import Barcode
from vsv.slides.damage import Damage, TileNumber, log_damage
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.pages import ASSOCIATED_IMAGES
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage

__all__ = ["Importer"]

# Progress is written to the record after this number of tiles: about once a second.
_TILES_PER_REPORT: Final = 100
# Of a piece. A slide with more damage should be scanned again.
_MAX_DAMAGED: Final = 1000


class Importer:
    """The workflow's steps on one images path and one catalogue.

    ``quality`` is the JPEG quality (1..95) of tiles that are rendered.
    """

    def __init__(
        self,
        storage: Storage,
        catalogue: Catalogue,
        settings: ExtractMetadataSettings,
        quality: int,
    ) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._others = OtherSlides(storage, catalogue)
        self._settings = settings
        self._quality = quality

    def extract_metadata(self, job: ImportJob) -> dict[str, Any]:
        """Write record, index and associated images; return the pieces to be rendered.

        Raises UnreadableSlide, ChecksumMismatch, FileChanged, ImageIdConflict or DuplicateSlide.
        """
        with _open(job, self._storage) as slide:
            fingerprint = Fingerprint.of(slide)
            slide.file.check_unchanged()
            sha256 = fingerprint.sha256
            if job.sha256 and sha256 != job.sha256:
                raise ChecksumMismatch(
                    f"the copy on EFS has SHA-256 {sha256}, the scanner's file {job.sha256}"
                )
            self._others.check_original(job, sha256)
            metadata = slide.metadata(self._settings.scanner_zone)
            images, warnings = _associated_images(slide)
            identity = identify(
                job.image_id,
                self._read_label(images.get("label")),
                metadata.barcode,
                self._settings.slide_id_pattern,
            )
            # In the order in which technicians read them.
            warnings = [*identity.warnings, *metadata.warnings, *warnings]
            warnings += [*slide.notices, *_damage_warnings(fingerprint.damaged)]
            warnings += self._others.notes(job, metadata.image_id)
            pyramid = default_pyramid(slide)
            index = SlideIndex.of(
                slide,
                job.filename,
                pyramid,
                quality=self._quality,
                levels=levels_to_render(slide, self._settings.prerender_levels),
                sha256=sha256,
                lost=fingerprint.damaged,
            )
            _check_owner(job, self._storage)
            records.begin(
                self._catalogue,
                changed(
                    {**job.record_fields(), **identity.fields},
                    Sha256=sha256,
                    Status=ReviewStatus.NEW,
                    width=slide.width,
                    height=slide.height,
                    ScanDate=metadata.scan_date.isoformat() if metadata.scan_date else None,
                    MPP=metadata.mpp_um,
                    AppMag=metadata.app_mag,
                    Scanner=metadata.scanner,
                    ImportWarnings=warnings or None,
                    ImportNotes=list(metadata.notes) or None,
                    TilesRendered=0,
                    TilesTotal=pyramid.count(index.levels),
                ),
            )
            if job.rebuild:
                self._storage.remove_pyramid(job.image_id)
            self._storage.begin_pyramid(job.image_id, index)
            for address, block in blocks(slide, job.filename, fingerprint):
                self._storage.write_block(job.image_id, address, block)
            store = self._storage.images(job.image_id)
            for name, image in images.items():
                store.write(name, encode(image, "jpeg", self._quality))
            work = Work.of(slide, pyramid, index.levels)
        pieces = work.pieces(self._settings.tiles_per_piece)
        return {"pieces": [{"start": start, "stop": stop} for start, stop in pieces]}

    def _read_label(self, label: Image.Image | None) -> Barcode:
        if label is None:
            return Barcode(None, "no label image")
        # Of the import's functions only ExtractMetadata has what reads barcodes.
        from vsv.slides.barcode_reader import read_barcode

        settings = self._settings
        return read_barcode(
            label, settings.slide_id_pattern, settings.barcode_formats, settings.barcode_search_s
        )

    def render_tiles(self, job: ImportJob, start: int, stop: int) -> dict[str, int]:
        """Render the units ``start`` to ``stop``, and write the progress to the record.

        Raises UnreadableSlide or FileChanged.
        """
        index = _index(job, self._storage)
        unreported = rendered = 0

        def report() -> None:
            nonlocal unreported
            if unreported:
                self._catalogue.add_rendered(job.image_id, str(job.version), unreported)
                unreported = 0

        def on_tile(new: bool) -> None:
            nonlocal rendered, unreported
            rendered += new
            unreported += new
            if unreported == _TILES_PER_REPORT:
                report()

        damages: list[Damage] = []

        def on_damage(damage: Damage) -> None:
            log_damage(damage)
            damages.append(damage)
            if len(damages) > _MAX_DAMAGED:
                raise UnreadableSlide(f"more than {_MAX_DAMAGED} tiles are damaged")
            # Before a tile is written that shows something else: it is not decoded again.
            self._storage.note_damage(job.image_id, damage)

        with _open(job, self._storage, on_damage) as slide:
            slide.lose(index.lost)
            store = self._storage.images(job.image_id)
            Renderer(slide, index, store, on_tile).render(start, stop)
            slide.file.check_unchanged()
        report()
        _check_finest(damages)
        return {"rendered": rendered}

    def finish_import(self, job: ImportJob) -> dict[str, int]:
        """Check that the pyramid is complete, write the descriptor, set the record IMPORTED.

        Raises IncompletePyramid or FileChanged.
        """
        index = _index(job, self._storage)
        damages = self._storage.damages(job.image_id)
        _check_finest(damages)
        store = self._storage.images(job.image_id)
        with _open(job, self._storage) as slide:
            if damages:
                self._show_otherwise(job, slide, index, damages)
            slide.file.check_unchanged()
        check_complete(index, store)
        store.write_descriptor(index.pyramid.descriptor().encode())
        tiles = index.pyramid.count(index.levels)
        warn_of_same_slide_id(self._catalogue, job.image_id)
        damaged = [damage.tile for damage in damages]
        more = not set(damaged).issuperset(index.lost)
        warnings = _damage_warnings(damaged, more=more)
        records.finish(self._catalogue, job.image_id, str(job.version), tiles, warnings)
        self._storage.clear_damages(job.image_id)
        self._others.note_import(job)
        return {"tiles": tiles}

    def _show_otherwise(
        self, job: ImportJob, slide: Slide, index: SlideIndex, damages: Sequence[Damage]
    ) -> None:
        """Render tiles that decoders found to be damaged, and those above them, from finer levels.

        Some damage is found only when a JPEG tile is decoded. Tiles of coarser levels may have been
        rendered by then.
        """
        slide.lose(index.lost)
        renderer = Renderer(slide, index, self._storage.images(job.image_id))
        numbers = {level.index: number for number, level in slide_levels(slide).items()}
        lost_of: dict[BlockAddress, list[TileNumber]] = {}
        for tile in renderer.render_what_shows(damages):
            if tile.level in numbers:
                address = BlockAddress.holding(numbers[tile.level], tile.col, tile.row)
                lost_of.setdefault(address, []).append(tile)
        for address, tiles in lost_of.items():
            block = self._storage.read_block(job.image_id, address)
            if block:
                self._storage.write_block(job.image_id, address, block.without(tiles))
        lost = tuple(sorted({*index.lost, *(damage.tile for damage in damages)}))
        self._storage.write_index(job.image_id, replace(index, lost=lost))


def _open(
    job: ImportJob, storage: Storage, on_damage: Callable[[Damage], None] = log_damage
) -> Slide:
    """Open the job's file, even if it was set aside. Raises FileChanged if it is gone."""
    return Slide(storage.open(job.filename, job.version), on_damage)


def _check_finest(damages: Sequence[Damage]) -> None:
    """Raise UnreadableSlide if tiles of level 0 are damaged: no finer level can replace them.

    The slide can be viewed, but it should be scanned again.
    """
    lost = [damage for damage in damages if damage.level == 0]
    if lost:
        more = f", and {len(lost) - 1} more are" if len(lost) > 1 else ""
        raise UnreadableSlide(f"{lost[0]}{more}")


def _damage_warnings(damaged: Sequence[TileNumber], *, more: bool = False) -> list[str]:
    """Return a warning on damaged tiles of coarser levels; ``more``: in addition to others."""
    count = sum(tile.level > 0 for tile in damaged)
    tiles = f"{count} {'more ' * more}tiles" if count > 1 else f"{'one more' if more else 'a'} tile"
    return [f"{tiles} of coarser levels cannot be read; finer levels are shown"] if count else []


def _index(job: ImportJob, storage: Storage) -> SlideIndex:
    index = storage.read_index(job.image_id)
    if index is None or index.version != job.version:
        raise FileChanged("the slide's index is of another file now")
    return index


def _check_owner(job: ImportJob, storage: Storage) -> None:
    """Raise ImageIdConflict if the pyramid is that of another slide, which exists or is archived.

    The catalogue says the same, unless it was lost or restored from an older backup.
    """
    index = storage.read_index(job.image_id)
    same = index and (index.filename, index.version) == (job.filename, job.version)
    if index is None or same or not index.imported:
        return
    if not index.archived:
        try:
            storage.locate(index.filename, index.version)
        except FileChanged:
            return
        if not storage.images(job.image_id).has_descriptor():
            return
    raise id_taken(job.image_id)


def _associated_images(slide: Slide) -> tuple[dict[str, Image.Image], list[str]]:
    """Return the associated images, and warnings about those that are missing."""
    images, warnings = {}, []
    for name in ASSOCIATED_IMAGES:
        try:
            images[name] = associated_image(slide, name)
        except (NotFound, UnreadableSlide) as error:
            warnings.append(str(error))
    return images, warnings
