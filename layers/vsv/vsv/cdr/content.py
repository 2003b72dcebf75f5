"""What the CDR gets of a slide's record, and whether that is still what the record says."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from vsv.catalogue.record import id_source, to_json

__all__ = ["REQUIRED", "digest", "edited_after_sending", "idempotency_key", "payload", "version_of"]

_SCHEMA_VERSION: Final = 2
_CONTENT: Final = (
    *("ImageID", "SlideID", "CaseID", "ScanDate", "Scanner", "MPP", "AppMag"),
    *("width", "height", "FileSize", "Sha256"),
)
# Without these the CDR could make nothing of a slide. What else is unknown is null.
REQUIRED: Final = ("SlideID", "CaseID", "width", "height")


def payload(record: Mapping[str, Any], requested_at: str) -> dict[str, Any]:
    """The payload of docs/cdr.schema.json: the same for each try, as the key promises.

    ``requested_at``: when the slide was marked to be sent, ISO 8601.
    """
    return {
        "SchemaVersion": _SCHEMA_VERSION,
        "Version": version_of(record),
        "RequestedAt": requested_at,
        **_content(record),
        "IdSource": id_source(record).value,
    }


def idempotency_key(image_id: str, version: int) -> str:
    """The same for each try to send this version of the slide's record."""
    return hashlib.sha256(f"{image_id}\n{version}".encode()).hexdigest()


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of the content alone: another version of the record need not be an edit of it.

    IdSource is left out: to confirm IDs does not edit them, and slides that were sent under the
    first version of the schema are not edited by that.
    """
    return hashlib.sha256(
        json.dumps(_content(record), sort_keys=True, default=str).encode()
    ).hexdigest()


def edited_after_sending(record: Mapping[str, Any]) -> bool | None:
    """Whether the CDR has something else than the record says now; None if it has nothing."""
    sent = record.get("Sent")
    known = sent.get("Digest") if isinstance(sent, Mapping) else None
    return digest(record) != known if known else None


def version_of(record: Mapping[str, Any]) -> int:
    """The record's version; 0 where it was written before there were any."""
    return int(record.get("Version", 0))


def _content(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_json(record.get(name)) for name in _CONTENT}
