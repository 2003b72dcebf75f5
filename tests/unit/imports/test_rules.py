"""The import's rules in numbers: sizes, names, waits and words, each at its limits."""

import io
import json
import math
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from vsv.errors import InvalidRequest, Unavailable
from vsv.identifiers import FileVersion, is_image_id, parse_filename, parse_image_id
from vsv.imports import file_state
from vsv.imports.failure import Failure, is_retry_due, seconds_to_retry
from vsv.imports.file_state import FileState, unchanged_for_s
from vsv.imports.listing import list_slides
from vsv.imports.naming import image_id_for, is_url_safe
from vsv.imports.others import _begins_with
from vsv.imports.remote_files import RemoteFiles
from vsv.imports.request import ImportRequest
from vsv.imports.service import _in_words
from vsv.imports.transfers import Transfers, TransferState, TransferStatus
from vsv.imports.workflow import ImportJob, StepFunctions
from vsv.removal.request import RemovalRequest

HOUR_S = 3600
SVS = len(".svs")


def test_a_size_is_a_whole_number_up_to_a_terabyte():
    for size in (0, 1, 2**40):
        assert ImportRequest.parse({"filename": "x.svs", "size": size}).size == size
    for size in (-1, 2**40 + 1, True, 1.0, "1", None):
        with pytest.raises(InvalidRequest, match="size must be"):
            ImportRequest.parse({"filename": "x.svs", "size": size})


def test_a_sha256_has_64_digits_and_is_compared_in_lower_case():
    body = {"filename": "x.svs", "size": 1}
    assert ImportRequest.parse({**body, "sha256": "AB" * 32}).sha256 == "ab" * 32
    assert ImportRequest.parse(body).sha256 is None
    for sha256 in ("", "a" * 63, "a" * 65, "g" * 64, 7):
        with pytest.raises(InvalidRequest, match="64 hexadecimal digits"):
            ImportRequest.parse({**body, "sha256": sha256})


def test_a_file_name_may_be_as_long_as_it_may_be():
    longest = "/".join(["f" * 203] * 4 + ["f" * (208 - SVS) + ".svs"])
    assert len(longest) == 1024
    for name in ("f" * (255 - SVS) + ".svs", longest):
        assert parse_filename(name) == name
    with pytest.raises(InvalidRequest, match="more than 255 bytes"):
        parse_filename("f" * (256 - SVS) + ".svs")
    with pytest.raises(InvalidRequest, match="longer than 1024 bytes"):
        parse_filename("f" + longest)
    for nothing in (None, "", 7, [], ["x.svs"]):
        with pytest.raises(InvalidRequest, match="must be a"):
            parse_filename(nothing)


@pytest.mark.parametrize(("length", "shown"), [(80, 80), (81, 77)])
def test_a_file_name_is_told_in_full_unless_it_is_long(length, shown):
    name = "*" * (length - SVS) + ".svs"
    with pytest.raises(InvalidRequest) as told:
        parse_filename(name)
    assert f"filename {name[:shown] + '...' * (shown < length)!r} holds" in str(told.value)


def test_an_image_id_has_its_limits():
    assert parse_image_id("ü" * 100) == "ü" * 100
    with pytest.raises(InvalidRequest, match="longer than 200 bytes"):
        parse_image_id("ü" * 100 + "x")
    assert is_image_id("ü" * 100)
    assert not is_image_id("ü" * 100 + "x")
    for text in ("a/b", "a%b"):
        with pytest.raises(InvalidRequest, match="may not have"):
            parse_image_id(text)
    assert is_url_safe("x" * 100)
    assert not is_url_safe("x" * 101)
    long = image_id_for(None, "folder/" * 30 + "S26-1.svs")
    assert is_url_safe(long)
    assert len(long) == 100, "as much of the path as there is room for"
    assert "folder_S26-1-" in long, "its end tells more than its beginning"


def test_technicians_name_up_to_200_slides():
    def parsed(count):
        images = [{"ImageID": str(number)} for number in range(count)]
        return RemovalRequest.parse({"Operation": "TRANSFERRED", "Images": images})

    assert len(parsed(200).images) == 200
    assert parsed(1).operation == "TRANSFER"
    for count in (0, 201):
        with pytest.raises(InvalidRequest, match="1 to 200"):
            parsed(count)
    longest = {"ImageID": "ü" * 512, "Filename": "f" * 1024}
    (image,) = RemovalRequest.parse({"Operation": "DELETE", "Images": [longest] * 2}).images
    assert (image.image_id, image.filename) == ("ü" * 512, "f" * 1024)


# ─── Transfers ───────────────────────────────────────────────────────────────────────────────────


