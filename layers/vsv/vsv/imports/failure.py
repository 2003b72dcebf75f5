"""Why an import failed, in a sentence, and when it is retried.

The next call of ``/ImportSlide`` for the file, or the next backfill, retries the import, unless the
slide itself is at fault or the time on the record has not come.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from vsv import errors
from vsv.catalogue.accessors import filename_of, has_failed, image_id_of, retry_at_of
from vsv.catalogue.record import SlideRecord
from vsv.identifiers import is_image_id
from vsv.imports.conflicts import slide_in_the_way

__all__ = [
    "Failure",
    "has_image_id",
    "is_retry_due",
    "retry_time",
    "seconds_to_retry",
]

# Errors that the same bytes raise again.
_FINAL: Final = frozenset(
    kind.__name__ for kind in (errors.InvalidRequest, errors.NotFound, errors.UnreadableSlide)
)
# Errors whose messages are for technicians. Those of others name internals.
_EXPLAINED: Final = _FINAL | {
    kind.__name__
    for kind in (
        errors.ArchiveNotReady,
        errors.ChecksumMismatch,
        errors.DuplicateSlide,
        errors.FileChanged,
        errors.ImageIdConflict,
        errors.IncompletePyramid,
        errors.StorageFull,
        errors.Unavailable,
    )
}
_TIMEOUTS: Final = frozenset({"States.Timeout", "Sandbox.Timedout"})
_MAX_REASON_CHARS: Final = 500

# The first wait before an import is tried again, in seconds; it doubles each time.
_FIRST_WAIT_S: Final = 60
# Someone may delete the other slide.
_FIRST_WAITS_S: Final = {errors.DuplicateSlide.__name__: 3600}
# With an ImageID of its own, or with another copy, the import succeeds.
_AT_ONCE: Final = (errors.ImageIdConflict.__name__, errors.ChecksumMismatch.__name__)
_LONGEST_WAIT_S: Final = 6 * 3600


@dataclass(frozen=True)
class Failure:
    """A failed import: ``error`` names the kind, ``reason`` is a sentence for technicians.

    ``conflicts_with`` is the ImageID of the slide in its way, if there is one.
    """

    error: str
    reason: str
    conflicts_with: str | None = None

    @classmethod
    def of(cls, error: Mapping[str, str]) -> "Failure":
        """Return the failure in Step Functions' ``Error`` and ``Cause``, without trace or path."""
        kind = error.get("Error", "")
        try:
            message = str(json.loads(error.get("Cause", ""))["errorMessage"])
        except (ValueError, KeyError, TypeError):
            message = ""
        return cls(kind, _reason(kind, message), slide_in_the_way(kind, message))

    @property
    def is_final(self) -> bool:
        """Return whether the same bytes would fail again."""
        return self.error in _FINAL

    def wait_s(self, retries: int) -> float:
        """Return for how many seconds to wait after this many retries."""
        if self.error in _AT_ONCE and retries == 0:
            return 0.0
        first_s = _FIRST_WAITS_S.get(self.error, _FIRST_WAIT_S)
        return float(min(first_s << min(retries, 16), _LONGEST_WAIT_S))


def _reason(kind: str, message: str) -> str:
    if kind in _EXPLAINED and message:
        return message[:_MAX_REASON_CHARS]
    if kind in _TIMEOUTS or "Task timed out" in message:
        return "a step of the import took too long"
    return f"an internal error stopped the import ({kind or 'unknown'})"


def retry_time(now_s: float, wait_s: float) -> str:
    """Return the time of the next attempt, as records have it."""
    return datetime.fromtimestamp(now_s + wait_s, UTC).isoformat(timespec="milliseconds")


def is_retry_due(record: SlideRecord, now_s: float) -> bool:
    """Return whether the import has failed and its retry is due.

    It is due at once if version 0.1 noted the failure under an invalid ImageID.
    """
    if not has_failed(record):
        return False
    return not has_image_id(record) or seconds_to_retry(record, now_s) == 0


def seconds_to_retry(record: SlideRecord, now_s: float) -> float | None:
    """Return the seconds until the retry of a failed import; None if the slide is at fault."""
    text = retry_at_of(record)
    if text is None:
        return None
    return max(datetime.fromisoformat(text).timestamp() - now_s, 0.0)


def has_image_id(record: SlideRecord) -> bool:
    """Return whether the record has a valid ImageID; version 0.1 also used file names."""
    image_id = image_id_of(record)
    return image_id != filename_of(record) and is_image_id(image_id)
