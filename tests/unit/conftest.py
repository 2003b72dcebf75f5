"""The import's outside world, in one process: a scanner folder, DataSync, Step Functions."""

import copy
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from moto.s3 import models
from moto.s3.exceptions import NoSuchUpload

from tests.aftermath import Aftermath
from tests.conftest import dynamodb
from tests.s3 import BUCKET, PYRAMIDS, S3
from vsv import aws as clients
from vsv.failures import named
from vsv.imports.check_file import check_file
from vsv.imports.fail_import import fail_import
from vsv.imports.file_state import FileState
from vsv.imports.request import Answer, ImportRequest, ImportState
from vsv.imports.service import ImportService
from vsv.imports.steps import Importer
from vsv.imports.transfers import Transfers
from vsv.settings import ExtractMetadataSettings

TASK_ARN = "arn:aws:datasync:eu-central-1:123456789012:task/task-0123456789abcdef0"


class FakeDataSync:
    """Executions copy from the scanner's folder once they are told to proceed."""

    class exceptions:
        class InvalidRequestException(Exception):
            pass

    def __init__(self, scanner: Path, efs: Path) -> None:
        self.scanner, self.efs = scanner, efs
        self.executions: dict[str, dict] = {}

    def start_task_execution(self, *, TaskArn, Includes):
        assert TaskArn == TASK_ARN
        (include,) = Includes
        assert include["FilterType"] == "SIMPLE_PATTERN"
        arn = f"{TaskArn}/execution/exec-{len(self.executions)}"
        self.executions[arn] = {"Status": "TRANSFERRING", "file": include["Value"].lstrip("/")}
        return {"TaskExecutionArn": arn}

    def describe_task_execution(self, *, TaskExecutionArn):
        try:
            return self.executions[TaskExecutionArn]
        except KeyError:
            raise self.exceptions.InvalidRequestException from None

    def proceed(self, status="SUCCESS"):
        for execution in self.executions.values():
            if execution["Status"] == "TRANSFERRING":
                source = self.scanner / execution["file"]
                if status == "SUCCESS" and source.exists():
                    target = self.efs / execution["file"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
                execution["Status"] = status
                execution["Result"] = {"ErrorDetail": "the share is gone"}


class LocalFiles:
    """CheckFile and SetAside without Lambda. ``age_s`` makes files look as old as a test needs."""

    def __init__(self, storage) -> None:
        self.storage = storage
        self.age_s = 60.0

    def check(self, filename):
        state = check_file(self.storage, filename)
        return FileState.from_dict({**state, "unchanged_for_s": self.age_s}) if state else None

    def holds(self, filename, version):
        return check_file(self.storage, filename, version) is not None

    def set_aside(self, filename, version):
        self.storage.set_aside(filename, version)


@dataclass
class FakeWorkflow:
    """Executions that run when a test says so, or end without a trace when it kills them."""

    importer: Importer
    catalogue: object
    running: dict[str, object] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    before: Callable[[object], object] = lambda _: None

    def ensure(self, job, is_finished):
        if job.name in self.running:
            return True
        if job.name in self.started and is_finished():
            return False
        self.started.append(job.name)
        self.running[job.name] = job
        return True

    def proceed(self):
        for name, job in list(self.running.items()):
            del self.running[name]
            self.run(job)

    def run(self, job):
        try:
            self.before(job)
            plan = self.importer.extract_metadata(job)
            for piece in plan["pieces"]:
                self.importer.render_tiles(job, piece["start"], piece["stop"])
            self.importer.finish_import(job)
        except Exception as raised:  # noqa: BLE001  as the functions and Step Functions do
            error = named(raised) or raised
            cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            fail_import(job, {"Error": type(error).__name__, "Cause": cause}, self.catalogue)

    def kill(self):
        self.running.clear()


class World:
    """A lab: files appear in ``scanner``, ``call`` is the workstation's request."""

    def __init__(self, tmp_path, storage, catalogue, tables) -> None:
        self.scanner = tmp_path / "scanner"
        self.scanner.mkdir()
        self.storage, self.catalogue, self.tables = storage, catalogue, tables
        self.datasync = FakeDataSync(self.scanner, storage.root)
        self.importer = Importer(
            storage,
            catalogue,
            ExtractMetadataSettings.read({"TILES_PER_PIECE": "40", "BARCODE_SEARCH_MS": "0"}),
            90,
        )
        self.workflow = FakeWorkflow(self.importer, catalogue)
        self.files = LocalFiles(storage)
        self.clock = 1_800_000_000.0
        self.transfers = Transfers(
            dynamodb().Table(tables["TransferTable"]),
            self.datasync,
            TASK_ARN,
            now=lambda: self.clock,
        )
        self.ahead_s = 0.0
        self.service = ImportService(
            self.files, catalogue, self.transfers, self.workflow, now=self.now
        )

    def scan(self, source: Path, name: str, mtime_s: int = 1_700_000_000) -> ImportRequest:
        path = self.scanner / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
        os.utime(path, (mtime_s, mtime_s))
        return ImportRequest(name, path.stat().st_size)

    def now(self) -> float:
        """Return the time, or as much later as a test needs."""
        return time.time() + self.ahead_s

    def call(self, request: ImportRequest) -> Answer:
        return self.service.handle(request)

    def bring_in(self, request: ImportRequest) -> Answer:
        """Call, and let the outside world proceed, until there is no more to come."""
        for _ in range(4):
            answer = self.call(request)
            if answer.state is ImportState.IMPORTED:
                break
            self.datasync.proceed()
            self.workflow.proceed()
        return answer

    def has_imported(self, source: Path, name: str) -> Answer:
        """Have an empty lab be as it is once it has imported a slide, without each test's doing so.

        The import itself runs once a process. What it left is copied: files, records, and what the
        outside world has seen.
        """
        request, key = self.scan(source, name), (source, name, self.storage._bucket)
        if key in _IMPORTED:
            answer, aftermath, executions, started = _IMPORTED[key]
            aftermath.restore(self.storage)
            self.datasync.executions |= copy.deepcopy(executions)
            self.workflow.started += started
        else:
            answer = self.bring_in(request)
            assert answer.state is ImportState.IMPORTED
            outside = copy.deepcopy(self.datasync.executions), [*self.workflow.started]
            _IMPORTED[key] = answer, Aftermath.of(self.storage), *outside
        return answer


_IMPORTED: dict[tuple[Path, str, str | None], tuple[Answer, Aftermath, dict, list[str]]] = {}


@pytest.fixture
def world(tmp_path, storage, catalogue, tables) -> World:
    return World(tmp_path, storage, catalogue, tables)


@pytest.fixture
def s3(aws, monkeypatch):
    """Yield the bucket as the template makes it, and small parts."""
    monkeypatch.setattr(models, "S3_UPLOAD_PART_MIN_SIZE", 1)
    upload_part = models.S3Backend.upload_part

    def upload_part_if_any(self, bucket, upload, *part):
        try:
            return upload_part(self, bucket, upload, *part)
        except KeyError:
            raise NoSuchUpload(upload_id=upload) from None

    monkeypatch.setattr(models.S3Backend, "upload_part", upload_part_if_any)
    client = clients.s3_archive()
    for name in (BUCKET, PYRAMIDS):
        client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    watched = S3(client)
    yield watched
    watched.close()


@pytest.fixture(autouse=True)
def viewers_client(monkeypatch):
    """Return the app client whose tokens functions take."""
    monkeypatch.setenv("CLIENT_ID", "viewer")
