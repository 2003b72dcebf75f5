"""Stand-in for DataSync: one task that really copies files from the scanner's folder to "EFS".

It speaks the service's JSON protocol, so that boto3 works against it, and behaves as unkindly as
the service may: a file appears under its own name and grows in place, its modification time is set
last, executions of the task wait for each other, and nothing is ever deleted at the destination.
``BytesPerSecond``, an option of the real service, makes a copy as slow as a test wants it.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from local.settings import TASK_ARN, read_json, write_json

_CHUNK_BYTES: Final = 1 << 20
CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_EXECUTION_ARN: Final = re.compile(re.escape(TASK_ARN) + r"/execution/exec-[0-9a-f]{17}")
_MAX_FILTER_LENGTH: Final = 102_400
_OPEN: Final = ("QUEUED", "LAUNCHING", "PREPARING", "TRANSFERRING", "VERIFYING")
_UNLIMITED: Final = -1
_KEPT_EXECUTIONS: Final = 1000

Answer = dict[str, Any]


class InvalidRequest(Exception):
    """The service's InvalidRequestException."""


@dataclass
class Execution:
    """One run of the task."""

    arn: str
    includes: list[str]
    bytes_per_second: int
    start_time: float
    status: str = "QUEUED"
    files_expected: int = 0
    bytes_expected: int = 0
    files_transferred: int = 0
    bytes_transferred: int = 0
    error: str | None = None
    durations_ms: dict[str, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether the execution has not ended."""
        return self.status in _OPEN


class DataSync:
    """The service: one task from ``source`` to ``destination``, its history in ``state_file``."""

    def __init__(self, source: Path, destination: Path, state_file: Path) -> None:
        self._source = source
        self._destination = destination
        self._state_file = state_file
        self._bytes_per_second = _UNLIMITED
        self._wake = asyncio.Event()
        state = read_json(state_file)
        self._executions = {each["arn"]: Execution(**each) for each in state.get("executions", [])}
        # What was cut short by a restart starts over; a half-written file is written again.
        for execution in self._executions.values():
            if execution.is_open:
                execution.status = "QUEUED"

    async def run(self) -> None:
        """Work through the queue, one execution at a time, for ever."""
        while True:
            self._wake.clear()
            waiting = [each for each in self._executions.values() if each.is_open]
            if waiting:
                await self._execute(waiting[0])
            else:
                await self._wake.wait()

    def handle(self, target: str, body: bytes) -> tuple[int, Answer]:
        """Answer one call of the service's API: HTTP status and body."""
        operations: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "StartTaskExecution": self._start,
            "DescribeTaskExecution": self._describe,
            "ListTaskExecutions": self._list,
            "CancelTaskExecution": self._cancel,
            "DescribeTask": self._describe_task,
            "UpdateTask": self._update_task,
        }
        operation = operations.get(target.removeprefix("FmrsService."))
        if operation is None:
            return 400, {"__type": "UnknownOperationException", "message": target}
        try:
            return 200, operation(json.loads(body or b"{}"))
        except (InvalidRequest, KeyError, TypeError, ValueError) as error:
            message = str(error) if isinstance(error, InvalidRequest) else f"Malformed: {error!r}"
            return 400, {"__type": "InvalidRequestException", "message": message}

    def _start(self, request: Mapping[str, Any]) -> Answer:
        self._check_task(request)
        patterns = _include_patterns(request.get("Includes") or [])
        options = request.get("OverrideOptions") or {}
        execution = Execution(
            arn=f"{TASK_ARN}/execution/exec-{secrets.token_hex(9)[:17]}",
            includes=patterns,
            bytes_per_second=int(options.get("BytesPerSecond", self._bytes_per_second)),
            start_time=time.time(),
        )
        self._executions[execution.arn] = execution
        self._save()
        self._wake.set()
        return {"TaskExecutionArn": execution.arn}

    def _describe(self, request: Mapping[str, Any]) -> Answer:
        execution = self._find(request)
        result: Answer = {"ErrorCode": "TransferError", "ErrorDetail": execution.error}
        return {
            "TaskExecutionArn": execution.arn,
            "Status": execution.status,
            "Options": {"BytesPerSecond": execution.bytes_per_second, **_OPTIONS},
            "Includes": _as_rules(execution.includes),
            "Excludes": [],
            "StartTime": execution.start_time,
            "EstimatedFilesToTransfer": execution.files_expected,
            "EstimatedBytesToTransfer": execution.bytes_expected,
            "FilesTransferred": execution.files_transferred,
            "BytesTransferred": execution.bytes_transferred,
            "BytesWritten": execution.bytes_transferred,
            "Result": {
                **{f"{phase}Duration": ms for phase, ms in execution.durations_ms.items()},
                **(result if execution.error else {}),
            },
        }

    def _list(self, request: Mapping[str, Any]) -> Answer:
        if "TaskArn" in request:
            self._check_task(request)
        return {
            "TaskExecutions": [
                {"TaskExecutionArn": each.arn, "Status": each.status}
                for each in self._executions.values()
            ]
        }

    def _cancel(self, request: Mapping[str, Any]) -> Answer:
        execution = self._find(request)
        if not execution.is_open:
            raise InvalidRequest(f"Task execution is already {execution.status}.")
        self._end(execution, "Task execution was cancelled.")
        return {}

    def _describe_task(self, request: Mapping[str, Any]) -> Answer:
        self._check_task(request)
        running = next((each for each in self._executions.values() if each.is_open), None)
        return {
            "TaskArn": TASK_ARN,
            "Name": "scanner-to-efs",
            "Status": "RUNNING" if running else "AVAILABLE",
            "Options": {"BytesPerSecond": self._bytes_per_second, **_OPTIONS},
            **({"CurrentTaskExecutionArn": running.arn} if running else {}),
        }

    def _update_task(self, request: Mapping[str, Any]) -> Answer:
        self._check_task(request)
        options = request.get("Options") or {}
        self._bytes_per_second = int(options.get("BytesPerSecond", self._bytes_per_second))
        return {}

    def _check_task(self, request: Mapping[str, Any]) -> None:
        if request.get("TaskArn") != TASK_ARN:
            raise InvalidRequest(f"Request parameter TaskArn {request.get('TaskArn')} not found.")

    def _find(self, request: Mapping[str, Any]) -> Execution:
        arn = str(request.get("TaskExecutionArn"))
        if not _EXECUTION_ARN.fullmatch(arn) or arn not in self._executions:
            raise InvalidRequest(f"Task execution {arn} not found.")
        return self._executions[arn]

    async def _execute(self, execution: Execution) -> None:
        try:
            self._enter(execution, "LAUNCHING")
            self._enter(execution, "PREPARING")
            names = await asyncio.to_thread(self._listing, execution.includes)
            changed = [name for name in names if self._differs(name)]
            execution.files_expected = len(changed)
            execution.bytes_expected = sum((self._source / name).stat().st_size for name in changed)
            self._enter(execution, "TRANSFERRING")
            for name in changed:
                await self._copy(execution, name)
                execution.files_transferred += 1
            self._enter(execution, "VERIFYING")
            for name in changed:
                if self._differs(name):
                    self._end(execution, f"Verification failed: /{name} has changed.")
                    return
            if execution.is_open:
                execution.status = "SUCCESS"
                self._save()
        except OSError as error:
            self._end(execution, f"{error.strerror}: {error.filename}")

    def _enter(self, execution: Execution, status: str) -> None:
        if execution.is_open:  # a cancelled execution stays ended
            execution.status = status
            self._save()

    def _end(self, execution: Execution, error: str) -> None:
        execution.status = "ERROR"
        execution.error = error
        self._save()

    def _listing(self, includes: list[str]) -> list[str]:
        """Return the files beneath the source that the filters name, links not followed."""
        names = []
        for folder, folders, files in os.walk(self._source, followlinks=False):
            folders.sort()
            for file in sorted(files):
                path = Path(folder, file)
                name = path.relative_to(self._source).as_posix()
                if path.is_file() and not path.is_symlink() and _is_included(name, includes):
                    names.append(name)
        return names

    def _differs(self, name: str) -> bool:
        try:
            here, there = (self._source / name).stat(), (self._destination / name).stat()
        except FileNotFoundError:
            return True
        # Like the service, look at metadata: size and modification time in seconds.
        return (here.st_size, int(here.st_mtime)) != (there.st_size, int(there.st_mtime))

    async def _copy(self, execution: Execution, name: str) -> None:
        source, target = self._source / name, self._destination / name
        # A link at the destination could lead out of it.
        if not target.parent.resolve().is_relative_to(self._destination.resolve()):
            raise PermissionError(1, "Outside the destination", f"/{name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink():
            target.unlink()
        rate = execution.bytes_per_second
        chunk_bytes = _CHUNK_BYTES if rate <= 0 else max(1, min(_CHUNK_BYTES, rate // 10))
        with source.open("rb") as reader, target.open("wb") as writer:
            while execution.is_open and (data := await asyncio.to_thread(reader.read, chunk_bytes)):
                await asyncio.to_thread(writer.write, data)
                writer.flush()
                execution.bytes_transferred += len(data)
                if rate > 0:
                    await asyncio.sleep(len(data) / rate)
        if execution.is_open:
            shutil.copystat(source, target)

    def _save(self) -> None:
        while len(self._executions) > _KEPT_EXECUTIONS:
            self._executions.pop(next(iter(self._executions)))
        write_json(
            self._state_file, {"executions": [asdict(each) for each in self._executions.values()]}
        )


_OPTIONS: Final[Answer] = {
    "VerifyMode": "ONLY_FILES_TRANSFERRED",
    "OverwriteMode": "ALWAYS",
    "PreserveDeletedFiles": "PRESERVE",
    "Mtime": "PRESERVE",
    "TaskQueueing": "ENABLED",
    "TransferMode": "CHANGED",
}


def _include_patterns(rules: list[Mapping[str, str]]) -> list[str]:
    """Return the patterns of an ``Includes`` parameter, still escaped; none means everything."""
    if len(rules) > 1:
        raise InvalidRequest("Only one include filter is allowed.")
    patterns: list[str] = []
    for rule in rules:
        value = rule.get("Value", "")
        if rule.get("FilterType") != "SIMPLE_PATTERN":
            raise InvalidRequest("FilterType must be SIMPLE_PATTERN.")
        if len(value) > _MAX_FILTER_LENGTH:
            raise InvalidRequest(f"A filter has at most {_MAX_FILTER_LENGTH} characters.")
        patterns += _split(value)
    if any(not pattern.startswith("/") for pattern in patterns):
        raise InvalidRequest("A pattern of an include filter starts with a slash.")
    if any(_has_inner_wildcard(pattern) for pattern in patterns):
        raise InvalidRequest("An include filter has its * at the end of a pattern only.")
    return patterns


def _as_rules(patterns: list[str]) -> list[Answer]:
    return [{"FilterType": "SIMPLE_PATTERN", "Value": "|".join(patterns)}] if patterns else []


def _split(value: str) -> list[str]:
    r"""Split a filter at ``|``; ``\|`` belongs to a name."""
    return re.findall(r"(?:\\.|[^|\\]|\\$)+", value, re.DOTALL)


def _has_inner_wildcard(pattern: str) -> bool:
    return "*" in re.sub(r"\\.", "", pattern, flags=re.DOTALL).rstrip("*")


def _is_included(name: str, patterns: list[str]) -> bool:
    """Tell whether the file ``name`` (relative, with slashes) is what a pattern names.

    A pattern names a file, a folder with all that is in it, or with ``*`` at its end whatever
    starts so.
    """
    path = PurePosixPath("/", name)
    for pattern in patterns:
        is_prefix = re.sub(r"\\.", "", pattern, flags=re.DOTALL).endswith("*")
        literal = re.sub(r"\\(.)", r"\1", pattern[:-1] if is_prefix else pattern, flags=re.DOTALL)
        if str(path).startswith(literal) if is_prefix else path.is_relative_to(literal):
            return True
    return not patterns
