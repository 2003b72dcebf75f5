"""``vsv-admin`` as ops use it: what it says, what it starts, and the exit codes."""

import csv
import io
import json
import os
import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import boto3
import botocore.loaders
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from local.samples import generated_slide
from tests.conftest import ROOT, dynamodb
from tests.handlers import load_handler
from vsv.admin import backfill, cli, deployment, main
from vsv.admin import executions as watch
from vsv.admin.deployment import Deployment
from vsv.admin.executions import Execution, StateMachine
from vsv.admin.verification import verified
from vsv.catalogue.listings import Listings
from vsv.catalogue.projections import CSV_COLUMNS
from vsv.errors import InvalidRequest, Unavailable
from vsv.identifiers import FileVersion
from vsv.imports import listing
from vsv.imports.verify import RecordedSlide, verify
from vsv.imports.workflow import ImportJob, StepFunctions
from vsv.progress import Bars

ID = "204711"
MACHINE = {
    "name": "import",
    "definition": '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
    "roleArn": "arn:aws:iam::123456789012:role/import",
}
LOADER = botocore.loaders.create_loader()
COMMANDS = (
    *("failed", "backfill", "retry", "rerender", "rebuild-index", "verify", "export", "history"),
    "upgrade",
)


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """Undo with the test what the command sets for its process.

    But for what a session reads of the services: that takes longer than most tests.
    """
    monkeypatch.setattr(botocore.session, "create_loader", lambda _: LOADER)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.delenv("VSV_STACK", raising=False)


@pytest.fixture
def admin(tables, tmp_path, capsys):
    """Run a command; return its exit code, and the lines on standard output and error."""
    stack = {
        "table_name": tables["SlideTable"],
        "history_table_name": tables["HistoryTable"],
        "import_state_machine_arn": "arn:aws:states:eu-central-1:1:stateMachine:import",
        "verify_slide_function": "VerifySlide",
        "list_slides_function": "ListSlides",
        "check_file_function": "CheckFile",
        "region": "eu-central-1",
    }
    (tmp_path / "stack.json").write_text(json.dumps(stack))

    def run(*arguments):
        capsys.readouterr()
        code = main(["--stack-file", str(tmp_path / "stack.json"), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


class FakeExecutions:
    """What Step Functions tells of the world's imports, unless a test says otherwise."""

    def __init__(self, workflow) -> None:
        self.workflow = workflow
        self.told = {}

    def last(self, job):
        if job.name in self.told:
            return self.told[job.name]
        if job.name in self.workflow.running:
            return Execution("RUNNING")
        return Execution("SUCCEEDED") if job.name in self.workflow.started else None


def sleeping(monkeypatch, wait):
    """Have the command wait in this way. Other threads of the process sleep as ever."""
    for module in (backfill, watch):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=wait))


@pytest.fixture
def executions(world, monkeypatch):
    """While the command waits, imports proceed."""
    fake = FakeExecutions(world.workflow)
    sleeping(monkeypatch, lambda _: world.workflow.proceed())
    monkeypatch.setattr(cli, "StepFunctions", lambda *_: world.workflow)
    monkeypatch.setattr(cli, "StateMachine", lambda *_: fake)
    return fake


@pytest.fixture
def imported(world, generated):
    return world.has_imported(generated, "x.svs").image_id


@pytest.fixture
def failed(world, small):
    """Return a slide whose import failed for want of S3, as it will until a test changes that."""
    world.fails = True

    def before(_):
        if world.fails:
            raise Unavailable("S3 is too busy")

    world.workflow.before = before
    return world.bring_in(world.scan(small, "x.svs")).image_id


def set_fields(world, image_id, **fields):
    world.catalogue.change(image_id, "ann", "EDIT", lambda old: {**(old or {}), **fields})


def add(world, image_id, **fields):
    defaults = {
        "Filename": f"{image_id}.svs",
        "FileVersion": "1-1",
        "FileSize": 1,
        "Status": "NEW",
        "ImportStatus": "IMPORTED",
    }
    set_fields(world, image_id, **{**defaults, **fields})


# failed


def test_failed_imports_are_listed_the_last_one_first_with_their_reasons(admin, world):
    add(world, "1", ImportStatus="FAILED", ImportError="first\n reason", FailedAt="2026-01-01")
    add(world, "2", ImportStatus="FAILED", ImportError="second", FailedAt="2026-01-02")
    add(world, "3")
    code, out, _ = admin("failed")
    assert (code, out) == (
        0,
        ["2026-01-02  2  2.svs: second", "2026-01-01  1  1.svs: first reason"],
    )
    code, out, _ = admin("failed", "--json", "--limit", "1")
    assert [json.loads(line) for line in out] == [
        {
            "ImageID": "2",
            "Filename": "2.svs",
            "FailedAt": "2026-01-02",
            "ImportError": "second",
        }
    ]


# retry


