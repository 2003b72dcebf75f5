"""Who gets which attributes of a record: the GraphQL API, the CSV export, the CDR.

A new field of the record is for the API (by its name in the schema), for the CSV export (a last
column), and for the CDR only with a new version of its schema. CONTRIBUTING.md lists the other
places.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from vsv.catalogue.history import HistoryLine, changes_of
from vsv.catalogue.identity import id_source
from vsv.catalogue.record import ReviewReason, SlideRecord, instant, to_json

__all__ = [
    "API_FIELDS",
    "CDR_REQUIRED",
    "CSV_COLUMNS",
    "LIVE_FIELDS",
    "LIVE_FIELDS_OF_DELETED",
    "api_fields",
    "case_fields",
    "cdr_fields",
    "change_fields",
    "csv_fields",
    "failure_fields",
    "missing_for_cdr",
]

_Parse = Callable[[Any], Any]

# Columns are only ever added, at the end.
CSV_COLUMNS: Final = (
    *("ImageID", "Filename", "SlideID", "CaseID", "Status", "ImportStatus", "ImportError"),
    *("ImportWarnings", "ScanDate", "Scanner", "MPP", "AppMag", "width", "height", "Barcode"),
    *("FileSize", "Sha256", "TilesRendered", "TilesTotal", "SendRequestedAt", "Sent", "SendError"),
    *("Removal", "Archive", "Version", "lastModified", "IdSource", "ImportNotes"),
    *("ReviewReason", "ReviewNote", "ConflictsWith"),
)
# The CDR's interface, see docs/cdr.schema.json: a new field is a new version of the schema.
_CDR: Final = (
    *("ImageID", "SlideID", "CaseID", "ScanDate", "Scanner", "MPP", "AppMag"),
    *("width", "height", "FileSize", "Sha256"),
)
# The CDR cannot use a slide without these. Others that are unknown are null.
CDR_REQUIRED: Final = ("SlideID", "CaseID", "width", "height")
# What signed-in people are told of a change, besides the ImageID. A message names no slide ID, case
# or file: who may read those asks for the record. It has to stay below 5 KB, which AppSync bills
# as one message.
LIVE_FIELDS: Final = ("Version", "Status", "ImportStatus", "TilesRendered", "TilesTotal")
LIVE_FIELDS_OF_DELETED: Final = ("Version", "Status")
_FAILURE: Final = ("ImageID", "Filename", "FailedAt", "ImportError")
_CASE: Final = ("ImageID", "CaseID")

# AWSDateTime, which is stricter than ISO 8601.
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d(:\d\d)?)", re.ASCII
)


def api_fields(record: SlideRecord) -> dict[str, Any]:
    """Return what the schema's Slide has of the record; omit values that do not fit their types.

    AppSync refuses such a value with an error, which clients take for a failure of the whole
    answer. A record written by another version, or by hand, would hide all others of its page.
    """
    known: Mapping[str, Any] = record
    read = {name: parse(known[name]) for name, parse in API_FIELDS.items() if name in known}
    fields = {name: value for name, value in read.items() if value is not None}
    return {**fields, "IdSource": id_source(record)}


def change_fields(line: HistoryLine) -> dict[str, Any]:
    """Return a line of history as the schema's Change: values are texts."""
    fields = [
        {"Field": field, "From": _as_text(before), "To": _as_text(after)}
        for field, before, after in changes_of(line)
    ]
    return {**line, "Changes": fields}


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(to_json(value), ensure_ascii=False)


def csv_fields(record: SlideRecord) -> list[Any]:
    """Return the values of ``CSV_COLUMNS``; None for those that are absent."""
    return [record.get(name) for name in CSV_COLUMNS]


def cdr_fields(record: SlideRecord) -> dict[str, Any]:
    """Return what the CDR gets of the record, as JSON values."""
    return {name: to_json(record.get(name)) for name in _CDR}


def missing_for_cdr(record: SlideRecord) -> list[str]:
    """Return the names of required attributes that the record lacks."""
    return [name for name in CDR_REQUIRED if record.get(name) is None]


def failure_fields(record: SlideRecord) -> dict[str, Any]:
    """Return what a list of failed imports shows."""
    return {name: record.get(name) for name in _FAILURE}


def case_fields(record: SlideRecord) -> dict[str, Any]:
    """Return what a list of cases shows."""
    known: Mapping[str, Any] = record
    return {name: known[name] for name in _CASE}


# A record's values by the schema's types; None for a value of another type.


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _reason(value: Any) -> str | None:
    return value if value in [*ReviewReason] else None


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
    """Return a parser of objects, some of whose fields are needed."""

    def parse(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            return None
        read = {name: parse_field(value.get(name)) for name, parse_field in fields.items()}
        return read if all(read[name] is not None for name in needed) else None

    return parse


def _archive(value: Any) -> dict[str, Any] | None:
    read = _object(storage_class=_text, At=_time)(value)
    return read and {"StorageClass": read["storage_class"], "At": read["At"]}


# The fields of the schema's Slide that are attributes, and how each value is read.
API_FIELDS: Final[Mapping[str, _Parse]] = {
    **dict.fromkeys(("ImageID", "Filename", "SlideID", "CaseID", "Status", "Scanner"), _text),
    **dict.fromkeys(("ImportStatus", "ImportError", "ConflictsWith", "Sha256"), _text),
    **dict.fromkeys(("SendError", "ReviewNote"), _text),
    "ReviewReason": _reason,
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
