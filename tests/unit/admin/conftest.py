"""Run ``vsv-admin`` on a deployment in memory, with slides that were imported or failed."""

import json

import boto3
import botocore.loaders
import botocore.session
import pytest

from tests.unit.admin.helpers import FakeExecutions, FakeLambda, sleeping
from vsv.admin import cli, deployment, main
from vsv.errors import Unavailable

LOADER = botocore.loaders.create_loader()


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
        "term_table_name": tables["TermTable"],
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


@pytest.fixture
def function(world, monkeypatch):
    monkeypatch.setenv("IMAGES_PATH", str(world.storage.root))
    client = boto3.client
    monkeypatch.setattr(
        deployment.boto3,
        "client",
        lambda name, **options: FakeLambda() if name == "lambda" else client(name, **options),
    )
