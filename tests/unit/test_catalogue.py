"""The catalogue through the function that AppSync calls: questions, what they cost, and edits."""

import json
import random
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from threading import Thread
from types import SimpleNamespace

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests import moto_speed
from tests.handlers import load_handler
from vsv import wiring
from vsv.catalogue import table
from vsv.catalogue.filters import SlideFilter
from vsv.catalogue.identity import id_source
from vsv.catalogue.indexes import derived
from vsv.errors import Unavailable
from vsv.settings import CatalogueSettings


class Refused(Exception):
    """A field that resolved to an error, as graphql/resolver.js passes it on."""

    def __init__(self, error):
        super().__init__(f"{error['type']}: {error['message']}")
        self.error = error


@pytest.fixture
def ask(tables, monkeypatch):
    """Resolve one GraphQL field as AppSync's resolver does, for a technician."""
    monkeypatch.setenv("SLIDE_TABLE", tables["SlideTable"])
    monkeypatch.setenv("HISTORY_TABLE", tables["HistoryTable"])
    monkeypatch.setenv("SLIDE_ID_PATTERN", r".{1,30}")
    handler = load_handler("SlideCatalogue")

    def ask(field, *, groups=("Technicians",), claims=None, **arguments):
        claims = {"cognito:username": "ann", "cognito:groups": list(groups)} | (claims or {})
        event = {
            "arguments": arguments,
            "identity": {"claims": claims},
            "source": None,
            "request": {"headers": {}},
            "info": {
                "fieldName": field,
                "parentTypeName": "Mutation" if field == "updateSlide" else "Query",
                "variables": {},
                "selectionSetList": ["items"],
            },
        }
        answer = json.loads(json.dumps(handler(event, None)))
        if isinstance(answer, dict) and "__error" in answer:
            raise Refused(answer["__error"])
        return answer

    return ask


BEGIN = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))


def slide(number, **fields):
    status = ("NEW", "GOOD", "BAD", "SENT", "SEND_FAILED")[number % 5]
    return derived(
        {
            "ImageID": f"i{number:05}",
            "Filename": f"{number:05}.svs",
            "SlideID": f"S-{99999 - number}-A",
            "CaseID": f"S-{99999 - number // 2 * 2}",
            "Status": status,
            "ImportStatus": "FAILED" if number % 10 == 7 else "IMPORTED",
            "ScanDate": (BEGIN + timedelta(seconds=number)).isoformat(),
            "Scanner": f"SS{number % 3}",
            "MPP": Decimal("0.25") if number % 2 else None,
            "AppMag": 40 if number % 2 else 20,
            "Version": 1,
        }
        | fields
    )


def fill(catalogue, count):
    with catalogue.slides.batch_writer() as batch:
        for number in range(count):
            batch.put_item(Item={k: v for k, v in slide(number).items() if v is not None})
        gone = slide(count, Status="DELETED", ImageID="gone", CaseID="S-99999")
        batch.put_item(Item={k: v for k, v in gone.items() if v is not None})


def pages(ask, field, limit=None, **arguments):
    """All items of a query, page by page."""
    found, token = [], None
    while True:
        page = ask(field, limit=limit, nextToken=token, **arguments)
        assert limit is None or len(page["items"]) <= limit
        found += page["items"]
        token = page["nextToken"]
        if token is None:
            return found


def ids(slides):
    return [slide["ImageID"] for slide in slides]


@pytest.fixture
def slides(catalogue):
    if _FORTY:
        moto_speed.put_items(_FORTY[0])
    else:
        fill(catalogue, 40)
        _FORTY.append(moto_speed.items())


_FORTY: list[bytes] = []


