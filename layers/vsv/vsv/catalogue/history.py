"""The lines of a record's history, one for each change: their type, and how one is made."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypedDict

from vsv.catalogue.indexes import DERIVED
from vsv.catalogue.record import SlideRecord

__all__ = [
    "Action",
    "FieldChange",
    "HistoryLine",
    "changes",
    "changes_of",
    "file_versions",
    "summary_of",
]

# Kept by the table itself, or counted too often to be worth a line: no part of the history.
_UNRECORDED: Final = frozenset(
    {
        *("ImageID", "Version", "lastModified", "TilesRendered", "Generation"),
        *("Retries", "RetryAt", "CopyAgain", "Terms"),
    }
)


class Action(StrEnum):
    """The kind of a change of a record."""

    EDIT = "EDIT"
    IMPORT = "IMPORT"
    DELETE = "DELETE"
    TRANSFER = "TRANSFER"
    RESTORE = "RESTORE"
    SEND = "SEND"
    UPGRADE = "UPGRADE"


class FieldChange(TypedDict, total=False):
    """A field before and after; ``From`` or ``To`` is absent where the field was or is absent."""

    Field: str
    From: Any
    To: Any


class HistoryLine(TypedDict):
    """One change of a record. ``Version`` is that of the record after it; ``By`` who made it."""

    ImageID: str
    Version: int | Decimal
    At: str
    By: str
    Action: Action
    Changes: list[FieldChange]


def changes(old: SlideRecord | None, new: SlideRecord) -> list[FieldChange]:
    """Return the differences between two records, by field."""
    before: Mapping[str, Any] = old or {}
    after: Mapping[str, Any] = new
    found: list[FieldChange] = []
    for name in sorted(before.keys() | after.keys()):
        if name in _UNRECORDED or name in DERIVED or before.get(name) == after.get(name):
            continue
        change = FieldChange(Field=name)
        if before.get(name) is not None:
            change["From"] = before[name]
        if after.get(name) is not None:
            change["To"] = after[name]
        found.append(change)
    return found


def summary_of(line: HistoryLine) -> str:
    """Return what was done, when and by whom, in one line."""
    return f"{line['At']}  version {line['Version']}: {line['Action']} by {line['By']}"


def changes_of(line: HistoryLine) -> list[tuple[str, Any, Any]]:
    """Return each changed field with its values before and after; None if it was or is absent."""
    return [(each["Field"], each.get("From"), each.get("To")) for each in line["Changes"]]


def file_versions(lines: Sequence[HistoryLine]) -> list[set[str]]:
    """Return, for each change of FileVersion, the versions before and after."""
    return [
        {version for version in (before, after) if version is not None}
        for line in lines
        for field, before, after in changes_of(line)
        if field == "FileVersion"
    ]
