"""The technicians' review: which status follows which, and what an edit may say."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from vsv.catalogue.accessors import (
    is_deleted,
    is_imported,
    is_removal_requested,
    removal_of,
    status_of,
    version_of,
)
from vsv.catalogue.identity import case_of, id_source
from vsv.catalogue.record import IdSource, ReviewReason, ReviewStatus, SlideRecord
from vsv.errors import Conflict, InvalidRequest, NotFound, StaleVersion, quoted

__all__ = ["UNIDENTIFIED", "UNSENT", "Edit", "IdPatterns", "check_status"]

# The statuses that technicians have yet to do something about, in the order of the list.
UNSENT: Final = (
    ReviewStatus.NEW,
    ReviewStatus.GOOD,
    ReviewStatus.BAD,
    ReviewStatus.SEND_FAILED,
    ReviewStatus.SEND,
)

# What an edit may make of each status; NEW takes GOOD or BAD back. All others come about by what
# was done: SENT and SEND_FAILED by the delivery to the CDR, TRANSFERRED and DELETED by
# /RemoveImages.
_NEXT: Final[Mapping[str, tuple[ReviewStatus, ...]]] = {
    ReviewStatus.NEW: (ReviewStatus.GOOD, ReviewStatus.BAD),
    ReviewStatus.GOOD: (ReviewStatus.BAD, ReviewStatus.SEND, ReviewStatus.NEW),
    ReviewStatus.BAD: (ReviewStatus.GOOD, ReviewStatus.NEW),
    ReviewStatus.SEND: (),
    ReviewStatus.SENT: (ReviewStatus.SEND,),
    ReviewStatus.SEND_FAILED: (ReviewStatus.SEND,),
    ReviewStatus.TRANSFERRED: (),
    ReviewStatus.DELETED: (),
}
_SET_BY: Final[Mapping[str, str]] = {
    ReviewStatus.SENT: "the delivery to the CDR",
    ReviewStatus.SEND_FAILED: "the delivery to the CDR",
    ReviewStatus.TRANSFERRED: "TRANSFER of /RemoveImages",
    ReviewStatus.DELETED: "DELETE of /RemoveImages",
}
_MAX_ID_CHARS: Final = 64
# Unicode's categories of characters that nobody sees, or that change how others are seen.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Blanks of other categories: fillers, joiners, variation selectors, Braille without a dot.
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
) | {chr(code) for code in range(0xFE00, 0xFE10)}
_IDS: Final = ("SlideID", "CaseID")
# Why a slide is BAD: there while it is, and gone with it.
_WHY_BAD: Final = ("ReviewReason", "ReviewNote")
_MAX_NOTE_CHARS: Final = 500
# Unseen characters that prose needs: ends of lines, and joiners (Persian, emoji).
_IN_PROSE: Final = frozenset("\n\u200c\u200d")
# Why a slide whose IdSource is NONE cannot be sent, and what to do.
UNIDENTIFIED: Final = "nobody has read or typed the slide's IDs; type or confirm the slide ID first"


@dataclass(frozen=True)
class IdPatterns:
    """Regular expressions that the laboratory's IDs match as a whole; None allows any ID."""

    slide_id: str | None = None
    case_id: str | None = None

    def parse(self, name: str, text: object) -> str:
        """Return the ID without blanks around it. Raises InvalidRequest saying what is wrong."""
        if not isinstance(text, str):
            raise InvalidRequest(f"{name} must be a string")
        value = unicodedata.normalize("NFC", text).strip()
        if not 1 <= len(value) <= _MAX_ID_CHARS:
            raise InvalidRequest(
                f"{name} has {len(value)} characters, not 1 to {_MAX_ID_CHARS}; null removes it"
            )
        if any(char in _BLANK or unicodedata.category(char) in _UNSEEN for char in value):
            raise InvalidRequest(f"{name} holds a character that cannot be seen")
        pattern = self.slide_id if name == "SlideID" else self.case_id
        if pattern and not re.fullmatch(pattern, value):
            raise InvalidRequest(f"{name} {quoted(value)} does not match the laboratory's pattern")
        return value