@pytest.mark.usefixtures("slides")
def test_one_slide_many_slides_and_unknown_ones(ask):
    assert ask("getSlide", ImageID="i00007")["SlideID"] == "S-99992-A"
    assert ask("getSlide", ImageID="nobody") is None
    many = ask("getSlides", ImageIDs=["i00003", "nobody", "i00001", "i00003"])
    assert [slide and slide["ImageID"] for slide in many] == ["i00003", None, "i00001", "i00003"]
    assert len(ask("getSlides", ImageIDs=[f"x{n}" for n in range(250)] + ["i00001"])) == 251
    assert ask("getSlides") == []


ALL = set(range(40))


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize("limit", [1, 7, 13, 1000])
@pytest.mark.parametrize(
    ("field", "arguments", "expected"),
    [
        ("listSlides", {}, ALL),
        ("querySlidesByStatus", {"Status": "GOOD"}, {n for n in ALL if n % 5 == 1}),
        ("querySlidesByCase", {"CaseID": "S-99999"}, {0, 1}),
        ("searchSlides", {"SlideIDPrefix": "S-9998"}, set(range(10, 20))),
        ("searchSlides", {"CaseIDPrefix": "S-9997", "Scanner": "SS1"}, {22, 25, 28}),
        ("searchSlides", {"Scanner": "SS2"}, {n for n in ALL if n % 3 == 2}),
        (
            "searchSlides",
            # The zone of the question need not be the scanner's.
            {"ScannedFrom": "2025-12-31T23:00:05Z", "ScannedTo": "2026-01-01T01:00:09+02:00"},
            {5, 6, 7, 8, 9},
        ),
        ("listUnsentSlides", {}, {n for n in ALL if n % 5 != 3}),
        ("listImportFailures", {}, {7, 17, 27, 37}),
        ("listCaseIDs", {}, {n for n in ALL if n % 10 != 7}),
    ],
)
@pytest.mark.slow
def test_pages_hold_every_slide_once(ask, field, arguments, expected, limit):
    found = ids(pages(ask, field, limit, **arguments))
    assert len(found) == len(expected)
    assert set(found) == {f"i{number:05}" for number in expected}


@pytest.mark.usefixtures("slides")
def test_the_order_is_what_one_looks_for(ask):
    by_id = [slide["SlideID"] for slide in pages(ask, "querySlidesByStatus", Status="NEW")]
    assert by_id == sorted(by_id)
    by_time = ids(pages(ask, "searchSlides", 3, Scanner="SS0"))
    assert by_time == sorted(by_time, reverse=True)
    cases = [slide["CaseID"] for slide in pages(ask, "listCaseIDs", 7)]
    assert cases == sorted(cases)


