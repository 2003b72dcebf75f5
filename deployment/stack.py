"""A CloudFormation stack and those that it nests: how it stands, and why it failed."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError, WaiterError

from deployment.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

_POLL_S: Final = 15
# It never was up: nothing in it is worth keeping, and CloudFormation updates no such stack.
NEVER_UP: Final = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
# Reasons that only say that something else failed.
_CONSEQUENCES: Final = (
    "cancelled",
    "following resource(s) failed",
    "Embedded stack",
    "Resource update cancelled",
)


class State(NamedTuple):
    """A stack's status, and what it was deployed with and tells."""

    status: str
    parameters: dict[str, str]
    outputs: dict[str, str]


class Stack:
    """A stack by its name. ``say`` is told what is being waited for."""

    def __init__(
        self,
        client: "CloudFormationClient",
        name: str,
        say: Callable[[str], None],
        poll_s: float = _POLL_S,
    ) -> None:
        self._client = client
        self._name = name
        self._say = say
        self._poll_s = poll_s
        self._since = datetime.now(UTC)

    def state(self) -> State | None:
        """Return how the stack stands; None where there is none."""
        try:
            (found,) = self._client.describe_stacks(StackName=self._name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return State(
            found["StackStatus"],
            {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])},
            {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
        )

    def settle(self) -> State | None:
        """Bring the stack to where it can be deployed; return how it stands then.

        What runs is waited for, a first deployment that failed is deleted, and an update that
        failed to go back is sent back again. Raises DeploymentError where that does not help.
        """
        state = self._waited()
        if state and state.status in NEVER_UP:
            self._say(f"the first deployment failed ({state.status}): deleting what it left")
            self._client.delete_stack(StackName=self._name)
            state = self._waited()
        if state and state.status == "UPDATE_ROLLBACK_FAILED":
            self._say("the last deployment failed and could not be undone: trying that again")
            self._client.continue_update_rollback(StackName=self._name)
            state = self._waited()
        if state and not (
            state.status.endswith("_COMPLETE") or state.status == "REVIEW_IN_PROGRESS"
        ):
            raise DeploymentError(
                f"the stack is in {state.status}:"
                f" see docs/runbook.md#a-stack-is-stuck\n{self.failures()}"
            )
        return None if state and state.status == "REVIEW_IN_PROGRESS" else state

    def _waited(self) -> State | None:
        """Return the state once nothing is in progress."""
        said = False
        while True:
            state = self.state()
            if state is None or state.status == "REVIEW_IN_PROGRESS":
                return state
            if not state.status.endswith("_IN_PROGRESS"):
                return None if state.status == "DELETE_COMPLETE" else state
            if not said:
                self._say(f"the stack is in {state.status}: waiting")
                said = True
            time.sleep(self._poll_s)

    def failures(self) -> str:
        """Return what failed since this object was made, in nested stacks too, a line each."""
        return "\n".join(dict.fromkeys(self._failures(self._name, "")))

    def _failures(self, stack: str, path: str) -> Iterator[str]:
        nested: dict[str, str] = {}
        try:
            pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
            events = [event for page in pages for event in page["StackEvents"]]
        except (ClientError, WaiterError):
            return
        for event in reversed(events):
            if event["Timestamp"] < self._since:
                continue
            name, reason = event["LogicalResourceId"], event.get("ResourceStatusReason", "")
            child = event.get("PhysicalResourceId", "")
            is_nested = event.get("ResourceType") == "AWS::CloudFormation::Stack"
            if is_nested and child and child != event["StackId"]:
                nested[name] = child
            if event.get("ResourceStatus", "").endswith("FAILED") and not any(
                each in reason for each in _CONSEQUENCES
            ):
                yield f"  {path}{name} ({event.get('ResourceType')}): {reason}"
        for name, child in nested.items():
            yield from self._failures(child, f"{path}{name}/")
