"""Verification of slides, many pieces at a time, by VerifySlide or on this machine."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

from vsv.admin.deployment import Verify
from vsv.catalogue.accessors import has_failed, image_id_of, import_error_of, is_importing
from vsv.catalogue.record import SlideRecord
from vsv.errors import Conflict, VsvError
from vsv.imports.retry import check_active
from vsv.imports.verify import RecordedSlide
from vsv.progress import Bars
from vsv.workers import completed

__all__ = ["VerificationResult", "check", "verified"]


@dataclass(frozen=True)
class VerificationResult:
    """The result for a slide: what is wrong with it, in sentences.

    ``recoded``: how many images look right, but were encoded differently.
    """

    archived: bool
    findings: tuple[str, ...]
    recoded: int


def check(record: SlideRecord | None) -> SlideRecord:
    """Return the record if its slide can be verified, and will not change at the same time.

    Raises NotFound or Conflict.
    """
    record = check_active(record)
    if is_importing(record):
        raise Conflict("the slide is being imported")
    return record


def verified(
    records: Iterable[SlideRecord], verify: Verify, at_once: int, bars: Bars
) -> Iterator[tuple[str, VerificationResult | VsvError]]:
    """Verify slides, ``at_once`` pieces at a time; yield each result as it completes.

    If the caller stops early, it waits for the pieces that are running.
    """
    with ThreadPoolExecutor(at_once) as pieces, ThreadPoolExecutor(at_once) as slides:

        def one(record: SlideRecord) -> tuple[str, VerificationResult | VsvError]:
            image_id = image_id_of(record)
            try:
                return image_id, _verify_slide(record, verify, pieces, bars)
            except VsvError as error:
                return image_id, error
            finally:
                bars.remove(image_id)

        try:
            yield from completed(slides, one, records, at_once)
        except BaseException:
            pieces.shutdown(wait=False, cancel_futures=True)
            raise


def _verify_slide(
    record: SlideRecord, verify: Verify, pool: ThreadPoolExecutor, bars: Bars
) -> VerificationResult:
    recorded = RecordedSlide.of(record)
    request = {"slide": recorded.to_dict()}
    plan = verify(request)
    total, numbers = len(plan["pieces"]), count(1)
    bars.show(recorded.image_id, 0, total)

    def verify_piece(piece: Any) -> dict[str, Any]:
        answer = verify({**request, "piece": piece})
        bars.show(recorded.image_id, next(numbers), total)
        return answer

    futures = [pool.submit(verify_piece, piece) for piece in plan["pieces"]]
    try:
        answers = [plan, *(future.result() for future in futures)]
    finally:
        for future in futures:
            future.cancel()
    failed = has_failed(record)
    findings = [f"the import failed: {import_error_of(record)}"] if failed else []
    findings += [finding for answer in answers for finding in answer["findings"]]
    # Each piece reports what is wrong with the slide index.
    unique = tuple(dict.fromkeys(findings))
    return VerificationResult(
        recorded.archived, unique, sum(answer["recoded"] for answer in answers)
    )
