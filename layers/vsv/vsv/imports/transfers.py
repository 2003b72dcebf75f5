"""The transfer of a file from the workstation to EFS by DataSync.

One row for each file in a small table names the task execution that brings it. The row is written
conditionally, so that only one of simultaneous calls starts the task.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from vsv.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_datasync.client import DataSyncClient
    from mypy_boto3_dynamodb.service_resource import Table

__all__ = ["TransferState", "TransferStatus", "Transfers"]

# A call that took the row and died before it started the task blocks others for this long.
_START_S: Final = 60
# Attempts that bring nothing follow each other at once, and then after 1, 2, 4 … 60 minutes: each
# lists the whole folder on the workstation, and takes one of DataSync's places in the queue.
_FIRST_WAIT_S: Final = 60
_LONGEST_WAIT_S: Final = 3600
# A row is of no use a week later; DynamoDB then removes it.
_KEEP_S: Final = 7 * 24 * 3600
_ENDED_WELL: Final = "SUCCESS"
_ENDED_BADLY: Final = "ERROR"
# DataSync's filters separate patterns by "|" and know the wildcard "*"; file names have neither.
_FILTER_ESCAPES = re.compile(r"([\\*|])")


class TransferState(Enum):
    """The state of a file's transfer."""

    NONE = auto()  # none was started, or it is forgotten
    UNDER_WAY = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True)
class TransferStatus:
    """A transfer's state, the size in bytes that was announced for the file, and what went wrong.

    ``row`` is what was read from the table: ``start`` compares the table with it.
    """

    state: TransferState
    row: dict[str, Any] | None = None
    error: str | None = None

    @property
    def size(self) -> int | None:
        """Return the size in bytes that was announced for the file."""
        return int(self.row["Size"]) if self.row else None

    @property
    def started_at(self) -> float:
        """Return when it was started, in seconds since 1970; 0 if it was not."""
        return float(self.row["ClaimedAt"]) if self.row else 0.0

    def attempts(self, size: int) -> int:
        """Return how often the transfer of a file of this size in bytes was started."""
        return int(self.row.get("Attempts", 1)) if self.row and self.size == size else 0


class Transfers:
    """Transfers by one DataSync task, noted in one DynamoDB table."""

    def __init__(
        self,
        table: "Table",
        datasync: "DataSyncClient",
        task_arn: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._datasync = datasync
        self._task_arn = task_arn
        self._now = now

    def status(self, filename: str) -> TransferStatus:
        """Return the state of the task's latest execution for this file."""
        row = self._row(filename)
        if row is None:
            return TransferStatus(TransferState.NONE)
        arn = row.get("TaskExecutionArn")
        if arn is None:
            alive = self._now() < float(row["ClaimedAt"]) + _START_S
            return TransferStatus(TransferState.UNDER_WAY if alive else TransferState.NONE, row)
        try:
            execution = self._datasync.describe_task_execution(TaskExecutionArn=arn)
        except self._datasync.exceptions.InvalidRequestException:
            # DataSync forgets old executions; so do we. A new one it may not know yet.
            young = self._now() < float(row["ClaimedAt"]) + _START_S
            return TransferStatus(TransferState.UNDER_WAY if young else TransferState.NONE, row)
        if execution["Status"] == _ENDED_WELL:
            return TransferStatus(TransferState.DONE, row)
        if execution["Status"] == _ENDED_BADLY:
            result = execution.get("Result", {})
            error = result.get("ErrorDetail") or result.get("ErrorCode") or "no reason given"
            return TransferStatus(TransferState.FAILED, row, error)
        return TransferStatus(TransferState.UNDER_WAY, row)

    def wait_s(self, size: int, seen: TransferStatus) -> float:
        """Return for how many seconds the file's transfer is not to be started again.

        The wait doubles with each attempt at a file of this size in bytes.
        """
        retries = seen.attempts(size) - 1
        if seen.row is None or retries < 1:
            return 0.0
        pause_s: int = min(_FIRST_WAIT_S << min(retries - 1, 16), _LONGEST_WAIT_S)
        end = float(seen.row["ClaimedAt"]) + pause_s
        return max(end - self._now(), 0.0)

    def start(self, filename: str, size: int, seen: TransferStatus) -> bool:
        """Start the task for this file; False where another call did so since ``seen`` was read.

        Raises Unavailable where DataSync refuses.
        """
        claimed_at = str(self._now())
        condition = Attr("Filename").not_exists() if seen.row is None else _unchanged(seen.row)
        item: dict[str, Any] = {
            "Filename": filename,
            "Size": size,
            "Attempts": seen.attempts(size) + 1,
            "ClaimedAt": claimed_at,
            "ExpiresAt": int(self._now()) + _KEEP_S,
        }
        failed = self._table.meta.client.exceptions.ConditionalCheckFailedException
        try:
            self._table.put_item(Item=item, ConditionExpression=condition)
        except failed:
            return False
        try:
            execution = self._datasync.start_task_execution(
                TaskArn=self._task_arn,
                Includes=[{"FilterType": "SIMPLE_PATTERN", "Value": _pattern(filename)}],
            )
        except ClientError as error:
            reason = error.response.get("Error", {}).get("Message", "no reason given")
            raise Unavailable(f"DataSync cannot start the transfer now: {reason}") from error
        self._table.update_item(
            Key={"Filename": filename},
            UpdateExpression="SET TaskExecutionArn = :arn",
            ConditionExpression=Attr("ClaimedAt").eq(claimed_at),
            ExpressionAttributeValues={":arn": execution["TaskExecutionArn"]},
        )
        return True

    def forget_attempts(self, filename: str, seen: TransferStatus) -> None:
        """Count from the beginning again: the file has come, and a later transfer is another."""
        if seen.row is None or not seen.row.get("Attempts"):
            return
        try:
            self._table.update_item(
                Key={"Filename": filename},
                UpdateExpression="SET Attempts = :none",
                ConditionExpression=_unchanged(seen.row),
                ExpressionAttributeValues={":none": 0},
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return

    def _row(self, filename: str) -> dict[str, Any] | None:
        answer = self._table.get_item(Key={"Filename": filename}, ConsistentRead=True)
        return answer.get("Item")


def _unchanged(row: dict[str, Any]) -> Any:
    arn = row.get("TaskExecutionArn")
    same_arn = Attr("TaskExecutionArn").eq(arn) if arn else Attr("TaskExecutionArn").not_exists()
    return Attr("ClaimedAt").eq(row["ClaimedAt"]) & same_arn


def _pattern(filename: str) -> str:
    """Return the include filter that matches only this file."""
    return "/" + _FILTER_ESCAPES.sub(r"\\\1", filename)