class NewExecution:
    """DataSync, which does not know an execution that was started a moment ago."""

    class exceptions:
        class InvalidRequestException(Exception):
            pass

    def describe_task_execution(self, **_):
        raise self.exceptions.InvalidRequestException


def transfers(now, row=None):
    def get_item(*, Key, ConsistentRead):
        assert ConsistentRead, "a call that comes a moment later sees what this one has begun"
        return {"Item": row} if row else {}

    rows = SimpleNamespace(get_item=get_item)
    return Transfers(rows, NewExecution(), "arn:task", now=lambda: now)


def test_a_transfer_that_brings_nothing_waits_twice_as_long_each_time_up_to_an_hour():
    def wait_s(attempts, now=1000.0, size=7):
        row = {"Size": 7, "ClaimedAt": "1000", "Attempts": attempts}
        return transfers(now).wait_s(size, TransferStatus(TransferState.DONE, row))

    waits = [wait_s(attempts) for attempts in range(1, 10)]
    assert waits == [0, 60, 120, 240, 480, 960, 1920, HOUR_S, HOUR_S]
    assert wait_s(1000) == HOUR_S
    assert wait_s(3, now=1100.0) == 20
    assert wait_s(3, now=1120.0) == wait_s(3, now=5000.0) == 0
    assert wait_s(3, size=8) == 0, "another file of the name"
    assert transfers(0.0).wait_s(7, TransferStatus(TransferState.NONE)) == 0


@pytest.mark.parametrize("started", [{}, {"TaskExecutionArn": "arn:execution"}])
def test_a_transfer_that_nobody_knows_of_is_under_way_for_a_minute(started):
    row = {"Size": 7, "ClaimedAt": "1000", **started}
    assert transfers(1059.9, row).status("x.svs").state is TransferState.UNDER_WAY
    status = transfers(1060.0, row).status("x.svs")
    assert (status.state, status.size, status.started_at) == (TransferState.NONE, 7, 1000.0)
    assert status.attempts(7) == 1
    nothing = transfers(0.0).status("x.svs")
    assert (nothing.state, nothing.size, nothing.started_at) == (TransferState.NONE, None, 0.0)
    assert nothing.attempts(7) == 0


# ─── Files on EFS ────────────────────────────────────────────────────────────────────────────────


def test_no_clock_makes_a_file_younger_than_new(monkeypatch):
    monkeypatch.setattr(file_state, "time", SimpleNamespace(time=lambda: 1000.0))
    assert unchanged_for_s(SimpleNamespace(st_ctime=970.5)) == 29.5
    assert unchanged_for_s(SimpleNamespace(st_ctime=1030.0)) == 0.0


def test_functions_with_the_file_system_are_asked_by_json():
    asked = []
    answers = [
        {"size": 1, "mtime_ns": 2, "unchanged_for_s": 3.5, "image_id": "x"},
        None,
        {},
        None,
        None,
    ]

    def invoke(FunctionName, Payload):
        asked.append((FunctionName, json.loads(Payload)))
        return {"Payload": io.BytesIO(json.dumps(answers.pop(0)).encode())}

    files = RemoteFiles(SimpleNamespace(invoke=invoke), "check", "aside")
    version = FileVersion(26, 255)
    assert files.check("x.svs") == FileState(1, 2, 3.5, "x")
    assert files.check("x.svs") is None
    assert files.holds("x.svs", version) is True
    assert files.holds("x.svs", version) is False
    files.set_aside("x.svs", version)
    one = {"filename": "x.svs", "version": "1a-ff"}
    assert asked[1:] == [
        ("check", {"filename": "x.svs"}),
        ("check", one),
        ("check", one),
        ("aside", one),
    ]
    failed = {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "x"}')}
    files = RemoteFiles(SimpleNamespace(invoke=lambda **_: failed), "check", "aside")
    with pytest.raises(Unavailable):
        files.check("x.svs")


@pytest.mark.parametrize(
    ("files", "name_length", "on_page"), [(9_999, 9, None), (10_000, 9, 10_000), (5000, 1000, 3850)]
)
def test_a_page_of_files_fits_a_functions_answer(files, name_length, on_page):
    """Of six million bytes; and is told within the time that a function has."""
    status = SimpleNamespace(st_size=7, st_mtime_ns=10**18, st_ctime=math.inf)
    names = [f"{number:0{name_length}}.svs" for number in range(files)]
    storage = SimpleNamespace(slides=lambda folder, after: ((name, status) for name in names))
    page = list_slides(storage, {})
    assert len(page["files"]) == (on_page or files)
    assert page["after"] == (names[on_page - 1] if on_page else None)
    assert len(json.dumps(page)) < 4_002_000


