"""Changes of slides, as the slide table's stream reports them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from boto3.dynamodb.types import TypeDeserializer

from vsv.catalogue.projections import API_FIELDS, LIVE_FIELDS, LIVE_FIELDS_OF_DELETED
from vsv.catalogue.record import ReviewStatus
from vsv.logs import count, logger

__all__ = ["SlideChange", "slide_changes"]

_TOLD: Final = frozenset({"INSERT", "MODIFY"})
_DESERIALIZER: Final = TypeDeserializer()


@dataclass(frozen=True)
class SlideChange:
    """The fields of a slide after a change.

    ``is_progress``: the import has rendered more tiles, and nothing else happened.
    """

    image_id: str
    fields: Mapping[str, Any]
    is_progress: bool

    def message(self) -> dict[str, Any]:
        """Return the arguments of ``publishSlideChange``."""
        return {"ImageID": self.image_id, **self.fields}


def slide_changes(records: Iterable[Mapping[str, Any]]) -> list[SlideChange]:
    """Return the last change of each slide in these records of the stream.

    It is a report of progress if all changes of the slide were. Records without an ImageID are
    skipped and counted.
    """
    found: dict[str, SlideChange] = {}
    for record in records:
        change = _change(record)
        if change is None:
            continue
        before = found.get(change.image_id)
        is_progress = change.is_progress and (before is None or before.is_progress)
        found[change.image_id] = SlideChange(change.image_id, change.fields, is_progress)
    return list(found.values())


def _change(record: Mapping[str, Any]) -> SlideChange | None:
    """Return what there is to tell of a record of the stream; None if there is nothing."""
    if record.get("eventName") not in _TOLD:
        return None
    change = record.get("dynamodb")
    change = change if isinstance(change, Mapping) else {}
    image_id = _value(change.get("Keys"), "ImageID")
    if not isinstance(image_id, str) or not image_id:
        count("OddStreamRecord")
        logger.warning("a record of the stream has no ImageID")
        return None
    new, old = _fields(change.get("NewImage")), _fields(change.get("OldImage"))
    if new == old or (_is_deleted(new) and (not old or _is_deleted(old))):
        return None
    if _is_deleted(new):
        new = {name: new[name] for name in LIVE_FIELDS_OF_DELETED if name in new}
    return SlideChange(image_id, new, "Version" in new and new["Version"] == old.get("Version"))


def _is_deleted(fields: Mapping[str, Any]) -> bool:
    return fields.get("Status") == ReviewStatus.DELETED


def _fields(image: Any) -> dict[str, Any]:
    """Return the fields that are told, without values that do not fit the schema's types."""
    read = {name: API_FIELDS[name](_value(image, name)) for name in LIVE_FIELDS}
    return {name: value for name, value in read.items() if value is not None}


def _value(image: Any, name: str) -> Any:
    """Return an attribute of an item in DynamoDB's own format; None if it is not in that format."""
    typed: Any = image.get(name) if isinstance(image, Mapping) else None
    try:
        return _DESERIALIZER.deserialize(typed)
    except (TypeError, AttributeError, ValueError, ArithmeticError):
        return None
