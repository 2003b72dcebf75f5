"""The slide records behind the fake backend: listed, edited, removed, with versions and history.

Edits follow the library's own rules. Removals and deliveries are done at the next request after a
number of seconds, or when a test asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from vsv.catalogue.identity import IdSource, id_source
from vsv.catalogue.record import ReviewStatus, instant
from vsv.catalogue.review import UNSENT, Edit, IdPatterns
from vsv.catalogue.same_ids import edit_slide
from vsv.catalogue.search import Search
from vsv.errors import Conflict, NotFound, VsvError
from vsv.imports.retry import check_failed, importing_again

Record = dict[str, Any]

ODD_ID = 'odd/näme #1?&<img src=x onerror="document.title=1">'
NO_BARCODE = "no barcode that is a slide ID on the label"
WITHOUT_LABEL = {"1005"}

_UNRECORDED = {"ImageID", "Version", "lastModified", "SentAs"}
_IN_PROGRESS = {
    "DELETE": "the slide is being deleted",
    "TRANSFER": "the slide is being archived",
    "RESTORE": "the slide is being restored",
}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def slide(image_id: str, **values: object) -> Record:
    """Return a slide record; the defaults are those of an imported 40x slide."""
    record: Record = {
        "ImageID": image_id,
        "Filename": f"{image_id}.svs",
        "SlideID": f"S24-{image_id}-A1",
        "CaseID": f"S24-{image_id}",
        "Status": "NEW",
        "width": 40_000,
        "height": 30_000,
        "ScanDate": "2024-05-17T09:41:00+02:00",
        "Scanner": "SS1234",
        "MPP": 0.25,
        "AppMag": 40,
        "ImportStatus": "IMPORTED",
        "ImportError": None,
        "TilesRendered": 27_968,
        "TilesTotal": 27_968,
        "Barcode": {"text": f"S24-{image_id}-A1", "reason": None},
    }
    return record | values


def slides() -> list[Record]:
    """Return one slide of each kind, and enough others to fill two pages."""
    sent = {"At": "2024-05-18T08:00:00.000+00:00", "Version": 1, "Receipt": "cdr-4711"}
    sent_as = {"SlideID": "S24-1031-A1", "CaseID": "S24-0031"}
    return [
        slide("1001", Status="GOOD"),
        slide("1002", width=2220, height=2967, MPP=0.499, AppMag=20),
        slide("1003", ImportStatus="IMPORTING", TilesRendered=10_300, ScanDate=None),
        slide(
            "1004",
            ImportStatus="FAILED",
            ImportError="truncated.svs: level 0 ends after 1,204 of 9,860 tiles",
            width=None,
            height=None,
            AppMag=None,
        ),
        slide("1005", MPP=None, AppMag=None, SlideID="1005", CaseID="1005"),
        slide(ODD_ID, SlideID=ODD_ID, CaseID=ODD_ID),
        *(slide(str(number), width=30_000 + 400 * number % 9000) for number in range(1010, 1029)),
        slide("1029", SlideID="1029", CaseID="1029", Barcode={"text": None, "reason": NO_BARCODE}),
        slide("1030", Status="TRANSFERRED", ScanDate="2023-02-01T08:00:00+01:00"),
        slide("1031", Status="SENT", Sent=sent, SentAs=sent_as, Scanner="SS5678"),
        slide("1032", Status="SEND_FAILED", SendError="the CDR answered 422: unknown case"),
        slide(
            "1033", Status="BAD", ReviewReason="OUT_OF_FOCUS", ReviewNote="the tissue's left edge"
        ),
    ]


def _scanned(record: Record) -> str:
    return instant(str(record.get("ScanDate"))) or ""


def _by_id(record: Record) -> tuple[bool, str]:
    return "SlideID" not in record, str(record.get("SlideID"))


# What slides are ordered by, by the search's Order; the last key counts most.
_KEYS: dict[str, list[Callable[[Record], Any]]] = {
    "NEWEST": [lambda record: record["ImageID"], _scanned],
    "OLDEST": [lambda record: record["ImageID"], _scanned],
    "SLIDE_ID": [_by_id],
    "SLIDE_ID_DESCENDING": [_by_id],
    "STATUS": [_by_id, lambda record: [*ReviewStatus].index(record["Status"])],
}


def many(number: int) -> list[Record]:
    """Return slides, scanned one each minute until now."""
    first = datetime.now(UTC) - timedelta(minutes=number)
    return [
        slide(
            f"m{each:05}",
            SlideID=f"S25-{each // 4:05}-A{each % 4 + 1}",
            CaseID=f"S25-{each // 4:05}",
            ScanDate=(first + timedelta(minutes=each)).isoformat(timespec="seconds"),
            Status="NEW" if each % 3 else "GOOD",
        )
        for each in range(number)
    ]


class Catalogue:
    """Records and their changes. ``work_s``: how long removals and deliveries take.

    ``more``: how many slides there are besides one of each kind.
    """

    def __init__(self, work_s: float, more: int = 0) -> None:
        self.work_s = work_s
        self.failure: str | None = None
        self.records: dict[str, Record] = {}
        self._history: dict[str, list[Record]] = {}
        self._due: dict[str, float] = {}
        for record in slides() + many(more):
            self.change(record["ImageID"], "import", "IMPORT", lambda _, new=record: new)

    # --- changes -----------------------------------------------------------------------------

    def change(
        self, image_id: str, by: str, action: str, decide: Callable[[Record], Record]
    ) -> Record:
        """Change the record as ``decide`` says, and write the change into its history."""
        old = self.records.get(image_id, {})
        new = {name: value for name, value in decide(dict(old)).items() if value is not None}
        changes = [
            {"Field": name, "From": _text(old.get(name)), "To": _text(new.get(name))}
            for name in sorted(old.keys() | new.keys())
            if name not in _UNRECORDED and old.get(name) != new.get(name)
        ]
        if old and not changes:
            return old
        new |= {"Version": old.get("Version", 0) + 1, "lastModified": now()}
        self.records[image_id] = new
        line = {"ImageID": image_id, "Version": new["Version"], "At": new["lastModified"]}
        line |= {"By": by, "Action": action, "Changes": changes}
        self._history.setdefault(image_id, []).insert(0, line)
        return new

    def edit(self, given: Record, by: str) -> Record:
        """Apply a technician's edit. Raises what the library raises."""
        edit = Edit.parse(given, IdPatterns())
        if edit.image_id not in self.records:
            raise NotFound("there is no slide with this ImageID")
        new = edit_slide(self, edit, by)
        if new["Status"] == "SEND":
            self._start(edit.image_id)
        return shown(new)

    def retry_import(self, image_id: str, by: str) -> Record:
        """Start a failed import again. It is complete after a while, or fails again."""
        record = check_failed(self.records.get(image_id))
        again = importing_again(record, record["Version"])
        new = self.change(image_id, by, "IMPORT", lambda _: again)
        self._start(image_id)
        return shown(new)

    def by_slide_id(self, slide_id: str, limit: int) -> list[Record]:
        """Return up to ``limit`` slides with this SlideID, for the library."""
        found = [record for record in self.records.values() if record.get("SlideID") == slide_id]
        return found[:limit]

    def remove(self, operation: str, image: Record, by: str) -> Record:
        """Accept or refuse a removal of one slide; return the result."""
        status, detail = 202, _IN_PROGRESS[operation]
        try:
            self._note_removal(operation, image, by)
        except VsvError as error:
            status, detail = 404 if isinstance(error, NotFound) else 409, str(error)
        return {**image, "status": status, "detail": detail}

    def _note_removal(self, operation: str, image: Record, by: str) -> None:
        record = self.records.get(image["ImageID"])
        if record is None:
            raise NotFound("there is no slide with this ImageID")
        if image.get("Filename") not in (None, record["Filename"]):
            raise Conflict("the slide's file has another name")
        if record["Status"] == "DELETED":
            raise Conflict("the slide is deleted")
        if record["ImportStatus"] == "IMPORTING":
            raise Conflict("the slide is being imported")
        if operation == "TRANSFER" and record["ImportStatus"] != "IMPORTED":
            raise Conflict("the slide's import is not complete; it cannot be archived")
        if operation == "RESTORE" and record["Status"] != "TRANSFERRED":
            raise Conflict("the slide is not archived")
        removal = {"Operation": operation, "State": "REQUESTED", "By": by, "At": now()}
        self.change(image["ImageID"], by, operation, lambda old: {**old, "Removal": removal})
        self._start(image["ImageID"])

    def _start(self, image_id: str) -> None:
        self._due[image_id] = datetime.now(UTC).timestamp() + self.work_s

    def work(self, *, at_once: bool = False) -> None:
        """Finish the work that is due."""
        moment = datetime.now(UTC).timestamp()
        for image_id in [each for each, due in self._due.items() if at_once or due <= moment]:
            del self._due[image_id]
            record = self.records[image_id]
            if "Removal" in record:
                removal = record["Removal"]
                self.change(image_id, removal["By"], removal["Operation"], self._removed)
            elif record["ImportStatus"] == "IMPORTING":
                self.change(image_id, "import", "IMPORT", self._imported)
            elif record["Status"] == "SEND":
                self.change(image_id, "cdr", "SEND", self._delivered)

    def _removed(self, record: Record) -> Record:
        removal = record["Removal"]
        if self.failure:
            return {**record, "Removal": {**removal, "State": "FAILED", "Error": self.failure}}
        status = {
            "DELETE": "DELETED",
            "TRANSFER": "TRANSFERRED",
            "RESTORE": record.get("StatusBefore", "NEW"),
        }[removal["Operation"]]
        before = record["Status"] if status == "TRANSFERRED" else None
        return {**record, "Status": status, "StatusBefore": before, "Removal": None}

    def _imported(self, record: Record) -> Record:
        if self.failure:
            return {**record, "ImportStatus": "FAILED", "ImportError": self.failure}
        scanned = slide(record["ImageID"])
        size = {name: record.get(name) or scanned[name] for name in ("width", "height", "AppMag")}
        return {**record, **size, "ImportStatus": "IMPORTED"}

    def _delivered(self, record: Record) -> Record:
        if self.failure:
            return {**record, "Status": "SEND_FAILED", "SendError": self.failure}
        sent = {"At": now(), "Version": record["Version"], "Receipt": f"cdr-{record['Version']}"}
        sent_as = {name: record[name] for name in ("SlideID", "CaseID")}
        return {**record, "Status": "SENT", "Sent": sent, "SentAs": sent_as, "SendError": None}

    # --- listings ----------------------------------------------------------------------------

    def some(
        self, passes: Callable[[Record], bool], limit: int | None, token: str | None
    ) -> Record:
        """Return those of the next ``limit`` slides that pass. Tokens count earlier slides."""
        start = int(token or 0)
        end = start + (limit or 100)
        looked_at = list(self.records.values())[start:end]
        return {
            "items": [shown(record) for record in looked_at if passes(record)],
            "nextToken": str(end) if end < len(self.records) else None,
        }

    def search(
        self, search: Search, order: str | None, limit: int | None, token: str | None
    ) -> Record:
        """Return the next ``limit`` slides that a search finds. Tokens count earlier slides."""
        found = [record for record in self.records.values() if search.finds(record)]
        for key in _KEYS[order or "NEWEST"]:
            found.sort(key=key, reverse=order in (None, "NEWEST", "SLIDE_ID_DESCENDING"))
        if order == "SLIDE_ID_DESCENDING":
            found.sort(key=lambda record: "SlideID" not in record)
        start = int(token or 0)
        end = start + (limit or 100)
        return {
            "items": [shown(record) for record in found[start:end]],
            "nextToken": str(end) if end < len(found) else None,
        }

    def get(self, image_id: str) -> Record | None:
        record = self.records.get(image_id)
        return shown(record) if record else None

    def history(self, image_id: str, limit: int | None, token: str | None) -> Record:
        lines = self._history.get(image_id, [])
        start = int(token or 0)
        end = start + (limit or 100)
        return {"items": lines[start:end], "nextToken": str(end) if end < len(lines) else None}