def test_a_retry_imports_a_slide_whose_import_failed(admin, world, executions, failed):
    version = int(world.catalogue.get(failed)["Version"])
    world.fails = False
    code, out, err = admin("retry", failed)
    assert (code, out, err) == (0, [f"{failed}: imported, 17 tiles"], [])
    record = world.catalogue.get(failed)
    assert (record["ImportStatus"], record["Generation"]) == ("IMPORTED", version)


def test_a_retry_that_fails_again_says_why(admin, world, executions, failed):
    code, out, err = admin("retry", failed, failed)
    assert (code, out) == (1, [])
    assert err == [f"vsv-admin: {failed}: the import failed: S3 is too busy"]
    world.fails = False
    assert admin("retry", failed)[0] == 0
    # Each retry is another import.
    assert len(world.workflow.started) == 3


def test_an_import_that_was_stopped_from_outside_is_no_success(
    admin, world, executions, failed, monkeypatch
):
    sleeping(monkeypatch, lambda _: world.workflow.kill())
    job = ImportJob.again(world.catalogue.get(failed))
    executions.told[job.name] = Execution("ABORTED")
    code, _, err = admin("retry", failed)
    assert code == 1
    assert err == [f"vsv-admin: {failed}: the import failed: the import was aborted"]


def test_a_failure_that_left_no_trace_on_this_record_is_told_by_the_execution(
    admin, world, executions, failed, monkeypatch
):
    sleeping(monkeypatch, lambda _: world.workflow.kill())
    job = ImportJob.again(world.catalogue.get(failed))
    executions.told[job.name] = Execution("FAILED", "ImageID 204711 belongs to another slide")
    assert "belongs to another slide" in admin("retry", failed)[2][0]


def test_an_import_that_hangs_for_want_of_its_execution_is_gone_on_with(
    admin, world, executions, generated
):
    request = world.scan(generated, "x.svs")
    world.call(request)
    world.datasync.proceed()
    world.call(request)
    (job,) = world.workflow.running.values()
    world.importer.extract_metadata(job)
    code, _, err = admin("retry", job.image_id)
    assert (code, err) == (1, [f"vsv-admin: {ID}: the slide is being imported"])

    world.workflow.kill()
    assert admin("retry", job.image_id)[1] == [f"{ID}: imported, 107 tiles"]
    assert world.workflow.started == [job.name, job.name]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "the slide's import did not fail"),
        ({"Status": "DELETED"}, "the slide is deleted"),
        ({"Status": "TRANSFERRED"}, "the slide is archived"),
        (
            {"Removal": {"Operation": "DELETE", "State": "FAILED"}, "ImportStatus": "FAILED"},
            "a DELETE of this slide is not complete",
        ),
        ({"Filename": "1", "ImportStatus": "FAILED"}, "this cannot be an ImageID"),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_retried_is_refused_and_the_others_are_not(
    admin, world, executions, failed, fields, reason
):
    add(world, "1", **fields)
    world.fails = False
    code, out, err = admin("retry", "1", "nobody", failed)
    assert code == 1
    assert reason in err[0]
    assert err[1] == "vsv-admin: nobody: there is no slide with this ImageID"
    assert out == [f"{failed}: imported, 17 tiles"]


def test_all_are_retried_but_those_that_would_be_refused(
    admin, world, executions, failed, real, tmp_path
):
    add(world, "day 1/y.svs", Filename="day 1/y.svs", ImportStatus="FAILED")
    other = generated_slide(tmp_path / "z.svs", real, size=(300, 200), properties={"ImageID": "77"})
    world.bring_in(world.scan(other, "z.svs"))
    world.fails = False
    code, out, err = admin("retry", "--all", "--at-once", "1")
    assert code == 0
    assert sorted(line.partition(":")[0] for line in out) == [ID, "77"]
    assert err == [
        "vsv-admin: day 1/y.svs: skipped: this cannot be an ImageID: "
        "backfill imports the file under another"
    ]


def test_so_many_slides_at_once_and_no_more(admin, world, executions, monkeypatch):
    for number in range(5):
        add(world, str(number), ImportStatus="FAILED")
    waits = []

    def wait(_):
        waits.append(len(world.workflow.running))
        world.workflow.running.clear()

    sleeping(monkeypatch, wait)
    admin("retry", "--all", "--at-once", "2")
    assert waits == [2, 2, 1]


@pytest.mark.slow
def test_without_waiting_imports_are_started_and_no_more(admin, world, tables, failed, tmp_path):
    """By the real Step Functions' classes, on moto."""
    states = boto3.client("stepfunctions")
    arn = states.create_state_machine(**MACHINE)["stateMachineArn"]
    stack = json.loads((tmp_path / "stack.json").read_text())
    (tmp_path / "stack.json").write_text(json.dumps({**stack, "import_state_machine_arn": arn}))
    for _ in range(2):
        code, out, err = admin("retry", failed, "nobody", "--no-wait")
        assert (code, out) == (1, [f"{failed}: the import was started"])
        assert err == ["vsv-admin: nobody: there is no slide with this ImageID"]
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    started = states.describe_execution(executionArn=execution["executionArn"])
    record = world.catalogue.get(failed)
    assert json.loads(started["input"]) == {
        "image_id": ID,
        "filename": "x.svs",
        "size": int(record["FileSize"]),
        "mtime_ns": 1_700_000_000 * 10**9,
        "sha256": None,
        "generation": int(record["Version"]),
        "restore": False,
        "rebuild": False,
    }


