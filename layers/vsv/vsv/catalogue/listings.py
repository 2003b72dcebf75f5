"""Lists of slides: each query uses an index, and none scans the table.

A list reads one or more ranges of indexes. A page reads at most ``limit`` slides, so that its cost
does not grow with the catalogue. If a filter removes some of them, the page is shorter or empty,
and the next page continues from there.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from boto3.dynamodb.conditions import ConditionBase, Key
from botocore.exceptions import ClientError

from vsv.catalogue.accessors import has_failed, is_deleted
from vsv.catalogue.filters import SlideFilter
from vsv.catalogue.history import HistoryLine
from vsv.catalogue.identity import id_source
from vsv.catalogue.indexes import LISTED, UNCONFIRMED
from vsv.catalogue.projections import case_fields
from vsv.catalogue.record import IdSource, ImportStatus, ReviewStatus, SlideRecord, instant
from vsv.catalogue.review import UNSENT
from vsv.catalogue.search import Search, SlideOrder
from vsv.catalogue.table import Catalogue
from vsv.errors import InvalidRequest

__all__ = ["Listings", "Page", "SlideCount"]

_STATUS_INDEX: Final = "Status-SlideID-index"
_UNDELETED: Final = tuple(each for each in ReviewStatus if each is not ReviewStatus.DELETED)

_MAX_PAGE: Final = 1000
_DEFAULT_PAGE: Final = 100
# Counts are exact up to this number.
_MAX_COUNT: Final = 1000
# A count looks at this number of slides at most.
_MAX_COUNTED: Final = 5000
# Sorts after all times that a record may have: the character that follows "9".
_END_OF_TIME: Final = ":"
# The key of a range's number in a token. Clients hold tokens during a deployment: it stays.
_RANGE_KEY: Final = "leg"
_FOREIGN_TOKEN: Final = "nextToken is not one of this query's"  # noqa: S105  no password


_T = TypeVar("_T")


class Page(NamedTuple, Generic[_T]):
    """Some items, and the ``token`` of the next page; None on the last page."""

    items: list[_T]
    token: str | None


@dataclass(frozen=True)
class SlideCount:
    """How many slides match: ``number`` at least, and no others if it is ``exact``."""

    number: int
    exact: bool


@dataclass(frozen=True)
class _IndexRange:
    """A range of an index, which has keys only: records are read by them."""

    index: str
    condition: ConditionBase
    forward: bool = True

    @property
    def keys(self) -> set[str]:
        """Return the keys of a place in the index: the attributes in its name, and ImageID."""
        return {*self.index.removesuffix("-index").split("-"), "ImageID"}


class Listings:
    """Pages of slides. ``limit`` is how many to read, 1..1000 (default: 100).

    All raise InvalidRequest for an invalid limit or token.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def by_status(
        self, status: str, limit: int | None = None, token: str | None = None
    ) -> Page[SlideRecord]:
        """Return the slides of one review status, by slide ID; those that have none come last.

        Raises InvalidRequest for an empty status.
        """
        if not status:
            raise InvalidRequest("Status is empty")
        return self._walk(_by_status(status), limit, token)

    def by_case(
        self, case_id: str, limit: int | None = None, token: str | None = None
    ) -> Page[SlideRecord]:
        """Return the slides of one case but deleted ones, by image ID.

        Raises InvalidRequest for an empty ID.
        """
        if not case_id:
            raise InvalidRequest("CaseID is empty")
        index_range = _IndexRange("CaseID-index", Key("CaseID").eq(case_id))
        return self._walk([index_range], limit, token)

    def unsent(self, limit: int | None = None, token: str | None = None) -> Page[SlideRecord]:
        """Return the slides that are neither sent, archived nor deleted, new ones first."""
        return self._walk(_by_statuses(UNSENT), limit, token)

    def failed(self, limit: int | None = None, token: str | None = None) -> Page[SlideRecord]:
        """Return the slides whose import failed, most recent first."""
        index_range = _IndexRange(
            "ImportStatus-FailedAt-index",
            Key("ImportStatus").eq(ImportStatus.FAILED),
            forward=False,
        )
        return self._walk([index_range], limit, token)

    def search(
        self,
        search: Search,
        order: SlideOrder | None = None,
        limit: int | None = None,
        token: str | None = None,
    ) -> Page[SlideRecord]:
        """Return the slides that match.

        Without an order, by the ID whose beginning was given, else most recent scans first. Raises
        InvalidRequest if there is neither a criterion nor an order.
        """
        if search.is_empty and order is None:
            raise InvalidRequest("say what to look for, or in which order")
        return self._walk(_ranges_of(search, order), limit, token, search.finds)

    def count(self, search: Search) -> SlideCount:
        """Return how many slides match: exact to 1,000 if it is enough to look at 5,000."""
        ranges, number, token = _ranges_of(search, None), 0, None
        for _ in range(0, _MAX_COUNTED, _MAX_PAGE):
            page = self._walk(ranges, _MAX_PAGE, token, search.finds)
            number, token = number + len(page.items), page.token
            if number > _MAX_COUNT or token is None:
                break
        return SlideCount(min(number, _MAX_COUNT), exact=number <= _MAX_COUNT and token is None)

    def unidentified(self, limit: int | None = None, token: str | None = None) -> Page[SlideRecord]:
        """Return the imported slides whose IDs nobody has read or typed, or that lack one."""
        values = [UNCONFIRMED, *_UNDELETED]
        return self._walk(
            [_unidentified(value) for value in values],
            limit,
            token,
            lambda record: not _is_identified(record) and not has_failed(record),
        )

    def case_ids(self, limit: int | None = None, token: str | None = None) -> Page[dict[str, Any]]:
        """Return ImageID and CaseID of identified slides whose import has not failed, by CaseID.

        The default limit is the maximum: items are small, and clients want all of them.
        """
        page = self._walk(
            [_all_by("CaseID")],
            _MAX_PAGE if limit is None else limit,
            token,
            lambda record: _is_identified(record) and not has_failed(record),
        )
        return Page([case_fields(record) for record in page.items], page.token)

    def all_slides(
        self,
        wanted: SlideFilter | None = None,
        limit: int | None = None,
        token: str | None = None,
    ) -> Page[SlideRecord]:
        """Return all slides but deleted ones that pass the filter; without one, new ones first."""
        wanted = wanted or SlideFilter({})
        return self._walk(_ranges_for(wanted), limit, token, wanted.passes)

    def history(
        self, image_id: str, limit: int | None = None, token: str | None = None
    ) -> Page[HistoryLine]:
        """Return the changes of a slide's record, most recent first."""
        before = _whole(_from_token(token).get("Version")) if token else None
        lines, last = self._catalogue.history(image_id, _page_size(limit), before)
        return Page(lines, _to_token({"Version": str(last)} if last else None))

    def _walk(
        self,
        ranges: Sequence[_IndexRange],
        limit: int | None,
        token: str | None,
        passes: Callable[[SlideRecord], bool] = lambda _: True,
    ) -> Page[SlideRecord]:
        """Read ``limit`` slides of the ranges; return those that pass.

        Deleted slides are found by their status only. The index lags behind the table: a slide that
        has left its place there is not returned.
        """
        found, next_token = self._look(ranges, _page_size(limit), token)
        records = self._catalogue.get_many(item["ImageID"] for _, item in found)
        return Page(
            [
                record
                for (index_range, item), record in zip(found, records, strict=True)
                if record
                and item.items() <= record.items()
                and (not is_deleted(record) or index_range.index == _STATUS_INDEX)
                and passes(record)
            ],
            next_token,
        )

    def _look(
        self, ranges: Sequence[_IndexRange], size: int, token: str | None
    ) -> tuple[list[tuple[_IndexRange, dict[str, Any]]], str | None]:
        """Return the next ``size`` items of the ranges, and the token of the next page."""
        number, start = _position(token, ranges)
        found: list[tuple[_IndexRange, dict[str, Any]]] = []
        while number < len(ranges) and len(found) < size:
            index_range = ranges[number]
            answer = self._query(index_range, size - len(found), start)
            found += [(index_range, item) for item in answer["Items"]]
            start = dict(answer.get("LastEvaluatedKey") or {})
            number += not start
        return found, _to_token({_RANGE_KEY: str(number), **start}) if number < len(
            ranges
        ) else None

    def _query(self, index_range: _IndexRange, limit: int, start: Mapping[str, Any]) -> Any:
        try:
            return self._catalogue.slides.query(
                IndexName=index_range.index,
                KeyConditionExpression=index_range.condition,
                ScanIndexForward=index_range.forward,
                Limit=limit,
                **({"ExclusiveStartKey": start} if start else {}),  # type: ignore[arg-type]
            )
        except ClientError as error:
            if start and error.response["Error"]["Code"] == "ValidationException":
                raise InvalidRequest(_FOREIGN_TOKEN) from error
            raise


