"""Whose slide it is: where SlideID and CaseID come from."""

from collections.abc import Mapping

from vsv.catalogue.record import IdSource, SlideRecord

__all__ = ["IdSource", "case_of", "has_id_source", "id_source"]


def id_source(record: SlideRecord) -> IdSource:
    """Return where the record's IDs come from; ``NONE`` for a slide without a SlideID.

    A source that this version does not know is ``NONE`` as well: a person confirms the IDs.
    Records of version 0.1 name no source. Their SlideID is the barcode's if the import read this
    very text, nobody's if it or the CaseID is the ImageID, and was typed otherwise.
    """
    slide_id = record.get("SlideID")
    if not slide_id:
        return IdSource.NONE
    if "IdSource" in record:
        known = record["IdSource"] in [*IdSource]
        return IdSource(record["IdSource"]) if known else IdSource.NONE
    barcode = record.get("Barcode")
    if isinstance(barcode, Mapping) and barcode.get("text") == slide_id:
        return IdSource.BARCODE
    stand_in = record.get("ImageID")
    return IdSource.NONE if stand_in in (slide_id, record.get("CaseID")) else IdSource.TYPED


def has_id_source(record: SlideRecord) -> bool:
    """Return whether the record names the source of its IDs; those of version 0.1 do not."""
    return "IdSource" in record


def case_of(slide_id: str) -> str:
    """Return the CaseID that a SlideID begins with: all before its last hyphen, or all of it."""
    return slide_id.rpartition("-")[0] or slide_id
