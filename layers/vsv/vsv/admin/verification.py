"""Many slides verified, many pieces at once, by the function that sees EFS or on a folder."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from vsv.admin.deployment import Verify
from vsv.admin.progress import Bars
from vsv.admin.reimport import check_active
from vsv.catalogue.record import (
    SlideRecord,
    has_failed,
    image_id_of,
    import_error_of,
    is_importing,
)
from vsv.errors import Conflict, VsvError
from vsv.imports.verify import RecordedSlide

__all__ = ["Verdict", "check", "verified"]


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a slide, in sentences.

    ``recoded``: how many images look as they should, but have other bytes than they would have now.
    """

    archived: bool
    findings: tuple[str, ...]
    recoded: int


def check(record: SlideRecord | None) -> SlideRecord:
    """The record, if there is something to be verified that stays as it is meanwhile.

    Raises NotFound or Conflict.
    """
    record = check_active(record)
    if is_importing(record):
        raise Conflict("the slide is being imported")
    return record


def verified(
    records: Iterable[SlideRecord], verify: Verify, at_once: int, bars: Bars
) -> Iterator[tuple[str, Verdict | VsvError]]:
    """Verify slides, so many pieces at once; yield what came of each, as they are done.

    Left early, it waits for the pieces that are under way: none takes long.
    """
    with ThreadPoolExecutor(at_once) as pieces, ThreadPoolExecutor(at_once) as slides:

        def one(record: SlideRecord) -> tuple[str, Verdict | VsvError]:
            image_id = image_id_of(record)
            try:
                return image_id, _verdict(record, verify, pieces, bars)
            except VsvError as error:
                return image_id, error
            finally:
                bars.remove(image_id)

        try:
            yield from _each(slides, one, records, at_once)
        except BaseException:
            for pool in (slides, pieces):
                pool.shutdown(wait=False, cancel_futures=True)
            raise


def _verdict(record: SlideRecord, verify: Verify, pool: ThreadPoolExecutor, bars: Bars) -> Verdict:
    recorded = RecordedSlide.of(record)
    request = {"slide": recorded.to_dict()}
    plan = verify(request)
    total, numbers = len(plan["pieces"]), count(1)
    bars.show(recorded.image_id, 0, total)

    def look(piece: Any) -> dict[str, Any]:
        answer = verify({**request, "piece": piece})
        bars.show(recorded.image_id, next(numbers), total)
        return answer

    futures = [pool.submit(look, piece) for piece in plan["pieces"]]
    try:
        answers = [plan, *(future.result() for future in futures)]
    finally:
        for future in futures:
            future.cancel()
    failed = has_failed(record)
    findings = [f"the import failed: {import_error_of(record)}"] if failed else []
    findings += [finding for answer in answers for finding in answer["findings"]]
    # What is wrong with the slide index, say, each piece has seen.
    unique = tuple(dict.fromkeys(findings))
    return Verdict(recorded.archived, unique, sum(answer["recoded"] for answer in answers))


def _each(
    pool: ThreadPoolExecutor,
    call: Callable[[SlideRecord], Any],
    records: Iterable[SlideRecord],
    most_queued: int,
) -> Iterator[Any]:
    """Call for each record, few of them queued; yield the results as they come."""
    waiting = iter(records)
    pending: set[Future[Any]] = set()
    while True:
        for record in islice(waiting, most_queued - len(pending)):
            pending.add(pool.submit(call, record))
        if not pending:
            return
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()