@pytest.mark.usefixtures("slides")
def test_a_slide_without_ids_is_seen_wherever_it_is_not_looked_for_by_them(ask):
    ask("updateSlide", input={"ImageID": "i00000", "SlideID": None, "CaseID": None})
    assert "SlideID" not in ask("getSlide", ImageID="i00000")
    assert ids(pages(ask, "querySlidesByStatus", 2, Status="NEW"))[-1] == "i00000"
    assert "i00000" in ids(pages(ask, "listSlides", 9))
    assert "i00000" in ids(pages(ask, "listUnsentSlides"))
    assert "i00000" not in ids(pages(ask, "listCaseIDs"))
    ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-7"})
    assert ids(pages(ask, "querySlidesByStatus", 2, Status="NEW")).count("i00000") == 1


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize("limit", [1, 3, None])
def test_slides_that_nobody_has_identified_are_listed_until_somebody_does(ask, catalogue, limit):
    def unidentified():
        return sorted(ids(pages(ask, "listUnidentified", limit)))

    def cases():
        return ids(pages(ask, "listCaseIDs"))

    assert unidentified() == []
    for number in (1, 2, 7):  # of number 7 the import failed
        own = f"i{number:05}"
        nobodys = {"SlideID": own, "CaseID": own, "IdSource": "NONE"}
        catalogue.change(own, "import", "IMPORT", lambda old, new=nobodys: {**old, **new})
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": None})
    ask("updateSlide", input={"ImageID": "i00004", "CaseID": None})
    assert unidentified() == ["i00001", "i00002", "i00003", "i00004"]
    assert not {"i00001", "i00002", "i00003", "i00004", "i00007"} & set(cases())
    assert ask("getSlide", ImageID="i00001")["IdSource"] == "NONE"
    # Each is seen once by its status.
    assert ids(pages(ask, "querySlidesByStatus", limit, Status="GOOD")).count("i00001") == 1

    confirmed = ask("updateSlide", input={"ImageID": "i00001", "SlideID": "i00001"})
    assert confirmed["IdSource"] == "TYPED"
    (line,) = ask("slideHistory", ImageID="i00001", limit=1)["items"]
    assert line["Changes"] == [{"Field": "IdSource", "From": "NONE", "To": "TYPED"}]
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": "S-7"})
    catalogue.change("i00002", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    assert unidentified() == ["i00004"]
    assert {"i00001", "i00003"} <= set(cases())


@pytest.mark.usefixtures("slides")
def test_a_slide_is_sent_once_it_is_identified(ask, catalogue):
    nobodys = {"SlideID": "i00001", "CaseID": "i00001", "Barcode": {"reason": "no label"}}
    catalogue.change("i00001", "import", "IMPORT", lambda old: {**old, **nobodys})
    with pytest.raises(Refused, match="Conflict: .*type or confirm the slide ID first"):
        ask("updateSlide", input={"ImageID": "i00001", "Status": "SEND"})
    sent = ask("updateSlide", input={"ImageID": "i00001", "Status": "SEND", "SlideID": "S-7-A"})
    assert (sent["Status"], sent["CaseID"], sent["IdSource"]) == ("SEND", "S-7", "TYPED")


@pytest.mark.usefixtures("slides")
def test_a_slide_id_that_another_slide_has_is_told_by_both(ask, catalogue):
    taken = "S-99998-A"  # i00001's
    for image_id in ("i00002", "i00003"):
        edited = ask("updateSlide", input={"ImageID": image_id, "SlideID": taken})
    at_edit = "slide {} had the same slide ID at an edit".format
    assert edited["ImportWarnings"] == [at_edit("i00001"), at_edit("i00002")]
    assert edited["Version"] == 2
    first = ask("getSlide", ImageID="i00001")
    assert first["ImportWarnings"] == [at_edit("i00002"), at_edit("i00003")]
    (line,) = ask("slideHistory", ImageID="i00001", limit=1)["items"]
    assert (line["By"], line["Action"]) == ("ann", "EDIT")

    # The same again says nothing twice, and another ID nothing more.
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": taken})
    assert ask("getSlide", ImageID="i00001") == first
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": "S-1"})
    assert ask("getSlide", ImageID="i00003")["ImportWarnings"] == edited["ImportWarnings"]


@pytest.mark.usefixtures("slides")
def test_an_edit_that_is_refused_warns_nobody(ask, catalogue):
    with pytest.raises(Refused, match="Conflict"):
        ask("updateSlide", input={"ImageID": "i00002", "SlideID": "S-99998-A", "Version": 9})
    with pytest.raises(Refused, match="NotFound"):
        ask("updateSlide", input={"ImageID": "nobody", "SlideID": "S-99998-A"})
    for image_id in ("i00001", "i00002"):
        assert "ImportWarnings" not in ask("getSlide", ImageID=image_id)
    catalogue.change("i00001", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    edited = ask("updateSlide", input={"ImageID": "i00002", "SlideID": "S-99998-A"})
    deleted = ask("updateSlide", input={"ImageID": "i00001", "SlideID": "S-99998-A"})
    assert "ImportWarnings" not in edited
    assert "ImportWarnings" not in deleted


@pytest.mark.usefixtures("slides")
def test_deleted_slides_are_seen_by_their_status_only(ask, catalogue):
    catalogue.change("i00007", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    assert ids(pages(ask, "querySlidesByStatus", Status="DELETED")) == ["gone", "i00007"]
    for field, arguments in (
        ("listSlides", {}),
        ("querySlidesByCase", {"CaseID": "S-99993"}),
        ("searchSlides", {"SlideIDPrefix": "S-"}),
        ("searchSlides", {"Scanner": "SS1"}),
        ("listImportFailures", {}),
        ("listCaseIDs", {}),
    ):
        assert "i00007" not in ids(pages(ask, field, **arguments)), field


# Questions by index, each with what it may look at: the slides that it returns and no others.
QUESTIONS = [
    ("getSlide", {"ImageID": "i00005"}),
    ("getSlides", {"ImageIDs": ["i00001", "i00005", "nobody"]}),
    ("querySlidesByStatus", {"Status": "GOOD", "limit": 2}),
    ("querySlidesByCase", {"CaseID": "S-99999"}),
    ("searchSlides", {"SlideIDPrefix": "S-99995"}),
    ("searchSlides", {"CaseIDPrefix": "S-99995"}),
    ("searchSlides", {"Scanner": "SS1", "limit": 2}),
    ("searchSlides", {"ScannedTo": "2025-12-31T23:00:03Z"}),
    ("listUnsentSlides", {"limit": 2}),
    ("listImportFailures", {"limit": 1}),
    ("listUnidentified", {"limit": 2}),
    ("listCaseIDs", {"limit": 2}),
    ("listSlides", {"limit": 3}),
    ("listSlides", {"filter": {"CaseID": {"eq": "S-99999"}}}),
    ("listSlides", {"filter": {"SlideID": {"beginsWith": "S-99995"}}}),
    ("listSlides", {"filter": {"Filename": {"contains": "5"}}, "limit": 3}),
    ("slideHistory", {"ImageID": "i00005"}),
]


class Meter:
    """Counts the calls to DynamoDB, and the items that they looked at."""

    def __init__(self, client):
        self.calls, self.items = Counter(), 0
        client.meta.events.register("after-call.dynamodb", self._count)

    def _count(self, model, parsed, **_):
        self.calls[model.name] += 1
        self.items += parsed.get("ScannedCount", 0)
        self.items += sum(map(len, parsed.get("Responses", {}).values()))
        self.items += "Item" in parsed


# Of the questions, those that find a few slides.
FEW = [
    ("searchSlides", {"Scanner": "SS1", "ScannedFrom": "2025-12-31T23:00:35Z"}, {37}),
    ("searchSlides", {"Scanner": "SS1", "ScannedTo": "2025-12-31T23:00:05Z"}, {1, 4}),
    ("searchSlides", {"ScannedFrom": "2025-12-31T23:00:38Z"}, {38, 39}),
    ("searchSlides", {"SlideIDPrefix": "S-99995"}, {4}),
    ("searchSlides", {"CaseIDPrefix": "S-99995"}, {4, 5}),
    ("listSlides", {"filter": {"ScanDate": {"ge": "2025-12-31T23:00:38Z"}}}, {38, 39}),
    ("listSlides", {"filter": {"ScanDate": {"le": "2025-12-31T23:00:01Z"}}}, {0, 1}),
    ("listSlides", {"filter": {"SlideID": {"beginsWith": "S-99995"}}}, {4}),
    ("listSlides", {"filter": {"SlideID": {"eq": "S-99995-A"}}}, {4}),
    ("listSlides", {"filter": {"CaseID": {"eq": "S-99995"}}}, {4, 5}),
    ("listSlides", {"filter": {"CaseID": {"beginsWith": "S-99995"}}}, {4, 5}),
    ("listImportFailures", {}, {7, 17, 27, 37}),
]


@pytest.mark.usefixtures("slides")
def test_a_question_looks_at_no_other_slides_than_it_finds(ask):
    """Each slide is looked at twice: in the index, and as the table has it."""
    meter = Meter(wiring.catalogue().slides.meta.client)
    for field, arguments, found in FEW:
        meter.items = 0
        slides = ask(field, **arguments)["items"]
        assert sorted(ids(slides)) == [f"i{number:05}" for number in sorted(found)], arguments
        assert meter.items == 2 * len(found), arguments


@pytest.mark.slow
def test_what_a_question_costs_does_not_grow_with_the_catalogue(ask, catalogue):
    def costs():
        found = {}
        for field, arguments in QUESTIONS:
            meter = Meter(wiring.catalogue().slides.meta.client)
            ask(field, **arguments)
            found[f"{field} {arguments}"] = (dict(meter.calls), meter.items)
        return found

    fill(catalogue, 10)
    few = costs()
    fill(catalogue, 1500)  # more than the largest page
    for question, (calls, items) in costs().items():
        assert "Scan" not in calls, question
        assert items <= few[question][1], question
        assert sum(calls.values()) <= sum(few[question][0].values()), question


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize(
    "arguments",
    [
        {"limit": 0},
        {"limit": 10_000},
        {"nextToken": "x"},
        {"nextToken": "W10="},
        {"nextToken": "eyJsZWciOiAiOTkifQ=="},
        {"nextToken": "eyJsZWciOiAiMCIsICJhIjogImIifQ=="},
        {"filter": {"MPP": {"between": [1]}}},
    ],
)
def test_nonsense_is_refused(ask, arguments):
    with pytest.raises(Refused, match=r"BadRequest: .*(limit|nextToken|between)"):
        ask("listSlides", **arguments)
    with pytest.raises(Refused, match="BadRequest: say what to look for"):
        ask("searchSlides", SlideIDPrefix=" ")
    with pytest.raises(Refused, match="BadRequest: '2026-01-01' is not a time with a zone"):
        ask("searchSlides", ScannedFrom="2026-01-01")


# Filters


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"CaseID": {"eq": "S-99999"}}, {0, 1}),
        ({"SlideID": {"beginsWith": "S-9998"}, "MPP": {"lt": 0.3}}, set(range(11, 20, 2))),
        ({"AppMag": {"eq": "40"}}, set(range(1, 40, 2))),
        ({"AppMag": {"between": ["10", "30"]}}, set(range(0, 40, 2))),
        ({"MPP": {"ne": 0.25}}, set(range(0, 40, 2))),
        ({"Filename": {"contains": "3"}, "ImageID": {"lt": "i00024"}}, {3, 13, 23}),
        ({"Filename": {"notContains": "0000"}, "ImageID": {"le": "i00011"}}, {10, 11}),
        ({"ScanDate": {"ge": "2026-01-01T00:00:38+01:00"}}, {38, 39}),
        ({"ScanDate": {"between": ["2025-12-31T23:00:01Z", "2025-12-31T23:00:02Z"]}}, {1, 2}),
        ({"ScanDate": {"beginsWith": "2026-01-01T00:00:3"}}, set(range(30, 40))),
        ({"Status": {"eq": "BAD"}, "Scanner": {"gt": "SS1"}}, {2, 17, 32}),
        ({"CaseID": None, "ImageID": {"eq": "i00004", "ne": None}}, {4}),
    ],
)
@pytest.mark.slow
def test_filters_of_existing_clients(ask, wanted, expected):
    found = ids(pages(ask, "listSlides", 9, filter=wanted))
    assert len(found) == len(set(found))
    assert set(found) == {f"i{number:05}" for number in expected}


