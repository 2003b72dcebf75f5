"""Queries: which slides each returns, page by page, and what it refuses."""

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.unit.catalogue.helpers import Refused, ids, pages
from vsv.catalogue.record import ReviewStatus


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
        ("searchSlides", {"Text": "s 9998"}, set(range(10, 20))),
        ("searchSlides", {"Text": "9998", "Status": "NEW"}, {10, 15}),
        ("searchSlides", {"Text": "a", "Failed": True}, {7, 17, 27, 37}),
        ("searchSlides", {"Text": "00013.SVS"}, {13}),
        ("searchSlides", {"Order": "OLDEST"}, ALL),
        ("searchSlides", {"Order": "STATUS", "Scanner": "SS1"}, {n for n in ALL if n % 3 == 1}),
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
@pytest.mark.parametrize("criteria", [{}, {"Text": "9998"}, {"Scanner": "SS1"}, {"Status": "BAD"}])
def test_a_search_has_the_order_that_is_wanted(ask, criteria):
    def found(order):
        return pages(ask, "searchSlides", 7, Order=order, **criteria)

    oldest = found("OLDEST")
    assert [each["ImageID"] for each in oldest] == sorted(each["ImageID"] for each in oldest)
    assert ids(found("NEWEST")) == ids(oldest)[::-1]
    by_id = sorted(each["SlideID"] for each in oldest)
    assert [each["SlideID"] for each in found("SLIDE_ID")] == by_id
    assert [each["SlideID"] for each in found("SLIDE_ID_DESCENDING")] == by_id[::-1]
    statuses = [[*ReviewStatus].index(each["Status"]) for each in found("STATUS")]
    assert statuses == sorted(statuses)
    assert len(statuses) == len(oldest)
    if criteria:
        by_default = found(None)
        assert ids(by_default) == ids(oldest)[::-1]


@pytest.mark.usefixtures("slides")
def test_slides_are_counted_by_the_same_criteria(ask):
    assert ask("countSlides") == {"Count": 40, "Exact": True}
    assert ask("countSlides", Text="9998", Scanner="SS1") == {"Count": 4, "Exact": True}
    assert ask("countSlides", Status="DELETED") == {"Count": 1, "Exact": True}
    assert ask("countSlides", Text="nobody") == {"Count": 0, "Exact": True}


@pytest.mark.usefixtures("slides")
def test_a_slide_without_ids_is_seen_wherever_it_is_not_looked_for_by_them(ask):
    ask("updateSlide", input={"ImageID": "i00000", "SlideID": None, "CaseID": None})
    assert "SlideID" not in ask("getSlide", ImageID="i00000")
    assert ids(pages(ask, "querySlidesByStatus", 2, Status="NEW"))[-1] == "i00000"
    assert "i00000" in ids(pages(ask, "listSlides", 9))
    assert "i00000" in ids(pages(ask, "listUnsentSlides"))
    assert ids(pages(ask, "searchSlides", 9, Order="SLIDE_ID"))[-1] == "i00000"
    assert ids(pages(ask, "searchSlides", 9, Order="SLIDE_ID_DESCENDING"))[-1] == "i00000"
    assert "i00000" not in ids(pages(ask, "listCaseIDs"))
    ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-7"})
    assert ids(pages(ask, "querySlidesByStatus", 2, Status="NEW")).count("i00000") == 1


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


# Edits


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
