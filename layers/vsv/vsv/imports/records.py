"""What an import writes onto a slide's record: how one record becomes the next.

The rules: an import touches only the record of its own file and bytes; an imported slide's record
is never taken over by other bytes, unless the slide was deleted; what a technician edited stays.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vsv.catalogue.record import (
    FAILED,
    IMPORTED,
    IMPORTING,
    IdSource,
    Record,
    id_source,
    is_deleted,
    now,
    removal_of,
    warned,
)
from vsv.catalogue.table import Catalogue
from vsv.errors import ChecksumMismatch, Conflict, FileChanged, ImageIdConflict
from vsv.identifiers import FileVersion
from vsv.imports.failure import Failure, retry_time
from vsv.imports.naming import unique_image_id

__all__ = [
    "begin",
    "fail",
    "finish",
    "is_free_for",
    "is_of",
    "is_slide",
    "note",
    "supersede",
]

_BY = "import"
# What says whose the slide is. A technician may have edited these, or taken them away.
_IDS = ("SlideID", "CaseID", "IdSource")
# Present on each record whose slide's metadata were read; others have IDs for want of better ones.
_METADATA_MARK = "width"
# What a failure leaves on the record until the slide is imported: the time of the next attempt, and
# the time when the file was found to be a bad copy, to be brought again.
_PLAN: Final = ("RetryAt", "CopyAgain")
_NO_FAILURE: Final[Record] = {"ImportError": None, **dict.fromkeys(_PLAN)}


def begin(catalogue: Catalogue, fields: Mapping[str, Any]) -> None:
    """Write what the import read of a slide, with ImportStatus IMPORTING.

    The same bytes again: what a technician edited stays, and IDs that an earlier import read. A
    slide that has its ImageID for an ID gets those that were read this time. A new file, or the
    successor of one whose import failed or whose slide was deleted: the record is new. Raises
    ImageIdConflict where the ImageID is another slide's, Conflict where the slide is being deleted.
    """

    def decide(old: Record | None) -> Record:
        new = {**fields, "ImportStatus": IMPORTING, **_NO_FAILURE}
        if old is not None and is_of(old, fields):
            new["Retries"] = old.get("Retries")
            if is_slide(old):
                if removal_of(old) == "DELETE":
                    raise Conflict("the slide is being deleted")
                return {**old, **new, **_kept(old)}
        if not is_free_for(old, str(fields["Filename"])):
            raise ImageIdConflict(f"ImageID {fields['ImageID']} belongs to another slide")
        return new

    catalogue.change(fields["ImageID"], _BY, "IMPORT", decide)


def finish(
    catalogue: Catalogue, image_id: str, file_version: str, tiles: int, warnings: Sequence[str] = ()
) -> None:
    """Set ImportStatus IMPORTED, and say what was noticed since the import began.

    Raises FileChanged where the record is of other bytes now.

    A slide that came back from the archive gets the Status that it had before.
    """

    def decide(old: Record | None) -> Record:
        if old is None or old.get("FileVersion") != file_version or is_deleted(old):
            raise FileChanged("the slide's record is of another file now")
        new = {**old, "ImportStatus": IMPORTED, **_NO_FAILURE, "TilesRendered": tiles}
        new["Retries"] = None
        for warning in warnings:
            new = warned(new, warning)
        if removal_of(old) == "RESTORE":
            new |= {
                "Removal": None,
                "StatusBefore": None,
                "Status": old.get("StatusBefore", "NEW"),
            }
        return new

    catalogue.change(image_id, _BY, "IMPORT", decide)


def fail(catalogue: Catalogue, fields: Mapping[str, Any], why: Failure) -> str:
    """Set ImportStatus FAILED and say why; return the ID of the record that says it.

    ``fields`` holds ImageID, Filename, FileVersion and FileSize. Where the ImageID is another
    slide's, the failure gets a record under an ImageID of its own: the other's is not touched.
    """

    def decide(old: Record | None) -> Record:
        before = old if old is not None and is_of(old, fields) else {}
        failure = _failure(why, int(before.get("Retries", 0)))
        if old is not None and before:
            if removal_of(old) == "RESTORE":
                failed = {**old["Removal"], "State": FAILED, "Error": why.reason}
                # In the archive it is as safe as it was, unless the import had begun anew.
                return {
                    **old,
                    **(failure if old["ImportStatus"] == IMPORTING else {}),
                    "Removal": failed,
                }
            known = {name: value for name, value in fields.items() if value is not None}
            return {**old, **known, **failure}
        if not is_free_for(old, str(fields["Filename"])):
            raise ImageIdConflict("the ImageID belongs to another slide")
        ids = {"SlideID": image_id, "CaseID": image_id, "IdSource": IdSource.NONE}
        return {**ids, "Status": "NEW", **fields, **failure, "ImageID": image_id}

    version = FileVersion.parse(str(fields["FileVersion"]))
    wanted = str(fields["ImageID"])
    own = unique_image_id(wanted, str(fields["Filename"]), version)
    # The ImageID is another slide's even if that has no record just now.
    taken = why.error == ImageIdConflict.__name__
    for image_id in (own,) if taken else (wanted, own):
        try:
            catalogue.change(image_id, _BY, "IMPORT", decide)
        except ImageIdConflict:
            continue
        return image_id
    raise ImageIdConflict(f"the ImageIDs {wanted} and {own} belong to other slides")


def supersede(catalogue: Catalogue, image_id: str, by: str) -> None:
    """Take a failure off the worklist: its file was imported as the slide ``by``.

    It is DELETED then, as if a technician had done so. Nothing happens where it is a slide now.
    """

    def decide(old: Record | None) -> Record | None:
        if old is None or old["ImportStatus"] != FAILED or is_deleted(old) or "Removal" in old:
            return old
        reason = f"the file was imported as {by}"
        return {**warned(old, reason), "Status": "DELETED", **dict.fromkeys(_PLAN)}

    catalogue.change(image_id, _BY, "IMPORT", decide)


def note(catalogue: Catalogue, image_id: str, text: str) -> None:
    """Say something about an imported slide among its ImportWarnings, once."""

    def decide(old: Record | None) -> Record | None:
        return old if old is None or is_deleted(old) else warned(old, text)

    catalogue.change(image_id, _BY, "IMPORT", decide)


def is_slide(record: Record) -> bool:
    """Whether the slide's metadata were read: there is something to be seen of it, or may be."""
    return _METADATA_MARK in record