def test_the_last_of_a_jobs_executions_counts(aws):
    states = boto3.client("stepfunctions")
    arn = states.create_state_machine(**MACHINE)["stateMachineArn"]
    job = ImportJob("1", "x.svs", 1, 2)
    machine = StateMachine(states, arn)
    assert machine.last(job) is None
    workflow = StepFunctions(states, arn)
    assert workflow.ensure(job, lambda: False)
    assert machine.last(job).is_running
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    states.stop_execution(executionArn=execution["executionArn"])
    assert machine.last(job).status == "ABORTED"
    assert workflow.ensure(job, lambda: False)
    assert machine.last(job).is_running


def test_interrupted_it_says_that_imports_go_on(admin, world, executions, failed, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    sleeping(monkeypatch, interrupt)
    code, _, err = admin("retry", failed)
    assert (code, err) == (130, ["vsv-admin: interrupted; imports that were started go on"])
    assert len(world.workflow.running) == 1


# backfill


@pytest.fixture(scope="module")
def small_bytes(real, tmp_path_factory):
    """Return a small slide's bytes."""
    path = tmp_path_factory.mktemp("small") / "x.svs"
    return generated_slide(path, real, size=(300, 200), downsamples=(1,)).read_bytes()


@pytest.fixture
def put(world, small_bytes):
    """Copy a slide with an ImageID of six digits to EFS, by other means than the scanner's."""

    def put(name, image_id):
        path = world.storage.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            small_bytes.replace(f"ImageID = {ID}".encode(), f"ImageID = {image_id}".encode())
        )
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return path

    return put


def test_copied_files_are_taken_in_once_and_nothing_else_is(
    admin, world, function, executions, imported, put
):
    path = put("day 1/y.svs", "700007")
    path.with_name(".y.svs").write_text("hidden")
    path.with_name(f"z.{FileVersion.of(path)}.svs").hardlink_to(path)  # set aside
    (world.storage.root / f"{ID}_files" / "a.svs").write_text("no slide in a pyramid")
    assert admin("backfill", "--dry-run", "--min-age", "0") == (
        0,
        ["day 1/y.svs: new"],
        ["vsv-admin: 2 slide files: 1 new, 1 known"],
    )
    assert len(world.workflow.started) == 1
    code, out, err = admin("backfill", "--min-age", "0")
    tiles = world.catalogue.get("700007")["TilesTotal"]
    assert (code, out) == (0, [f"day 1/y.svs: imported as 700007, {tiles} tiles"])
    assert err == ["vsv-admin: 2 slide files: 1 known, 1 imported"]
    assert admin("backfill") == (0, [], ["vsv-admin: 2 slide files: 2 known"])
    assert len(world.workflow.started) == 2


def test_what_changed_a_moment_ago_is_left_out(admin, world, function, executions, put):
    put("x.svs", "700007")
    code, out, (line, summary) = admin("backfill")
    assert (code, out) == (0, [])
    assert re.fullmatch(r"vsv-admin: x.svs: changing: it changed \d s ago", line)
    assert summary == "vsv-admin: 1 slide files: 1 changing"
    assert not world.workflow.started


def test_what_cannot_be_taken_in_is_told_and_the_others_are(
    admin, world, function, executions, imported, put
):
    put("a:b.svs", "700006")
    put("copied without its time.svs", "700007")
    put("failed.svs", "700008")
    put("same id.svs", ID)
    put("y.svs", "700009")
    size = FileVersion.of(world.storage.root / "y.svs").size
    add(world, "700007", Filename="copied without its time.svs", FileVersion="1-1", FileSize=size)
    version = str(FileVersion.of(world.storage.root / "failed.svs"))
    fields = {"Filename": "failed.svs", "FileVersion": version, "FileSize": size}
    add(world, "700008", **fields, ImportStatus="FAILED", ImportError="no disk")
    before = world.catalogue.get(ID)
    code, out, err = admin("backfill", "--min-age", "0", "--json")
    assert (code, err) == (
        1,
        ["vsv-admin: 6 slide files: 3 refused, 1 known, 2 imported"],
    )
    told = {row["Filename"]: row for row in map(json.loads, out)}
    assert told["y.svs"]["ImageID"] == "700009"
    assert told["same id.svs"]["ImageID"].startswith(f"{ID}-")
    assert {name: (row["state"], row["detail"]) for name, row in told.items()} == {
        "a:b.svs": (
            "refused",
            "filename 'a:b.svs' holds a character that file names may not have",
        ),
        "copied without its time.svs": (
            "refused",
            "its record has another modification time: it was copied without",
        ),
        "failed.svs": ("refused", "its import failed, see 700008: no disk"),
        "same id.svs": ("imported", None),
        "y.svs": ("imported", None),
    }
    # The other slide's record says that two slides have its SlideID, and is as it was otherwise.
    after = world.catalogue.get(ID)
    news = {name for name in before | after if before.get(name) != after.get(name)}
    assert news == {"ImportWarnings", "Version", "lastModified"}


