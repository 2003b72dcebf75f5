"""Records that an earlier version wrote, brought up to date."""

from collections.abc import Iterable, Iterator

from vsv.catalogue.record import Record, id_source, is_deleted
from vsv.catalogue.table import Catalogue

__all__ = ["upgraded"]

_BY = "upgrade"


def upgraded(catalogue: Catalogue, records: Iterable[Record]) -> Iterator[Record]:
    """Write IdSource onto the records that lack it; yield each that was changed.

    Deleted slides are left alone. May be interrupted and repeated, and run while people work.
    """

    def decide(old: Record | None) -> Record | None:
        if old is None or is_deleted(old) or "IdSource" in old:
            return old
        return {**old, "IdSource": id_source(old).value}

    for record in records:
        if decide(record) != record:
            changed = catalogue.change(str(record["ImageID"]), _BY, "UPGRADE", decide)
            if changed is not None:
                yield changed
