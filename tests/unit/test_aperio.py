"""Metadata as scanners really write them: missing is None and a warning, never a crash."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsv.slides.aperio import parse_description


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
    assert metadata.warnings == metadata.notes == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Date": "12/11/2024", "Time_Zone": "GMT-0600"}, "2024-12-11T09:26:53-06:00"),
        ({"Date": "2024-12-11", "Time_Zone": "UTC+1"}, "2024-12-11T09:26:53+01:00"),
        ({"Date": "3/4/26", "Time": "9:05:01"}, "2026-03-04T09:05:01-05:00"),
        ({"Date": "2024/12/11"}, "2024-12-11T09:26:53-05:00"),
        ({"Date": "31.12.2024"}, "2024-12-31T09:26:53-05:00"),
        ({"Date": "1.2.24"}, "2024-02-01T09:26:53-05:00"),
        ({"Time": "12:21:45 PM"}, "2026-03-14T12:21:45-05:00"),
        ({"Time": "12:21:45 AM"}, "2026-03-14T00:21:45-05:00"),
        ({"Time": "1:21:45 p.m."}, "2026-03-14T13:21:45-05:00"),
        ({"Time": "09:26"}, "2026-03-14T09:26:00-05:00"),
        ({"Time": "09:26:53.250"}, "2026-03-14T09:26:53-05:00"),
        ({"Time": "13:00:00 PM"}, "2026-03-14T00:00:00-05:00"),
        ({"Time": "0:00:00 AM"}, "2026-03-14T00:00:00-05:00"),
        ({"Time": "24:00:00"}, "2026-03-14T00:00:00-05:00"),
        ({"Time_Zone": "GMT"}, "2026-03-14T09:26:53+00:00"),
        ({"Time_Zone": "utc"}, "2026-03-14T09:26:53+00:00"),
        ({"Time_Zone": "Z"}, "2026-03-14T09:26:53+00:00"),
        ({"Time_Zone": "GMT-600"}, "2026-03-14T09:26:53-06:00"),
        ({"Time_Zone": "GMT +5:30"}, "2026-03-14T09:26:53+05:30"),
        ({"Time_Zone": "+01:00"}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": "GMT+05:75"}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": "+"}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": ""}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": "Mars"}, "2026-03-14T09:26:53+01:00"),
        ({"Time_Zone": "GMT+23:59"}, "2026-03-14T09:26:53+23:59"),
        ({"Time_Zone": "GMT+24:00"}, "2026-03-14T09:26:53+01:00"),
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
        ("0.25 um", "0.25"),
        ("0.25 µm", "0.25"),
        ("0,25 \N{GREEK SMALL LETTER MU}m", "0.25"),
        ("0.25um/pixel", "0.25"),
        ("0.25 microns per pixel", "0.25"),
        ("0.25 mm", None),
        ("0.25 x", None),
        ("um", None),
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


@pytest.mark.parametrize(
    ("key", "lowest", "highest", "beyond"),
    [("MPP", "0.01", "100", ("0.009", "100.1")), ("AppMag", "0.1", "400", ("0.09", "400.1"))],
)
def test_numbers_that_no_microscope_has_are_warnings(key, lowest, highest, beyond):
    for text in (lowest, highest):
        assert parse_description(described(**COMPLETE | {key: text})).warnings == ()
    for text in beyond:
        metadata = parse_description(described(**COMPLETE | {key: text}))
        assert metadata.warnings == (f"{key} is '{text}', not in {lowest}..{highest}",)
        assert None in (metadata.mpp_um, metadata.app_mag)


@pytest.mark.parametrize("text", ["40", "40x", "40X", "40 x", "40×", "40.0"])
def test_the_objective_power_with_and_without_its_sign(text):
    metadata = parse_description(described(**COMPLETE | {"AppMag": text}))
    assert (metadata.app_mag, metadata.warnings) == (40, ())


def test_each_missing_tag_that_matters_to_technicians_is_named_in_a_warning():
    assert parse_description(described()).warnings == ("no MPP", "no AppMag", "no Date")


def test_what_many_scanners_leave_out_is_a_note():
    """A GT 450 writes no ImageID, most others no time zone: that asks nobody to do anything."""
    without = COMPLETE | {"ImageID": "", "Time_Zone": ""}
    metadata = parse_description(described(**without).replace("Aperio", "Aperture"))
    assert metadata.warnings == ()
    assert len(metadata.notes) == 3
    notes = " ".join(metadata.notes)
    assert all(text in notes for text in ("not Aperio's", "no ImageID", "taken to be UTC"))


def test_a_time_that_cannot_be_read_is_a_warning():
    metadata = parse_description(described(**COMPLETE | {"Time": "noon"}))
    assert metadata.warnings == ("the time of the scan is unknown: midnight stands for it",)


def test_the_scanners_own_reading_of_the_label():
    text = described(**COMPLETE | {"Barcode": "S12-34567 01-01-08"})
    assert parse_description(text).barcode == "S12-34567 01-01-08"
    assert parse_description(described(**COMPLETE | {"Barcode": ""})).barcode is None


def test_the_slides_own_value_counts_not_its_parents():
    """A region exported from CMU-1 repeats keys of the slide that it was cut from."""
    text = described(ImageID="1") + "|ImageID = 2|"
    assert parse_description(text).image_id == "1"


@given(st.text() | st.text().map(lambda text: "Aperio |Date = " + text + "|MPP = " + text))
@pytest.mark.slow
def test_no_description_whatever_crashes(text):
    metadata = parse_description(text, UTC)
    assert metadata.scan_date is None or metadata.scan_date.tzinfo is not None


def test_a_warning_quotes_the_beginning_of_what_is_wrong():
    metadata = parse_description(f"Aperio|MPP = {'x' * 60_000}|Date = 1/1/26|AppMag = 20")
    assert metadata.warnings[0] == f"MPP is '{'x' * 77}...', not a number"