def shown(record: Record) -> Record:
    """Return a record as the schema's Slide."""
    sent_as = record.get("SentAs")
    edited = sent_as and any(record.get(name) != text for name, text in sent_as.items())
    return {
        **record,
        "IdSource": id_source(record),
        "EditedAfterSending": None if sent_as is None else bool(edited),
    }


class Api:
    """The roots of the GraphQL documents that the pages send."""

    def __init__(self, catalogue: Catalogue, user: str) -> None:
        self._catalogue = catalogue
        self._user = user

    def getSlide(self, _: object, ImageID: str) -> object:
        return self._catalogue.get(ImageID)

    def getSlides(self, _: object, ImageIDs: Iterable[str]) -> object:
        return [self._catalogue.get(image_id) for image_id in ImageIDs]

    def listSlides(self, _: object, limit: int, nextToken: str | None) -> object:
        return self._catalogue.some(_is_kept, limit, nextToken)

    def querySlidesByStatus(
        self, _: object, Status: str, limit: int, nextToken: str | None
    ) -> object:
        return self._catalogue.some(lambda each: each["Status"] == Status, limit, nextToken)

    def querySlidesByCase(
        self, _: object, CaseID: str, limit: int, nextToken: str | None
    ) -> object:
        return self._catalogue.some(lambda each: each.get("CaseID") == CaseID, limit, nextToken)

    def listUnsentSlides(self, _: object, limit: int, nextToken: str | None) -> object:
        return self._catalogue.some(lambda each: each["Status"] in UNSENT, limit, nextToken)

    def listImportFailures(self, _: object, limit: int, nextToken: str | None) -> object:
        def passes(record: Record) -> bool:
            return _is_kept(record) and record["ImportStatus"] == "FAILED"

        return self._catalogue.some(passes, limit, nextToken)

    def listUnidentified(self, _: object, limit: int, nextToken: str | None) -> object:
        def passes(record: Record) -> bool:
            unidentified = id_source(record) is IdSource.NONE
            return unidentified and _is_kept(record) and record["ImportStatus"] != "FAILED"

        return self._catalogue.some(passes, limit, nextToken)

    def searchSlides(
        self,
        _: object,
        Order: str | None = None,
        limit: int | None = None,
        nextToken: str | None = None,
        **criteria: Any,
    ) -> object:
        return self._catalogue.search(Search.parse(criteria), Order, limit, nextToken)

    def countSlides(self, _: object, **criteria: Any) -> object:
        search = Search.parse(criteria)
        number = sum(search.finds(record) for record in self._catalogue.records.values())
        return {"Count": min(number, 1000), "Exact": number <= 1000}

    def slideHistory(
        self, _: object, ImageID: str, limit: int | None = None, nextToken: str | None = None
    ) -> object:
        return self._catalogue.history(ImageID, limit, nextToken)

    def retryImport(self, _: object, ImageID: str) -> object:
        return self._catalogue.retry_import(ImageID, self._user)

    def updateSlide(self, _: object, input: Record) -> object:
        return self._catalogue.edit(input, self._user)


def _is_kept(record: Record) -> bool:
    return bool(record["Status"] != "DELETED")


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