@pytest.mark.parametrize("size", [1, 1000, 3 * 2**20])
def test_a_part_of_a_file_begins_as_the_file_and_ends_within_it(tmp_path, size):
    whole, part = tmp_path / "whole", tmp_path / "part"
    content = bytes(number % 251 for number in range(size))
    whole.write_bytes(content + b"more")
    part.write_bytes(content)
    assert _begins_with(whole, part, size)
    for at in (0, size - 1):
        other = bytearray(content)
        other[at] ^= 1
        part.write_bytes(other)
        assert not _begins_with(whole, part, size), at


# ─── Attempts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "waits_s"),
    [
        ("Unavailable", [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600]),
        ("DuplicateSlide", [3600, 7200, 14400, 21600]),
        ("ImageIdConflict", [0, 120, 240]),
        ("ChecksumMismatch", [0, 120, 240]),
    ],
)
def test_an_import_that_fails_waits_twice_as_long_each_time_up_to_six_hours(error, waits_s):
    failure = Failure(error, "")
    assert [failure.wait_s(retries) for retries in range(len(waits_s))] == waits_s
    assert failure.wait_s(1000) == 6 * HOUR_S


def test_a_failed_import_is_due_when_its_time_has_come():
    retry_at = datetime(2026, 3, 14, 12, tzinfo=UTC)
    record = {"ImageID": "1", "Filename": "x.svs", "ImportStatus": "FAILED"}
    planned = {**record, "RetryAt": retry_at.isoformat()}
    at_s = retry_at.timestamp()
    assert seconds_to_retry(planned, at_s - 90) == 90
    assert seconds_to_retry(planned, at_s + 90) == 0
    assert seconds_to_retry(record, at_s) is None
    assert is_retry_due(planned, at_s)
    assert not is_retry_due(planned, at_s - 1)
    assert not is_retry_due(record, at_s), "the slide's own fault"
    assert not is_retry_due({**planned, "ImportStatus": "IMPORTED"}, at_s)
    assert is_retry_due({**record, "Filename": "1"}, at_s), "what version 0.1 noted"


def test_a_reason_is_500_characters_at_most_and_a_timeout_is_told_as_that():
    def reason(kind, message):
        return Failure.of({"Error": kind, "Cause": json.dumps({"errorMessage": message})}).reason

    assert reason("NotFound", "x" * 600) == "x" * 500
    late = "2026-03-14T12:00:00Z 1234 Task timed out after 900.00 seconds"
    assert reason("Error", late) == "a step of the import took too long"
    for cause in ("", "[]", "null", "{}", "no JSON"):
        told = Failure.of({"Error": "NotFound", "Cause": cause})
        assert told.reason == "an internal error stopped the import (NotFound)"
        assert told.is_final
    assert not Failure.of({}).is_final


class States:
    """Step Functions: executions by name, which end as soon as they are started."""

    class exceptions:
        class ExecutionAlreadyExists(Exception):
            pass

    def __init__(self, status="ABORTED"):
        self.status = status
        self.ended: list[str] = []

    def start_execution(self, *, stateMachineArn, name, input):
        assert stateMachineArn == "arn:aws:states:x:1:stateMachine:Import"
        self.asked = json.loads(input)
        if name in self.ended:
            raise self.exceptions.ExecutionAlreadyExists
        self.ended.append(name)

    def describe_execution(self, *, executionArn):
        prefix, _, name = executionArn.rpartition(":")
        assert prefix == "arn:aws:states:x:1:execution:Import"
        assert name in self.ended
        return {"status": self.status, "stopDate": datetime.fromtimestamp(1000, UTC)}


def test_what_is_stopped_from_outside_gets_five_attempts_and_then_one_in_twelve_hours():
    states, job, clock = States(), ImportJob("1", "x.svs", 7, 8), 1000.0
    workflow = StepFunctions(states, "arn:aws:states:x:1:stateMachine:Import", now=lambda: clock)

    def ensure():
        return workflow.ensure(job, lambda: False)

    assert [ensure() for _ in range(7)] == [True] * 5 + [False] * 2
    clock += 12 * HOUR_S - 1
    assert not ensure()
    clock += 1
    assert ensure()
    assert states.ended == [f"{job.name}-{attempt}" for attempt in range(1, 7)]
    file = {"image_id": "1", "filename": "x.svs", "size": 7, "mtime_ns": 8, "sha256": None}
    plain = {"generation": 0, "restore": False, "rebuild": False}
    assert states.asked == {**file, **plain}, "what the state machine chooses its way by"
    assert not workflow.ensure(job, lambda: True)
    for status in ("RUNNING", "PENDING_REDRIVE"):
        states.status = status
        assert ensure()
        assert len(states.ended) == 6


