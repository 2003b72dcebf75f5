"""Functions that read a slide record, and those that write what takes more than one attribute.

They know what an absent attribute means, and turn DynamoDB's decimals into ``int``.
"""

from collections.abc import Mapping
from typing import Any

from vsv.catalogue.record import (
    ArchiveCopy,
    ImportStatus,
    Number,
    Operation,
    Removal,
    RemovalState,
    ReviewStatus,
    SlideRecord,
    changed,
    now,
)
from vsv.identifiers import FileVersion

__all__ = [
    "archive_copy_of",
    "case_id_of",
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
    "is_archived",
    "is_deleted",
    "is_imported",
    "is_importing",
    "is_named",
    "is_of_file",
    "is_removal_requested",
    "is_to_be_sent",
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
    "version_of",
    "warned",
    "warnings_of",
    "with_archive_copy",
    "with_failed_removal",
]


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
