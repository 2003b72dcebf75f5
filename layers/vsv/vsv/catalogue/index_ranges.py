"""Ranges of the slide table's indexes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from boto3.dynamodb.conditions import ConditionBase, Key

from vsv.catalogue.indexes import LISTED
from vsv.catalogue.record import ReviewStatus
from vsv.errors import InvalidRequest

__all__ = [
    "STATUS_INDEX",
    "UNDELETED",
    "IndexRange",
    "all_by",
    "by_status",
    "by_statuses",
    "scanned",
    "unidentified",
]

STATUS_INDEX: Final = "Status-SlideID-index"
UNDELETED: Final = tuple(each for each in ReviewStatus if each is not ReviewStatus.DELETED)
# Sorts after all times that a record may have: the character that follows "9".
_END_OF_TIME: Final = ":"


@dataclass(frozen=True)
class IndexRange:
    """A range of an index, which has keys only: records are read by them."""

    index: str
    condition: ConditionBase
    forward: bool = True

    @property
    def keys(self) -> set[str]:
        """Return the keys of a place in the index: the attributes in its name, and ImageID."""
        return {*self.index.removesuffix("-index").split("-"), "ImageID"}


def by_status(status: str) -> list[IndexRange]:
    """Return the ranges of a status, by slide ID; slides without one come last."""
    return [
        IndexRange(STATUS_INDEX, Key("Status").eq(status)),
        unidentified(status),
    ]


def by_statuses(statuses: Iterable[str]) -> list[IndexRange]:
    """Return the ranges of several statuses, one after the other."""
    return [each for status in statuses for each in by_status(status)]


def unidentified(value: str) -> IndexRange:
    """Return the range of a value of ``Unidentified``, by image ID."""
    return IndexRange("Unidentified-index", Key("Unidentified").eq(value))


def all_by(
    attribute: str, condition: ConditionBase | None = None, *, forward: bool = True
) -> IndexRange:
    """Return the range of all slides but deleted ones, by one of their attributes."""
    listed = Key("Listed").eq(LISTED)
    return IndexRange(
        f"Listed-{attribute}-index", listed & condition if condition else listed, forward=forward
    )


def scanned(
    first: str | None, last: str | None, scanner: str | None = None, *, forward: bool = False
) -> IndexRange:
    """Return the range of the slides of a scanner, or of all, that were scanned in a time.

    Without a time, those whose time is unknown are in it as well.
    """
    condition: ConditionBase = (
        Key("Listed").eq(LISTED) if scanner is None else Key("Scanner").eq(scanner)
    )
    if first or last:
        low, high = first or "0", last or _END_OF_TIME
        if low > high:
            raise InvalidRequest(f"the scan's time is to be from {low} to {high}: none is")
        condition &= Key("ScannedAt").between(low, high)
    index = "Listed" if scanner is None else "Scanner"
    return IndexRange(f"{index}-ScannedAt-index", condition, forward=forward)