def _by_status(status: str) -> list[_IndexRange]:
    return [
        _IndexRange(_STATUS_INDEX, Key("Status").eq(status)),
        _unidentified(status),
    ]


def _by_statuses(statuses: Iterable[str]) -> list[_IndexRange]:
    return [each for status in statuses for each in _by_status(status)]


def _unidentified(value: str) -> _IndexRange:
    return _IndexRange("Unidentified-index", Key("Unidentified").eq(value))


def _is_identified(record: SlideRecord) -> bool:
    return id_source(record) is not IdSource.NONE


def _all_by(
    attribute: str, condition: ConditionBase | None = None, *, forward: bool = True
) -> _IndexRange:
    """Return the range of all slides but deleted ones, by one of their attributes."""
    listed = Key("Listed").eq(LISTED)
    return _IndexRange(
        f"Listed-{attribute}-index", listed & condition if condition else listed, forward=forward
    )


def _scanned(
    first: str | None, last: str | None, scanner: str | None = None, *, forward: bool = False
) -> _IndexRange:
    """Return the range of the slides of a scanner, or of all, that were scanned in a time."""
    first, last = first or "0", last or _END_OF_TIME
    if first > last:
        raise InvalidRequest(f"the scan's time is to be from {first} to {last}: none is")
    in_time = Key("ScannedAt").between(first, last)
    if scanner is None:
        return _all_by("ScannedAt", in_time, forward=forward)
    condition = Key("Scanner").eq(scanner) & in_time
    return _IndexRange("Scanner-ScannedAt-index", condition, forward=forward)


