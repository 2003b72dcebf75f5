"""What the launcher adds to MiniStack."""

import pytest

from local import emulator

TRACE = (
    "some log line\n"
    "Traceback (most recent call last):\n"
    '  File "app.py", line 3, in f\n'
    "    g()\n"
    "KeyError: 'x'\n"
    "\n"
    "The above exception was the direct cause of the following exception:\n"
    "\n"
    "Traceback (most recent call last):\n"
    '  File "app.py", line 5, in lambda_handler\n'
    "    raise BadSlide from error\n"
    "vsv.errors.BadSlide: the tile 3_4 is broken\n"
    "Traceback: not the end\n"
)


def test_an_error_has_its_exception_s_name():
    body = {"errorMessage": "the tile 3_4 is broken", "errorType": "Runtime.HandlerError"}
    result = emulator.named_error({"error": True, "body": body, "log": TRACE})
    assert result["body"]["errorType"] == "BadSlide"
    assert result["body"]["stackTrace"][0] == '  File "app.py", line 5, in lambda_handler'


@pytest.mark.parametrize(
    "result",
    [
        {"body": {"statusCode": 200}},
        {"error": True, "body": {"errorType": "Sandbox.Timedout"}, "log": TRACE},
        {"error": True, "body": {"errorType": "Runtime.HandlerError"}, "log": "no trace"},
        {"error": True, "body": "text"},
    ],
)
def test_other_results_stay_as_they_are(result):
    before = {**result}
    assert emulator.named_error(result) == before


@pytest.mark.parametrize(
    ("target", "writes"),
    [
        (b"DynamoDB_20120810.PutItem", True),
        (b"DynamoDB_20120810.TransactWriteItems", True),
        (b"DynamoDB_20120810.BatchWriteItem", True),
        (b"DynamoDB_20120810.Query", False),
        (b"DynamoDB_20120810.BatchGetItem", False),
        (b"AWSStepFunctions.StartExecution", False),
        (b"", False),
    ],
)
def test_table_writes_are_told_from_other_calls(target, writes):
    scope = {"type": "http", "headers": [(b"x-amz-target", target)]}
    assert emulator._writes_a_table(scope) is writes
