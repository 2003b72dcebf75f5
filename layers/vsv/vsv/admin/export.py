"""The catalogue as a table for spreadsheets, or as lines of JSON: a record after the other."""

import csv
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO, cast

from vsv.catalogue.projections import CSV_COLUMNS, csv_fields
from vsv.catalogue.record import SlideRecord, to_json
from vsv.catalogue.table import Catalogue
from vsv.errors import InvalidRequest

__all__ = ["all_records", "whole_file", "write_csv", "write_json_lines"]

# A spreadsheet takes a cell that begins so for a formula, and what is on a label is anybody's.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def all_records(catalogue: Catalogue) -> Iterator[SlideRecord]:
    """All records, deleted slides' as well, in no order, read page by page.

    The one place where the table is scanned: it costs as much as the catalogue is large.
    """
    start: dict[str, Any] = {}
    while True:
        page = catalogue.slides.scan(**start)
        yield from cast("list[SlideRecord]", page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def write_csv(records: Iterable[SlideRecord], file: TextIO) -> None:
    """Write a table (RFC 4180) with a row for each record, under the names of ``CSV_COLUMNS``.

    Lists and objects are JSON. What a spreadsheet would take for a formula has an apostrophe first.
    """
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(map(_cell, csv_fields(record)) for record in records)


def write_json_lines(records: Iterable[SlideRecord], file: TextIO) -> None:
    """Write a line for each record: an object with all that the record has."""
    for record in records:
        print(json.dumps(to_json(record), ensure_ascii=False, sort_keys=True), file=file)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file that appears when all is written, or not at all, for its owner's eyes only.

    Raises InvalidRequest where there is something else than a file.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise InvalidRequest(f"{path} is there, and is no file")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = (
        json.dumps(to_json(value), ensure_ascii=False, sort_keys=True)
        if isinstance(value, Mapping | list)
        else str(value)
    )
    return f"'{text}" if text.startswith(_FORMULAS) else text
