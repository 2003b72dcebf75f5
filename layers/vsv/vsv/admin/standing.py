"""Which slides ops can do anything with."""

from vsv.catalogue.record import SlideRecord, is_deleted, removal_of
from vsv.errors import Conflict, NotFound

__all__ = ["standing"]


def standing(record: SlideRecord | None) -> SlideRecord:
    """The record, if its slide is there and stays. Raises NotFound or Conflict."""
    if record is None:
        raise NotFound("there is no slide with this ImageID")
    if is_deleted(record):
        raise Conflict("the slide is deleted")
    if operation := removal_of(record):
        raise Conflict(f"{operation} of the slide is not done")
    return record
