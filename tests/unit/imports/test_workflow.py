"""The import's state machine, executed, with a failure put into each of its states."""

import builtins
import errno
import threading
import time

import boto3
import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker

from tests.conftest import ROOT, load_template
from tests.statemachine import client, definition, deploy, fault, states
from vsv import errors
from vsv.catalogue.record import ImportStatus
from vsv.identifiers import FileVersion
from vsv.imports.workflow import ImportJob, StepFunctions
from vsv.logs import observed

FUNCTIONS = load_template(ROOT / "func.template.yaml")["Resources"]
TASKS = {name: state for name, state in states() if state["Type"] == "Task"}
FAILURE_PATH = "FailImport"
STEPS = [name for name in TASKS if name != FAILURE_PATH]
# Errors that Lambda's own API does not list, but Step Functions names.
LAMBDA_ERRORS = {
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.Unknown",
}
# What another attempt does not mend: the call is wrong, or the file is not what it should be.
PERMANENT = {
    *(ChildProcessError, FileExistsError, FileNotFoundError, IsADirectoryError),
    *(NotADirectoryError, PermissionError, ProcessLookupError),
}
KILLED = {"States.Timeout", "Sandbox.Timedout", "Runtime.ExitError"}
INTERNAL = "an internal error stopped the import"
TOO_LONG = "a step of the import took too long"


@pytest.fixture
def machine(aws, monkeypatch):
    return deploy(monkeypatch)


