"""Criteria of a search: which are refused, and which records meet them."""

import pytest

from vsv.catalogue.search import Search
from vsv.catalogue.words import words_of
from vsv.errors import InvalidRequest

SCAN = {
    "ImageID": "204711",
    "Filename": "2026/204711 rescan.svs",
    "SlideID": "S26-1-A",
    "CaseID": "S26-1",
    "IdSource": "BARCODE",
    "Status": "GOOD",
    "ImportStatus": "IMPORTED",
    "Scanner": "SS1",
    "ScanDate": "2026-01-01T13:00:00+01:00",
}
NOON = "2026-01-01T13:00:00+01:00"
LATER = "2026-01-01T12:00:00.001Z"


@pytest.mark.parametrize("name", ["Text", "SlideIDPrefix", "CaseIDPrefix", "Scanner"])
def test_what_a_search_says_has_at_most_200_characters(name):
    longest = "x" * 200
    Search.parse({name: f" {longest}\n"})
    with pytest.raises(InvalidRequest, match=f"{name} has 201 characters, more than 200"):
        Search.parse({name: longest + "x"})


@pytest.mark.parametrize(
    "nothing", [{}, {"SlideIDPrefix": " "}, {"Text": " - ", "Scanner": None, "Failed": False}]
)
def test_what_is_blank_does_not_matter(nothing):
    assert Search.parse(nothing).is_empty


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Text": "a b c d e f g h i j k"}, "Text has 11 words, more than 10"),
        ({"Status": "good"}, "Status is 'good', not one of NEW, GOOD, .*DELETED"),
        ({"ScannedFrom": "2026-01-01"}, "'2026-01-01' is not a time with a zone"),
        ({"ScannedFrom": LATER, "ScannedTo": NOON}, "the scan's time is to be from .* none is"),
    ],
)
def test_what_cannot_be_searched_is_told(given, message):
    with pytest.raises(InvalidRequest, match=message):
        Search.parse(given)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"SlideIDPrefix": "S26-1"}, True),
        ({"SlideIDPrefix": "s26-1"}, False),
        ({"SlideIDPrefix": "26-1"}, False),
        ({"CaseIDPrefix": "S26"}, True),
        ({"CaseIDPrefix": "S26-1-"}, False),
        ({"Scanner": "SS1"}, True),
        ({"Scanner": "SS"}, False),
        ({"ScannedFrom": NOON}, True),
        ({"ScannedTo": NOON}, True),
        ({"ScannedFrom": NOON, "ScannedTo": NOON}, True),
        ({"ScannedFrom": LATER}, False),
        ({"ScannedTo": "2026-01-01T11:59:59Z"}, False),
        ({"SlideIDPrefix": "S26", "CaseIDPrefix": "S27", "Scanner": "SS1"}, False),
        ({"Text": "s26-1-a"}, True),
        ({"Text": "1-A 2047"}, True),
        ({"Text": "RESCAN.SVS s26"}, True),
        ({"Text": "-1"}, True),
        ({"Text": "26"}, False),
        ({"Text": "s26 s27"}, False),
        ({"Text": "s26_1"}, False),
        ({"Text": "s26", "Status": "GOOD", "Scanner": "SS1"}, True),
        ({"Text": "s26", "Status": "NEW"}, False),
        ({"Failed": True}, False),
        ({"Unidentified": True}, False),
        ({"Failed": False, "Unidentified": False}, True),
    ],
)
def test_a_slide_is_found_by_all_that_is_looked_for(wanted, found):
    assert bool(Search.parse(wanted).finds(SCAN)) is found


def test_failed_imports_unidentified_and_deleted_slides_are_looked_for_by_their_state():
    nobodys = SCAN | {"IdSource": "NONE"}
    failed = nobodys | {"ImportStatus": "FAILED"}
    deleted = SCAN | {"Status": "DELETED"}
    assert Search(unidentified=True).finds(nobodys)
    assert not Search(unidentified=True).finds(failed)
    assert Search(failed=True).finds(failed)
    assert not Search(words=("s26",)).finds(deleted)
    assert Search(words=("s26",), status="DELETED").finds(deleted)


@pytest.mark.parametrize("record", [{}, {"ScanDate": "yesterday"}])
def test_a_slide_without_a_time_is_in_no_range_of_times(record):
    for name in ("ScannedFrom", "ScannedTo"):
        assert not Search.parse({name: NOON}).finds(record)
    assert Search().finds(record)


def test_words_are_compared_whatever_their_case_and_their_form():
    assert words_of(" S26-1  s26-1 ") == ("s26-1",)
    composed, apart = "Mu\u0308ller", "M\u00fcller"
    assert Search.parse({"Text": composed}).finds({"SlideID": f"x-{apart}"})
    assert Search.parse({"Text": "STRASSE"}).finds({"Filename": "stra\u00dfe 7.svs"})