@dataclass(frozen=True)
class Edit:
    """A technician's edit of a record.

    ``fields`` has SlideID, CaseID, Status, ReviewReason and ReviewNote, as far as they are given;
    None removes a field other than Status. An ID that is the record's already is confirmed by being
    given. ``version`` is the record's that was seen; None where the client does not tell.
    """

    image_id: str
    fields: Mapping[str, str | None]
    version: int | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any], patterns: IdPatterns) -> Self:
        """Parse the input of ``updateSlide``. Raises InvalidRequest."""
        fields: dict[str, str | None] = {}
        for name in _IDS:
            if name in given:
                text = given[name]
                fields[name] = None if text is None else patterns.parse(name, text)
        if "Status" in given:
            status = given["Status"]
            if status not in [*ReviewStatus]:
                shown = "null" if status is None else quoted(str(status))
                raise InvalidRequest(f"Status is {shown}, not one of {', '.join(ReviewStatus)}")
            fields["Status"] = status
        if "ReviewReason" in given:
            fields["ReviewReason"] = _parse_reason(given["ReviewReason"])
        if "ReviewNote" in given:
            fields["ReviewNote"] = _parse_note(given["ReviewNote"])
        version = given.get("Version")
        return cls(str(given["ImageID"]), fields, None if version is None else int(version))

    def apply(self, old: SlideRecord | None, at: str) -> SlideRecord:
        """Return the record with the edit. ``at``: the time, ISO 8601.

        Raises NotFound, StaleVersion if the client saw another version, or Conflict if the slide's
        state does not allow the edit.
        """
        if old is None:
            raise NotFound("there is no slide with this ImageID")
        if self.version is not None and self.version != version_of(old):
            raise StaleVersion(
                f"the slide was changed: its version is {version_of(old)} now, not {self.version}",
                dict(old),
            )
        fields = {name: text for name, text in {**old, **self.fields}.items() if text is not None}
        new = cast("SlideRecord", fields)
        self._identify(old, new)
        self._explain(old, new)
        if new == old:
            return new
        status = status_of(new)
        if status is not None and status != status_of(old):
            check_status(old, status)
            if status == ReviewStatus.SEND:
                _check_sendable(new)
                new.pop("SendError", None)
                new["SendRequestedAt"] = at
        _check_editable(old)
        return new

    def _identify(self, old: SlideRecord, new: SlideRecord) -> None:
        """Set IdSource, as far as the edit gives IDs.

        ``TYPED`` needs both IDs, and a SlideID that a person gave, be it the one that was there.
        Until then the source is ``NONE``. A SlideID that stays as it was read keeps its source. A
        CaseID that is the ImageID for want of a better one follows the SlideID, as at the import.
        """
        if not any(name in self.fields for name in _IDS):
            return
        image_id, source = old["ImageID"], id_source(old)
        follows = "CaseID" not in self.fields and new.get("CaseID") == image_id
        if source is IdSource.NONE and self.fields.get("SlideID") and follows:
            new["CaseID"] = case_of(str(new["SlideID"]))
        if not all(new.get(name) for name in _IDS):
            source = IdSource.NONE
        elif source is IdSource.NONE:
            if "SlideID" in self.fields or new["SlideID"] != image_id:
                source = IdSource.TYPED
        elif new["SlideID"] != old["SlideID"]:
            source = IdSource.TYPED
        if source is not id_source(old):
            new["IdSource"] = source

    def _explain(self, old: SlideRecord, new: SlideRecord) -> None:
        """Remove the reason and the note from a slide that is not BAD any more.

        Raises Conflict if the edit gives either to a slide that is not BAD.
        """
        status = status_of(new)
        if status == ReviewStatus.BAD:
            return
        for name in _WHY_BAD:
            if self.fields.get(name):
                raise Conflict(f"{name} is for slides that are BAD; this one's Status is {status}")
        if status_of(old) == ReviewStatus.BAD:
            new.pop("ReviewReason", None)
            new.pop("ReviewNote", None)


def check_status(record: SlideRecord, wanted: str) -> None:
    """Raise Conflict, naming the alternatives, if an edit may not set this Status."""
    status = record.get("Status", ReviewStatus.NEW)
    legal = _NEXT.get(status, ())  # another version's leads nowhere that this one knows
    if wanted in legal:
        return
    message = f"Status {status} cannot become {wanted}"
    if wanted in _SET_BY:
        message += f", which {_SET_BY[wanted]} sets"
    raise Conflict(f"{message}; it can become {' or '.join(legal) or 'nothing else'}")


def _parse_reason(reason: object) -> str | None:
    if reason is not None and reason not in [*ReviewReason]:
        known = ", ".join(ReviewReason)
        raise InvalidRequest(f"ReviewReason is {quoted(str(reason))}, not one of {known}")
    return cast("str | None", reason)


def _parse_note(text: object) -> str | None:
    """Return the note without blanks around it; None if nothing is left. It may have lines."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidRequest("ReviewNote must be a string")
    lines = unicodedata.normalize("NFC", text).strip().splitlines()
    note = "\n".join(line.replace("\t", " ").rstrip() for line in lines)
    if len(note) > _MAX_NOTE_CHARS:
        raise InvalidRequest(f"ReviewNote has {len(note)} characters, not up to {_MAX_NOTE_CHARS}")
    unseen = {char for char in note if unicodedata.category(char) in _UNSEEN}
    if unseen - _IN_PROSE:
        raise InvalidRequest("ReviewNote holds a character that cannot be seen")
    return note or None


def _check_editable(record: SlideRecord) -> None:
    if is_deleted(record):
        raise Conflict("the slide is deleted")
    if is_removal_requested(record):
        raise Conflict(f"{removal_of(record)} of the slide is under way")


def _check_sendable(record: SlideRecord) -> None:
    """Raise Conflict for a slide that the CDR could not use."""
    if not is_imported(record):
        raise Conflict("the slide's import is not complete; it cannot be sent")
    missing = [name for name in _IDS if not record.get(name)]
    if missing:
        raise Conflict(f"the slide has no {' and no '.join(missing)}; it cannot be sent")
    if id_source(record) is IdSource.NONE:
        raise Conflict(UNIDENTIFIED)
