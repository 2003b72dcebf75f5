"""How an import changes a slide's record: what is replaced, and what stays.

(The fields themselves are in ``steps``.) The rules: an import changes only the record of its own
file and bytes; an imported slide's record never gets other bytes, unless the slide was deleted;
technicians' edits stay.
"""

import time
from collections.abc import Sequence
from typing import Final

from vsv.catalogue.accessors import (
    case_id_of,
    file_version_of,
    filename_of,
    has_failed,
    has_file_version,
    has_metadata,
    image_id_of,
    is_deleted,
    is_imported,
    is_importing,
    is_named,
    is_of_file,
    removal_of,
    retries_of,
    slide_id_of,
    status_before_of,
    status_of,
    warned,
    with_failed_removal,
)
from vsv.catalogue.history import Action
from vsv.catalogue.identity import id_source
from vsv.catalogue.record import (
    IdSource,
    ImportStatus,
    Operation,
    ReviewStatus,
    SlideRecord,
    changed,
    now,
)
from vsv.catalogue.table import Catalogue
from vsv.errors import ChecksumMismatch, Conflict, FileChanged, ImageIdConflict
from vsv.identifiers import FileVersion
from vsv.imports.conflicts import id_taken
from vsv.imports.failure import Failure, retry_time
from vsv.imports.naming import unique_image_id

__all__ = ["begin", "fail", "finish", "is_free_for", "is_of", "note", "supersede"]

_BY: Final = "import"


def begin(catalogue: Catalogue, fields: SlideRecord) -> None:
    """Write what the import read of a slide, with ImportStatus IMPORTING.

    The same bytes again: what a technician edited stays, and IDs that an earlier import read. A
    slide that has its ImageID for an ID gets those that were read this time. A new file, or the
    successor of one whose import failed or whose slide was deleted: the record is new. Raises
    ImageIdConflict where the ImageID is another slide's, Conflict where the slide is being deleted.
    """

    def decide(old: SlideRecord | None) -> SlideRecord:
        new = changed(_without_failure(fields), ImportStatus=ImportStatus.IMPORTING)
        if old is not None and _is_same(old, fields):
            new = changed(new, Retries=retries_of(old) or None)
            if has_metadata(old):
                if removal_of(old) == Operation.DELETE:
                    raise Conflict("the slide is being deleted")
                return {**old, **new, **_kept(old)}
        if not is_free_for(old, filename_of(fields)):
            raise id_taken(image_id_of(fields))
        return new

    catalogue.change(image_id_of(fields), _BY, Action.IMPORT, decide)


def finish(
    catalogue: Catalogue, image_id: str, file_version: str, tiles: int, warnings: Sequence[str] = ()
) -> None:
    """Set ImportStatus IMPORTED, and say what was noticed since the import began.

    A slide that came back from the archive gets the Status that it had before. Raises FileChanged
    where the record is of other bytes now.
    """

    def decide(old: SlideRecord | None) -> SlideRecord:
        if (
            old is None
            or not has_file_version(old, FileVersion.parse(file_version))
            or is_deleted(old)
        ):
            raise FileChanged("the slide's record is of another file now")
        new = changed(
            _without_failure(old),
            ImportStatus=ImportStatus.IMPORTED,
            TilesRendered=tiles,
            Retries=None,
        )
        for warning in warnings:
            new = warned(new, warning)
        if removal_of(old) == Operation.RESTORE:
            new = changed(new, Removal=None, StatusBefore=None, Status=status_before_of(old))
        return new

    catalogue.change(image_id, _BY, Action.IMPORT, decide)


