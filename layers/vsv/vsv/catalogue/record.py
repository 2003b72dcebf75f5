"""A slide's record: what the import read, what people decided, and what the table derives of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

__all__ = [
    "FAILED",
    "IMPORTED",
    "IMPORTING",
    "LISTED",
    "IdSource",
    "Record",
    "changes",
    "derived",
    "id_source",
    "instant",
    "is_deleted",
    "now",
    "removal_of",
]

Record = dict[str, Any]

# ImportStatus: how far the import has come.
IMPORTING: Final = "IMPORTING"
IMPORTED: Final = "IMPORTED"
FAILED: Final = "FAILED"


class IdSource(StrEnum):
    """Where a slide's SlideID and CaseID come from.

    ``NONE``: they are the ImageID for want of a better one. A scanner's running number identifies
    no slide, so a slide in this state cannot be sent to the CDR.
    """

    BARCODE = "BARCODE"  # the code on the label image
    SCANNER = "SCANNER"  # the Barcode property of the scanner's ImageDescription
    TYPED = "TYPED"  # a person typed or confirmed them
    NONE = "NONE"


# What all slides but deleted ones have in common, for indexes over all of them.
LISTED: Final = "SLIDE"
# Stands for an unknown time: before all others, and in no range of them.
_NO_TIME: Final = "-"

# Kept by the table itself, or counted too often to be worth a line: no part of the history.
_UNRECORDED: Final = frozenset(
    {"ImageID", "Version", "lastModified", "TilesRendered", "Generation"}
)
_DERIVED: Final = frozenset({"Listed", "ScannedAt", "Unidentified", "FailedAt"})


def now() -> str:
    """The time, as records have it: ISO 8601 in UTC, to the millisecond, so that texts sort."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def instant(text: str) -> str | None:
    """An ISO 8601 time with its zone as ``now`` writes it; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment.tzinfo else None


def derived(record: Mapping[str, Any]) -> Record:
    """The record with the attributes that the table's indexes go by.

    ``Listed`` is there unless the slide is deleted, ``Unidentified`` (its Status) while it has no
    SlideID, ``FailedAt`` while its import has failed: an index has a slide only where it has both
    of the index's attributes. ``ScannedAt`` is the scan's time in UTC.
    """
    fields = {name: value for name, value in record.items() if name not in _DERIVED}
    if is_deleted(fields):
        return fields
    fields["Listed"] = LISTED
    fields["ScannedAt"] = instant(str(fields.get("ScanDate"))) or _NO_TIME
    if "SlideID" not in fields and "Status" in fields:
        fields["Unidentified"] = fields["Status"]
    if fields.get("ImportStatus") == FAILED:
        fields["FailedAt"] = record.get("FailedAt") or now()
    return fields


def id_source(record: Mapping[str, Any]) -> IdSource:
    """Return where the record's SlideID comes from; ``NONE`` for a slide without a SlideID.

    Records of version 0.1 do not say it. A SlideID is the barcode's if the import read this very
    text, nobody's if it is the ImageID, and was typed otherwise.
    """
    slide_id = record.get("SlideID")
    if not slide_id:
        return IdSource.NONE
    if "IdSource" in record:
        return IdSource(record["IdSource"])
    if slide_id == (record.get("Barcode") or {}).get("text"):
        return IdSource.BARCODE
    return IdSource.NONE if slide_id == record.get("ImageID") else IdSource.TYPED


def is_deleted(record: Mapping[str, Any]) -> bool:
    """Whether the slide is deleted. Its record gives no permission: a like file is a new slide."""
    return bool(record.get("Status") == "DELETED")


def removal_of(record: Mapping[str, Any]) -> str | None:
    """Which operation of /RemoveImages was asked for and is not done: DELETE, TRANSFER, RESTORE."""
    operation: str | None = (record.get("Removal") or {}).get("Operation")
    return operation


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What differs, by field; ``From`` and ``To`` are missing where the field was, or is now."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name in _UNRECORDED or name in _DERIVED or old.get(name) == new.get(name):
            continue
        ends = {"From": old.get(name), "To": new.get(name)}
        found.append(
            {"Field": name, **{end: value for end, value in ends.items() if value is not None}}
        )
    return found
