"""GraphQL at the edge: AppSync's events, and the shapes that the schema has.

Errors are returned, not raised: Lambda would log what is raised, and a message can hold an ID that
somebody typed. ``graphql/resolver.js`` makes GraphQL errors of them.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from vsv.api.caller import Caller
from vsv.catalogue.listings import Page
from vsv.catalogue.record import Record, id_source, instant, to_json
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
_Parse = Callable[[Any], Any]

_MAX_KEY_BYTES: Final = 1024
_MAX_TOKEN_BYTES: Final = 8192
# AWSDateTime, which is stricter than ISO 8601.
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d(:\d\d)?)", re.ASCII
)
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
    """A record as the schema's Slide: what does not fit a field's type is left out.

    AppSync refuses such a value with an error, which clients take for a failure of the whole
    answer. A record written by another version, or by hand, would hide all others of its page.
    """
    if record is None:
        return None
    read = {name: parse(record[name]) for name, parse in _SLIDE.items() if name in record}
    return {
        **{name: value for name, value in read.items() if value is not None},
        "IdSource": id_source(record),
        "EditedAfterSending": edited_after_sending(record),
    }


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
                    "From": _as_text(change.get("From")),
                    "To": _as_text(change.get("To")),
                }
                for change in line["Changes"]
            ],
        }
        for line in page.items
    ]
    return {"items": lines, "nextToken": page.token}


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(to_json(value), ensure_ascii=False)


def _error(kind: str, message: str, current: Record | None) -> dict[str, Any]:
    record = to_json(current)
    # AppSync cuts data down to the fields that were asked for; info comes as it is.
    return {"__error": {"type": kind, "message": message, "data": record, "info": record}}


# A record's values by the schema's types; None for what is of another.


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str] | None:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else None


def _float(value: Any) -> Any:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return value if is_number and Decimal(value).is_finite() else None


def _int(value: Any) -> int | None:
    number = _float(value)
    return int(number) if number is not None and abs(number) < 2**31 and number % 1 == 0 else None


def _time(value: Any) -> str | None:
    fits = isinstance(value, str) and _TIME.fullmatch(value) and instant(value)
    return value if fits else None


def _object(needed: Sequence[str] = (), **fields: _Parse) -> _Parse:
    """Parse an object, some of whose fields are needed."""

    def parse(value: Any) -> Record | None:
        if not isinstance(value, Mapping):
            return None
        read = {name: parse_field(value.get(name)) for name, parse_field in fields.items()}
        return read if all(read[name] is not None for name in needed) else None

    return parse


def _archive(value: Any) -> Record | None:
    read = _object(storage_class=_text, At=_time)(value)
    return read and {"StorageClass": read["storage_class"], "At": read["At"]}


_SLIDE: Final[Mapping[str, _Parse]] = {
    **dict.fromkeys(("ImageID", "Filename", "SlideID", "CaseID", "Status", "Scanner"), _text),
    **dict.fromkeys(("ImportStatus", "ImportError", "Sha256", "SendError"), _text),
    **dict.fromkeys(("ImportWarnings", "ImportNotes"), _texts),
    **dict.fromkeys(("Version", "width", "height", "TilesRendered", "TilesTotal"), _int),
    **dict.fromkeys(("MPP", "AppMag", "FileSize"), _float),
    **dict.fromkeys(("ScanDate", "lastModified", "SendRequestedAt"), _time),
    "Barcode": _object(text=_text, reason=_text),
    "Removal": _object(
        ("Operation", "State"), Operation=_text, State=_text, Error=_text, By=_text, At=_time
    ),
    "Archive": _archive,
    "Sent": _object(At=_time, Version=_int, Receipt=_text),
}
