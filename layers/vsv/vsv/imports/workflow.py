"""Executions of the import workflow, named for the bytes that they import."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from vsv.catalogue.accessors import file_version_of, filename_of, image_id_of, sha256_of, version_of
from vsv.catalogue.record import SlideRecord
from vsv.identifiers import FileVersion

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

__all__ = ["ABORTED", "ImportJob", "StepFunctions", "Workflow"]

# An execution that was aborted is followed by another: 5 attempts at once, and one more after each
# 12 hours, so that no file is given up.
_ATTEMPTS_AT_ONCE: Final = 5
_PAUSE_S: Final = 12 * 3600
ABORTED: Final = f"the import was aborted repeatedly ({_ATTEMPTS_AT_ONCE} attempts)"


@dataclass(frozen=True)
class ImportJob:
    """The input of the workflow: these bytes of this file. Every step checks them.

    ``generation`` tells one import of the same bytes from the next: the version of the record that
    it follows, 0 for the first. With ``restore`` the file is copied from the archive first; with
    ``rebuild`` all that was made of it is rebuilt.
    """

    image_id: str
    filename: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    generation: int = 0
    restore: bool = False
    rebuild: bool = False

    @property
    def version(self) -> FileVersion:
        """Return the version of the file."""
        return FileVersion(self.size, self.mtime_ns)

    @property
    def name(self) -> str:
        """Return a name that is unique to the file, its bytes and the generation."""
        subject = f"{self.version} {self.filename}"
        if self.generation:
            subject += f" {self.generation}"
        return hashlib.sha256(subject.encode()).hexdigest()[:40]

    def record_fields(self) -> SlideRecord:
        """Return what the slide's record says of these bytes."""
        return SlideRecord(
            ImageID=self.image_id,
            Filename=self.filename,
            FileSize=self.size,
            FileVersion=str(self.version),
            Generation=self.generation or None,
        )

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the job in a step's event, which may have more fields."""
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})

    @classmethod
    def again(cls, record: SlideRecord, *, restore: bool = False, rebuild: bool = False) -> Self:
        """Return the job of importing a record's slide once more."""
        version = file_version_of(record)
        return cls(
            image_id_of(record),
            filename_of(record),
            version.size,
            version.mtime_ns,
            sha256_of(record),
            version_of(record),
            restore,
            rebuild,
        )


class Workflow(Protocol):
    """Runs imports, each once."""

    def ensure(self, job: ImportJob, is_finished: Callable[[], bool]) -> bool:
        """Start the job's execution unless there is one; return whether one is running.

        An execution that ended without a result, as ``is_finished`` says, is followed by another.
        """


class StepFunctions:
    """The workflow as a Step Functions state machine."""

    def __init__(
        self,
        client: "SFNClient",
        state_machine_arn: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._arn = state_machine_arn
        self._now = now

    def ensure(self, job: ImportJob, is_finished: Callable[[], bool]) -> bool:
        """See Workflow. Executions that were aborted or timed out leave no result."""
        for attempt in count(1):
            ended_at = self._run(f"{job.name}-{attempt}", job)
            if ended_at is None:
                return True
            if is_finished():
                return False
            if attempt >= _ATTEMPTS_AT_ONCE and self._now() < ended_at + _PAUSE_S:
                return False
        raise AssertionError("unreachable")

    def _run(self, name: str, job: ImportJob) -> float | None:
        """Start the execution of this name unless there is one.

        Return when it ended, in seconds since 1970; None while it is running.
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps(asdict(job))
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            # Step Functions says so if the execution has ended, or its input differs.
            arn = self._arn.replace(":stateMachine:", ":execution:") + f":{name}"
            found = self._client.describe_execution(executionArn=arn)
            if found["status"] not in ("RUNNING", "PENDING_REDRIVE"):
                return found["stopDate"].timestamp()
        return None
