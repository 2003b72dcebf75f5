"""AWS clients, made once and when first needed, with bounds on how long they may take."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from vsv import failures
from vsv.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client

__all__ = [
    "FunctionFailed",
    "answering",
    "client",
    "dynamodb",
    "invoke",
    "s3",
    "s3_archive",
    "start",
]

# API Gateway gives up after 29 s: a call must have failed, and been tried again, well before.
_CONFIG = Config(
    connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
)
# S3 answers for a tile within some 20 ms; to ask again beats waiting for an answer that takes
# seconds. Writers and those who look before they write have 16 threads each: see
# vsv.storage.image_bucket.
_S3_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
)
# A part of a slide takes a second to be sent; S3 may take minutes to put many of them together,
# and sends a blank now and then until it is done.
_S3_ARCHIVE_CONFIG = Config(
    connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)


@cache
def client(service: str) -> Any:
    """Return the client of the service."""
    return boto3.client(service, config=_CONFIG)  # type: ignore[call-overload]


@cache
def dynamodb() -> "DynamoDBServiceResource":
    """Return DynamoDB with Python's own types."""
    return boto3.resource("dynamodb", config=_CONFIG)


@cache
def s3() -> "S3Client":
    """Return S3 for many small objects. Many threads may share it."""
    return boto3.client("s3", config=_S3_CONFIG)


@cache
def s3_archive() -> "S3Client":
    """Return S3 for few large objects. Many threads may share it."""
    return boto3.client("s3", config=_S3_ARCHIVE_CONFIG)


@contextmanager
def answering(service: str) -> Iterator[None]:
    """Raise Unavailable if AWS fails transiently, after boto3's retries.

    ``service`` names for people what fails.
    """
    try:
        yield
    except Exception as error:
        failure = failures.named(error, service)
        if failure is None or failure is error:
            raise
        raise failure from error


class FunctionFailed(Unavailable):
    """A Lambda function raised an error; the message names it."""


def invoke(client: "LambdaClient", function: str, request: Mapping[str, Any]) -> Any:
    """Return the Lambda function's answer to the request. Raises FunctionFailed."""
    answer = client.invoke(FunctionName=function, Payload=json.dumps(request).encode())
    result = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise FunctionFailed(f"{result.get('errorType')}: {result.get('errorMessage')}")
    return result


def start(client: "LambdaClient", function: str, request: Mapping[str, Any]) -> None:
    """Start the Lambda function and do not wait for its answer."""
    payload = json.dumps(request).encode()
    client.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
