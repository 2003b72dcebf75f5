"""The attributes that the slide table's indexes are built on, derived from a record."""

from typing import Final, cast

from vsv.catalogue.accessors import has_failed, is_deleted
from vsv.catalogue.identity import IdSource, id_source
from vsv.catalogue.record import SlideRecord, changed, instant, now

__all__ = ["DERIVED", "LISTED", "UNCONFIRMED", "derived"]

# ``Listed`` of all slides that are not deleted, for indexes over all of them.
LISTED: Final = "SLIDE"
# ``Unidentified`` of slides that have a SlideID, but one that nobody has read or typed.
UNCONFIRMED: Final = "UNCONFIRMED"
# ``ScannedAt`` if the time is unknown: sorts before all times, and is in no range of them.
_NO_TIME: Final = "-"
DERIVED: Final = frozenset({"Listed", "ScannedAt", "Unidentified", "FailedAt"})


def derived(record: SlideRecord) -> SlideRecord:
    """Return the record with the attributes that the table's indexes are built on.

    ``Listed`` is there unless the slide is deleted, ``FailedAt`` while its import has failed, and
    ``Unidentified`` while its IdSource is NONE: it is the Status where there is no SlideID, else
    ``UNCONFIRMED``. An index has a slide only where it has both of the index's attributes.
    ``ScannedAt`` is the scan's time in UTC.
    """
    kept = {name: value for name, value in record.items() if name not in DERIVED}
    fields = cast("SlideRecord", kept)
    if is_deleted(fields):
        return fields
    fields = changed(
        fields, Listed=LISTED, ScannedAt=instant(str(fields.get("ScanDate"))) or _NO_TIME
    )
    if "SlideID" in fields:
        if id_source(fields) is IdSource.NONE:
            fields["Unidentified"] = UNCONFIRMED
    elif "Status" in fields:
        fields["Unidentified"] = fields["Status"]
    if has_failed(fields):
        fields["FailedAt"] = record.get("FailedAt") or now()
    return fields
