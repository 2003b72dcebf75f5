"""What an Aperio scanner writes about a slide into its TIFF ImageDescription.

The text is a headline, then ``|key = value`` pairs. It was written by ten years of scanner software
in labs all over the world: keys are missing, decimals have commas, dates have three shapes. What is
missing or makes no sense becomes ``None`` and a warning or a note; nothing here raises.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation

from vsv.errors import quoted

__all__ = ["Metadata", "parse_description", "parse_properties"]

# What surrounds keys and values. Not all white space: a barcode may begin with GS (U+001D).
_BLANKS = " \t\r\n"
# MM/DD/YY (ScanScope), MM/DD/YYYY (GT 450), ISO (exported by other software), and German, which
# alone has dots.
_DATE_FORMATS = ("%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y")
# "09:26:53" (ScanScope, GT 450), "9:05:01", "12:21:45 PM".
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(?:([ap])\.?m\.?)?", re.A | re.I)
# "GMT-05:00" (ScanScope), "GMT-0600" (GT 450), "UTC+1", "+01:00"; "GMT", "UTC" and "Z".
_ZONE = re.compile(r"(?:GMT|UTC)?\s*([+-])(\d{1,2}):?([0-5]\d)?", re.ASCII | re.IGNORECASE)
_UTC_NAMES = frozenset({"GMT", "UTC", "Z"})
# Units as they are written behind numbers; µ is one of two characters.
_MPP_UNIT = re.compile(r"\s*([uµμ]m|microns?)(\s*(/|per)\s*(px|pixel))?$", re.IGNORECASE)
_APP_MAG_UNIT = re.compile(r"\s*[x×]$", re.IGNORECASE)

# Half the wavelength of light is 0.2 µm; a macro camera sees some 50 µm to the pixel.
_MPP_RANGE_UM = (Decimal("0.01"), Decimal(100))
_APP_MAG_RANGE = (Decimal("0.1"), Decimal(400))


@dataclass(frozen=True)
class Metadata:
    """What the ImageDescription says. ``None`` stands for what it does not say.

    ``mpp_um`` is microns per pixel at level 0, ``app_mag`` the objective power, ``scan_date`` has
    a time zone, ``scanner`` is the scanner's own ID, ``barcode`` what it read itself.
    ``warnings`` tell what of a slide is missing or unusable, in words for a technician; ``notes``
    what many scanners leave out, and what was taken instead.
    """

    image_id: str | None = None
    mpp_um: Decimal | None = None
    app_mag: Decimal | None = None
    scan_date: datetime | None = None
    scanner: str | None = None
    barcode: str | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def parse_description(text: str, default_zone: tzinfo = UTC) -> Metadata:
    """Read an ImageDescription. ``default_zone`` is the scanner's, where the slide names none."""
    warnings: list[str] = []
    notes: list[str] = []
    if not text.startswith("Aperio"):
        notes.append("the image description is not Aperio's")
    properties = {key: value for key, value in parse_properties(text).items() if value}
    if "ImageID" not in properties:
        notes.append("no ImageID")

    def number(key: str, unit: re.Pattern[str], bounds: tuple[Decimal, Decimal]) -> Decimal | None:
        return _number(key, properties.get(key), unit, bounds, warnings.append)

    return Metadata(
        image_id=properties.get("ImageID"),
        mpp_um=number("MPP", _MPP_UNIT, _MPP_RANGE_UM),
        app_mag=number("AppMag", _APP_MAG_UNIT, _APP_MAG_RANGE),
        scan_date=_scan_date(properties, default_zone, warnings.append, notes.append),
        scanner=properties.get("ScanScope ID"),
        barcode=properties.get("Barcode"),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def parse_properties(text: str) -> dict[str, str]:
    """Return the pairs. The first of equal keys counts: later ones describe the parent image."""
    pairs: dict[str, str] = {}
    for part in text.split("|")[1:]:
        key, equals, value = part.partition("=")
        if equals:
            pairs.setdefault(key.strip(_BLANKS), value.strip(_BLANKS))
    return pairs


def _number(
    key: str,
    text: str | None,
    unit: re.Pattern[str],
    bounds: tuple[Decimal, Decimal],
    warn: Callable[[str], None],
) -> Decimal | None:
    if text is None:
        warn(f"no {key}")
        return None
    try:
        value = Decimal(unit.sub("", text).replace(",", "."))
    except InvalidOperation:
        warn(f"{key} is {quoted(text)}, not a number")
        return None
    low, high = bounds
    if not (value.is_finite() and low <= value <= high):
        warn(f"{key} is {quoted(text)}, not in {low}..{high}")
        return None
    return value


def _scan_date(
    properties: Mapping[str, str],
    default_zone: tzinfo,
    warn: Callable[[str], None],
    note: Callable[[str], None],
) -> datetime | None:
    date_text = properties.get("Date")
    if date_text is None:
        warn("no Date")
        return None
    day = _date(date_text)
    if day is None:
        warn(f"Date is {quoted(date_text)}, not month/day/year")
        return None
    moment = _time(properties.get("Time", ""))
    if moment is None:
        warn("the time of the scan is unknown: midnight stands for it")
        moment = time()
    zone = _zone(properties.get("Time Zone", ""))
    if zone is None:
        note(f"no Time Zone that can be read: the scanner's is taken to be {default_zone}")
        zone = default_zone
    return datetime.combine(day, moment, zone)


def _date(text: str) -> date | None:
    for date_format in _DATE_FORMATS:
        try:
            return datetime.strptime(text, date_format).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def _time(text: str) -> time | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, half = int(match[1]), (match[4] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, int(match[2]), int(match[3] or 0))
    except ValueError:
        return None


def _zone(text: str) -> tzinfo | None:
    if text.upper() in _UTC_NAMES:
        return UTC
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups(default="0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset >= timedelta(hours=24):
        return None
    return timezone(-offset if sign == "-" else offset)
