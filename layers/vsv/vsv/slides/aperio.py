"""What an Aperio scanner writes about a slide into its TIFF ImageDescription.

The text is a headline, then ``|key = value`` pairs. It was written by ten years of scanner software
in labs all over the world: keys are missing, decimals have commas, dates have three shapes. What is
missing or makes no sense becomes ``None`` and a warning; nothing here raises.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation

__all__ = ["Metadata", "parse_description"]

# MM/DD/YY (ScanScope), MM/DD/YYYY (GT 450) and ISO (exported by other software).
_DATE_FORMATS = ("%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d")
# "GMT-05:00" (ScanScope) and "GMT-0600" (GT 450).
_ZONE = re.compile(r"(?:GMT|UTC)\s*([+-])(\d{1,2}):?(\d{2})?", re.ASCII)

# Half the wavelength of light is 0.2 µm; a macro camera sees some 50 µm to the pixel.
_MPP_RANGE_UM = (Decimal("0.01"), Decimal(100))
_APP_MAG_RANGE = (Decimal("0.1"), Decimal(400))


@dataclass(frozen=True)
class Metadata:
    """What the ImageDescription says. ``None`` stands for what it does not say.

    ``mpp_um`` is microns per pixel at level 0, ``app_mag`` the objective power, ``scan_date`` has
    a time zone, ``warnings`` tell what was missing or unusable, in words for a technician.
    """

    image_id: str | None = None
    mpp_um: Decimal | None = None
    app_mag: Decimal | None = None
    scan_date: datetime | None = None
    scanner: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def parse_description(text: str, default_zone: tzinfo = UTC) -> Metadata:
    """Read an ImageDescription. ``default_zone`` is the scanner's, where the slide names none."""
    warnings: list[str] = []
    if not text.startswith("Aperio"):
        warnings.append("the image description is not Aperio's")
    properties = _properties(text)

    def lookup(key: str) -> str | None:
        value = properties.get(key)
        if not value:
            warnings.append(f"no {key}")
        return value or None

    return Metadata(
        image_id=lookup("ImageID"),
        mpp_um=_number("MPP", lookup("MPP"), _MPP_RANGE_UM, warnings.append),
        app_mag=_number("AppMag", lookup("AppMag"), _APP_MAG_RANGE, warnings.append),
        scan_date=_scan_date(lookup, default_zone, warnings.append),
        scanner=properties.get("ScanScope ID") or None,
        properties=properties,
        warnings=tuple(warnings),
    )


def _properties(text: str) -> dict[str, str]:
    """Return the pairs. The first of equal keys counts: later ones describe the parent image."""
    pairs: dict[str, str] = {}
    for part in text.split("|")[1:]:
        key, equals, value = part.partition("=")
        if equals:
            pairs.setdefault(key.strip(), value.strip())
    return pairs


def _number(
    key: str,
    text: str | None,
    bounds: tuple[Decimal, Decimal],
    warn: Callable[[str], None],
) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text.replace(",", ".").removesuffix("x"))
    except InvalidOperation:
        warn(f"{key} is {text!r}, not a number")
        return None
    low, high = bounds
    if not (value.is_finite() and low <= value <= high):
        warn(f"{key} is {text!r}, not in {low}..{high}")
        return None
    return value


def _scan_date(
    lookup: Callable[[str], str | None], default_zone: tzinfo, warn: Callable[[str], None]
) -> datetime | None:
    date_text = lookup("Date")
    if date_text is None:
        return None
    day = _date(date_text)
    if day is None:
        warn(f"Date is {date_text!r}, not month/day/year")
        return None
    time_text = lookup("Time")
    moment = _time(time_text) if time_text else None
    if moment is None:
        warn("midnight stands for the unknown time of the scan")
        moment = time()
    zone_text = lookup("Time Zone")
    zone = _zone(zone_text) if zone_text else None
    if zone is None:
        warn(f"the scanner's time zone is taken to be {default_zone}")
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
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _zone(text: str) -> tzinfo | None:
    match = _ZONE.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups(default="0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset >= timedelta(hours=24):
        return None
    return timezone(-offset if sign == "-" else offset)