VALUES = st.sampled_from(["", "a", "ab", "b", "ba", "c"])
OPERATORS = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "contains", "notContains"])


@given(value=st.none() | VALUES.filter(bool), operator=OPERATORS, operand=VALUES.filter(bool))
def test_a_filter_holds_where_dynamodbs_does(value, operator, operand):
    expected = {
        "eq": value is not None and value == operand,
        "ne": value != operand,
        "lt": value is not None and value < operand,
        "le": value is not None and value <= operand,
        "gt": value is not None and value > operand,
        "ge": value is not None and value >= operand,
        "contains": value is not None and operand in value,
        "notContains": value is None or operand not in value,
    }[operator]
    record = {} if value is None else {"SlideID": value}
    assert SlideFilter.parse({"SlideID": {operator: operand}}).passes(record) is expected


# Edits


@pytest.mark.usefixtures("slides")
def test_every_change_leaves_one_line_and_no_change_leaves_none(ask):
    first = ask("updateSlide", input={"ImageID": "i00000", "SlideID": " S-1 ", "Status": "GOOD"})
    again = ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-1", "Status": "GOOD"})
    assert (first["SlideID"], first["Version"]) == ("S-1", 2)
    assert again == first
    ask("updateSlide", input={"ImageID": "i00000", "CaseID": None, "Version": 2})
    newest, edit = pages(ask, "slideHistory", 1, ImageID="i00000")
    assert newest["Changes"] == [
        {"Field": "CaseID", "From": "S-99999", "To": None},
        {"Field": "IdSource", "From": None, "To": "NONE"},
    ]
    assert (edit["By"], edit["Action"], edit["Version"]) == ("ann", "EDIT", 2)
    assert edit["At"] == first["lastModified"]
    assert edit["Changes"] == [
        {"Field": "SlideID", "From": "S-99999-A", "To": "S-1"},
        {"Field": "Status", "From": "NEW", "To": "GOOD"},
    ]


