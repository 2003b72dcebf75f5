"""Slide files that came to EFS by other means than the scanner's, and their imports."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vsv.admin.executions import Watch
from vsv.admin.progress import Bars
from vsv.catalogue.record import (
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
from vsv.imports.jobs import Arrivals
from vsv.imports.listing import ListedFile
from vsv.imports.workflow import ImportJob, Workflow

__all__ = ["CheckFile", "Fate", "Intake", "State"]

# Tells of a file: what vsv.imports.check_file.check_file does, wherever it is done.
CheckFile = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


class State(StrEnum):
    """What becomes of a file."""

    KNOWN = "known"  # it has its record
    CHANGING = "changing"  # it may still be on its way
    NEW = "new"  # it is to be imported
    STARTED = "started"
    IMPORTED = "imported"
    FAILED = "failed"
    REFUSED = "refused"  # it cannot be imported, or not now


@dataclass(frozen=True)
class Fate:
    """What becomes of a file, and why if something is wrong with it."""

    filename: str
    state: State
    image_id: str | None = None
    tiles: int | None = None
    detail: str | None = None


class _StillChanging(VsvError):
    """The file changed a moment ago."""


class Intake:
    """Takes in files that have no record.

    ``min_age_s``: what changed in the last so many seconds is left out.
    """

    def __init__(
        self, check: CheckFile, catalogue: Catalogue, workflow: Workflow, min_age_s: float
    ) -> None:
        self._check = check
        self._catalogue = catalogue
        self._arrivals = Arrivals(catalogue, workflow)
        self._min_age_s = min_age_s

    def look_at(self, file: ListedFile) -> Fate:
        """What is to be done about the file: NEW, CHANGING, KNOWN or REFUSED."""
        try:
            parse_filename(file.filename)
            if self._is_known(file):
                return Fate(file.filename, State.KNOWN)
            self._see_that_it_rests(file.quiet_s)
        except VsvError as error:
            return _refused(file.filename, error)
        return Fate(file.filename, State.NEW)

    def start(self, filename: str) -> ImportJob:
        """Start the file's import. May be repeated: the same bytes are imported once.

        Raises what keeps it from being imported.
        """
        file = FileState.from_dict(self._check({"filename": filename}))
        if file is None:
            raise NotFound("the file is gone")
        self._see_that_it_rests(file.quiet_s)
        job = self._arrivals.job(filename, file)
        if not self._arrivals.ensure(job) and not self._arrivals.settled(filename, job):
            raise Unavailable("the import was stopped from outside, again and again")
        return job

    def started(self, filenames: Sequence[str], per_minute: float) -> Iterator[Fate]:
        """Start the imports one after the other, so many a minute."""
        for number, filename in enumerate(filenames):
            if number:
                time.sleep(60 / per_minute)
            try:
                job = self.start(filename)
            except VsvError as error:
                yield _refused(filename, error)
            else:
                yield Fate(filename, State.STARTED, job.image_id)

    def imported(
        self, filenames: Sequence[str], watch: Watch, at_once: int, bars: Bars
    ) -> Iterator[Fate]:
        """Import the files, so many at once, and tell how each ended."""
        for filename, outcome in watch.run(filenames, self.start, at_once, bars):
            if isinstance(outcome, VsvError):
                yield _refused(filename, outcome)
            elif outcome.error is not None:
                yield Fate(filename, State.FAILED, outcome.image_id, detail=outcome.error)
            else:
                yield Fate(filename, State.IMPORTED, outcome.image_id, outcome.tiles)

    def _is_known(self, file: ListedFile) -> bool:
        """Whether the file has its record. Raises Conflict where that says that it is no slide."""
        records = [
            record
            for record in self._catalogue.by_filename(file.filename)
            if not is_deleted(record) and file_size_of(record) == file.size
        ]
        for record in records:
            if has_file_version(record, file.version):
                if has_failed(record) and not self._arrivals.is_retry_due(record):
                    raise Conflict(
                        f"its import failed, see {image_id_of(record)}: {import_error_of(record)}"
                    )
                # What was stopped from outside is continued; what may succeed now is tried again.
                return is_imported(record)
        if any(map(is_imported, records)):
            # It would become a second slide, as a rescan does.
            raise Conflict("its record has another modification time: it was copied without")
        return False

    def _see_that_it_rests(self, quiet_s: float) -> None:
        if quiet_s < self._min_age_s:
            raise _StillChanging(f"it changed {quiet_s:.0f} s ago")


def _refused(filename: str, error: VsvError) -> Fate:
    changing = isinstance(error, _StillChanging)
    return Fate(filename, State.CHANGING if changing else State.REFUSED, detail=str(error))