def test_an_interrupted_intake_goes_on(admin, world, function, executions, put, monkeypatch):
    """With imports that still run, and with those that were aborted."""
    for number in range(3):
        put(f"{number}.svs", f"70000{number}")

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        sleeping(patch, interrupt)
        assert admin("backfill", "--min-age", "0", "--at-once", "2")[0] == 130
    stopped, running = world.workflow.running.values()
    world.importer.extract_metadata(stopped)
    del world.workflow.running[stopped.name]
    code, out, _ = admin("backfill", "--min-age", "0")
    assert code == 0
    assert [line.partition(",")[0] for line in sorted(out)] == [
        f"{number}.svs: imported as 70000{number}" for number in range(3)
    ]
    assert world.workflow.started.count(running.name) == 1


def test_a_slide_that_was_deleted_is_taken_in_anew(admin, world, function, executions, put):
    put("x.svs", "700007")
    assert admin("backfill", "--min-age", "0")[0] == 0
    set_fields(world, "700007", Status="DELETED")
    put("x.svs", "700007")
    assert admin("backfill", "--min-age", "0")[0] == 0
    assert len(set(world.workflow.started)) == 2
    assert world.catalogue.get("700007")["Status"] == "NEW"


def test_so_many_imports_a_minute_and_so_many_in_all(admin, world, executions, put, monkeypatch):
    """From a folder of this machine, without functions."""
    for number in range(4):
        put(f"day 1/{number}.svs", "700007")
    put("0.svs", "700007")
    waits = []
    sleeping(monkeypatch, waits.append)
    where = ("--images-path", world.storage.root, "--folder", "day 1", "--min-age", "0")
    code, out, _ = admin("backfill", *where, "--no-wait", "--limit", "3", "--per-minute", "30")
    assert (code, waits) == (0, [2.0, 2.0])
    assert out == [f"day 1/{number}.svs: started as 700007" for number in range(3)]
    assert len(world.workflow.running) == 3
    assert "there is no folder 'nowhere'" in admin("backfill", *where, "--folder", "nowhere")[2][0]


@pytest.fixture
def put_file(storage):
    def put_file(name):
        path = storage.root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    return put_file


def test_all_files_are_listed_page_by_page_in_the_order_of_their_names(
    storage, put_file, monkeypatch
):
    names = ["B.SVS", "a.svs", "a/b.svs", "a/c/d.svs", "a/z.svs", "a0.svs", "ä.svs"]
    for name in names:
        put_file(name)
    put_file(b"\xff.svs")
    put_file("a/77.index")
    put_file("a/77_files/9/0_0.svs")
    put_file("a/78_files/e.svs")  # just a folder of that name
    (storage.root / "link.svs").symlink_to("a.svs")
    expected = sorted([*names, "a/78_files/e.svs", "\\xff.svs"], key=lambda name: name.split("/"))
    ask = partial(listing.list_slides, storage)
    for limit, value in (("_PAGE_FILES", 1), ("_PAGE_FILES", 4), ("_PAGE_BYTES", 150)):
        with monkeypatch.context() as patch:
            patch.setattr(listing, limit, value)
            assert [file.filename for file in listing.all_slides(ask)] == expected
            assert [file.filename for file in listing.all_slides(ask, "a/c")] == ["a/c/d.svs"]
    for folder in ("..", "a//b", "a/", "/", ".hidden"):
        with pytest.raises(InvalidRequest):
            ask({"folder": folder})


# rerender, rebuild-index


def tiles(world):
    root = world.storage.root
    return {path: path.lstat().st_mtime_ns for path in root.glob(f"{ID}_files/*/*.jpeg")}


def test_rerender_makes_all_anew_and_keeps_edits(admin, world, executions, imported):
    set_fields(world, imported, SlideID="S-EDITED-1", Status="GOOD")
    label = world.storage.root / f"{ID}_files/label.jpeg"
    label.write_bytes(b"text")
    (world.storage.root / f"{ID}_files/12/3_2.jpeg").write_bytes(b"text")
    assert admin("rerender", imported) == (0, [f"{ID}: imported, 107 tiles"], [])
    recorded = RecordedSlide.of(world.catalogue.get(imported)).to_dict()
    plan = verify(world.storage, {"slide": recorded})
    for piece in plan["pieces"]:
        assert not verify(world.storage, {"slide": recorded, "piece": piece})["findings"]
    record = world.catalogue.get(imported)
    assert (record["SlideID"], record["Status"]) == ("S-EDITED-1", "GOOD")


