"""Whose slide it is: where SlideID and CaseID come from."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["IdSource", "case_of", "id_source"]


class IdSource(StrEnum):
    """Where a slide's SlideID and CaseID come from.

    ``NONE``: they are the ImageID for want of a better one, or one is missing. A scanner's running
    number identifies no slide, so a slide in this state cannot be sent to the CDR.
    """

    BARCODE = "BARCODE"  # the code on the label image
    SCANNER = "SCANNER"  # the Barcode property of the scanner's ImageDescription
    TYPED = "TYPED"  # a person typed or confirmed them
    NONE = "NONE"


def id_source(record: Mapping[str, Any]) -> IdSource:
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


def case_of(slide_id: str) -> str:
    """Return the CaseID that a SlideID begins with: all before its last hyphen, or all of it."""
    return slide_id.rpartition("-")[0] or slide_id