@pytest.mark.usefixtures("slides")
def test_what_was_written_a_moment_ago_is_read(ask):
    reads = []
    events = wiring.catalogue().slides.meta.client.meta.events
    events.register("provide-client-params.dynamodb", lambda params, **_: reads.append(params))
    ask("getSlide", ImageID="i00001")
    ask("getSlides", ImageIDs=["i00001"])
    ask("slideHistory", ImageID="i00001")
    one, (many,), history = reads[0], reads[1]["RequestItems"].values(), reads[2]
    assert all(read["ConsistentRead"] for read in (one, many, history))


@pytest.mark.usefixtures("slides")
def test_a_stale_edit_is_refused_with_the_current_record(ask):
    ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-1", "Version": 1})
    with pytest.raises(Refused, match="Conflict: .* 2 now, not 1") as refused:
        ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-2", "Version": 1})
    current = ask("getSlide", ImageID="i00000")
    assert refused.value.error["data"] == refused.value.error["info"] == current
    assert current["SlideID"] == "S-1"


@pytest.mark.usefixtures("slides")
def test_who_may_edit_and_who_may_see(ask):
    change = {"ImageID": "i00000", "SlideID": "S-1"}
    for groups in ((), ("Pathologists",), ("technicians", "xTechnicians")):
        with pytest.raises(Refused, match="Unauthorized: .*Technicians"):
            ask("updateSlide", groups=groups, input=change)
        assert ask("getSlide", groups=groups, ImageID="i00000")["SlideID"] == "S-99999-A"
    machine = {"cognito:username": None, "scope": "vsv/import", "client_id": "scanner"}
    for field, arguments in (("updateSlide", {"input": change}), ("listSlides", {})):
        with pytest.raises(Refused, match="Unauthorized: .*machine"):
            ask(field, claims=machine, **arguments)
    assert len(pages(ask, "slideHistory", ImageID="i00000")) == 0


