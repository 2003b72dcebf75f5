"""AppSync's events, and the types of the schema.

Errors are returned, not raised: Lambda would log them, and a message can hold an ID that somebody
typed. ``graphql/resolver.js`` turns them into GraphQL errors.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from vsv.api.caller import Caller
from vsv.catalogue.history import HistoryLine
from vsv.catalogue.pages import Page
from vsv.catalogue.projections import api_fields, change_fields
from vsv.catalogue.record import SlideRecord, to_json
from vsv.cdr.content import edited_after_sending
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

__all__ = ["caller", "changes_page", "check_arguments", "resolved", "slide", "slides_page"]

Event = Mapping[str, Any]

_MAX_KEY_BYTES: Final = 1024
_MAX_TOKEN_BYTES: Final = 8192
# Arguments that are keys; others may be empty, and are then ignored.
_KEYS: Final = frozenset({"ImageID", "ImageIDs"})

# The type of each error in a GraphQL answer. AppSync's own refusals are "Unauthorized", too.
TYPE_OF: Final[Mapping[type[VsvError], str]] = {
    InvalidRequest: "BadRequest",
    Forbidden: "Unauthorized",
    NotFound: "NotFound",
    Conflict: "Conflict",
    Unavailable: "ServiceUnavailable",
}


def caller(event: Event | None) -> Caller:
    """Return the caller. Raises Forbidden if AppSync names none."""
    identity = (event or {}).get("identity") or {}
    return Caller.of(identity.get("claims"))


def resolved(resolve: Callable[[], Any], on_unexpected: Callable[[Exception], None]) -> Any:
    """Return what a field resolves to, as JSON, or the error that replaces it.

    Errors of other libraries go to ``on_unexpected``. The client learns of transient ones only:
    that a service failed for now.
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
        current = None
        if isinstance(failure, StaleVersion):
            current = slide(cast("SlideRecord", failure.record))
        return _error(kind or "InternalFailure", str(failure), current)


def check_arguments(event: Event) -> None:
    """Raise InvalidRequest for arguments that DynamoDB does not accept.

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


def slide(record: SlideRecord | None) -> dict[str, Any] | None:
    """Return a record as the schema's Slide: see ``vsv.catalogue.projections.api_fields``."""
    if record is None:
        return None
    return {**api_fields(record), "EditedAfterSending": edited_after_sending(record)}


def slides_page(page: Page[SlideRecord]) -> dict[str, Any]:
    """Return the page as the schema's SlideConnection."""
    return {"items": [slide(record) for record in page.items], "nextToken": page.token}


def changes_page(page: Page[HistoryLine]) -> dict[str, Any]:
    """Return the page as the schema's ChangeConnection."""
    return {"items": [change_fields(line) for line in page.items], "nextToken": page.token}


def _error(kind: str, message: str, current: dict[str, Any] | None) -> dict[str, Any]:
    record = to_json(current)
    # AppSync cuts data down to the fields that were asked for; info comes as it is.
    return {"__error": {"type": kind, "message": message, "data": record, "info": record}}
