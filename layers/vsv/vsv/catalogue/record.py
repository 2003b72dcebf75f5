"""The slide record: its type, its values, and how it is read and written.

Only ``catalogue/`` names an attribute by a string. Elsewhere a record is read by the functions
below, and written by ``SlideRecord(...)`` and ``changed(record, ...)``, whose keywords mypy checks
against the type. A test holds this; docs/decisions/0028-typed-records.md says why. CONTRIBUTING.md
lists what else to do for a new field.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypedDict, Unpack

from vsv.identifiers import FileVersion

__all__ = [
    "ArchiveCopy",
    "Barcode",
    "Delivery",
    "IdSource",
    "ImportStatus",
    "Operation",
    "Removal",
    "RemovalState",
    "ReviewStatus",
    "SlideRecord",
    "archive_copy_of",
    "case_id_of",
    "changed",
    "copy_again_of",
    "file_size_of",
    "file_version_of",
    "filename_of",
    "generation_of",
    "has_failed",
    "has_file_version",
    "has_metadata",
    "image_id_of",
    "import_error_of",
    "instant",
    "is_archived",
    "is_deleted",
    "is_imported",
    "is_importing",
    "is_named",
    "is_of_file",
    "is_removal_requested",
    "is_to_be_sent",
    "now",
    "progress_of",
    "removal_by",
    "removal_of",
    "retries_of",
    "retry_at_of",
    "send_requested_at_of",
    "sent_digest_of",
    "sha256_of",
    "slide_id_of",
    "status_before_of",
    "status_of",
    "to_json",
    "version_of",
    "warned",
    "warnings_of",
    "with_archive_copy",
    "with_failed_removal",
]

Number = int | Decimal  # DynamoDB takes both, and returns Decimal


class ReviewStatus(StrEnum):
    """``Status``: the state of the review, in the order of a slide's life."""

    NEW = "NEW"  # not reviewed
    GOOD = "GOOD"  # may be sent
    BAD = "BAD"  # is not to be sent
    SEND = "SEND"  # is to be sent to the CDR
    SENT = "SENT"  # the CDR has it
    SEND_FAILED = "SEND_FAILED"  # the CDR did not accept it; it may be sent again
    TRANSFERRED = "TRANSFERRED"  # its file is in the archive
    DELETED = "DELETED"  # its file is removed


class ImportStatus(StrEnum):
    """``ImportStatus``: the state of the import."""

    IMPORTING = "IMPORTING"  # the workflow runs, or was aborted
    IMPORTED = "IMPORTED"  # the import is complete
    FAILED = "FAILED"  # ImportError says why


class IdSource(StrEnum):
    """``IdSource``: where a slide's SlideID and CaseID come from.

    ``NONE``: they are the ImageID for want of a better one, or one is missing. A scanner's running
    number identifies no slide, so a slide in this state cannot be sent to the CDR.
    """

    BARCODE = "BARCODE"  # the code on the label image
    SCANNER = "SCANNER"  # the Barcode property of the scanner's ImageDescription
    TYPED = "TYPED"  # a person typed or confirmed them
    NONE = "NONE"  # nobody


class Operation(StrEnum):
    """``Removal.Operation``: an operation of /RemoveImages."""

    DELETE = "DELETE"  # remove the slide
    TRANSFER = "TRANSFER"  # move its file to the archive
    RESTORE = "RESTORE"  # copy its file back, and import it again


class RemovalState(StrEnum):
    """``Removal.State``: the state of an operation that is not complete."""

    REQUESTED = "REQUESTED"  # it was requested, and may be running
    FAILED = "FAILED"  # Error says why; it may be requested again


class Barcode(TypedDict, total=False):
    """The code on the label: its text, or the reason why there is none."""

    text: str  # what was read
    reason: str | None  # why nothing was read


class Removal(TypedDict, total=False):
    """An operation of /RemoveImages that was requested and is not complete."""

    Operation: Operation  # what was requested
    State: RemovalState  # how it stands
    Error: str  # why it failed
    By: str  # who requested it
    At: str  # when it was requested


class ArchiveCopy(TypedDict, total=False):
    """The slide file's copy in the archive: see ``vsv.storage.archive_copy.Archived``."""

    key: str
    version_id: str | None
    size: Number
    checksum: str
    storage_class: str
    At: str


class Delivery(TypedDict, total=False):
    """The last delivery to the CDR. ``Digest`` is the SHA-256 of what was sent."""

    At: str
    Version: Number
    Receipt: str
    Digest: str


