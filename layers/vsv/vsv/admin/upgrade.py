"""Updates of records that an earlier version wrote."""

from collections.abc import Iterable, Iterator

from vsv.catalogue.accessors import image_id_of, is_deleted
from vsv.catalogue.history import Action
from vsv.catalogue.identity import has_id_source, id_source
from vsv.catalogue.record import SlideRecord, changed
from vsv.catalogue.table import Catalogue

__all__ = ["upgraded"]

_BY = "upgrade"


def upgraded(catalogue: Catalogue, records: Iterable[SlideRecord]) -> Iterator[SlideRecord]:
    """Write IdSource onto the records that lack it; yield each that was changed.

    Deleted slides are skipped. May be interrupted and repeated, and run while people work.
    """

    def decide(old: SlideRecord | None) -> SlideRecord | None:
        if old is None or is_deleted(old) or has_id_source(old):
            return old
        return changed(old, IdSource=id_source(old))

    for record in records:
        if decide(record) != record:
            new = catalogue.change(image_id_of(record), _BY, Action.UPGRADE, decide)
            if new is not None:
                yield new
