"""Ranges of the term table, and what of a search their rows answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import ClientError

from vsv.catalogue.pages import FOREIGN_TOKEN
from vsv.catalogue.record import ReviewStatus
from vsv.catalogue.search import Search
from vsv.catalogue.table import Catalogue
from vsv.catalogue.terms import (
    FAILED,
    PREFIX_CHARS,
    UNIDENTIFIED,
    WORD_CHARS,
    prefix_term,
    status_term,
    word_term,
)
from vsv.catalogue.words import word_of
from vsv.errors import InvalidRequest

__all__ = ["TermRange", "all_words", "by_prefix", "by_state", "by_status", "by_word"]

Row = Mapping[str, Any]

# Where a place that begins with a time ends, and the times themselves.
_AFTER_TIME: Final = "$"
_END_OF_TIME: Final = ":"


@dataclass(frozen=True)
class TermRange:
    """The rows of a term in a range of places, and the condition that they are filtered by."""

    term: str
    places: ConditionBase | None
    filter: ConditionBase | None

    def read(
        self,
        catalogue: Catalogue,
        limit: int,
        after: str | None = None,
        *,
        forward: bool = True,
        count: bool = False,
    ) -> Any:
        """Return DynamoDB's answer for the next ``limit`` rows, after a place.

        Raises InvalidRequest if the place is none of the range.
        """
        key = Key("Term").eq(self.term)
        query: dict[str, Any] = {
            "KeyConditionExpression": key & self.places if self.places else key,
            "ScanIndexForward": forward,
            "Limit": limit,
        }
        if self.filter:
            query["FilterExpression"] = self.filter
        if after is not None:
            query["ExclusiveStartKey"] = {"Term": self.term, "Place": after}
        if count:
            query["Select"] = "COUNT"
        else:
            query["ConsistentRead"] = True
        try:
            return catalogue.terms.query(**query)
        except ClientError as error:
            if after is not None and error.response["Error"]["Code"] == "ValidationException":
                raise InvalidRequest(FOREIGN_TOKEN) from error
            raise

    @classmethod
    def by_time(cls, term: str, search: Search, answered: str | None = None) -> Self:
        """Return the rows of a term by scan time, those that a search may find.

        ``answered`` is a word that all of them have.
        """
        low, high = _times(search)
        places = Key("Place").between(low, high) if search.is_timed else None
        return cls(term, places, _filter(search, answered))


def all_words(search: Search) -> list[str]:
    """Return the words of a search, and its prefixes of IDs as such, the longest first."""
    prefixes = (word_of(prefix) for prefix in (search.slide_id, search.case_id) if prefix)
    words = dict.fromkeys((*search.words, *filter(None, prefixes)))
    return sorted(words, key=len, reverse=True)


def by_word(search: Search) -> Iterator[TermRange]:
    """Yield the ranges of the search's words by their text, the longest word first."""
    low, high = _times(search)
    in_time = Attr("Position").between(low, high) if search.is_timed else None
    for word in all_words(search):
        if len(word) >= WORD_CHARS:
            condition = _both(_filter(search, word), in_time)
            yield TermRange(word_term(word), Key("Place").begins_with(word), condition)


def by_prefix(search: Search) -> TermRange | None:
    """Return the range by time of the search's longest word; None if it has no word."""
    words = all_words(search)
    if not words:
        return None
    length = max(each for each in PREFIX_CHARS if each <= len(words[0]))
    prefix = words[0][:length]
    return TermRange.by_time(prefix_term(prefix), search, prefix)


def by_state(search: Search) -> TermRange | None:
    """Return the range by time of the state or status that the search asks for, if it does."""
    if search.failed:
        return TermRange.by_time(FAILED, search)
    if search.unidentified:
        return TermRange.by_time(UNIDENTIFIED, search)
    return by_status(search, search.status) if search.status else None


def by_status(search: Search, status: str | ReviewStatus) -> TermRange:
    """Return the range by time of a status."""
    return TermRange.by_time(status_term(status), search)


def _times(search: Search) -> tuple[str, str]:
    return search.scanned_from or "0", (search.scanned_to or _END_OF_TIME) + _AFTER_TIME


def _filter(search: Search, answered: str | None) -> ConditionBase | None:
    """Return the condition of all that rows tell of a slide, but for a word that they all have."""
    condition: ConditionBase | None = None
    if search.scanner:
        condition = Attr("Scanner").eq(search.scanner)
    for word in all_words(search):
        if word != answered:
            condition = _both(condition, Attr("Words").contains(f"\n{word}"))
    return condition


def _both(one: ConditionBase | None, other: ConditionBase | None) -> ConditionBase | None:
    return one & other if one and other else one or other
