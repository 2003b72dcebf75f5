"""``vsv-admin retry``: which failed imports are started again, and what it says of each."""

import json

import boto3
import pytest

from local.samples import generated_slide
from tests.unit.admin.helpers import ID, MACHINE, add, sleeping
from vsv.admin.executions import Execution, StateMachine
from vsv.imports.workflow import ImportJob, StepFunctions


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