class SlideRecord(TypedDict, total=False):
    """The record of one slide in the slide table.

    The types state what this version writes. Records of other versions, and those that were edited
    by hand, may hold other values: compare with ``==``, and expect values that no enumeration has.
    The comment at the end of a line is the field's text in the reference. An attribute that is
    absent, or None in a record that is to be written, is not in the table.
    Times are ISO 8601.
    """

    ImageID: str  # the table's key
    # The file
    Filename: str  # relative to the images path
    FileSize: Number  # bytes
    FileVersion: str  # size and modification time, as text of ``vsv.identifiers.FileVersion``
    Sha256: str | None  # of the file, in hexadecimal digits
    # The IDs
    SlideID: str | None  # the ImageID where nobody has read or typed another
    CaseID: str | None  # the SlideID up to its last hyphen, unless typed
    IdSource: IdSource  # where SlideID and CaseID come from
    Barcode: Barcode  # what was read from the label
    # The scanner's metadata
    width: Number  # pixels at full resolution
    height: Number  # pixels at full resolution
    ScanDate: str | None  # with the scanner's time zone
    MPP: Number | None  # microns per pixel at full resolution
    AppMag: Number | None  # the objective's power
    Scanner: str | None  # the scanner's own ID
    # The import
    ImportStatus: ImportStatus  # the state of the import
    ImportError: str | None  # why the import failed
    ImportWarnings: Sequence[str] | None  # what is missing or odd, for technicians
    ImportNotes: Sequence[str] | None  # other remarks, which need no action
    TilesRendered: Number  # tiles that are rendered
    TilesTotal: Number  # tiles that are rendered by the end of the import
    Generation: Number | None  # which import of the same bytes: see ``ImportJob``
    Retries: Number | None  # how often a failed import was retried
    RetryAt: str | None  # the time of the next attempt; none if the slide is at fault
    CopyAgain: str | None  # the time when the file was found to be a bad copy
    # The review
    Status: ReviewStatus  # the state of the review
    SendRequestedAt: str  # the time when the slide was last marked to be sent
    Sent: Delivery  # the last delivery to the CDR
    SendError: str | None  # why the last delivery failed
    # Deleting and archiving
    Removal: Removal | None  # the operation that is not complete
    Archive: ArchiveCopy | None  # the copy in the archive
    StatusBefore: ReviewStatus | None  # the Status before the slide was archived
    # Kept by the table itself
    Version: Number  # counts the changes
    lastModified: str  # the time of the last change
    # Keys of the table's indexes: see ``vsv.catalogue.indexes``
    Listed: str  # present unless the slide is deleted
    ScannedAt: str  # ScanDate in UTC
    Unidentified: str  # present while IdSource is NONE
    FailedAt: str  # present while the import has failed: since when


def changed(record: SlideRecord, **fields: Unpack[SlideRecord]) -> SlideRecord:
    """Return a copy of the record with these attributes. None removes an attribute."""
    return {**record, **fields}


def now() -> str:
    """Return the current time as records have it: ISO 8601 in UTC, in milliseconds, sortable."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def instant(text: str) -> str | None:
    """Return an ISO 8601 time with a zone in the form of ``now``; None for any other text."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def to_json(value: Any) -> Any:
    """Return the value with DynamoDB's decimals as JSON numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_json(inner) for inner in value]
    return value


# The file


def image_id_of(record: SlideRecord) -> str:
    """Return the slide's ImageID."""
    return str(record["ImageID"])


def filename_of(record: SlideRecord) -> str:
    """Return the name of the slide's file."""
    return str(record["Filename"])


def file_size_of(record: SlideRecord) -> Number:
    """Return the size of the slide's file, in bytes."""
    return record["FileSize"]


def file_version_of(record: SlideRecord) -> FileVersion:
    """Return the version of the slide's file."""
    return FileVersion.parse(str(record["FileVersion"]))


def is_named(record: SlideRecord, filename: str) -> bool:
    """Return whether the slide's file has this name."""
    return record.get("Filename") == filename


def has_file_version(record: SlideRecord, version: FileVersion) -> bool:
    """Return whether the record describes this version of its file."""
    return record.get("FileVersion") == str(version)


def is_of_file(record: SlideRecord, filename: str, version: FileVersion) -> bool:
    """Return whether the record describes this version of the file of this name."""
    return is_named(record, filename) and has_file_version(record, version)


def sha256_of(record: SlideRecord) -> str | None:
    """Return the SHA-256 of the slide's file, in hexadecimal digits, if it is known."""
    return record.get("Sha256")


# The import


def is_importing(record: SlideRecord) -> bool:
    """Return whether the import has begun and has not ended."""
    return record.get("ImportStatus") == ImportStatus.IMPORTING


def is_imported(record: SlideRecord) -> bool:
    """Return whether the import is complete."""
    return record.get("ImportStatus") == ImportStatus.IMPORTED


def has_failed(record: SlideRecord) -> bool:
    """Return whether the import has failed."""
    return record.get("ImportStatus") == ImportStatus.FAILED