def test_edits_of_what_is_not_there_or_makes_no_sense(ask):
    with pytest.raises(Refused, match="NotFound"):
        ask("updateSlide", input={"ImageID": "nobody", "SlideID": "S-1"})
    with pytest.raises(Refused, match=r"BadRequest: SlideID .* pattern"):
        ask("updateSlide", input={"ImageID": "i00000", "SlideID": "x" * 31})


@pytest.mark.usefixtures("slides")
@pytest.mark.slow
def test_of_many_edits_at_once_none_is_lost(ask, catalogue, tables, monkeypatch):
    """Each appends a letter to what it finds, so that a lost one would be missing."""
    monkeypatch.setattr(table, "_DEADLINE_S", 3600)  # a busy machine takes its time

    def append(letter):
        own = type(catalogue)(boto3.resource("dynamodb"), *tables_of(tables))
        own.change(
            "i00000", letter, "EDIT", lambda old: {**old, "Note": old.get("Note", "") + letter}
        )

    letters = [chr(ord("A") + n) for n in range(20)]
    random.shuffle(letters)
    threads = [Thread(target=append, args=(letter,)) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    note = catalogue.get("i00000")["Note"]
    assert sorted(note) == sorted(letters)
    lines = pages(ask, "slideHistory", ImageID="i00000")
    assert [line["By"] for line in reversed(lines)] == list(note)
    assert [line["Version"] for line in lines] == list(range(21, 1, -1))


@pytest.fixture
def pauses(monkeypatch):
    """Return the longest pauses between two attempts at a change, in s; no time passes."""
    waited = []
    clock = SimpleNamespace(sleep=waited.append, monotonic=lambda: sum(waited))
    monkeypatch.setattr(table, "time", clock)
    monkeypatch.setattr(table, "random", SimpleNamespace(uniform=lambda low, high: high - low))
    return waited


def contested(catalogue, times):
    """Change a record while others are faster ``times`` times; return how often it was decided."""
    decided = []

    def decide(old):
        decided.append(old)
        if len(decided) <= times:
            catalogue.slides.update_item(
                Key={"ImageID": "i00000"},
                UpdateExpression="SET Version = :version, Note = :note",
                ExpressionAttributeValues={
                    ":version": old["Version"] + 1,
                    ":note": f"somebody {len(decided)}",
                },
            )
        return {**old, "SlideID": "S-1"}

    catalogue.change("i00000", "ann", "EDIT", decide)
    return len(decided)


@pytest.mark.usefixtures("slides")
def test_a_change_that_comes_second_waits_longer_each_time_and_loses_nothing(catalogue, pauses):
    catalogue.change("i00000", "ann", "EDIT", lambda old: {**old, "Note": "first"})
    assert contested(catalogue, 7) == 8
    assert pauses == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5])
    record = catalogue.get("i00000")
    assert (record["SlideID"], record["Note"]) == ("S-1", "somebody 7")


