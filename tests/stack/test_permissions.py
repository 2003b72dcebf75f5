"""What functions were let do while all other tests ran, beside what their roles allow.

The emulator enforces the roles: a call without its permission has failed by now. Here every
permission must have been used. This module runs last, and only after all others.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.stack

# Rights that these tests never use, by function, action and resource, and why they are there.
UNSEEN = {
    ("*", "elasticfilesystem:*", "*"): "Lambda mounts the file system; here it is a folder",
    ("*", "dynamodb:Query", "*-history"): "to go on after a record was lost or restored",
    ("RemoveImages", "dynamodb:PutItem", "*-terms"): "for records of an earlier version",
    ("FailImport", "dynamodb:DeleteItem", "*-terms"): "of a slide that nobody had identified",
    ("ExtractMetadata", "dynamodb:DeleteItem", "*-terms"): "of a failed slide that is imported",
    ("FinishImport", "dynamodb:*Item", "*-terms"): "of earlier failures, which become DELETED",
    ("ImportSlide", "datasync:*", "*"): "the stand-in for DataSync knows no roles",
    ("ImportSlide", "ec2:DescribeNetworkInterfaces", "*"): "DataSync asks it of whom starts a task",
    ("RemoveImages", "states:DescribeExecution", "*"): "where two bring a slide back at once",
    ("SlideCatalogue", "states:DescribeExecution", "*"): "where two retry an import at once",
    ("RestoreImage", "s3:RestoreObject", "*"): "from deep storage; here it is STANDARD_IA",
    ("*Image", "s3:ListBucket", "*-archive-*"): "S3 answers 403 for what is not there without it",
    ("*Image", "s3:AbortMultipartUpload", "*"): "for uploads that were given up",
    ("*Image", "sqs:SendMessage", "*"): "Lambda itself, when a call has failed three times",
    ("PublishChange", "logs:*", "*"): "Lambda itself writes the log",
    ("PublishChange", "dynamodb:*Stream*", "*"): "Lambda itself reads the stream",
    ("PublishChange", "dynamodb:Get[RS]*", "*"): "Lambda itself reads the stream",
    ("SendToCdr", "dynamodb:*Stream*", "*"): "Lambda itself reads the stream",
    ("SendToCdr", "dynamodb:Get[RS]*", "*"): "Lambda itself reads the stream",
}


def function_of(name: str) -> str:
    """Return the logical ID in a function's name, ``vsv-func-XFunction-1234``."""
    return re.sub(r"^vsv-(func|live)-", "", name).partition("Function-")[0]


def decisions() -> Iterator[dict[str, str]]:
    with (ROOT / ".local" / "decisions.jsonl").open() as lines:
        yield from map(json.loads, lines)


def rights(stack) -> dict[str, set[tuple[str, str]]]:
    """Actions and resources of each function's own policies, as deployed."""
    iam, found = stack.client("iam"), defaultdict(set)
    for function in stack.client("lambda").list_functions(MaxItems=100)["Functions"]:
        role = function["Role"].rpartition("/")[2]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                found[function_of(function["FunctionName"])] |= set(
                    product(listed(statement["Action"]), listed(statement["Resource"]))
                )
    return found


def listed(one_or_many: str | list[str]) -> list[str]:
    return [one_or_many] if isinstance(one_or_many, str) else one_or_many


@pytest.fixture
def all_others_have_run(request):
    """Whether this is the run of all tests of the stack; there is nothing to be said of another."""
    modules = {Path(item.fspath).name for item in request.session.items}
    if not {path.name for path in Path(__file__).parent.glob("test_*.py")} <= modules:
        pytest.skip("all tests of the stack have to run before this one")


@pytest.mark.usefixtures("all_others_have_run")
def test_every_right_was_needed(stack):
    used = defaultdict(set)
    for each in decisions():
        if each["decision"] == "Allow":
            used[function_of(each["function"])].add((each["action"], each["resource"]))
    idle = {
        f"{function} may {action} {resource}"
        for function, allowed in rights(stack).items()
        for action, resource in allowed
        if not any(action == done and fnmatchcase(to, resource) for done, to in used[function])
        and not any(
            fnmatchcase(function, who) and fnmatchcase(action, what) and fnmatchcase(resource, on)
            for who, what, on in UNSEEN
        )
    }
    assert not idle, "\n".join(sorted(idle))


@pytest.mark.usefixtures("all_others_have_run")
def test_nothing_was_asked_for_in_vain():
    """A refusal that a function caught would look like success."""
    outcomes = defaultdict(set)
    for each in decisions():
        what = (function_of(each["function"]), each["action"], each["resource"])
        outcomes[what].add(each["decision"])
    assert [what for what, results in outcomes.items() if "Allow" not in results] == []
