"""A bounded pool of workers: many calls, of which only a few are queued."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import TypeVar

__all__ = ["completed"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def completed(
    pool: Executor, call: Callable[[_Item], _Result], items: Iterable[_Item], max_pending: int
) -> Iterator[_Result]:
    """Call for each item in the pool; yield the results as they complete.

    At most ``max_pending`` calls are queued or running, so that items may be endless. If a call
    raises an error, or the caller stops early, calls that have not begun are cancelled.
    """
    waiting = iter(items)
    pending: set[Future[_Result]] = set()
    try:
        while True:
            for item in islice(waiting, max_pending - len(pending)):
                pending.add(pool.submit(call, item))
            if not pending:
                return
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
