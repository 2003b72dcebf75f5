"""The catalogue's rules in values: prefixes, times, pages, tokens and filters at their limits."""

import base64
import json

import pytest

from vsv.catalogue import listings, pages
from vsv.catalogue.filters import SlideFilter
from vsv.catalogue.search import Search
from vsv.errors import InvalidRequest

NOON = "2026-01-01T13:00:00+01:00"


def test_a_page_has_100_slides_unless_1_to_1000_are_asked_for():
    assert pages.page_size(None) == 100
    assert [pages.page_size(size) for size in (1, 1000)] == [1, 1000]
    for size in (0, -1, 1001):
        with pytest.raises(InvalidRequest, match=r"is not in 1\.\.1000"):
            pages.page_size(size)


def token(**key):
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def test_a_page_goes_on_where_the_last_one_ended():
    searches = (Search(scanner="SS1"), Search(slide_id="S"))
    ranges = [listings._range_of(search) for search in searches]
    place = {"Listed": "SLIDE", "SlideID": "S-1", "ImageID": "1"}
    assert listings._position(None, ranges) == (0, {})
    assert listings._position(token(leg="1"), ranges) == (1, {})
    assert listings._position(pages.to_token({"leg": "1", **place}), ranges) == (1, place)
    for other in (
        {"leg": "2"},
        {"leg": "0", **place},  # of another index
        {"leg": "1", "Listed": "SLIDE", "ImageID": "1"},
        {"leg": "0" * 16},
        {"leg": "²"},
        {"leg": "-1"},
        {"leg": 1},
        {"leg": "1", **place, "ImageID": "\ud800"},
        place,
    ):
        with pytest.raises(InvalidRequest, match="nextToken"):
            listings._position(token(**other), ranges)
    assert listings._position(token(leg="0" * 15), ranges) == (0, {})
    assert pages.to_token({}) is pages.to_token(None) is None


@pytest.mark.parametrize(
    ("operator", "operand", "value", "passes"),
    [
        ("eq", "n/a", "n/a", True),
        ("eq", "n/a", "unknown", False),
        ("ne", "n/a", "unknown", True),
        ("lt", "n/a", "unknown", False),
        ("gt", "n/a", "unknown", True),
        ("eq", "NaN", "NaN", True),
        ("lt", "Infinity", "40", False),
        ("eq", "40", "40.0", True),
        ("lt", "9", "40", False),
        ("between", ["5", "40"], "40.0", True),
        ("between", ["40", "50"], "40.0", True),
        ("between", ["41", "50"], "40.0", False),
        ("eq", "n/a", "40", False),
        ("gt", "n/a", "40", False),
        ("ne", "n/a", "40", True),
    ],
)
def test_magnifications_compare_as_numbers_where_they_are_such(operator, operand, value, passes):
    wanted = SlideFilter.parse({"AppMag": {operator: operand}})
    assert wanted.passes({"AppMag": value}) is passes


def test_times_compare_whatever_their_zone():
    wanted = SlideFilter.parse({"ScanDate": {"eq": NOON}})
    assert wanted.passes({"ScanDate": "2026-01-01T12:00:00Z"})
    assert not wanted.passes({"ScanDate": "2026-01-01T13:00:00Z"})
    assert not wanted.passes({"ScanDate": "2026-01-01T12:00:00"}), "a time of no zone is a text"
