"""Slides with one SlideID: each says so among its warnings, wherever the ID came from.

A warning tells what was so at an import or an edit: it stays true if one of the slides gets another
SlideID, or is deleted. Nothing is said twice. The index of SlideIDs follows the table, so that two
slides that get theirs within a second may miss one another.
"""

from typing import Final

from vsv.catalogue.accessors import image_id_of, is_deleted, slide_id_of, warned
from vsv.catalogue.history import Action
from vsv.catalogue.record import SlideRecord, now
from vsv.catalogue.review import Edit
from vsv.catalogue.table import Catalogue

__all__ = ["edit_slide", "warn_of_same_slide_id"]

# At most this many slides with one SlideID are named: a control slide's code may be on hundreds.
_MAX_SAME_SLIDE_ID: Final = 5


def warn_of_same_slide_id(catalogue: Catalogue, image_id: str) -> None:
    """Have an imported slide, and the others that have its SlideID, say so.

    To be called long enough after the record was written that the index has the slides which are
    imported at the same time.
    """
    record = catalogue.get(image_id)
    if record is None:
        return
    for other in _others(catalogue, image_id, slide_id_of(record)):
        _warn(catalogue, image_id, _at_import(other), "import", Action.IMPORT)
        _warn(catalogue, other, _at_import(image_id), "import", Action.IMPORT)


def edit_slide(catalogue: Catalogue, edit: Edit, by: str) -> SlideRecord | None:
    """Make a technician's edit and return the record with it.

    The record, and the others that have the SlideID which it gives, say so. May be repeated.
    Raises what ``Edit.apply`` raises, or Unavailable.
    """
    others = _others(catalogue, edit.image_id, edit.fields.get("SlideID"))

    def decide(old: SlideRecord | None) -> SlideRecord:
        new = edit.apply(old, now())
        for other in [] if is_deleted(new) else others:
            new = warned(new, _at_edit(other))
        return new

    edited = catalogue.change(edit.image_id, by, Action.EDIT, decide)
    for other in others:
        _warn(catalogue, other, _at_edit(edit.image_id), by, Action.EDIT)
    return edited


def _others(catalogue: Catalogue, image_id: str, slide_id: str | None) -> list[str]:
    """Return the ImageIDs of the other slides that have the SlideID: the first few of them."""
    found = catalogue.by_slide_id(slide_id, _MAX_SAME_SLIDE_ID) if slide_id else []
    return [image_id_of(record) for record in found if image_id_of(record) != image_id]


def _warn(catalogue: Catalogue, image_id: str, text: str, by: str, action: Action) -> None:
    def decide(old: SlideRecord | None) -> SlideRecord | None:
        return old if old is None or is_deleted(old) else warned(old, text)

    catalogue.change(image_id, by, action, decide)


def _at_import(other: str) -> str:
    return f"slide {other} had the same slide ID at an import"


def _at_edit(other: str) -> str:
    return f"slide {other} had the same slide ID at an edit"