def _ranges_of(search: Search, order: SlideOrder | None) -> list[_IndexRange]:
    """Return ranges that hold all slides which a search finds, in this order."""
    if order is None and search.slide_id:
        return [_all_by("SlideID", Key("SlideID").begins_with(search.slide_id))]
    if order is None and search.case_id:
        return [_all_by("CaseID", Key("CaseID").begins_with(search.case_id))]
    statuses = [search.status] if search.status else [*_UNDELETED]
    if order is SlideOrder.STATUS or search.status == ReviewStatus.DELETED:
        return _by_statuses(statuses)
    if order in (SlideOrder.SLIDE_ID, SlideOrder.SLIDE_ID_DESCENDING):
        by_id = _all_by("SlideID", forward=order is SlideOrder.SLIDE_ID)
        return [by_id, *(_unidentified(status) for status in statuses)]
    # Slides whose scan time is unknown are in no range of times.
    timed = search.scanned_from or search.scanned_to
    forward = order is SlideOrder.OLDEST
    if timed:
        first, last = search.scanned_from, search.scanned_to
        return [_scanned(first, last, search.scanner, forward=forward)]
    if search.scanner:
        scanner = Key("Scanner").eq(search.scanner)
        return [_IndexRange("Scanner-ScannedAt-index", scanner, forward=forward)]
    return [_all_by("ScannedAt", forward=forward)]


def _ranges_for(wanted: SlideFilter) -> list[_IndexRange]:
    """Return ranges that hold all slides which pass the filter, and as few others as possible."""
    if case_id := wanted.operand("CaseID", "eq"):
        return [_IndexRange("CaseID-index", Key("CaseID").eq(case_id))]
    for name in ("SlideID", "CaseID"):
        if exact := wanted.operand(name, "eq"):
            return [_all_by(name, Key(name).eq(exact))]
        if prefix := wanted.operand(name, "beginsWith"):
            return [_all_by(name, Key(name).begins_with(prefix))]
    if status := wanted.operand("Status", "eq"):
        return _by_status(status)
    low, high = wanted.operand("ScanDate", "between") or (
        wanted.operand("ScanDate", "ge", "gt"),
        wanted.operand("ScanDate", "le", "lt"),
    )
    # A bound without a zone compares as a text: that is not a range of the index.
    if (low or high) and all(instant(bound) for bound in (low, high) if bound):
        return [_scanned(low and instant(low), high and instant(high))]
    return _by_statuses(_UNDELETED)


def _page_size(limit: int | None) -> int:
    size = _DEFAULT_PAGE if limit is None else limit
    if not 1 <= size <= _MAX_PAGE:
        raise InvalidRequest(f"limit {size} is not in 1..{_MAX_PAGE}")
    return size


def _position(token: str | None, ranges: Sequence[_IndexRange]) -> tuple[int, dict[str, str]]:
    """Return the number of the range where a token continues, and the key in it."""
    if not token:
        return 0, {}
    key = _from_token(token)
    number = _whole(key.pop(_RANGE_KEY, None))
    if number >= len(ranges) or (key and key.keys() != ranges[number].keys):
        raise InvalidRequest(_FOREIGN_TOKEN)
    return number, key


def _whole(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(_FOREIGN_TOKEN)
    return int(text)


def _to_token(key: Mapping[str, Any] | None) -> str | None:
    if not key:
        return None
    return base64.urlsafe_b64encode(json.dumps(dict(key)).encode()).decode()


def _from_token(token: str) -> dict[str, str]:
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode()))
        if not isinstance(key, dict) or not all(isinstance(text, str) for text in key.values()):
            raise InvalidRequest(_FOREIGN_TOKEN)
        "".join(key.values()).encode()
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequest(_FOREIGN_TOKEN) from error
    return key
