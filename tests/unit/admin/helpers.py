"""Records that the tests of ``vsv-admin`` write, and stand-ins for Step Functions and Lambda."""

import io
import json
from types import SimpleNamespace

from tests.handlers import load_handler
from vsv.admin import backfill
from vsv.admin import executions as watch
from vsv.admin.executions import Execution

ID = "204711"
MACHINE = {
    "name": "import",
    "definition": '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
    "roleArn": "arn:aws:iam::123456789012:role/import",
}


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
