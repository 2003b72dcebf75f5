"""What the CDR gets of a slide's record, and whether that is still what the record says."""

import hashlib
import json
from typing import Any, Final

from vsv.catalogue.accessors import sent_digest_of, version_of
from vsv.catalogue.identity import id_source
from vsv.catalogue.projections import cdr_fields
from vsv.catalogue.record import SlideRecord

__all__ = ["digest", "edited_after_sending", "idempotency_key", "payload"]

_SCHEMA_VERSION: Final = 2


def payload(record: SlideRecord, requested_at: str) -> dict[str, Any]:
    """Return the payload of docs/cdr.schema.json: the same for each try, as the key promises.

    ``requested_at``: when the slide was marked to be sent, ISO 8601.
    """
    return {
        "SchemaVersion": _SCHEMA_VERSION,
        "Version": version_of(record),
        "RequestedAt": requested_at,
        **cdr_fields(record),
        "IdSource": id_source(record),
    }


def idempotency_key(image_id: str, version: int) -> str:
    """Return the key of this version of the slide's record: the same for each try to send it."""
    return hashlib.sha256(f"{image_id}\n{version}".encode()).hexdigest()


def digest(record: SlideRecord) -> str:
    """Return the SHA-256 of the content alone: a new version of the record need not change it.

    IdSource is left out: to confirm IDs does not edit them, and slides that were sent under the
    first version of the schema are not edited by that.
    """
    return hashlib.sha256(
        json.dumps(cdr_fields(record), sort_keys=True, default=str).encode()
    ).hexdigest()


def edited_after_sending(record: SlideRecord) -> bool | None:
    """Return whether the CDR has another content than the record; None if it has none."""
    known = sent_digest_of(record)
    return digest(record) != known if known else None