def test_a_slides_first_version_is_1_whatever_attempt_makes_it(catalogue, pauses, monkeypatch):
    client, busy = catalogue._dynamodb.meta.client, [True]
    write = client.transact_write_items

    def busy_at_first(**call):
        if busy:
            busy.clear()
            reasons = [{"Code": "None"}, {"Code": "ThrottlingError"}]
            error = {"Error": {"Code": "TransactionCanceledException"}}
            raise ClientError({**error, "CancellationReasons": reasons}, "TransactWriteItems")
        return write(**call)

    monkeypatch.setattr(client, "transact_write_items", busy_at_first)
    for image_id in ("a", "b"):
        made = catalogue.change(image_id, "import", "IMPORT", lambda _: {"Filename": "x.svs"})
        assert made["Version"] == 1
        assert catalogue.get(image_id) == made
    assert len(pauses) == 1


@pytest.mark.usefixtures("slides")
@pytest.mark.slow
def test_a_change_gives_up_after_twenty_seconds(catalogue, pauses):
    catalogue.change("i00000", "ann", "EDIT", lambda old: {**old, "Note": "first"})
    with pytest.raises(Unavailable, match="too many at once"):
        contested(catalogue, 1000)
    assert 20 < sum(pauses) <= 20.5


@pytest.mark.usefixtures("slides")
def test_what_dynamodb_leaves_out_of_a_batch_is_asked_for_again(catalogue, pauses, monkeypatch):
    batch_get_item, asked = catalogue._dynamodb.batch_get_item, []

    def ten_at_most(RequestItems):
        ((name, request),) = RequestItems.items()
        asked.append(len(request["Keys"]))
        first = {**request, "Keys": request["Keys"][:10]}
        answer = batch_get_item(RequestItems={name: first})
        rest = request["Keys"][10:]
        return {**answer, "UnprocessedKeys": {name: {"Keys": rest}} if rest else {}}

    dynamodb = SimpleNamespace(batch_get_item=ten_at_most)
    monkeypatch.setattr(catalogue, "_dynamodb", dynamodb)
    wanted = [f"i{number:05}" for number in range(35)] + ["nobody", "i00000"]
    found = catalogue.get_many(wanted)
    assert [record and record["ImageID"] for record in found] == [*wanted[:35], None, "i00000"]
    assert asked == [36, 26, 16, 6]
    assert pauses == pytest.approx([0.02, 0.04, 0.08])


