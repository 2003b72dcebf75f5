"""Imports that ops start once more, and what becomes of them."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vsv.admin.progress import Bars
from vsv.admin.standing import standing
from vsv.catalogue import FAILED, IMPORTED, IMPORTING, Catalogue, Record
from vsv.errors import Conflict, Unavailable, VsvError
from vsv.imports.workflow import ImportJob, Workflow

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

__all__ = ["Again", "Execution", "Executions", "Outcome", "Reimports", "StateMachine", "check"]

# An import takes minutes.
_POLL_S: Final = 2.0
_RUNNING: Final = ("RUNNING", "PENDING_REDRIVE")


class Again(Enum):
    """Why a slide is imported once more."""

    RETRY = auto()  # its import failed
    RENDER = auto()  # all that was made of it is to be made anew
    INDEX = auto()  # its index is to be written anew; tiles that are there stay


class Execution(NamedTuple):
    """An execution's status, by Step Functions' name, and what it says of its failure."""

    status: str
    cause: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status in _RUNNING


class Executions(Protocol):
    """Tells of imports."""

    def last(self, job: ImportJob) -> Execution | None:
        """The job's last execution; None where there is none."""


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
    """How far an import has come; ``error`` says why it failed. ``tiles`` are all of them."""

    is_over: bool
    rendered: int = 0
    tiles: int | None = None
    error: str | None = None


def check(record: Record | None, again: Again) -> Record:
    """The record, if its slide can be imported once more. Raises NotFound or Conflict."""
    record = standing(record)
    if record.get("Status") == "TRANSFERRED":
        raise Conflict("the slide is archived")
    if record["ImageID"] == record["Filename"]:
        # By this name the import would make a second slide of what is a mistake.
        raise Conflict("its ImageID is another slide's: one of the two has to be deleted")
    if again is Again.RETRY and record["ImportStatus"] == IMPORTED:
        raise Conflict("the slide's import did not fail")
    if again is not Again.RETRY and record["ImportStatus"] == IMPORTING:
        raise Conflict("the slide is being imported")
    return record


class Reimports:
    """Starts imports and waits for their ends."""

    def __init__(self, catalogue: Catalogue, workflow: Workflow, executions: Executions) -> None:
        self._catalogue = catalogue
        self._workflow = workflow
        self._executions = executions

    def start(self, image_id: str, again: Again) -> ImportJob:
        """Start the slide's import. May be repeated. Raises NotFound, Conflict or Unavailable."""
        record = check(self._catalogue.get(image_id), again)
        job = ImportJob.again(record, rebuild=again is Again.RENDER)
        if record["ImportStatus"] == IMPORTING:
            # It goes on where it was stopped from outside, under the name by which it is known.
            job = replace(job, generation=_generation(record))
            execution = self._executions.last(job)
            if execution and execution.is_running:
                raise Conflict("the slide is being imported")

        def is_settled() -> bool:
            return self._is_settled(job, record)

        if not self._workflow.ensure(job, is_settled) and not is_settled():
            raise Unavailable("the import was stopped from outside, again and again")
        return job

    def look(self, job: ImportJob) -> Outcome:
        """How far the job's import has come."""
        execution = self._executions.last(job)
        record = self._catalogue.get(job.image_id) or {}
        begun = _generation(record) == job.generation
        tiles = int(record["TilesTotal"]) if begun and "TilesTotal" in record else None
        # A piece of work that ran twice at once has counted twice.
        rendered = min(int(record.get("TilesRendered", 0)), tiles or 0)
        # Step Functions may take a moment to tell of what it has just started.
        if execution is None or execution.is_running:
            return Outcome(False, rendered, tiles)
        if begun and record.get("ImportStatus") == IMPORTED:
            return Outcome(True, rendered, tiles)
        if begun and record.get("ImportStatus") == FAILED:
            return Outcome(True, rendered, tiles, str(record.get("ImportError")))
        return Outcome(
            True, rendered, tiles, execution.cause or "the import was stopped from outside"
        )

    def run(
        self, image_ids: Iterable[str], again: Again, at_once: int, bars: Bars
    ) -> Iterator[tuple[str, Outcome | VsvError]]:
        """Import the slides, so many at once; yield what became of each, or why it was refused."""
        waiting = iter(image_ids)
        running: dict[str, ImportJob] = {}
        while True:
            while len(running) < at_once and (image_id := next(waiting, None)) is not None:
                try:
                    running[image_id] = self.start(image_id, again)
                except VsvError as error:
                    yield image_id, error
            if not running:
                return
            time.sleep(_POLL_S)
            for image_id, job in list(running.items()):
                outcome = self.look(job)
                bars.show(image_id, outcome.rendered, outcome.tiles)
                if outcome.is_over:
                    del running[image_id]
                    bars.remove(image_id)
                    yield image_id, outcome

    def _is_settled(self, job: ImportJob, seen: Record) -> bool:
        """Whether this import has come to an end, as the record tells."""
        record = self._catalogue.get(job.image_id) or {}
        return (
            _generation(record) == job.generation
            and record.get("Version") != seen.get("Version")
            and record.get("ImportStatus") in (IMPORTED, FAILED)
        )


def _generation(record: Record) -> int:
    return int(record.get("Generation", 0))