def is_of(old: Record, fields: Mapping[str, Any]) -> bool:
    """Whether the record is of these very bytes, under this name."""
    same = all(old.get(name) == fields[name] for name in ("Filename", "FileVersion"))
    return same and not is_deleted(old)


def is_free_for(old: Record | None, filename: str) -> bool:
    """No record, a deleted slide's, or one of a file of this name that never became a slide."""
    if old is None or is_deleted(old):
        return True
    never_imported = old["Filename"] == filename and old["ImportStatus"] != IMPORTED
    return never_imported and removal_of(old) != "DELETE"


def _failure(why: Failure, retries: int) -> Record:
    """What a failure says on the record."""
    fields: Record = {"ImportStatus": FAILED, "ImportError": why.reason, **dict.fromkeys(_PLAN)}
    if not why.is_final:
        fields |= {"Retries": retries + 1, "RetryAt": retry_time(time.time(), why.wait_s(retries))}
    if why.error == ChecksumMismatch.__name__:
        fields["CopyAgain"] = now()
    return fields


def _kept(old: Record) -> Record:
    """Return what another import of the same bytes leaves as it is."""
    kept = {"Status": old["Status"]}
    unidentified = old.get("SlideID") == old.get("CaseID") == old["ImageID"]
    if unidentified and id_source(old) is IdSource.NONE:
        return kept
    return kept | {name: old.get(name) for name in _IDS} | {"IdSource": id_source(old)}