def test_rebuild_index_writes_blocks_anew_and_keeps_tiles(admin, world, executions, imported):
    before = tiles(world)
    for block in (world.storage.root / f"{ID}_index").iterdir():
        block.unlink()
    assert admin("rebuild-index", imported)[0] == 0
    assert tiles(world) == before
    assert len(list((world.storage.root / f"{ID}_index").iterdir())) == 3
    # Without the slide's index nothing tells whose tiles they are.
    (world.storage.root / f"{ID}.index").unlink()
    assert admin("rebuild-index", imported)[0] == 0
    assert not set(tiles(world).items()) & set(before.items())


@pytest.mark.parametrize("command", ["rerender", "rebuild-index"])
def test_what_is_being_imported_is_not_disturbed(admin, world, executions, imported, command):
    set_fields(world, imported, ImportStatus="IMPORTING")
    code, _, err = admin(command, imported)
    assert (code, err) == (1, [f"vsv-admin: {ID}: the slide is being imported"])


def test_a_file_that_is_gone_costs_no_pyramid(admin, world, executions, imported):
    (world.storage.root / "x.svs").unlink()
    before = tiles(world)
    code, _, err = admin("rerender", imported)
    assert code == 1
    assert "replaced or removed" in err[0]
    assert tiles(world) == before


# verify


class FakeLambda:
    """Invokes functions here."""

    def invoke(self, *, FunctionName, Payload):
        handler = load_handler(FunctionName)
        try:
            answer = handler(json.loads(Payload), None)
        except Exception as error:  # noqa: BLE001  as Lambda does
            failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {
                "Payload": io.BytesIO(json.dumps(failure).encode()),
                "FunctionError": "Unhandled",
            }
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def function(world, monkeypatch):
    monkeypatch.setenv("IMAGES_PATH", str(world.storage.root))
    client = boto3.client
    monkeypatch.setattr(
        deployment.boto3,
        "client",
        lambda name, **options: FakeLambda() if name == "lambda" else client(name, **options),
    )


def test_a_sound_slide_and_one_that_is_not(admin, world, function, imported):
    assert admin("verify", imported) == (0, [f"{ID}: sound"], [])
    (world.storage.root / f"{ID}_files/12/3_2.jpeg").unlink()
    (world.storage.root / f"{ID}.dzi").unlink()
    code, out, err = admin("verify", imported)
    assert (code, err) == (1, [])
    assert out == [f"{ID}: the descriptor is missing", f"{ID}: tile 12/3_2 is missing"]
    code, (line,), _ = admin("verify", imported, "--json")
    assert code == 1
    assert json.loads(line) == {
        "ImageID": ID,
        "archived": False,
        "sound": False,
        "findings": ["the descriptor is missing", "tile 12/3_2 is missing"],
        "recoded": 0,
    }


def test_the_same_finding_of_many_pieces_is_told_once(admin, world, function, imported):
    index = world.storage.read_index(ID)
    world.storage.write_index(ID, replace(index, sha256="0" * 64))
    code, out, _ = admin("verify", imported)
    assert (code, out) == (1, [f"{ID}: the slide index is wrong about sha256"])


def test_a_folder_is_verified_without_the_function(admin, world, imported):
    assert admin("verify", imported, "--images-path", world.storage.root)[1] == [f"{ID}: sound"]
    code, _, err = admin("verify", imported, "--images-path", "/nowhere")
    assert (code, err) == (1, ["vsv-admin: /nowhere is not a folder"])


def test_what_failed_to_be_imported_is_not_sound(admin, world, function, failed):
    code, out, _ = admin("verify", failed)
    assert (code, out) == (1, [f"{ID}: the import failed: S3 is too busy"])


def test_an_archived_slide_is_said_to_be(admin, world, function, imported):
    version = RecordedSlide.of(world.catalogue.get(imported)).version
    world.storage.archive_images(imported, version)
    world.storage.remove_slide("x.svs", version)
    set_fields(world, imported, Status="TRANSFERRED")
    assert admin("verify", imported) == (0, [f"{ID}: archived, sound"], [])
    (world.storage.root / f"{ID}_files/label.jpeg").unlink()
    assert admin("verify", imported)[:2] == (1, [f"{ID}: archived, the label image is missing"])


def test_all_are_verified_but_those_that_are_in_flux(admin, world, function, imported):
    add(world, "1", Status="DELETED")
    add(world, "2", ImportStatus="IMPORTING")
    add(world, "3")
    code, out, err = admin("verify", "--all")
    assert code == 1
    assert sorted(out) == [
        f"{ID}: sound",
        "3: the descriptor is missing",
        "3: the slide file was replaced or removed since it was imported",
    ]
    assert err == ["vsv-admin: 2: skipped: the slide is being imported"]


