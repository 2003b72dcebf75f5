"""Searches for slides: pages of what they find, and how many that are.

Each search reads as many rows as it finds slides, or a page of rows: its cost does not grow with
the catalogue. Where a criterion leaves at most 1,000 slides, their rows are read as a whole, and
put into any order. Otherwise a term or an index that has the order is read page by page, and what
else is asked for is filtered. The records of a page are read by their keys, and looked at again, so
that no slide is shown by what an edit has just changed.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from boto3.dynamodb.conditions import Key

from vsv.catalogue.accessors import image_id_of, slide_id_of, status_of
from vsv.catalogue.index_ranges import (
    STATUS_INDEX,
    UNDELETED,
    IndexRange,
    all_by,
    scanned,
    unidentified,
)
from vsv.catalogue.listings import Listings
from vsv.catalogue.pages import (
    FOREIGN_TOKEN,
    MAX_PAGE,
    Page,
    from_token,
    page_size,
    to_token,
    whole,
)
from vsv.catalogue.record import ReviewStatus, SlideRecord
from vsv.catalogue.search import Search, SlideOrder
from vsv.catalogue.table import Catalogue
from vsv.catalogue.term_ranges import (
    TermRange,
    all_words,
    by_prefix,
    by_state,
    by_status,
    by_word,
)
from vsv.catalogue.terms import PREFIX_CHARS, position_of, status_term
from vsv.errors import InvalidRequest

__all__ = ["SlideCount", "SlideSearch"]

# Counts are exact up to this number, and no more slides are put into an order.
_FEW: Final = 1000
# How many rows a page, and a count, look at in order to find slides that pass a filter.
_ROWS_OF_PAGE: Final = 2000
_ROWS_OF_COUNT: Final = 20_000
_ROWS_AT_ONCE: Final = 250
_BY_TIME: Final = (SlideOrder.NEWEST, SlideOrder.OLDEST)


@dataclass(frozen=True)
class SlideCount:
    """How many slides match: ``number`` at least, and no others if it is ``exact``."""

    number: int
    exact: bool


class _Found(NamedTuple):
    """A slide by what its rows say: a place among others."""

    image_id: str
    position: str
    slide_id: str | None
    status: str | None = None

    @classmethod
    def of(cls, record: SlideRecord) -> "_Found":
        return cls(image_id_of(record), position_of(record), slide_id_of(record), status_of(record))


class SlideSearch:
    """Searches of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._listings = Listings(catalogue)

    def page(
        self,
        search: Search,
        order: SlideOrder | None = None,
        limit: int | None = None,
        token: str | None = None,
    ) -> Page[SlideRecord]:
        """Return up to ``limit`` of the slides that match.

        Without an order, they are ordered by the ID whose beginning is given, else newest first.
        Raises InvalidRequest if there is neither a criterion nor an order, or for an invalid limit
        or token.
        """
        if search.is_empty and order is None:
            raise InvalidRequest("say what to look for, or in which order")
        if order is None and (search.slide_id or search.case_id or _is_by_index(search)):
            return self._listings.search(search, limit, token)
        order, size = order or SlideOrder.NEWEST, page_size(limit)
        place = from_token(token) if token else {}
        if "after" in place or not token:
            few = self._few(search, order)
            if few is not None:
                return self._page_of_few(few, search, order, size, place.get("after"))
        terms = _terms_by(search, order)
        if terms:
            forward = order is SlideOrder.OLDEST
            return self._walk_terms(terms, search, size, place, forward=forward)
        return self._walk_indexes(_ranges_by(search, order), search, size, token)

    def count(self, search: Search) -> SlideCount:
        """Return how many slides match.

        Exact to 1,000, if one criterion leaves at most 1,000 slides or the others are found among
        20,000. Records are read where rows cannot answer only.
        """
        by_state_only = _is_answered_by_rows(search)
        if not _is_prefix(search):
            rows = self._few_rows(by_word(search))
            if rows is not None:
                found = {str(row["ImageID"]) for row in rows}
                if not by_state_only or by_state(search):
                    records = self._catalogue.get_many(found)
                    found = {image_id_of(each) for each in records if each and search.finds(each)}
                return SlideCount(len(found), exact=True)
        term_range = by_state(search) or by_prefix(search)
        if term_range is None:
            return self._count_index(
                scanned(search.scanned_from, search.scanned_to, search.scanner)
            )
        if by_state_only:
            return self._count_terms(term_range)
        return self._count_records(term_range, search)

    # What leaves few slides

    def _few(self, search: Search, order: SlideOrder) -> list[_Found] | None:
        """Return the slides that a criterion leaves, if these are at most 1,000.

        Those by time are asked for only where no term has exactly them by time.
        """
        by_time = order in _BY_TIME
        if by_time and (_is_prefix(search) or search.failed or search.unidentified):
            return None
        ranges = [*by_word(search)]
        if not by_time:
            ranges += [each for each in (by_state(search), by_prefix(search)) if each]
        rows = self._few_rows(ranges)
        if rows is not None:
            found = {str(row["ImageID"]): row for row in rows}
            if order is SlideOrder.STATUS:
                return self._of_records(found)
            return [
                _Found(image_id, row.get("Position", row["Place"]), row.get("SlideID"))
                for image_id, row in found.items()
            ]
        if by_time or search.is_empty or not _is_by_index(search):
            return None
        index_range = scanned(search.scanned_from, search.scanned_to, search.scanner)
        items = self._listings.first_keys(index_range, _FEW + 1)
        return (
            self._of_records(str(item["ImageID"]) for item in items[:_FEW])
            if len(items) <= _FEW
            else None
        )

    def _few_rows(self, ranges: Sequence[TermRange] | Iterator[TermRange]) -> list[Any] | None:
        """Return the rows of the first range that has at most 1,000, those that pass its filter."""
        for term_range in ranges:
            rows: list[Any] = []
            looked_at, after = 0, None
            while looked_at <= _FEW:
                answer = term_range.read(self._catalogue, _FEW + 1 - looked_at, after)
                rows += answer["Items"]
                looked_at += answer["ScannedCount"]
                if "LastEvaluatedKey" not in answer:
                    return rows
                after = str(answer["LastEvaluatedKey"]["Place"])
        return None

    def _of_records(self, image_ids: Any) -> list[_Found]:
        return [_Found.of(each) for each in self._catalogue.get_many(image_ids) if each]

    def _page_of_few(
        self, few: list[_Found], search: Search, order: SlideOrder, size: int, after: str | None
    ) -> Page[SlideRecord]:
        """Return the next slides of a few. The token holds the place of the last one."""
        key, reverse = _KEYS[order]
        rest = sorted(few, key=key, reverse=reverse)
        if after is not None:
            last = _place(after, key(_Found("", "", None)))
            rest = [each for each in rest if (key(each) < last if reverse else key(each) > last)]
        found: list[SlideRecord] = []
        for start in range(0, len(rest), size):
            some = rest[start : start + size]
            for place, record in zip(
                some, self._catalogue.get_many(each.image_id for each in some), strict=True
            ):
                if record and search.finds(record):
                    found.append(record)
                if len(found) == size and place is not rest[-1]:
                    return Page(found, to_token({"after": json.dumps(key(place))}))
        return Page(found, None)

    # What is read page by page

    def _walk_terms(
        self,
        terms: Sequence[TermRange],
        search: Search,
        size: int,
        place: dict[str, str],
        *,
        forward: bool,
    ) -> Page[SlideRecord]:
        """Return the next slides of terms, one after the other."""
        number, after = whole(place.get("term", "0")), place.get("row")
        found: list[SlideRecord] = []
        looked_at = 0
        while number < len(terms):
            if len(found) == size or looked_at >= _ROWS_OF_PAGE:
                return Page(found, _row_token(number, after))
            term_range, wanted = terms[number], size - len(found)
            limit = max(wanted, _ROWS_AT_ONCE) if term_range.filter else wanted
            answer = term_range.read(self._catalogue, limit, after, forward=forward)
            looked_at += answer["ScannedCount"]
            rows = answer["Items"][:wanted]
            found += self._records_of(rows, term_range.term, search)
            if len(answer["Items"]) > wanted:
                after = str(rows[-1]["Place"])
            elif "LastEvaluatedKey" in answer:
                after = str(answer["LastEvaluatedKey"]["Place"])
            else:
                number, after = number + 1, None
        return Page(found, None)

    def _records_of(self, rows: list[Any], term: str, search: Search) -> list[SlideRecord]:
        """Return the records of rows, those that still are what the rows say."""
        records = self._catalogue.get_many(str(row["ImageID"]) for row in rows)
        return [
            record
            for row, record in zip(rows, records, strict=True)
            if record
            and search.finds(record)
            and position_of(record) == row["Place"]
            and (
                not term.startswith(status_term("")) or term == status_term(str(status_of(record)))
            )
        ]

    def _walk_indexes(
        self, ranges: Sequence[IndexRange], search: Search, size: int, token: str | None
    ) -> Page[SlideRecord]:
        """Return the next slides of indexes, one after the other."""
        found: list[SlideRecord] = []
        for _ in range(0, _ROWS_OF_PAGE, size):
            page = self._listings.walk(ranges, size - len(found), token, search.finds)
            found, token = found + page.items, page.token
            if len(found) == size or token is None:
                break
        return Page(found, token)

    # Counts

    def _count_index(self, index_range: IndexRange) -> SlideCount:
        number = self._listings.count(index_range, _FEW + 1)
        return SlideCount(min(number, _FEW), exact=number <= _FEW)

    def _count_terms(self, term_range: TermRange) -> SlideCount:
        number, looked_at, after = 0, 0, None
        while number <= _FEW and looked_at < _ROWS_OF_COUNT:
            limit = 10 * _FEW if term_range.filter else _FEW + 1 - number
            answer = term_range.read(self._catalogue, limit, after, count=True)
            number, looked_at = number + answer["Count"], looked_at + answer["ScannedCount"]
            if "LastEvaluatedKey" not in answer:
                return SlideCount(min(number, _FEW), exact=number <= _FEW)
            after = str(answer["LastEvaluatedKey"]["Place"])
        return SlideCount(min(number, _FEW), exact=False)

    def _count_records(self, term_range: TermRange, search: Search) -> SlideCount:
        number, place = 0, {"term": "0"}
        for _ in range(0, 2 * _ROWS_OF_PAGE, _ROWS_OF_PAGE):
            page = self._walk_terms([term_range], search, MAX_PAGE, place, forward=False)
            number += len(page.items)
            if page.token is None:
                return SlideCount(min(number, _FEW), exact=number <= _FEW)
            place = from_token(page.token)
        return SlideCount(min(number, _FEW), exact=False)


