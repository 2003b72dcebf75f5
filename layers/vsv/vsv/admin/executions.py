"""Imports that an operator has started, and their ends."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vsv.catalogue.accessors import (
    generation_of,
    has_failed,
    import_error_of,
    is_imported,
    is_of_file,
    progress_of,
)
from vsv.catalogue.record import SlideRecord
from vsv.catalogue.table import Catalogue
from vsv.errors import VsvError
from vsv.imports.workflow import ImportJob
from vsv.progress import Bars

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

__all__ = ["Execution", "Executions", "ImportWatcher", "Outcome", "StateMachine"]

# An import takes minutes.
_POLL_S: Final = 2.0
_RUNNING: Final = ("RUNNING", "PENDING_REDRIVE")


class Execution(NamedTuple):
    """An execution's status, by Step Functions' name, and what it says of its failure."""

    status: str
    cause: str | None = None

    @property
    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self.status in _RUNNING


class Executions(Protocol):
    """Reads the executions of imports."""

    def last(self, job: ImportJob) -> Execution | None:
        """Return the job's last execution; None if there is none."""


class StateMachine:
    """The executions of the Step Functions state machine."""

    def __init__(self, client: "SFNClient", state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn.replace(":stateMachine:", ":execution:")

    def last(self, job: ImportJob) -> Execution | None:
        """See Executions."""
        last = None
        for attempt in count(1):
            try:
                found = self._client.describe_execution(
                    executionArn=f"{self._arn}:{job.name}-{attempt}"
                )
            except self._client.exceptions.ExecutionDoesNotExist:
                break
            last = Execution(found["status"], found.get("cause"))
        return last


@dataclass(frozen=True)
class Outcome:
    """The progress of an import: tiles rendered, of how many; ``error`` says why it failed."""

    image_id: str
    is_over: bool
    rendered: int = 0
    tiles: int | None = None
    error: str | None = None


class ImportWatcher:
    """Waits for the ends of imports."""

    def __init__(self, catalogue: Catalogue, executions: Executions) -> None:
        self._catalogue = catalogue
        self._executions = executions

    def outcome_of(self, job: ImportJob) -> Outcome:
        """Return the progress of the job's import."""
        execution = self._executions.last(job)
        record = self._catalogue.get(job.image_id)
        begun = record is not None and _is_of(record, job)
        rendered, tiles = (progress_of(record) if begun else None) or (0, None)
        # Step Functions may not show an execution at once.
        if execution is None or execution.is_running:
            return Outcome(job.image_id, False, rendered, tiles)
        if record and begun and is_imported(record):
            return Outcome(job.image_id, True, rendered, tiles)
        failed = record and begun and has_failed(record)
        reason = import_error_of(record) if record and failed else execution.cause
        error = reason or "the import was aborted"
        return Outcome(job.image_id, True, rendered, tiles, error)

    def run(
        self,
        subjects: Iterable[str],
        start: Callable[[str], ImportJob],
        at_once: int,
        bars: Bars,
    ) -> Iterator[tuple[str, Outcome | VsvError]]:
        """Import ``at_once`` subjects at a time; yield the outcome of each, or why it was refused.

        ``start`` starts the import of a subject, which then names it.
        """
        waiting = iter(subjects)
        running: dict[str, ImportJob] = {}
        while True:
            while len(running) < at_once and (subject := next(waiting, None)) is not None:
                try:
                    running[subject] = start(subject)
                except VsvError as error:
                    yield subject, error
            if not running:
                return
            time.sleep(_POLL_S)
            for subject, job in list(running.items()):
                outcome = self.outcome_of(job)
                bars.show(subject, outcome.rendered, outcome.tiles)
                if outcome.is_over:
                    del running[subject]
                    bars.remove(subject)
                    yield subject, outcome


def _is_of(record: SlideRecord, job: ImportJob) -> bool:
    """Return whether the job's import has written this record."""
    same_file = is_of_file(record, job.filename, job.version)
    return same_file and generation_of(record) == job.generation
