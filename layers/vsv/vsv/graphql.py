"""GraphQL at the edge: AppSync's events, and the shapes that the schema has.

Errors are returned, not raised: Lambda would log what is raised, and a message can hold an ID that
somebody typed. ``graphql/resolver.js`` makes GraphQL errors of them.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from vsv.aws import to_json
from vsv.catalogue import Page, Record, id_source
from vsv.cdr import edited_after_sending
from vsv.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    StaleVersion,
    Unavailable,
    VsvError,
)
from vsv.failures import named
from vsv.people import Caller

__all__ = ["caller", "changes_page", "check_arguments", "resolved", "slide", "slides_page"]

Event = Mapping[str, Any]

_MAX_KEY_BYTES: Final = 1024
_MAX_TOKEN_BYTES: Final = 8192
# Arguments by which records are read; others may be empty, and then say nothing.
_KEYS: Final = frozenset({"ImageID", "ImageIDs"})

# What each error is called in a GraphQL answer. AppSync's own refusals are "Unauthorized" too.
TYPE_OF: Final[Mapping[type[VsvError], str]] = {
    InvalidRequest: "BadRequest",
    Forbidden: "Unauthorized",
    NotFound: "NotFound",
    Conflict: "Conflict",
    Unavailable: "ServiceUnavailable",
}


def caller(event: Event | None) -> Caller:
    """Who asks. Raises Forbidden where AppSync says nothing of that."""
    identity = (event or {}).get("identity") or {}
    return Caller.of(identity.get("claims"))


def resolved(resolve: Callable[[], Any], on_unexpected: Callable[[Exception], None]) -> Any:
    """What a field resolves to, as JSON; or the error that stands for it.

    What others' code raised is told to ``on_unexpected``. The client learns of it only what may
    pass: that a service failed for now.
    """
    try:
        return to_json(resolve())
    except Exception as error:  # noqa: BLE001  the last line of defence: nothing may leak
        if not isinstance(error, VsvError):
            on_unexpected(error)
        failure = named(error)
        if failure is None:
            return _error("InternalFailure", "the request failed here", None)
        kind = next((name for kind, name in TYPE_OF.items() if isinstance(failure, kind)), None)
        current = slide(dict(failure.record)) if isinstance(failure, StaleVersion) else None
        return _error(kind or "InternalFailure", str(failure), current)


def check_arguments(event: Event) -> None:
    """Raise InvalidRequest for arguments that the catalogue's database does not take.

    DynamoDB's keys are texts of 1 to 1,024 bytes in UTF-8; ``nextToken`` wraps a few of them.
    """
    _check_texts(event.get("arguments") or {}, "the argument")


def _check_texts(value: Any, name: str) -> None:
    if isinstance(value, Mapping):
        for inner, each in value.items():
            _check_texts(each, str(inner))
    elif isinstance(value, list):
        for each in value:
            _check_texts(each, name)
    elif isinstance(value, str):
        _check_text(value, name)


def _check_text(text: str, name: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name} is not valid Unicode: it holds half a character") from None
    longest = _MAX_TOKEN_BYTES if name == "nextToken" else _MAX_KEY_BYTES
    if size > longest:
        raise InvalidRequest(f"{name} is longer than {longest} bytes")
    if not text and name in _KEYS:
        raise InvalidRequest(f"{name} is empty")


def slide(record: Record | None) -> Record | None:
    """A record as the schema's Slide."""
    if record is None:
        return None
    shown = {
        **record,
        "IdSource": id_source(record),
        "EditedAfterSending": edited_after_sending(record),
    }
    if "Archive" in record:
        archived = record["Archive"]
        shown["Archive"] = {"StorageClass": archived["storage_class"], "At": archived["At"]}
    return shown


def slides_page(page: Page) -> dict[str, Any]:
    """The schema's SlideConnection."""
    return {"items": [slide(record) for record in page.items], "nextToken": page.token}


def changes_page(page: Page) -> dict[str, Any]:
    """The schema's ChangeConnection."""
    lines = [
        {
            **line,
            "Changes": [
                {
                    "Field": change["Field"],
                    "From": _text(change.get("From")),
                    "To": _text(change.get("To")),
                }
                for change in line["Changes"]
            ],
        }
        for line in page.items
    ]
    return {"items": lines, "nextToken": page.token}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(to_json(value), ensure_ascii=False)


def _error(kind: str, message: str, current: Record | None) -> dict[str, Any]:
    record = to_json(current)
    # AppSync cuts data down to the fields that were asked for; info comes as it is.
    return {"__error": {"type": kind, "message": message, "data": record, "info": record}}
