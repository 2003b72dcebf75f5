"""The catalogue as CSV or as JSON lines, record by record."""

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

# Spreadsheets take a cell that begins so for a formula, and labels are not trusted.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def all_records(catalogue: Catalogue) -> Iterator[SlideRecord]:
    """Yield all records, deleted slides' as well, in no order, read page by page.

    Nothing else scans the table: the cost grows with the catalogue.
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

    Lists and objects are JSON. A text that looks like a formula gets a leading apostrophe.
    """
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(map(_cell, csv_fields(record)) for record in records)


def write_json_lines(records: Iterable[SlideRecord], file: TextIO) -> None:
    """Write a line for each record: an object with all of its attributes."""
    for record in records:
        print(json.dumps(to_json(record), ensure_ascii=False, sort_keys=True), file=file)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears when it is complete or not at all, readable by its owner only.

    Raises InvalidRequest if the path is not a file.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise InvalidRequest(f"{path} exists and is not a file")
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
