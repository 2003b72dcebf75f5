"""A slide's record: what the import read, what people decided, and what the table derives of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from vsv.catalogue.identity import IdSource, id_source

__all__ = [
    "FAILED",
    "IMPORTED",
    "IMPORTING",
    "LISTED",
    "UNCONFIRMED",
    "IdSource",
    "Record",
    "changes",
    "derived",
    "id_source",
    "instant",
    "is_deleted",
    "now",
    "removal_of",
    "to_json",
    "warned",
]

Record = dict[str, Any]

# ImportStatus: how far the import has come.
IMPORTING: Final = "IMPORTING"
IMPORTED: Final = "IMPORTED"
FAILED: Final = "FAILED"

# What all slides but deleted ones have in common, for indexes over all of them.
LISTED: Final = "SLIDE"
# Stands for the Status of slides that have a SlideID, but one that nobody has read or typed.
UNCONFIRMED: Final = "UNCONFIRMED"
# Stands for an unknown time: before all others, and in no range of them.
_NO_TIME: Final = "-"

# Kept by the table itself, or counted too often to be worth a line: no part of the history.
_UNRECORDED: Final = frozenset(
    {
        *("ImageID", "Version", "lastModified", "TilesRendered", "Generation"),
        *("Retries", "RetryAt", "CopyAgain"),
    }
)
_DERIVED: Final = frozenset({"Listed", "ScannedAt", "Unidentified", "FailedAt"})


def now() -> str:
    """The time, as records have it: ISO 8601 in UTC, to the millisecond, so that texts sort."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def instant(text: str) -> str | None:
    """An ISO 8601 time with its zone as ``now`` writes it; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def derived(record: Mapping[str, Any]) -> Record:
    """The record with the attributes that the table's indexes go by.

    ``Listed`` is there unless the slide is deleted, ``FailedAt`` while its import has failed, and
    ``Unidentified`` while its IdSource is NONE: it is the Status where there is no SlideID, else
    ``UNCONFIRMED``. An index has a slide only where it has both of the index's attributes.
    ``ScannedAt`` is the scan's time in UTC.
    """
    fields = {name: value for name, value in record.items() if name not in _DERIVED}
    if is_deleted(fields):
        return fields
    fields["Listed"] = LISTED
    fields["ScannedAt"] = instant(str(fields.get("ScanDate"))) or _NO_TIME
    if "SlideID" in fields:
        if id_source(fields) is IdSource.NONE:
            fields["Unidentified"] = UNCONFIRMED
    elif "Status" in fields:
        fields["Unidentified"] = fields["Status"]
    if fields.get("ImportStatus") == FAILED:
        fields["FailedAt"] = record.get("FailedAt") or now()
    return fields


def is_deleted(record: Mapping[str, Any]) -> bool:
    """Whether the slide is deleted. Its record gives no permission: a like file is a new slide."""
    return bool(record.get("Status") == "DELETED")


def removal_of(record: Mapping[str, Any]) -> str | None:
    """Which operation of /RemoveImages was asked for and is not done: DELETE, TRANSFER, RESTORE."""
    operation: str | None = (record.get("Removal") or {}).get("Operation")
    return operation


def warned(record: Record, text: str) -> Record:
    """Return the record with the text among its ImportWarnings, once."""
    warnings = [str(warning) for warning in record.get("ImportWarnings") or ()]
    return record if text in warnings else {**record, "ImportWarnings": [*warnings, text]}


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


def to_json(value: Any) -> Any:
    """The value with DynamoDB's decimals as JSON's numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_json(inner) for inner in value]
    return value