def _is_by_index(search: Search) -> bool:
    """Return whether scanner and time are all that is asked for, which indexes have."""
    return not (search.words or search.status or search.unidentified or search.failed) and not (
        search.slide_id or search.case_id
    )


def _is_prefix(search: Search) -> bool:
    """Return whether the slides of the search's only word are those of a prefix."""
    words = all_words(search)
    return len(words) == 1 and len(words[0]) in PREFIX_CHARS


def _is_answered_by_rows(search: Search) -> bool:
    """Return whether the rows of one term tell all that is asked for."""
    states = (search.failed, search.unidentified, search.status is not None)
    return sum(states) <= 1 and not (search.slide_id or search.case_id)


def _terms_by(search: Search, order: SlideOrder) -> list[TermRange]:
    """Return ranges of terms that have the search's slides in this order; none if none has."""
    if order is SlideOrder.STATUS:
        statuses = [search.status] if search.status else UNDELETED
        return [by_status(search, status) for status in statuses]
    if order not in _BY_TIME:
        return []
    term_range = by_state(search) or by_prefix(search)
    return [term_range] if term_range else []


def _ranges_by(search: Search, order: SlideOrder) -> list[IndexRange]:
    """Return ranges of indexes that have the search's slides in this order."""
    if order in _BY_TIME:
        forward = order is SlideOrder.OLDEST
        first, last = search.scanned_from, search.scanned_to
        return [scanned(first, last, search.scanner, forward=forward)]
    forward = order is SlideOrder.SLIDE_ID
    if search.status:
        status = Key("Status").eq(search.status)
        by_id, statuses = IndexRange(STATUS_INDEX, status, forward), [search.status]
    else:
        begins = Key("SlideID").begins_with(search.slide_id) if search.slide_id else None
        by_id, statuses = all_by("SlideID", begins, forward=forward), [*UNDELETED]
    return [by_id, *([] if search.slide_id else map(unidentified, statuses))]


