"""The slide record: its type and its values.

Only ``catalogue/`` names an attribute by a string. Elsewhere a record is read by the functions of
``vsv.catalogue.accessors``, and written by ``SlideRecord(...)`` and ``changed(record, ...)``, whose
keywords mypy checks against the type. A test holds this; docs/decisions/0028-typed-records.md says
why. CONTRIBUTING.md lists what else to do for a new field.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypedDict, Unpack

__all__ = [
    "ArchiveCopy",
    "Barcode",
    "Delivery",
    "IdSource",
    "ImportStatus",
    "Operation",
    "Removal",
    "RemovalState",
    "ReviewReason",
    "ReviewStatus",
    "SlideRecord",
    "changed",
    "instant",
    "now",
    "to_json",
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


class ReviewReason(StrEnum):
    """``ReviewReason``: why a slide is BAD, in the order of the page's menu."""

    OUT_OF_FOCUS = "OUT_OF_FOCUS"  # tissue is blurred
    TISSUE_MISSED = "TISSUE_MISSED"  # tissue on the glass is not in the scan
    STITCHING = "STITCHING"  # the scanner's stripes do not fit together
    LABEL = "LABEL"  # the label is missing, or cannot be read
    ARTEFACT = "ARTEFACT"  # dirt, bubbles, folds, marks of a pen
    WRONG_SLIDE = "WRONG_SLIDE"  # this glass slide was not to be scanned
    OTHER = "OTHER"  # the note says what


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
    ConflictsWith: str | None  # the ImageID of the slide in a failed import's way
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
    ReviewReason: ReviewReason  # why the slide is BAD, if somebody said so
    ReviewNote: str  # a technician's note on a BAD slide
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
    Terms: str  # a digest of its rows in the term table
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
