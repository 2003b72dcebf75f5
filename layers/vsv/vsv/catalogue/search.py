"""The criteria of a search for slides, and whether a record meets them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from vsv.catalogue.accessors import has_failed, is_deleted, status_of
from vsv.catalogue.identity import id_source
from vsv.catalogue.record import IdSource, ReviewStatus, SlideRecord, instant
from vsv.catalogue.words import has_words, words_of
from vsv.errors import InvalidRequest, quoted

__all__ = ["Search", "SlideOrder"]

_MAX_TEXT_CHARS: Final = 200
_MAX_WORDS: Final = 10


class SlideOrder(StrEnum):
    """The order of the slides that a search finds. Slides without a slide ID come last in theirs,
    those without a scan time are the oldest.
    """

    NEWEST = "NEWEST"  # by scan time, newest first
    OLDEST = "OLDEST"  # by scan time, oldest first
    SLIDE_ID = "SLIDE_ID"
    SLIDE_ID_DESCENDING = "SLIDE_ID_DESCENDING"
    STATUS = "STATUS"  # in the order of a slide's life


@dataclass(frozen=True)
class Search:
    """The criteria of a search; a slide meets them all. None, or no word, does not matter.

    ``words`` each begin a part of the slide ID, the case ID or the file name, whatever the case.
    ``slide_id`` and ``case_id`` are what the ID begins with, ``scanner`` is the scanner's own ID;
    the scan's time is in ``scanned_from``..``scanned_to``, both included, as ``instant`` has them.
    ``unidentified`` and ``failed`` are as in the lists of these names.
    """

    words: tuple[str, ...] = ()
    status: str | None = None
    unidentified: bool = False
    failed: bool = False
    scanner: str | None = None
    scanned_from: str | None = None
    scanned_to: str | None = None
    slide_id: str | None = None
    case_id: str | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Parse the arguments of ``searchSlides``, by their names in the schema.

        Arguments that are null or blank are ignored. Raises InvalidRequest.
        """
        scanned_from, scanned_to = _time(given, "ScannedFrom"), _time(given, "ScannedTo")
        if scanned_from and scanned_to and scanned_from > scanned_to:
            raise InvalidRequest(
                f"the scan's time is to be from {scanned_from} to {scanned_to}: none is"
            )
        words = words_of(_text(given, "Text") or "")
        if len(words) > _MAX_WORDS:
            raise InvalidRequest(f"Text has {len(words)} words, more than {_MAX_WORDS}")
        status = _text(given, "Status")
        if status is not None and status not in [*ReviewStatus]:
            raise InvalidRequest(
                f"Status is {quoted(status)}, not one of {', '.join(ReviewStatus)}"
            )
        return cls(
            words,
            status,
            bool(given.get("Unidentified")),
            bool(given.get("Failed")),
            _text(given, "Scanner"),
            scanned_from,
            scanned_to,
            _text(given, "SlideIDPrefix"),
            _text(given, "CaseIDPrefix"),
        )

    @property
    def is_empty(self) -> bool:
        """Return whether all slides but deleted ones meet it."""
        return self == Search()

    @property
    def is_timed(self) -> bool:
        """Return whether the scan's time matters."""
        return bool(self.scanned_from or self.scanned_to)

    def finds(self, record: SlideRecord) -> bool:
        """Return whether the record meets all criteria. Deleted slides are found by status only."""
        return (
            (self.status is not None or not is_deleted(record))
            and self.status in (None, status_of(record))
            and (not self.unidentified or _is_unidentified(record))
            and (not self.failed or has_failed(record))
            and str(record.get("SlideID", "")).startswith(self.slide_id or "")
            and str(record.get("CaseID", "")).startswith(self.case_id or "")
            and self.scanner in (None, record.get("Scanner"))
            and self._is_in_time(record)
            and has_words(record, self.words)
        )

    def _is_in_time(self, record: SlideRecord) -> bool:
        if not self.is_timed:
            return True
        scanned = instant(str(record.get("ScanDate")))
        return scanned is not None and (
            (self.scanned_from or "") <= scanned
            and (self.scanned_to is None or scanned <= self.scanned_to)
        )


def _is_unidentified(record: SlideRecord) -> bool:
    return id_source(record) is IdSource.NONE and not has_failed(record)


def _text(given: Mapping[str, Any], name: str) -> str | None:
    text = str(given.get(name) or "").strip()
    if len(text) > _MAX_TEXT_CHARS:
        raise InvalidRequest(f"{name} has {len(text)} characters, more than {_MAX_TEXT_CHARS}")
    return text or None


def _time(given: Mapping[str, Any], name: str) -> str | None:
    text = given.get(name)
    if not text:
        return None
    moment = instant(text)
    if moment is None:
        raise InvalidRequest(f"{quoted(text)} is not a time with a zone")
    return moment
