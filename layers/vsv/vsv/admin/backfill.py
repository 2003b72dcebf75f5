"""Imports of slide files that were copied to EFS by other means than the scanner's."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vsv.admin.executions import ImportWatcher
from vsv.catalogue.accessors import (
    file_size_of,
    has_failed,
    has_file_version,
    image_id_of,
    import_error_of,
    is_deleted,
    is_imported,
)
from vsv.catalogue.table import Catalogue
from vsv.errors import Conflict, NotFound, Unavailable, VsvError
from vsv.identifiers import parse_filename
from vsv.imports.file_state import FileState
from vsv.imports.jobs import ImportJobs
from vsv.imports.listing import ListedFile
from vsv.imports.workflow import ABORTED, ImportJob, Workflow
from vsv.progress import Bars

__all__ = ["Backfill", "BackfillResult", "CheckFile", "State"]

# Returns the state of a file: see vsv.imports.check_file.check_file.
CheckFile = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


class State(StrEnum):
    """The state of a file in a backfill."""

    KNOWN = "known"  # it has a record
    CHANGING = "changing"  # it may still be copied
    NEW = "new"  # it is to be imported
    STARTED = "started"
    IMPORTED = "imported"
    FAILED = "failed"
    REFUSED = "refused"  # it cannot be imported, or not now


@dataclass(frozen=True)
class BackfillResult:
    """The state of a file; ``detail`` says what is wrong with it."""

    filename: str
    state: State
    image_id: str | None = None
    tiles: int | None = None
    detail: str | None = None


class _StillChanging(VsvError):
    """The file changed a moment ago."""


class Backfill:
    """Imports files that have no record.

    ``min_age_s``: files that changed in the last ``min_age_s`` seconds are skipped.
    """

    def __init__(
        self, check: CheckFile, catalogue: Catalogue, workflow: Workflow, min_age_s: float
    ) -> None:
        self._check = check
        self._catalogue = catalogue
        self._jobs = ImportJobs(catalogue, workflow)
        self._min_age_s = min_age_s

    def examine(self, file: ListedFile) -> BackfillResult:
        """Return whether the file needs an import: NEW, CHANGING, KNOWN or REFUSED."""
        try:
            parse_filename(file.filename)
            if self._is_known(file):
                return BackfillResult(file.filename, State.KNOWN)
            self._check_unchanged(file.unchanged_for_s)
        except VsvError as error:
            return _refused(file.filename, error)
        return BackfillResult(file.filename, State.NEW)

    def start(self, filename: str) -> ImportJob:
        """Start the file's import. May be repeated: the same bytes are imported once.

        Raises NotFound, Conflict or Unavailable where it cannot be imported.
        """
        file = FileState.from_dict(self._check({"filename": filename}))
        if file is None:
            raise NotFound("the file is gone")
        self._check_unchanged(file.unchanged_for_s)
        job = self._jobs.job(filename, file)
        if not self._jobs.ensure(job) and not self._jobs.finished(filename, job):
            raise Unavailable(ABORTED)
        return job

    def started(self, filenames: Sequence[str], per_minute: float) -> Iterator[BackfillResult]:
        """Start the imports one after the other, ``per_minute`` of them a minute."""
        for number, filename in enumerate(filenames):
            if number:
                time.sleep(60 / per_minute)
            try:
                job = self.start(filename)
            except VsvError as error:
                yield _refused(filename, error)
            else:
                yield BackfillResult(filename, State.STARTED, job.image_id)

    def imported(
        self, filenames: Sequence[str], watcher: ImportWatcher, at_once: int, bars: Bars
    ) -> Iterator[BackfillResult]:
        """Import the files, ``at_once`` of them at a time, and yield the result of each."""
        for filename, outcome in watcher.run(filenames, self.start, at_once, bars):
            if isinstance(outcome, VsvError):
                yield _refused(filename, outcome)
            elif outcome.error is not None:
                yield BackfillResult(filename, State.FAILED, outcome.image_id, detail=outcome.error)
            else:
                yield BackfillResult(filename, State.IMPORTED, outcome.image_id, outcome.tiles)

    def _is_known(self, file: ListedFile) -> bool:
        """Return whether the file has a record. Raises Conflict if its import cannot succeed."""
        records = [
            record
            for record in self._catalogue.by_filename(file.filename)
            if not is_deleted(record) and file_size_of(record) == file.size
        ]
        for record in records:
            if has_file_version(record, file.version):
                if has_failed(record) and not self._jobs.is_retry_due(record):
                    raise Conflict(
                        f"its import failed, see {image_id_of(record)}: {import_error_of(record)}"
                    )
                # An aborted import is continued; one that may succeed now is retried.
                return is_imported(record)
        if any(map(is_imported, records)):
            # It would become a second slide, like a rescan.
            raise Conflict("its record has another modification time: it was copied without")
        return False

    def _check_unchanged(self, unchanged_for_s: float) -> None:
        if unchanged_for_s < self._min_age_s:
            raise _StillChanging(f"it changed {unchanged_for_s:.0f} s ago")


def _refused(filename: str, error: VsvError) -> BackfillResult:
    changing = isinstance(error, _StillChanging)
    return BackfillResult(
        filename, State.CHANGING if changing else State.REFUSED, detail=str(error)
    )
