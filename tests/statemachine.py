"""The import's state machine in moto's interpreter, and Lambda functions that fail on demand.

The definition is the one that is deployed, with the template's substitutions. Otherwise than on
AWS, no time passes: how long an attempt would have been waited for is noted, and a call that hangs
is over at once, as though its state's TimeoutSeconds had gone by.

Moto differs from Step Functions in two things, which are put right here. Its ``States.ALL`` catches
``States.Runtime``, which nothing catches on AWS; and it knows no ``States`` error in a Map.
"""

import io
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from moto.core.config import default_user_config
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from tests.conftest import ROOT, load_template
from vsv.imports.fail_import import fail_import
from vsv.imports.workflow import ImportJob, StepFunctions

# As generous as an import is slow on a busy machine; an execution that hangs is found by it.
_PATIENCE_S = 120
State = dict[str, Any]


# ─── The definition ──────────────────────────────────────────────────────────────────────────────
@cache
def definition() -> dict[str, Any]:
    """Return the state machine as the template deploys it. A function's ARN ends with its name."""
    template = load_template(ROOT / "func.template.yaml")
    machine = template["Resources"]["ImportSlideStateMachine"]
    values = {}
    for name, value in machine["Properties"]["DefinitionSubstitutions"].items():
        if "Fn::GetAtt" in value:
            function = value["Fn::GetAtt"][0].removesuffix("Function")
            values[name] = f"arn:aws:lambda:eu-central-1:123456789012:function:{function}"
        elif "Ref" in value:
            values[name] = str(template["Parameters"][value["Ref"]]["Default"])
        else:
            values[name] = value["Fn::Sub"].replace("${AWS::Partition}", "aws")
    text = (ROOT / machine["Properties"]["DefinitionUri"]).read_text()
    return yaml.safe_load(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text))


def states(machine: dict[str, Any] | None = None) -> Iterator[tuple[str, State]]:
    """All states by name, those inside a Map or a Parallel as well."""
    for name, state in (machine or definition())["States"].items():
        yield name, state
        for inner in (*filter(None, [state.get("ItemProcessor")]), *state.get("Branches", ())):
            yield from states(inner)


# ─── The functions ───────────────────────────────────────────────────────────────────────────────
def fault(name: str, message: str = "[Errno 5] '/mnt/images/Meier_Anna.svs'") -> Exception:
    """Return what a call fails with, by the name under which the state machine hears of it."""
    if name == "States.Timeout":
        return TimeoutError()
    if name.startswith("Lambda."):
        error = {"Code": name.removeprefix("Lambda."), "Message": message}
        metadata = {"HTTPStatusCode": 500, "RequestId": "1"}
        return ClientError({"Error": error, "ResponseMetadata": metadata}, "Invoke")
    return type(name, (Exception,), {})(message)


class Functions:
    """Lambda as the state machine sees it.

    ``answers`` has what each function makes of its event. ``calls`` are the events, in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.record: dict[str, Any] = {}
        self.pieces = [{"start": 0, "stop": 40}]
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "RestoreImage": lambda event: None,
            "ExtractMetadata": lambda event: {"pieces": self.pieces},
            "RenderTiles": lambda event: {"rendered": 40},
            "FinishImport": lambda event: {"tiles": 40},
            "FailImport": self._fail_import,
        }
        self._lock = threading.Lock()

    @property
    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.calls)

    def fail(self, name: str, *errors: Exception, for_ever: bool = False) -> None:
        """Have the function's next calls fail; ``for_ever`` those after them too, as the last."""
        answer = self.answers[name]
        coming = itertools.chain(errors, itertools.repeat(errors[-1] if for_ever else None))

        def fail_or_answer(event: dict[str, Any]) -> Any:
            with self._lock:
                error = next(coming)
            if error:
                raise error
            return answer(event)

        self.answers[name] = fail_or_answer

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        """Lambda's Invoke."""
        name, event = FunctionName.rpartition(":")[2], json.loads(Payload)
        with self._lock:
            self.calls.append((name, event))
        try:
            return _response(self.answers[name](event))
        except (ClientError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001  as Lambda does
            trace = ['  File "/var/task/app.py", line 20, in lambda_handler\n']
            said = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "stackTrace": trace,
            }
            return _response(said) | {"FunctionError": "Unhandled"}

    def _fail_import(self, event: dict[str, Any]) -> dict[str, str]:
        """Return the real step, on a catalogue that has no record yet."""
        return fail_import(ImportJob.from_dict(event), event["error"], self)

    def change(self, image_id: str, by: str, action: str, decide: Callable[[None], Any]) -> None:
        """Return the catalogue's ``change``."""
        self.record = decide(None)