def _by_id(found: _Found) -> tuple[Any, ...]:
    return bool(found.slide_id), found.slide_id or "", found.image_id


def _by_id_none_last(found: _Found) -> tuple[Any, ...]:
    return not found.slide_id, found.slide_id or "", found.image_id


def _by_position(found: _Found) -> tuple[Any, ...]:
    return (found.position,)


def _by_status(found: _Found) -> tuple[Any, ...]:
    statuses: list[str] = [*ReviewStatus]
    status = found.status or ""
    return -statuses.index(status) if status in statuses else -len(statuses), found.position


# What few slides are sorted by, and whether in reverse.
_KEYS: Final[dict[SlideOrder, tuple[Callable[[_Found], tuple[Any, ...]], bool]]] = {
    SlideOrder.NEWEST: (_by_position, True),
    SlideOrder.OLDEST: (_by_position, False),
    SlideOrder.SLIDE_ID: (_by_id_none_last, False),
    SlideOrder.SLIDE_ID_DESCENDING: (_by_id, True),
    SlideOrder.STATUS: (_by_status, True),
}


def _place(text: str, like: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the place that a token holds. Raises InvalidRequest if it is of another order."""
    try:
        place = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(FOREIGN_TOKEN) from error
    if not isinstance(place, list) or [type(each) for each in place] != [
        type(each) for each in like
    ]:
        raise InvalidRequest(FOREIGN_TOKEN)
    return tuple(place)


def _row_token(number: int, after: str | None) -> str | None:
    return to_token({"term": str(number), **({"row": after} if after is not None else {})})
