"""The DataSync stand-in copies what the service would copy, and nothing else."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.settings import TASK_ARN
from local.standins import datasync
from local.standins.datasync import DataSync

CLOSED = {"SUCCESS", "ERROR"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "scanner"
    folder.mkdir()
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    folder = tmp_path / "efs"
    folder.mkdir()
    return folder


@pytest.fixture
def new_service(source: Path, destination: Path, tmp_path: Path) -> Callable[[], DataSync]:
    return lambda: DataSync(source, destination, tmp_path / "datasync.json")


def call(service: DataSync, operation: str, **request: Any) -> dict[str, Any]:
    status, answer = service.handle(f"FmrsService.{operation}", json.dumps(request).encode())
    assert status == 200, answer
    return answer


def start(service: DataSync, pattern: str | None = None, **options: int) -> str:
    includes = [{"FilterType": "SIMPLE_PATTERN", "Value": pattern}] if pattern else []
    answer = call(
        service,
        "StartTaskExecution",
        TaskArn=TASK_ARN,
        Includes=includes,
        OverrideOptions=options,
    )
    return answer["TaskExecutionArn"]


def describe(service: DataSync, arn: str) -> dict[str, Any]:
    return call(service, "DescribeTaskExecution", TaskExecutionArn=arn)


async def work(service: DataSync, *arns: str) -> list[str]:
    """Let the service run until the executions have ended; return their statuses."""
    worker = asyncio.create_task(service.run())
    async with asyncio.timeout(120):
        while not {describe(service, arn)["Status"] for arn in arns} <= CLOSED:
            await asyncio.sleep(0.01)
    worker.cancel()
    return [describe(service, arn)["Status"] for arn in arns]


def test_copies_the_named_file_with_its_time(source, destination, new_service):
    (source / "sub").mkdir()
    (source / "sub" / "a.svs").write_bytes(b"slide")
    (source / "b.svs").write_bytes(b"other")
    os.utime(source / "sub" / "a.svs", (1_700_000_000, 1_700_000_000))
    service = new_service()
    arn = start(service, "/sub/a.svs")

    assert asyncio.run(work(service, arn)) == ["SUCCESS"]
    assert (destination / "sub" / "a.svs").read_bytes() == b"slide"
    assert (destination / "sub" / "a.svs").stat().st_mtime == 1_700_000_000
    assert not (destination / "b.svs").exists()
    assert describe(service, arn)["FilesTransferred"] == 1


def test_leaves_what_the_destination_has_and_deletes_nothing(source, destination, new_service):
    (source / "a.svs").write_bytes(b"slide")
    (destination / "old.svs").write_bytes(b"kept")
    service = new_service()
    asyncio.run(work(service, start(service)))
    before = (destination / "a.svs").stat().st_ctime_ns
    second = start(service)

    assert asyncio.run(work(service, second)) == ["SUCCESS"]
    assert describe(service, second)["FilesTransferred"] == 0
    assert (destination / "a.svs").stat().st_ctime_ns == before
    assert (destination / "old.svs").read_bytes() == b"kept"


def test_a_file_that_is_not_there_is_no_error(new_service):
    service = new_service()
    arn = start(service, "/missing.svs")
    assert asyncio.run(work(service, arn)) == ["SUCCESS"]
    assert describe(service, arn)["FilesTransferred"] == 0


def test_a_slow_copy_grows_in_place(source, destination, new_service):
    (source / "a.svs").write_bytes(bytes(4000))
    service = new_service()
    arn = start(service, "/a.svs", BytesPerSecond=8000)
    sizes = set()

    async def watch() -> None:
        working = asyncio.create_task(work(service, arn))
        while not working.done():
            if (destination / "a.svs").exists():
                sizes.add((destination / "a.svs").stat().st_size)
            await asyncio.sleep(0.02)

    asyncio.run(watch())
    assert 4000 in sizes
    assert len(sizes) >= 3


def test_executions_wait_for_each_other(source, new_service):
    (source / "a.svs").write_bytes(bytes(2000))
    (source / "b.svs").write_bytes(bytes(10))
    service = new_service()
    slow, quick = start(service, "/a.svs", BytesPerSecond=10_000), start(service, "/b.svs")

    async def watch() -> list[str]:
        working = asyncio.create_task(work(service, slow, quick))
        while describe(service, slow)["Status"] != "SUCCESS":
            assert describe(service, quick)["Status"] == "QUEUED"
            await asyncio.sleep(0.01)
        return await working

    assert asyncio.run(watch()) == ["SUCCESS", "SUCCESS"]


def test_a_restart_begins_the_copy_again(source, destination, new_service):
    (source / "a.svs").write_bytes(bytes(5000))
    service = new_service()
    arn = start(service, "/a.svs", BytesPerSecond=10_000)

    async def break_off() -> None:
        worker = asyncio.create_task(service.run())
        while not (destination / "a.svs").exists():
            await asyncio.sleep(0.01)
        worker.cancel()

    asyncio.run(break_off())
    assert (destination / "a.svs").stat().st_size < 5000

    restarted = new_service()
    assert describe(restarted, arn)["Status"] == "QUEUED"
    assert asyncio.run(work(restarted, arn)) == ["SUCCESS"]
    assert (destination / "a.svs").stat().st_size == 5000


def test_a_cancelled_execution_ends_with_an_error(source, new_service):
    (source / "a.svs").write_bytes(bytes(5000))
    service = new_service()
    arn = start(service, "/a.svs", BytesPerSecond=5000)

    async def cancel() -> list[str]:
        working = asyncio.create_task(work(service, arn))
        await asyncio.sleep(0.1)
        call(service, "CancelTaskExecution", TaskExecutionArn=arn)
        return await working

    assert asyncio.run(cancel()) == ["ERROR"]


def test_a_task_option_slows_all_copies(new_service):
    service = new_service()
    call(service, "UpdateTask", TaskArn=TASK_ARN, Options={"BytesPerSecond": 1234})
    assert describe(service, start(service))["Options"]["BytesPerSecond"] == 1234


def test_no_link_leads_out_of_the_folders(source, destination, new_service, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.svs").write_bytes(b"secret")
    (source / "link.svs").symlink_to(outside / "secret.svs")
    (source / "folder").symlink_to(outside)
    (source / "sub").mkdir()
    (source / "sub" / "a.svs").write_bytes(b"slide")
    (source / "b.svs").write_bytes(b"slide")
    (destination / "sub").symlink_to(outside)
    (destination / "b.svs").symlink_to(outside / "secret.svs")
    service = new_service()

    assert asyncio.run(work(service, start(service, "/sub"))) == ["ERROR"]
    assert asyncio.run(work(service, start(service, "/b.svs|/link.svs|/folder"))) == ["SUCCESS"]
    assert sorted(path.name for path in outside.iterdir()) == ["secret.svs"]
    assert (outside / "secret.svs").read_bytes() == b"secret"
    assert [path.name for path in destination.iterdir() if not path.is_symlink()] == ["b.svs"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/a.svs", {"a.svs"}),
        ("/sub", {"sub/a.svs", "sub/deep/b.svs"}),
        ("/sub/", {"sub/a.svs", "sub/deep/b.svs"}),
        ("/sub*", {"sub/a.svs", "sub/deep/b.svs", "subway.svs"}),
        ("/a.svs|/subway.svs", {"a.svs", "subway.svs"}),
        ("/odd\\|na\\*me\\\\.svs", {"odd|na*me\\.svs"}),
        ("/*", None),
    ],
)
def test_filters_name_files_folders_and_beginnings(pattern, expected):
    names = {"a.svs", "sub/a.svs", "sub/deep/b.svs", "subway.svs", "odd|na*me\\.svs"}
    included = {name for name in names if datasync._is_included(name, datasync._split(pattern))}
    assert included == (names if expected is None else expected)


@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1))
def test_an_escaped_name_means_itself(name):
    if name in {".", ".."}:
        return
    escaped = "".join(f"\\{letter}" if letter in "|*\\" else letter for letter in f"/{name}")
    patterns = datasync._include_patterns([{"FilterType": "SIMPLE_PATTERN", "Value": escaped}])
    assert datasync._is_included(name, patterns)
    assert not datasync._is_included(f"{name}x", patterns)


@pytest.mark.parametrize(
    ("operation", "request_body"),
    [
        ("StartTaskExecution", {"TaskArn": "arn:aws:datasync:us-east-1:1:task/task-0"}),
        ("StartTaskExecution", {"TaskArn": TASK_ARN, "Includes": [{"Value": "/a"}]}),
        ("StartTaskExecution", {"TaskArn": TASK_ARN, "Includes": "/a"}),
        ("DescribeTaskExecution", {"TaskExecutionArn": f"{TASK_ARN}/execution/exec-0"}),
        ("DescribeTaskExecution", {}),
        ("CancelTaskExecution", {"TaskExecutionArn": "../../etc/passwd"}),
    ],
)
def test_bad_requests_are_the_service_s_own_error(new_service, operation, request_body):
    status, answer = new_service().handle(
        f"FmrsService.{operation}", json.dumps(request_body).encode()
    )
    assert (status, answer["__type"]) == (400, "InvalidRequestException")


@pytest.mark.parametrize("value", ["a.svs", "/a*b.svs", "/a.svs|b.svs"])
def test_bad_filters_are_refused(new_service, value):
    rule = {"FilterType": "SIMPLE_PATTERN", "Value": value}
    body = json.dumps({"TaskArn": TASK_ARN, "Includes": [rule]}).encode()
    status, answer = new_service().handle("FmrsService.StartTaskExecution", body)
    assert (status, answer["__type"]) == (400, "InvalidRequestException")


def test_unknown_operations_are_named():
    service = DataSync(Path("/nonexistent"), Path("/nonexistent"), Path("/nonexistent"))
    assert service.handle("FmrsService.DeleteTask", b"{}")[0] == 400
