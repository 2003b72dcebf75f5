"""Updates of records that an earlier version wrote."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from vsv.catalogue.accessors import image_id_of, is_deleted
from vsv.catalogue.history import Action
from vsv.catalogue.identity import has_id_source, id_source
from vsv.catalogue.record import SlideRecord, changed
from vsv.catalogue.table import Catalogue

__all__ = ["upgraded"]

_BY: Final = "upgrade"
_AT_ONCE: Final = 100


def upgraded(catalogue: Catalogue, records: Iterable[SlideRecord]) -> Iterator[SlideRecord]:
    """Write IdSource and terms of the records that lack them; yield each that was changed.

    Deleted slides get terms only. May be interrupted and repeated, and run while people work.
    """

    def decide(old: SlideRecord | None) -> SlideRecord | None:
        if old is None or is_deleted(old) or has_id_source(old):
            return old
        return changed(old, IdSource=id_source(old))

    rest = iter(records)
    while some := list(islice(rest, _AT_ONCE)):
        changing = {image_id_of(record): record for record in some if decide(record) != record}
        for image_id in changing:
            catalogue.change(image_id, _BY, Action.UPGRADE, decide)
        lacking = {image_id_of(record): record for record in catalogue.without_terms(some)}
        for image_id in lacking.keys() - changing.keys():
            catalogue.write_terms(image_id)
        yield from {**changing, **lacking}.values()
