"""Lists of slides: each query uses an index, and none scans the table.

A list reads one or more ranges of indexes. A page reads at most ``limit`` slides, so that its cost
does not grow with the catalogue. If a filter removes some of them, the page is shorter or empty,
and the next page continues from there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from vsv.catalogue.accessors import has_failed, is_deleted
from vsv.catalogue.filters import SlideFilter
from vsv.catalogue.history import HistoryLine
from vsv.catalogue.identity import id_source
from vsv.catalogue.index_ranges import (
    STATUS_INDEX,
    UNDELETED,
    IndexRange,
    all_by,
    by_status,
    by_statuses,
    scanned,
    unidentified,
)
from vsv.catalogue.indexes import UNCONFIRMED
from vsv.catalogue.pages import (
    FOREIGN_TOKEN,
    MAX_PAGE,
    Page,
    from_token,
    page_size,
    to_token,
    whole,
)
from vsv.catalogue.projections import case_fields
from vsv.catalogue.record import IdSource, ImportStatus, SlideRecord, instant
from vsv.catalogue.review import UNSENT
from vsv.catalogue.search import Search
from vsv.catalogue.table import Catalogue
from vsv.errors import InvalidRequest

__all__ = ["Listings"]

# The key of a range's number in a token. Clients hold tokens during a deployment: it stays.
_RANGE_KEY: Final = "leg"


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
        return self.walk(by_status(status), limit, token)

    def by_case(
        self, case_id: str, limit: int | None = None, token: str | None = None
    ) -> Page[SlideRecord]:
        """Return the slides of one case but deleted ones, by image ID.

        Raises InvalidRequest for an empty ID.
        """
        if not case_id:
            raise InvalidRequest("CaseID is empty")
        index_range = IndexRange("CaseID-index", Key("CaseID").eq(case_id))
        return self.walk([index_range], limit, token)

    def unsent(self, limit: int | None = None, token: str | None = None) -> Page[SlideRecord]:
        """Return the slides that are neither sent, archived nor deleted, new ones first."""
        return self.walk(by_statuses(UNSENT), limit, token)

    def failed(self, limit: int | None = None, token: str | None = None) -> Page[SlideRecord]:
        """Return the slides whose import failed, most recent first."""
        index_range = IndexRange(
            "ImportStatus-FailedAt-index",
            Key("ImportStatus").eq(ImportStatus.FAILED),
            forward=False,
        )
        return self.walk([index_range], limit, token)

    def search(
        self, search: Search, limit: int | None = None, token: str | None = None
    ) -> Page[SlideRecord]:
        """Return the slides that match: by the ID that was given, else most recent scans first."""
        return self.walk([_range_of(search)], limit, token, search.finds)

    def unidentified(self, limit: int | None = None, token: str | None = None) -> Page[SlideRecord]:
        """Return the imported slides whose IDs nobody has read or typed, or that lack one."""
        values = [UNCONFIRMED, *UNDELETED]
        return self.walk(
            [unidentified(value) for value in values],
            limit,
            token,
            lambda record: not _is_identified(record) and not has_failed(record),
        )

    def case_ids(self, limit: int | None = None, token: str | None = None) -> Page[dict[str, Any]]:
        """Return ImageID and CaseID of identified slides whose import has not failed, by CaseID.

        The default limit is the maximum: items are small, and clients want all of them.
        """
        page = self.walk(
            [all_by("CaseID")],
            MAX_PAGE if limit is None else limit,
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
        return self.walk(_ranges_for(wanted), limit, token, wanted.passes)

    def history(
        self, image_id: str, limit: int | None = None, token: str | None = None
    ) -> Page[HistoryLine]:
        """Return the changes of a slide's record, most recent first."""
        before = whole(from_token(token).get("Version")) if token else None
        lines, last = self._catalogue.history(image_id, page_size(limit), before)
        return Page(lines, to_token({"Version": str(last)} if last else None))

    def count(self, index_range: IndexRange, most: int) -> int:
        """Return how many slides are in the range: ``most``, if there are more."""
        number, start = 0, dict[str, Any]()
        while number < most:
            answer = self._query(index_range, most - number, start, Select="COUNT")
            number += answer["Count"]
            start = dict(answer.get("LastEvaluatedKey") or {})
            if not start:
                break
        return number

    def first_keys(self, index_range: IndexRange, most: int) -> list[dict[str, Any]]:
        """Return the keys of the first slides of a range, ``most`` at most."""
        return [item for _, item in self._look([index_range], most, None)[0]]

    def walk(
        self,
        ranges: Sequence[IndexRange],
        limit: int | None,
        token: str | None,
        passes: Callable[[SlideRecord], bool] = lambda _: True,
    ) -> Page[SlideRecord]:
        """Read ``limit`` slides of the ranges; return those that pass.

        Deleted slides are found by their status only. The index lags behind the table: a slide that
        has left its place there is not returned.
        """
        found, next_token = self._look(ranges, page_size(limit), token)
        records = self._catalogue.get_many(item["ImageID"] for _, item in found)
        return Page(
            [
                record
                for (index_range, item), record in zip(found, records, strict=True)
                if record
                and item.items() <= record.items()
                and (not is_deleted(record) or index_range.index == STATUS_INDEX)
                and passes(record)
            ],
            next_token,
        )

    def _look(
        self, ranges: Sequence[IndexRange], size: int, token: str | None
    ) -> tuple[list[tuple[IndexRange, dict[str, Any]]], str | None]:
        """Return the next ``size`` items of the ranges, and the token of the next page."""
        number, start = _position(token, ranges)
        found: list[tuple[IndexRange, dict[str, Any]]] = []
        while number < len(ranges) and len(found) < size:
            index_range = ranges[number]
            answer = self._query(index_range, size - len(found), start)
            found += [(index_range, item) for item in answer["Items"]]
            start = dict(answer.get("LastEvaluatedKey") or {})
            number += not start
        return found, to_token({_RANGE_KEY: str(number), **start}) if number < len(ranges) else None

    def _query(
        self, index_range: IndexRange, limit: int, start: Mapping[str, Any], **options: Any
    ) -> Any:
        try:
            return self._catalogue.slides.query(
                IndexName=index_range.index,
                KeyConditionExpression=index_range.condition,
                ScanIndexForward=index_range.forward,
                Limit=limit,
                **options,
                **({"ExclusiveStartKey": start} if start else {}),  # type: ignore[arg-type]
            )
        except ClientError as error:
            if start and error.response["Error"]["Code"] == "ValidationException":
                raise InvalidRequest(FOREIGN_TOKEN) from error
            raise