def test_unknown_slides_and_failures_of_the_function_are_no_findings(
    admin, world, imported, monkeypatch
):
    def unavailable(request):
        raise Unavailable("VerifySlide failed: Sandbox.Timedout: Task timed out")

    monkeypatch.setattr(Deployment, "function", lambda *_: unavailable)
    code, out, err = admin("verify", imported, "nobody")
    assert (code, out) == (1, [])
    assert sorted(err) == [
        f"vsv-admin: {ID}: VerifySlide failed: Sandbox.Timedout: Task timed out",
        "vsv-admin: nobody: there is no slide with this ImageID",
    ]
    code, out, err = admin("verify", imported, "--json")
    assert json.loads(out[0]) == {
        "ImageID": ID,
        "error": "VerifySlide failed: Sandbox.Timedout: Task timed out",
    }


def test_a_function_that_fails_is_told_by_its_error(admin, world, function, imported, monkeypatch):
    def fail(self, *, FunctionName, Payload):
        failure = {"errorType": "OSError", "errorMessage": "the log has where it was raised"}
        return {"Payload": io.BytesIO(json.dumps(failure).encode()), "FunctionError": "Unhandled"}

    monkeypatch.setattr(FakeLambda, "invoke", fail)
    code, _, err = admin("verify", imported)
    assert code == 1
    assert err == [f"vsv-admin: {ID}: VerifySlide failed: OSError: the log has where it was raised"]


def test_interrupted_it_asks_for_no_more_pieces(monkeypatch):
    """And ends as soon as those are done that are under way."""
    asked = []
    begun, stopped = threading.Event(), threading.Event()
    pools = []

    class Pool(ThreadPoolExecutor):
        """Tells when both pools, the slides' and the pieces', take no more work."""

        def shutdown(self, **options):
            super().shutdown(**{**options, "wait": False})
            pools.append(self)
            if len(pools) == 2:
                stopped.set()
            super().shutdown(**options)

    monkeypatch.setattr("vsv.admin.verification.ThreadPoolExecutor", Pool)

    def slow(request):
        if "piece" in request:
            begun.set()
            asked.append(request)
            assert stopped.wait(120)
        elif request["slide"]["image_id"] == "1":
            begun.wait()
        pieces = [{"part": "file"}] * 500 if request["slide"]["image_id"] == "2" else []
        return {"findings": [], "recoded": 0, "pieces": pieces}

    fields = {"Filename": "x.svs", "FileVersion": "1-1", "ImportStatus": "IMPORTED"}
    records = [{"ImageID": image_id, **fields} for image_id in ("1", "2")]
    results = verified(records, slow, 2, Bars())
    assert next(results)[0] == "1"
    results.close()
    assert len(asked) <= 2