def fail(catalogue: Catalogue, fields: SlideRecord, why: Failure) -> str:
    """Set ImportStatus FAILED and say why; return the ID of the record that says it.

    ``fields`` holds ImageID, Filename, FileVersion and FileSize. Where the ImageID is another
    slide's, the failure gets a record under an ImageID of its own: the other's is not touched.
    """

    def decide(old: SlideRecord | None) -> SlideRecord:
        if old is not None and _is_same(old, fields):
            if removal_of(old) == Operation.RESTORE:
                # Its file is still in the archive; the import fails only if it had begun again.
                failed = _failed(old, why) if is_importing(old) else old
                return with_failed_removal(failed, why.reason)
            known = {name: value for name, value in fields.items() if value is not None}
            return _failed({**old, **known}, why)  # type: ignore[typeddict-item]
        if not is_free_for(old, filename_of(fields)):
            raise ImageIdConflict("the ImageID belongs to another slide")
        new = SlideRecord(
            SlideID=image_id, CaseID=image_id, IdSource=IdSource.NONE, Status=ReviewStatus.NEW
        )
        return changed(_failed({**new, **fields}, why), ImageID=image_id)

    wanted = image_id_of(fields)
    own = unique_image_id(wanted, filename_of(fields), file_version_of(fields))
    # The ImageID is another slide's even if that has no record just now.
    taken = why.error == ImageIdConflict.__name__
    for image_id in (own,) if taken else (wanted, own):
        try:
            catalogue.change(image_id, _BY, Action.IMPORT, decide)
        except ImageIdConflict:
            continue
        return image_id
    raise ImageIdConflict(f"the ImageIDs {wanted} and {own} belong to other slides")


def supersede(catalogue: Catalogue, image_id: str, by: str) -> None:
    """Take a failure off the worklist: its file was imported as the slide ``by``.

    It is DELETED then, as if a technician had done so. Nothing happens where it is a slide now.
    """

    def decide(old: SlideRecord | None) -> SlideRecord | None:
        if old is None or not has_failed(old) or is_deleted(old) or removal_of(old):
            return old
        new = warned(old, f"the file was imported as {by}")
        return changed(new, Status=ReviewStatus.DELETED, RetryAt=None, CopyAgain=None)

    catalogue.change(image_id, _BY, Action.IMPORT, decide)


def note(catalogue: Catalogue, image_id: str, text: str) -> None:
    """Say something about an imported slide among its ImportWarnings, once."""

    def decide(old: SlideRecord | None) -> SlideRecord | None:
        return old if old is None or is_deleted(old) else warned(old, text)

    catalogue.change(image_id, _BY, Action.IMPORT, decide)


def is_of(old: SlideRecord, filename: str, version: FileVersion) -> bool:
    """Return whether the record is of these very bytes, under this name, and not deleted."""
    return is_of_file(old, filename, version) and not is_deleted(old)


def _is_same(old: SlideRecord, fields: SlideRecord) -> bool:
    return is_of(old, filename_of(fields), file_version_of(fields))


def is_free_for(old: SlideRecord | None, filename: str) -> bool:
    """Return whether a file of this name may have the ImageID of the record.

    It may have that of no record, of a deleted slide's, or of one of a file of its name that never
    became a slide.
    """
    if old is None or is_deleted(old):
        return True
    never_imported = is_named(old, filename) and not is_imported(old)
    return never_imported and removal_of(old) != Operation.DELETE


def _without_failure(record: SlideRecord) -> SlideRecord:
    """Return the record without the reason of a failure, and without the plan for a retry."""
    return changed(record, ImportError=None, ConflictsWith=None, RetryAt=None, CopyAgain=None)


def _failed(record: SlideRecord, why: Failure) -> SlideRecord:
    """Return the record with the failure, and with the plan for a retry if there is one."""
    new = changed(
        _without_failure(record),
        ImportStatus=ImportStatus.FAILED,
        ImportError=why.reason,
        ConflictsWith=why.conflicts_with,
    )
    if not why.is_final:
        retries = retries_of(record)
        again = retry_time(time.time(), why.wait_s(retries))
        new = changed(new, Retries=retries + 1, RetryAt=again)
    if why.error == ChecksumMismatch.__name__:
        new = changed(new, CopyAgain=now())
    return new


def _kept(old: SlideRecord) -> SlideRecord:
    """Return what another import of the same bytes leaves as it is."""
    kept: SlideRecord = {} if (status := status_of(old)) is None else SlideRecord(Status=status)
    unidentified = slide_id_of(old) == case_id_of(old) == image_id_of(old)
    if unidentified and id_source(old) is IdSource.NONE:
        return kept
    return changed(kept, SlideID=slide_id_of(old), CaseID=case_id_of(old), IdSource=id_source(old))