def passing_errors() -> list[Exception]:
    """Return what Python and boto3 raise for a file system or a service that fails for a while."""
    system = [
        kind()
        for kind in vars(builtins).values()
        if isinstance(kind, type)
        and issubclass(kind, OSError)
        and kind is not OSError
        and kind not in PERMANENT
    ]
    unanswered = [
        kind(endpoint_url="https://x", proxy_url="x", error="x", request=None, response=None)
        for kind in vars(botocore.exceptions).values()
        if isinstance(kind, type) and issubclass(kind, botocore.exceptions.HTTPClientError)
    ]
    codes = sorted(ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
    refusals = [
        type(code, (ClientError,), {})({"Error": {"Code": code}}, "GetItem") for code in codes
    ]
    return [*system, OSError(errno.ESTALE, "…"), OSError(errno.EIO, "…"), *unanswered, *refusals]


def retried(state) -> list[str]:
    """Return the names of all errors after which the state is tried again."""
    return [name for retrier in state["Retry"] for name in retrier["ErrorEquals"]]


def assert_failed(machine, execution, reason):
    """Check that it ended where failures end, which was told once and left the reason alone."""
    assert (execution["status"], execution["error"]) == ("FAILED", "ImportFailed")
    assert machine.functions.counts[FAILURE_PATH] == 1
    assert machine.functions.calls[-1][0] == FAILURE_PATH
    record = machine.functions.record
    assert (record["ImageID"], record["Filename"]) == ("4711", "Meier_Anna.svs")
    assert (record["FileVersion"], record["ImportStatus"]) == (
        str(FileVersion(1234, 5678)),
        ImportStatus.FAILED,
    )
    assert execution["cause"] == record["ImportError"] == reason
    assert "/" not in execution["cause"]
    assert "Meier" not in execution["cause"]


# ─── What the definition promises ────────────────────────────────────────────────────────────────
def test_every_failure_has_its_way_to_the_failure_path():
    """What can fail catches everything, or lies in a Map that does."""
    top = definition()["States"]
    for name, state in states():
        if state["Type"] in ("Task", "Map", "Parallel") and name in top:
            caught = state["Catch"][-1]
            assert caught["ErrorEquals"] == ["States.ALL"], name
            if name == FAILURE_PATH:
                assert top[caught["Next"]]["Type"] == "Fail"
            else:
                assert caught["ResultPath"] == "$.error", name
                assert {each["Next"] for each in state["Catch"]} == {FAILURE_PATH}, name
        else:
            assert "Catch" not in state, name
            assert state["Type"] != "Choice" or "Default" in state, name


def test_no_execution_runs_for_ever():
    """No way leads back, attempts are counted, and each ends soon after its function must have."""
    top = definition()["States"]

    def follow(name, before=()):
        assert name not in before, [*before, name]
        state = top[name]
        ways = [state, *state.get("Catch", ()), *state.get("Choices", ())]
        for way in ways:
            for end in {way.get("Next"), way.get("Default")} - {None}:
                follow(end, (*before, name))

    follow(definition()["StartAt"])
    for name, state in TASKS.items():
        function = FUNCTIONS[f"{name}Function"]["Properties"]
        assert state["Parameters"]["FunctionName"].endswith(f":{name}")
        assert 0 < state["TimeoutSeconds"] - function["Timeout"] <= 60, name
    longest = sum(sum(waits(retrier)) for state in TASKS.values() for retrier in state["Retry"])
    assert longest < definition()["TimeoutSeconds"]


def waits(retrier) -> list[float]:
    """Return the seconds before each further attempt, at most."""
    interval, rate = retrier["IntervalSeconds"], retrier["BackoffRate"]
    return [interval * rate**number for number in range(retrier["MaxAttempts"])]


def test_the_names_of_retried_errors_are_names_that_are_raised(aws):
    """A misspelt name would never match; one that stands in two retriers, in the first only."""
    dynamodb, functions = boto3.client("dynamodb"), boto3.client("lambda")
    invoke = functions.meta.service_model.operation_model("Invoke")
    known = LAMBDA_ERRORS | {f"Lambda.{shape.name}" for shape in invoke.error_shapes} | KILLED
    for state in TASKS.values():
        names = retried(state)
        assert len(set(names)) == len(names)
        for name in set(names) - known:
            assert (
                hasattr(errors, name)
                or hasattr(builtins, name)
                or hasattr(botocore.exceptions, name)
                or dynamodb.exceptions.from_code(name).__name__ == name
            ), name


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("error", passing_errors(), ids=repr)
@pytest.mark.slow
def test_what_passes_is_tried_again_by_its_exact_name(name, error):
    """Step Functions knows no subclasses: a retrier for OSError lets each TimeoutError through."""

    @observed
    def handler(event, context):
        raise error

    with pytest.raises(errors.VsvError) as raised:
        handler({}, None)
    assert type(raised.value).__name__ in retried(TASKS[name])


@pytest.mark.parametrize("name", TASKS)
def test_a_full_file_system_is_not_waited_for(name):
    """Seconds do not empty it."""
    assert errors.StorageFull.__name__ not in retried(TASKS[name])


# ─── Executions ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("restore", [False, True])
def test_an_import_goes_through_its_steps(machine, restore):
    machine.functions.pieces = [{"start": n, "stop": n + 40} for n in range(0, 1200, 40)]
    execution = machine.run(restore=restore)
    assert execution["status"] == "SUCCEEDED"
    names = [name for name, _ in machine.functions.calls]
    begin = ["RestoreImage"] * restore + ["ExtractMetadata"]
    assert names == [*begin, *["RenderTiles"] * 30, "FinishImport"]
    events = [event for name, event in machine.functions.calls if name == "RenderTiles"]
    assert sorted(event["piece"]["start"] for event in events) == [*range(0, 1200, 40)]
    told = {ImportJob.from_dict(event.get("job", event)) for _, event in machine.functions.calls}
    assert {(job.image_id, job.filename, job.version) for job in told} == {
        ("4711", "Meier_Anna.svs", FileVersion(1234, 5678))
    }
    assert not machine.waits


def test_a_slide_with_nothing_to_render_is_imported(machine):
    machine.functions.pieces = []
    assert machine.run()["status"] == "SUCCEEDED"
    assert [*machine.functions.counts] == ["ExtractMetadata", "FinishImport"]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.slow
def test_an_error_that_passes_is_no_failure(machine, name):
    """Each that Retry names, as many in one execution as its retrier puts up with."""
    seen = []
    for retrier in TASKS[name]["Retry"]:
        rest = retrier["ErrorEquals"]
        while rest:
            some, rest = rest[: retrier["MaxAttempts"]], rest[retrier["MaxAttempts"] :]
            before = machine.functions.counts[name]
            machine.functions.fail(name, *map(fault, some))
            assert machine.run(restore=True)["status"] == "SUCCEEDED"
            assert machine.functions.counts[name] - before == len(some) + 1
            seen += some
    assert seen == retried(TASKS[name])
    assert machine.functions.counts[FAILURE_PATH] == 0


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.slow
def test_an_error_that_does_not_pass_fails_the_import(machine, name):
    """After as many attempts, and as long between them, as its retrier says."""
    for retrier in TASKS[name]["Retry"]:
        error = retrier["ErrorEquals"][0]
        machine.functions.calls.clear()
        machine.waits.clear()
        machine.functions.fail(name, fault(error, "the archive is busy"), for_ever=True)
        execution = machine.run(restore=True)
        assert machine.functions.counts[name] == retrier["MaxAttempts"] + 1
        assert len(machine.waits) == retrier["MaxAttempts"]
        for waited, most in zip(machine.waits, waits(retrier), strict=True):
            assert waited == most or (retrier.get("JitterStrategy") == "FULL" and waited < most)
        if hasattr(errors, error):
            reason = "the archive is busy"
        else:
            reason = TOO_LONG if error == "States.Timeout" else f"{INTERNAL} ({error})"
        assert_failed(machine, execution, reason)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.slow
def test_an_error_of_the_slide_or_of_ours_is_not_tried_again(machine, name):
    for error, message, reason in (
        ("UnreadableSlide", "no TIFF", "no TIFF"),
        ("KeyError", "'/mnt/images/Meier_Anna.svs'", f"{INTERNAL} (KeyError)"),
        ("Lambda.ResourceNotFoundException", "", f"{INTERNAL} (Lambda.ResourceNotFoundException)"),
    ):
        machine.functions.calls.clear()
        machine.functions.fail(name, fault(error, message), for_ever=True)
        execution = machine.run(restore=True)
        assert machine.functions.counts[name] == 1
        assert_failed(machine, execution, reason)


@pytest.mark.parametrize("name", [name for name in TASKS if "ResultSelector" in TASKS[name]])
@pytest.mark.slow
def test_an_answer_beside_the_contract_ends_the_execution_without_a_trace(machine, name):
    """Step Functions lets nobody catch it. Who asks for the slide again starts the import again,
    a few times over, and again after some hours.
    """
    if name == FAILURE_PATH:
        machine.functions.fail("ExtractMetadata", fault("UnreadableSlide"), for_ever=True)
    machine.functions.answers[name] = lambda event: {"something": "else"}
    execution = machine.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")
    assert machine.functions.counts[FAILURE_PATH] == (name == FAILURE_PATH)
    job = next(machine.jobs)
    started = []
    while machine.workflow.ensure(job, lambda: False):
        started.append(machine.wait(f"{job.name}-{len(started) + 1}")["status"])
    assert started == ["FAILED"] * 5
    later = StepFunctions(client(), machine.arn, now=lambda: time.time() + 13 * 3600)
    assert later.ensure(job, lambda: False)
    assert machine.wait(f"{job.name}-6")["status"] == "FAILED"
    assert not machine.workflow.ensure(job, lambda: False)


def test_an_answer_that_is_not_needed_may_be_any(machine):
    machine.functions.answers["RestoreImage"] = lambda event: ["something", "else"]
    assert machine.run(restore=True)["status"] == "SUCCEEDED"


# ─── Pieces side by side ─────────────────────────────────────────────────────────────────────────
def test_a_piece_that_fails_ends_the_import_while_others_are_being_rendered(machine):
    """No piece is begun any more. Those in hand go on to their end, and nobody hears of it."""
    most = load_template(ROOT / "func.template.yaml")["Parameters"]["ImportConcurrency"]["Default"]
    machine.functions.pieces = [{"start": n, "stop": n + 1} for n in range(most + 5)]
    begun, told = threading.Barrier(most, timeout=120), threading.Event()
    ended = []

    def render(event):
        begun.wait()
        if event["piece"]["start"] == 0:
            raise errors.UnreadableSlide("tile 3_4 is damaged")
        assert told.wait(120)
        ended.append(event["piece"]["start"])
        raise errors.UnreadableSlide("another tile is damaged")

    fail_import = machine.functions.answers[FAILURE_PATH]

    def fail_then_go_on(event):
        assert not ended
        answer = fail_import(event)
        told.set()
        return answer

    machine.functions.answers |= {"RenderTiles": render, FAILURE_PATH: fail_then_go_on}
    execution = machine.run()
    assert machine.functions.counts["RenderTiles"] == most
    assert machine.functions.counts["FinishImport"] == 0
    assert_failed(machine, execution, "tile 3_4 is damaged")


def test_tiles_that_are_rendered_after_the_failure_leave_the_record_alone(catalogue):
    record = {"ImportStatus": ImportStatus.FAILED, "FileVersion": "1234-5678", "TilesRendered": 7}
    catalogue.change("4711", "import", "IMPORT", lambda _: {**record, "Filename": "a.svs"})
    before = catalogue.get("4711")
    catalogue.add_rendered("4711", "1234-5678", 40)
    assert catalogue.get("4711") == before


# ─── The failure path ────────────────────────────────────────────────────────────────────────────
def test_the_failure_path_is_tried_again_as_any_step(machine):
    machine.functions.fail("ExtractMetadata", fault("UnreadableSlide", "no TIFF"), for_ever=True)
    machine.functions.fail(FAILURE_PATH, fault("Unavailable"), fault("Runtime.ExitError"))
    execution = machine.run()
    assert machine.functions.counts[FAILURE_PATH] == 3
    assert (execution["error"], execution["cause"]) == ("ImportFailed", "no TIFF")


def test_a_failure_that_cannot_be_noted_still_ends_the_execution(machine):
    machine.functions.fail("FinishImport", fault("KeyError"), for_ever=True)
    for retrier in [*TASKS[FAILURE_PATH]["Retry"], {"ErrorEquals": ["KeyError"], "MaxAttempts": 0}]:
        machine.functions.calls.clear()
        machine.functions.fail(FAILURE_PATH, fault(retrier["ErrorEquals"][0]), for_ever=True)
        execution = machine.run()
        assert (execution["status"], execution["error"]) == ("FAILED", "FailureNotNoted")
        assert "/" not in execution["cause"]
        assert machine.functions.counts[FAILURE_PATH] == retrier["MaxAttempts"] + 1
        assert machine.functions.record == {}


def test_the_map_takes_as_many_at_once_as_the_parameter_says():
    """It is a number in the execution, although CloudFormation substitutes strings."""
    machine = definition()
    selected = machine["States"]["ExtractMetadata"]["ResultSelector"]["at_once.$"]
    assert selected == "States.StringToJson('10')"
    assert machine["States"]["RenderPyramid"]["MaxConcurrencyPath"] == "$.plan.at_once"