def _response(payload: Any) -> dict[str, Any]:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(payload).encode())}


# ─── Executions ──────────────────────────────────────────────────────────────────────────────────
@dataclass
class Machine:
    """The deployed state machine. ``waits`` are the seconds before each further attempt."""

    arn: str
    functions: Functions
    waits: list[float]
    jobs: Iterator[ImportJob] = field(
        default_factory=lambda: (
            ImportJob("4711", "Meier_Anna.svs", 1234, 5678, generation=number)
            for number in itertools.count()
        )
    )

    @property
    def workflow(self) -> StepFunctions:
        return StepFunctions(client(), self.arn)

    def run(self, *, restore: bool = False) -> dict[str, Any]:
        """Import a slide; return the execution once it has ended."""
        job = replace(next(self.jobs), restore=restore)
        assert self.workflow.ensure(job, lambda: False)
        return self.wait(f"{job.name}-1")

    def wait(self, name: str) -> dict[str, Any]:
        """Return the execution once it has ended."""
        arn = f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"
        end = time.monotonic() + _PATIENCE_S
        while (execution := client().describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < end, f"hangs: {self.functions.counts}"
            time.sleep(0.005)
        return execution


@cache
def client() -> Any:
    """Moto's Step Functions: a client takes longer to make than an execution takes."""
    return boto3.client("stepfunctions")


def deploy(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Deploy the state machine to moto. Each function succeeds until it is told to fail."""
    functions = Functions()
    waits: list[float] = []
    monkeypatch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
    monkeypatch.setattr(lambda_eval_utils, "boto_client_for", lambda **_: functions)
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(ErrorEqualsDecl, "_eval_body", _matches)
    monkeypatch.setattr(iteration_worker, "CustomErrorName", _error_name)
    monkeypatch.setattr(AmazonStateLanguageParser, "parse", _parse)
    # For each error it would spell out the whole definition; that takes longer than the execution.
    for log in ("_log_exception", "_log_failure_event_exception"):
        monkeypatch.setattr(EvalComponent, log, lambda *_, **__: None)
    arn = client().create_state_machine(
        name="ImportSlide",
        definition=json.dumps(definition()),
        roleArn="arn:aws:iam::123456789012:role/ImportSlide",
    )["stateMachineArn"]
    return Machine(arn, functions, waits)


# Parsed for the first execution, and not for each: most of the time goes there.
_parse = staticmethod(cache(AmazonStateLanguageParser.parse))
_moto_matches = ErrorEqualsDecl._eval_body


def _matches(self: ErrorEqualsDecl, env: Any) -> None:
    """Whether these names catch the error that lies on the stack."""
    caught = env.stack[-1] != StatesErrorName(StatesErrorNameType.StatesRuntime)
    _moto_matches(self, env)
    env.stack[-1] = caught and env.stack[-1]


def _error_name(error_name: str) -> ErrorName:
    """Return the name of an error that ended a Map's iteration."""
    if error_name.startswith("States."):
        return StatesErrorName(StatesErrorNameType.from_name(error_name))
    return CustomErrorName(error_name)
