"""The rows of the term table: what a slide is searched by, beside its record.

A row has a term and a place among the slides of this term. Terms are of these kinds:

* ``prefix s``, ``prefix s24``: slides of which a part of an ID or of the file's name begins so, by
  scan time. So words that many slides have are read newest first, a page at a time.
* ``word s2``: the same slides, by the text that begins so. So words that few slides have are found
  among many that begin alike.
* ``status NEW``, ``failed``, ``unidentified``: slides of this state, by scan time.

Each row has all words, the scanner and the slide ID of its slide: criteria are combined, and slides
counted, without reading records. A deleted slide has the row of its status only.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vsv.catalogue.accessors import has_failed, is_deleted
from vsv.catalogue.identity import IdSource, id_source
from vsv.catalogue.record import SlideRecord, instant
from vsv.catalogue.words import starts_of_record

__all__ = [
    "FAILED",
    "PREFIX_CHARS",
    "UNIDENTIFIED",
    "WORD_CHARS",
    "digest_of",
    "position_of",
    "prefix_term",
    "rows_of",
    "status_term",
    "word_term",
]

# A row by its keys, the term and the place.
Row = Mapping[str, Any]
Rows = Mapping[tuple[str, str], Row]

FAILED: Final = "failed"
UNIDENTIFIED: Final = "unidentified"
# The lengths of prefixes that have a term. With 15 parts of a slide, the rows of a record and those
# that replace them fit into one transaction of 100 writes.
PREFIX_CHARS: Final = (1, 3)
# The length of what words of one term have in common.
WORD_CHARS: Final = 2
# The scan time of slides that have none: before all times.
_NO_TIME: Final = "-"


def prefix_term(prefix: str) -> str:
    """Return the term of slides of which a part begins so."""
    return f"prefix {prefix}"


def word_term(word: str) -> str:
    """Return the term of words that begin like this one."""
    return f"word {word[:WORD_CHARS]}"


def status_term(status: str) -> str:
    """Return the term of slides of a review status."""
    return f"status {status}"


def position_of(record: SlideRecord) -> str:
    """Return the record's place by scan time, which no other record has."""
    return f"{instant(str(record.get('ScanDate'))) or _NO_TIME}#{record['ImageID']}"


def rows_of(record: SlideRecord) -> Rows:
    """Return the rows of a record, by their keys."""
    position, starts = position_of(record), starts_of_record(record)
    about = {
        "ImageID": record["ImageID"],
        "Words": "".join(f"\n{start}" for start in starts),
        "Scanner": record.get("Scanner"),
        "SlideID": record.get("SlideID"),
    }
    about = {name: str(value) for name, value in about.items() if value}
    rows: dict[tuple[str, str], Row] = {}
    for term in _terms_by_time(record, starts):
        rows[term, position] = {"Term": term, "Place": position, **about}
    if not is_deleted(record):
        for start in starts:
            term, place = word_term(start), f"{start}\n{record['ImageID']}"
            rows[term, place] = {"Term": term, "Place": place, "Position": position, **about}
    return rows


def digest_of(rows: Rows) -> str:
    """Return a digest of rows, by which a record tells those that were written."""
    text = json.dumps([dict(rows[key]) for key in sorted(rows)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _terms_by_time(record: SlideRecord, starts: list[str]) -> Iterator[str]:
    if status := record.get("Status"):
        yield status_term(status)
    if is_deleted(record):
        return
    if has_failed(record):
        yield FAILED
    elif id_source(record) is IdSource.NONE:
        yield UNIDENTIFIED
    for start in starts:
        for length in PREFIX_CHARS:
            if len(start) >= length:
                yield prefix_term(start[:length])