def tables_of(tables):
    return CatalogueSettings(tables["SlideTable"], tables["HistoryTable"]).__dict__.values()


@pytest.mark.usefixtures("slides")
def test_a_record_from_an_older_backup_goes_on_where_the_history_ended(ask, catalogue):
    before = catalogue.get("i00000")
    for text in ("S-1", "S-2", "S-3"):
        ask("updateSlide", input={"ImageID": "i00000", "SlideID": text})
    catalogue.slides.put_item(Item=before)
    assert ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-4"})["Version"] == 5
    assert len(pages(ask, "slideHistory", ImageID="i00000")) == 4


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"SlideID": "S-1", "IdSource": "SCANNER"}, "SCANNER"),
        ({"SlideID": "77", "IdSource": "TYPED"}, "TYPED"),
        # Records of version 0.1.
        ({"SlideID": "S-1", "Barcode": {"text": "S-1"}}, "BARCODE"),
        ({"SlideID": "77", "Barcode": {"text": "77"}}, "BARCODE"),
        ({"SlideID": "S-2", "Barcode": {"text": "S-1"}}, "TYPED"),
        ({"SlideID": "S-2", "Barcode": {"reason": "blank"}}, "TYPED"),
        ({"SlideID": "77", "Barcode": {"reason": "blank"}}, "NONE"),
        ({"SlideID": "77"}, "NONE"),
        # What nobody has typed is nobody's, wherever the ID came from that was taken away.
        ({"Barcode": {"text": "S-1"}}, "NONE"),
        ({"IdSource": "BARCODE"}, "NONE"),
    ],
)
def test_where_a_slide_id_comes_from_is_known_of_old_records_too(fields, source):
    assert id_source({"ImageID": "77", **fields}) == source


@pytest.mark.parametrize("image_id", ["", "x" * 5000, "ü" * 513, "\ud800"])
@pytest.mark.parametrize("field", ["getSlide", "slideHistory"])
def test_an_image_id_that_cannot_be_one_is_told(ask, field, image_id):
    with pytest.raises(Refused, match="BadRequest: ImageID"):
        ask(field, ImageID=image_id)


def test_a_time_that_ends_before_it_begins_is_told(ask):
    first, last = "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"
    with pytest.raises(Refused, match="BadRequest: the scan's time"):
        ask("searchSlides", ScannedFrom=first, ScannedTo=last)
    with pytest.raises(Refused, match="BadRequest: the scan's time"):
        ask("listSlides", filter={"ScanDate": {"between": [first, last]}})


def test_a_service_that_is_busy_is_told_as_that(ask, monkeypatch):
    """A client may ask again; InternalFailure tells it not to."""

    def refuse(self, operation, arguments):
        error = {"Code": "ThrottlingException", "Message": "arn:aws:dynamodb:…"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    with pytest.raises(Refused, match="ServiceUnavailable: .* try again later"):
        ask("getSlide", ImageID="1")