def _is_identified(record: SlideRecord) -> bool:
    return id_source(record) is not IdSource.NONE


def _range_of(search: Search) -> IndexRange:
    """Return the range that has the fewest slides besides those that match."""
    if search.slide_id:
        return all_by("SlideID", Key("SlideID").begins_with(search.slide_id))
    if search.case_id:
        return all_by("CaseID", Key("CaseID").begins_with(search.case_id))
    return scanned(search.scanned_from, search.scanned_to, search.scanner)


def _ranges_for(wanted: SlideFilter) -> list[IndexRange]:
    """Return ranges that hold all slides which pass the filter, and as few others as possible."""
    if case_id := wanted.operand("CaseID", "eq"):
        return [IndexRange("CaseID-index", Key("CaseID").eq(case_id))]
    for name in ("SlideID", "CaseID"):
        if exact := wanted.operand(name, "eq"):
            return [all_by(name, Key(name).eq(exact))]
        if prefix := wanted.operand(name, "beginsWith"):
            return [all_by(name, Key(name).begins_with(prefix))]
    if status := wanted.operand("Status", "eq"):
        return by_status(status)
    low, high = wanted.operand("ScanDate", "between") or (
        wanted.operand("ScanDate", "ge", "gt"),
        wanted.operand("ScanDate", "le", "lt"),
    )
    # A bound without a zone compares as a text: that is not a range of the index.
    if (low or high) and all(instant(bound) for bound in (low, high) if bound):
        return [scanned(low and instant(low), high and instant(high))]
    return by_statuses(UNDELETED)


def _position(token: str | None, ranges: Sequence[IndexRange]) -> tuple[int, dict[str, str]]:
    """Return the number of the range where a token continues, and the key in it."""
    if not token:
        return 0, {}
    key = from_token(token)
    number = whole(key.pop(_RANGE_KEY, None))
    if number >= len(ranges) or (key and key.keys() != ranges[number].keys):
        raise InvalidRequest(FOREIGN_TOKEN)
    return number, key
