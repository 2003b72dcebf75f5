"""Metadata as scanners really write them: missing is None and a warning, never a crash."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsv.slides import parse_description


def described(**pairs: str) -> str:
    return "Aperio Image Library v12\r\n100x100 JPEG" + "".join(
        f"|{key.replace('_', ' ')} = {value}" for key, value in pairs.items()
    )


COMPLETE = {
    "AppMag": "40",
    "MPP": "0.2520",
    "Date": "03/14/26",
    "Time": "09:26:53",
    "Time_Zone": "GMT-05:00",
    "ImageID": "1004486",
    "ScanScope_ID": "SS1302",
}


def test_a_complete_description_is_read_without_a_warning():
    metadata = parse_description(described(**COMPLETE))

    assert metadata.image_id == "1004486"
    assert metadata.mpp_um == Decimal("0.2520")
    assert metadata.app_mag == 40
    assert metadata.scanner == "SS1302"
    zone = timezone(timedelta(hours=-5))
    assert metadata.scan_date == datetime(2026, 3, 14, 9, 26, 53, tzinfo=zone)
    assert metadata.warnings == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Date": "12/11/2024", "Time_Zone": "GMT-0600"}, "2024-12-11T09:26:53-06:00"),
        ({"Date": "2024-12-11", "Time_Zone": "UTC+1"}, "2024-12-11T09:26:53+01:00"),
        ({"Time_Zone": ""}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": "Mars"}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": "GMT+99:00"}, "2026-03-14T09:26:53+01:00"),
        ({"Time": ""}, "2026-03-14T00:00:00-05:00"),
        ({"Time": "noon"}, "2026-03-14T00:00:00-05:00"),
        ({"Date": "31/12/2024"}, None),
        ({"Date": ""}, None),
    ],
)
def test_dates_of_all_scanners_and_of_none(changes, expected):
    metadata = parse_description(described(**COMPLETE | changes), ZoneInfo("Europe/Berlin"))
    assert (metadata.scan_date and metadata.scan_date.isoformat()) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,2520", "0.2520"),
        ("20x", "20"),
        ("", None),
        ("twenty", None),
        ("-1", None),
        ("nan", None),
        ("1e99", None),
        ("0", None),
    ],
)
def test_numbers_with_decimal_commas_and_nonsense(text, value):
    metadata = parse_description(described(**COMPLETE | {"MPP": text}))
    assert metadata.mpp_um == (value and Decimal(value))
    assert bool(metadata.warnings) == (value is None)


def test_each_missing_tag_is_named_in_a_warning():
    warnings = " ".join(parse_description(described()).warnings)
    for tag in ("ImageID", "MPP", "AppMag", "Date"):
        assert f"no {tag}" in warnings


def test_the_slides_own_value_counts_not_its_parents():
    """A region exported from CMU-1 repeats keys of the slide that it was cut from."""
    text = described(ImageID="1") + "|ImageID = 2|"
    assert parse_description(text).image_id == "1"


@given(st.text() | st.text().map(lambda text: "Aperio |Date = " + text + "|MPP = " + text))
def test_no_description_whatever_crashes(text):
    metadata = parse_description(text, UTC)
    assert metadata.scan_date is None or metadata.scan_date.tzinfo is not None