def test_a_jobs_name_is_of_its_bytes_and_its_generation():
    job = ImportJob("1", "x.svs", 7, 8)
    others = [
        ImportJob("1", "y.svs", 7, 8),
        ImportJob("1", "x.svs", 6, 8),
        ImportJob("1", "x.svs", 7, 9),
        ImportJob("1", "x.svs", 7, 8, generation=1),
        ImportJob("1", "x.svs", 7, 8, generation=2),
    ]
    assert len({each.name for each in (job, *others)}) == 6
    assert ImportJob("2", "x.svs", 7, 8, "ab", restore=True).name == job.name
    assert ImportJob.from_dict({**vars(job), "more": 1}) == job


def test_a_slide_is_imported_once_more_as_its_record_says():
    record = {"ImageID": "1", "Filename": "x.svs", "FileVersion": "7-8"}
    assert ImportJob.again(record) == ImportJob("1", "x.svs", 7, 8)
    record |= {"Sha256": "ab", "Version": 3}
    assert ImportJob.again(record) == ImportJob("1", "x.svs", 7, 8, "ab", 3)
    restored = ImportJob.again(record, restore=True)
    assert restored == ImportJob("1", "x.svs", 7, 8, "ab", 3, True, False)
    rebuilt = ImportJob.again(record, rebuild=True)
    assert rebuilt == ImportJob("1", "x.svs", 7, 8, "ab", 3, False, True)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *[(0.2, "1 s"), (60, "60 s"), (60.5, "2 min"), (61, "2 min"), (120, "2 min")],
        *[(3600, "60 min"), (3601, "2 h"), (6 * HOUR_S, "6 h")],
    ],
)
def test_a_time_to_wait_is_told_in_words(seconds, words):
    assert _in_words(seconds) == words


class Rows:
    """The table of transfers: what is written to it, unless another call was first."""

    class Refused(Exception):
        pass

    def __init__(self, *, refuses=False):
        exceptions = SimpleNamespace(ConditionalCheckFailedException=self.Refused)
        self.meta = SimpleNamespace(client=SimpleNamespace(exceptions=exceptions))
        self.refuses = refuses
        self.written = []

    def put_item(self, *, Item, ConditionExpression):
        self._write(Item)

    def update_item(self, *, Key, ExpressionAttributeValues, **_):
        self._write({**Key, **ExpressionAttributeValues})

    def _write(self, item):
        if self.refuses:
            raise self.Refused
        self.written.append(item)


def test_a_transfer_that_is_started_is_noted_for_a_week():
    started = []

    def start_task_execution(**call):
        started.append(call)
        return {"TaskExecutionArn": "arn:execution"}

    datasync = SimpleNamespace(start_task_execution=start_task_execution)
    seen = TransferStatus(TransferState.FAILED, {"Size": 7, "ClaimedAt": "1", "Attempts": 2})
    rows = Rows()
    assert Transfers(rows, datasync, "arn:task", now=lambda: 1000.5).start("a|b*.svs", 7, seen)
    assert rows.written == [
        {
            "Filename": "a|b*.svs",
            "Size": 7,
            "Attempts": 3,
            "ClaimedAt": "1000.5",
            "ExpiresAt": 1000 + 7 * 24 * HOUR_S,
        },
        {"Filename": "a|b*.svs", ":arn": "arn:execution"},
    ]
    include = {"FilterType": "SIMPLE_PATTERN", "Value": r"/a\|b\*.svs"}
    assert started == [{"TaskArn": "arn:task", "Includes": [include]}]
    late = Transfers(Rows(refuses=True), datasync, "arn:task", now=lambda: 1000.5)
    assert not late.start("a|b*.svs", 7, seen)
    assert len(started) == 1, "another call was first"


def test_attempts_are_forgotten_once_the_file_has_come():
    seen = TransferStatus(TransferState.DONE, {"Size": 7, "ClaimedAt": "1", "Attempts": 2})
    rows = Rows()
    transfers = Transfers(rows, None, "arn:task")
    transfers.forget_attempts("x.svs", seen)
    assert rows.written == [{"Filename": "x.svs", ":none": 0}]
    for nothing in ({"Size": 7, "ClaimedAt": "1", "Attempts": 0}, None):
        transfers.forget_attempts("x.svs", TransferStatus(TransferState.DONE, nothing))
    assert len(rows.written) == 1
    Transfers(Rows(refuses=True), None, "arn:task").forget_attempts("x.svs", seen)
