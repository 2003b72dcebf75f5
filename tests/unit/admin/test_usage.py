"""How ``vsv-admin`` is called: wrong arguments, help, and the rights that each command needs."""

import json
import re

import boto3
import pytest
from botocore.client import BaseClient

from tests.conftest import ROOT
from tests.unit.admin.helpers import ID, MACHINE
from vsv.admin import main

COMMANDS = (
    *("failed", "backfill", "retry", "rerender", "rebuild-index", "verify", "export", "history"),
    "upgrade",
)


# Which deployment, and how it is asked


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
