"""Filters of ``listSlides``: they hold where DynamoDB's own would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.catalogue.helpers import ids, pages
from vsv.catalogue.filters import SlideFilter


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