def has_metadata(record: SlideRecord) -> bool:
    """Return whether an import has read the slide's metadata; others have stand-in IDs."""
    return "width" in record


def import_error_of(record: SlideRecord) -> str | None:
    """Return the reason why the import failed."""
    return record.get("ImportError")


def warnings_of(record: SlideRecord) -> list[str]:
    """Return the warnings of imports and edits."""
    return [str(warning) for warning in record.get("ImportWarnings") or ()]


def warned(record: SlideRecord, text: str) -> SlideRecord:
    """Return the record with the text among its warnings, once."""
    warnings = warnings_of(record)
    return record if text in warnings else changed(record, ImportWarnings=[*warnings, text])


def progress_of(record: SlideRecord | None) -> tuple[int, int] | None:
    """Return how many tiles are rendered, and how many there will be; None if that is unknown."""
    if record is None or "TilesTotal" not in record:
        return None
    total = int(record["TilesTotal"])
    # A piece of work that ran twice at once has counted twice.
    return min(int(record.get("TilesRendered", 0)), total), total


def generation_of(record: SlideRecord) -> int:
    """Return which import of the same bytes wrote the record; 0 for the first."""
    return int(record.get("Generation") or 0)


def retries_of(record: SlideRecord) -> int:
    """Return how often a failed import was retried."""
    return int(record.get("Retries") or 0)


def retry_at_of(record: SlideRecord) -> str | None:
    """Return the time of the next attempt; None if the slide is at fault."""
    return record.get("RetryAt")


def copy_again_of(record: SlideRecord) -> str | None:
    """Return the time when the file was found to be a bad copy, if it was."""
    return record.get("CopyAgain")


# The review


def status_of(record: SlideRecord) -> ReviewStatus | None:
    """Return the review status; a value of another version is returned as it is."""
    return record.get("Status")


def is_deleted(record: SlideRecord) -> bool:
    """Return whether the slide is deleted. A new file with the same content is a new slide."""
    return record.get("Status") == ReviewStatus.DELETED


def is_archived(record: SlideRecord) -> bool:
    """Return whether the slide's file has left the file system for the archive."""
    return record.get("Status") == ReviewStatus.TRANSFERRED


def is_to_be_sent(record: SlideRecord) -> bool:
    """Return whether the slide waits for its delivery to the CDR."""
    return record.get("Status") == ReviewStatus.SEND


def slide_id_of(record: SlideRecord) -> str | None:
    """Return the SlideID."""
    return record.get("SlideID")


def case_id_of(record: SlideRecord) -> str | None:
    """Return the CaseID."""
    return record.get("CaseID")


def version_of(record: SlideRecord) -> int:
    """Return the record's version; 0 if it was written before there were any."""
    return int(record.get("Version", 0))


def send_requested_at_of(record: SlideRecord) -> str | None:
    """Return the time when the slide was last marked to be sent."""
    return record.get("SendRequestedAt")


def sent_digest_of(record: SlideRecord) -> str | None:
    """Return the digest of what was last sent to the CDR; None if nothing was."""
    sent = record.get("Sent")
    return sent.get("Digest") if isinstance(sent, Mapping) else None


# Deleting and archiving


def removal_of(record: SlideRecord) -> Operation | None:
    """Return the operation of /RemoveImages that was requested and is not complete."""
    return (record.get("Removal") or Removal()).get("Operation")


def is_removal_requested(record: SlideRecord) -> bool:
    """Return whether an operation of /RemoveImages was requested and has not failed."""
    return (record.get("Removal") or Removal()).get("State") == RemovalState.REQUESTED


def removal_by(record: SlideRecord) -> str | None:
    """Return who requested the operation."""
    return (record.get("Removal") or Removal()).get("By")


def with_failed_removal(record: SlideRecord, reason: str) -> SlideRecord:
    """Return the record with its requested operation marked as failed."""
    failed: Removal = {**(record["Removal"] or Removal()), "State": RemovalState.FAILED}
    return changed(record, Removal={**failed, "Error": reason})


def archive_copy_of(record: SlideRecord) -> ArchiveCopy | None:
    """Return the slide file's copy in the archive, if there is one."""
    return record.get("Archive")


def with_archive_copy(record: SlideRecord, copy: Mapping[str, Any]) -> SlideRecord:
    """Return the record with this copy in the archive; the time of an earlier one stays."""
    before = record.get("Archive") or ArchiveCopy()
    known: ArchiveCopy = {**copy, "At": before.get("At", now())}  # type: ignore[typeddict-item]
    return changed(record, Archive=known)


def status_before_of(record: SlideRecord) -> ReviewStatus:
    """Return the Status before the slide was archived."""
    return record.get("StatusBefore") or ReviewStatus.NEW