@pytest.mark.slow
def test_interrupted_it_says_so(admin, world, function, imported, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_print_verification", interrupt)
    code, _, err = admin("verify", imported)
    assert (code, err) == (130, ["vsv-admin: interrupted"])


# export


def rows(lines):
    return list(csv.DictReader(lines))


def test_the_catalogue_as_a_table_in_fixed_columns(admin, world, imported):
    add(world, "1", Status="DELETED")
    code, out, err = admin("export")
    assert (code, err) == (0, ["vsv-admin: 1 slides"])
    assert tuple(out[0].split(",")) == CSV_COLUMNS
    (row,) = rows(out)
    assert (row["ImageID"], row["SlideID"], row["MPP"]) == (ID, "S26-04711-A1", "0.2520")
    assert json.loads(row["Barcode"]) == {"text": "S26-04711-A1"}
    assert row["ImportWarnings"] == ""
    _, out, _ = admin("export", "--all")
    assert {row["ImageID"] for row in rows(out)} == {ID, "1"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
@pytest.mark.slow
def test_nothing_in_the_table_is_a_formula(admin, world, tmp_path, text):
    add(world, "1", SlideID=text)
    assert admin("export", "--output", tmp_path / "x.csv")[0] == 0
    with (tmp_path / "x.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["SlideID"] == f"'{text}"


def test_the_catalogue_as_lines_of_json(admin, world):
    add(world, "1", MPP=Decimal("0.25"), width=7, ImportWarnings=["=1", "µ"])
    (line,) = admin("export", "--format", "jsonl")[1]
    exported = json.loads(line)
    assert exported["ImportWarnings"] == ["=1", "µ"]
    assert (exported["MPP"], exported["width"], exported["Version"]) == (0.25, 7, 1)


def test_a_catalogue_of_many_pages_is_read_page_by_page(admin, world, monkeypatch):
    """A page is a megabyte."""
    for number in range(5):
        add(world, str(number), ImportWarnings=["x" * 390_000])
    read = []
    scanned = cli.all_records

    def counted(catalogue):
        scan = catalogue.slides.scan
        catalogue.slides.scan = lambda **options: read.append(options) or scan(**options)
        return scanned(catalogue)

    monkeypatch.setattr(cli, "all_records", counted)
    code, out, err = admin("export")
    assert (code, err) == (0, ["vsv-admin: 5 slides"])
    assert len(read) > 1
    csv.field_size_limit(10**6)
    assert sorted(row["ImageID"] for row in rows(out)) == list("01234")


def test_a_file_is_its_owners_and_appears_whole_or_not_at_all(admin, world, tmp_path, monkeypatch):
    for number in range(3):
        add(world, str(number))
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "slides.csv"
    path.write_text("the last one")
    os.chmod(path, 0o644)
    scanned = cli.all_records

    def interrupted(catalogue):
        for number, record in enumerate(scanned(catalogue)):
            if number == 2:
                raise KeyboardInterrupt
            yield record

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "all_records", interrupted)
        assert admin("export", "--output", path)[0] == 130
    assert [each.read_text() for each in folder.iterdir()] == ["the last one"]
    assert admin("export", "--output", path)[:2] == (0, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        assert len(rows(file)) == 3
    assert list(folder.iterdir()) == [path]


def test_what_cannot_be_written_is_told_in_a_line(admin, world, tmp_path):
    code, _, err = admin("export", "--output", tmp_path / "nowhere" / "x.csv")
    assert (code, len(err)) == (1, 1)
    assert "No such file or directory" in err[0]
    code, _, err = admin("export", "--output", tmp_path)
    assert (code, err) == (1, [f"vsv-admin: {tmp_path} exists and is not a file"])


# history


def test_a_slides_history(admin, world):
    add(world, "1", SlideID="S1")
    set_fields(world, "1", Status="GOOD", SlideID=None, Barcode={"text": "S2"})
    code, out, _ = admin("history", "1")
    assert code == 0
    assert out[0].endswith("  version 2: EDIT by ann")
    assert out[1:4] == [
        '    Barcode: nothing → {"text": "S2"}',
        "    SlideID: S1 → nothing",
        "    Status: NEW → GOOD",
    ]
    _, out, _ = admin("history", "1", "--json")
    last, first = map(json.loads, out)
    assert (last["Version"], first["Version"]) == (2, 1)
    assert {"Field": "Status", "From": "NEW", "To": "GOOD"} in last["Changes"]


@pytest.mark.slow
def test_a_long_history_is_told_to_its_end(admin, world):
    add(world, "1")
    (first,), _ = world.catalogue.history("1", 1)
    with dynamodb().Table("HistoryTable").batch_writer() as batch:
        for version in range(2, 106):
            batch.put_item(Item={**first, "Version": version})
    _, out, _ = admin("history", "1", "--json")
    assert [json.loads(line)["Version"] for line in out] == list(range(105, 0, -1))


def test_an_unknown_slide_has_no_history(admin):
    code, out, err = admin("history", "nobody")
    assert (code, out) == (1, [])
    assert err == ["vsv-admin: nobody: there is no slide with this ImageID"]


# upgrade


def test_records_of_the_first_version_are_brought_up_to_date(admin, world):
    ids = {
        "read": {"SlideID": "S1-A", "CaseID": "S1", "Barcode": {"text": "S1-A"}},
        "typed": {"SlideID": "S2-A", "CaseID": "S2", "Barcode": {"reason": "no label image"}},
        "nobodys": {"SlideID": "nobodys", "CaseID": "nobodys"},
        "half": {"SlideID": "S3-A", "CaseID": "half"},
        "removed": {"CaseID": "S4"},
        "gone": {"SlideID": "gone", "CaseID": "gone", "Status": "DELETED"},
        "new": {"SlideID": "new", "CaseID": "new", "IdSource": "TYPED"},
    }
    for image_id, fields in ids.items():
        add(world, image_id, **fields)
        world.catalogue.slides.update_item(
            Key={"ImageID": image_id}, UpdateExpression="REMOVE Unidentified"
        )
    assert admin("upgrade") == (0, [], ["vsv-admin: 5 slides upgraded"])
    assert admin("upgrade") == (0, [], ["vsv-admin: 0 slides upgraded"])
    sources = {each: str(world.catalogue.get(each)["IdSource"]) for each in ids if each != "gone"}
    assert sources == {
        "read": "BARCODE",
        "typed": "TYPED",
        "nobodys": "NONE",
        "half": "NONE",
        "removed": "NONE",
        "new": "TYPED",
    }
    found = Listings(world.catalogue).unidentified().items
    assert {record["ImageID"] for record in found} == {"nobodys", "half", "removed"}
    (line,), _ = world.catalogue.history("typed", 1)
    assert (line["By"], line["Action"], line["Changes"]) == (
        "upgrade",
        "UPGRADE",
        [{"Field": "IdSource", "To": "TYPED"}],
    )


# Which deployment, and how it is asked


class FakeCloudFormation:
    """Has one stack, of func.template.yaml: it is told the tables by parameters."""

    def describe_stacks(self, *, StackName):
        if StackName != "vsv-test":
            error = {"Code": "ValidationError", "Message": "Stack does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        parameters = {
            "SlideTableName": "SlideTable",
            "HistoryTableName": "HistoryTable",
            "PyramidStore": "efs",
            "PyramidBucketName": "unused",
        }
        stack = {
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Outputs": [{"OutputKey": "VerifySlideFunctionName", "OutputValue": "VerifySlide"}],
        }
        return {"Stacks": [stack]}


@pytest.fixture
def cloudformation(monkeypatch):
    client = deployment.aws.client
    monkeypatch.setattr(
        deployment.aws,
        "client",
        lambda name: FakeCloudFormation() if name == "cloudformation" else client(name),
    )


def test_a_stack_is_known_by_its_outputs_and_parameters(cloudformation, world, capsys, monkeypatch):
    add(world, "1", ImportStatus="FAILED", ImportError="why")
    for arguments in (("--stack", "vsv-test", "failed"), ("failed", "--stack", "vsv-test")):
        assert main(arguments) == 0
        assert "1.svs: why" in capsys.readouterr().out
    monkeypatch.setenv("VSV_STACK", "vsv-test")
    assert main(["failed", "--region", "eu-central-1"]) == 0
    assert main(["retry", "1"]) == 1
    error = capsys.readouterr().err
    assert (
        error == "vsv-admin: the stack vsv-test has no ImportStateMachineArn; is it up to date?\n"
    )
    found = Deployment.of_stack("vsv-test", None, None)
    assert found.name("VerifySlideFunctionName") == "VerifySlide"
    assert found.pyramid_bucket is None
    assert main(["failed", "--stack", "nowhere"]) == 1
    assert "there is no stack nowhere" in capsys.readouterr().err


def test_the_local_stack_is_asked_by_nobodys_credentials(tmp_path):
    path = tmp_path / "stack.json"
    path.write_text(
        json.dumps(
            {
                "region": "eu-west-1",
                "aws_endpoint_url": "http://localhost:4566",
                "table_name": "slides",
                "history_table_name": "history",
                "pyramid_bucket": "",
            }
        )
    )
    found = Deployment.of_file(path, None, None)
    table = found.catalogue.slides
    assert (table.name, table.meta.client.meta.endpoint_url) == ("slides", "http://localhost:4566")
    assert table.meta.client.meta.region_name == "eu-west-1"
    assert boto3.DEFAULT_SESSION.get_credentials().access_key == "test"
    assert found.pyramid_bucket is None


@pytest.mark.parametrize("content", ["", "[]", "no JSON"])
def test_what_is_no_stack_file_is_told_in_a_line(tmp_path, capsys, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    assert main(["--stack-file", str(path), "failed"]) == 1
    assert capsys.readouterr().err == f"vsv-admin: {path} is not a stack file\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("failed",), "say which deployment"),
        (("--stack", "x", "failed", "--stack-file", "y"), "not both"),
        (("--stack", "x", "retry"), "name slides by their ImageIDs, or give --all"),
        (("--stack", "x", "retry", "1", "--all"), "name slides by their ImageIDs, or give --all"),
        (("--stack", "x", "rerender"), "IMAGE_ID"),
        (("--stack", "x", "rerender", "--all", "1"), "--all"),
        (("--stack", "x", "verify", "1", "--at-once", "0"), "not a number in 1..64"),
        (("--stack", "x", "failed", "--limit", "-1"), "not a number"),
        (("--stack", "x", "export", "--format", "xml"), "xml"),
        ((), "COMMAND"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def documented(command):
    """Return the actions that docs/operations.md says a command needs."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (row,) = re.findall(rf"^\| `{command}` \| (.*) \|$", page, re.MULTILINE)
    return set(re.findall(r"`(\w+:\w+)`", row))


@pytest.mark.parametrize(
    "arguments",
    [
        ("failed",),
        ("backfill", "--min-age", "0"),
        ("retry", ID, "--no-wait"),
        ("rerender", ID, "--no-wait"),
        ("rebuild-index", ID, "--no-wait"),
        ("verify", "--all"),
        ("verify", ID),
        ("export",),
        ("history", ID),
        ("upgrade",),
    ],
)
@pytest.mark.slow
def test_the_page_for_ops_says_what_each_command_needs_to_be_allowed(
    admin, world, function, failed, arguments, tmp_path, monkeypatch
):
    states = boto3.client("stepfunctions")
    arn = states.create_state_machine(**MACHINE)["stateMachineArn"]
    stack = json.loads((tmp_path / "stack.json").read_text())
    (tmp_path / "stack.json").write_text(json.dumps({**stack, "import_state_machine_arn": arn}))
    asked = set()
    call = BaseClient._make_api_call

    def counted(client, operation, parameters):
        service = {"stepfunctions": "states"}.get(name := client.meta.service_model.service_name)
        asked.add(f"{service or name}:{operation}")
        return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    admin(*arguments)
    assert asked
    assert asked <= documented(arguments[0])


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does_with_examples(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"vsv-admin {command}" in shown
    assert "examples:" in shown
    assert max(map(len, shown.splitlines())) < 90


def test_without_credentials_or_rights_there_is_a_line_and_no_trace(capsys, monkeypatch, aws):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert main(["--stack", "x", "failed", "--profile", "nobody"]) == 1
    assert capsys.readouterr().err == (
        "vsv-admin: The config profile (nobody) could not be found\n"
    )
    assert main(["--stack", "x", "failed"]) == 1
    assert "region" in capsys.readouterr().err
