"""AWS clients, made once and when first needed, with bounds on how long they may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from vsv import failures

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource
    from mypy_boto3_s3.client import S3Client

__all__ = ["answering", "client", "dynamodb", "s3", "s3_archive"]

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
    """Raise Unavailable where AWS fails in a way that may pass; boto3 has tried again by then.

    ``service`` names for people what fails.
    """
    try:
        yield
    except Exception as error:
        failure = failures.named(error, service)
        if failure is None or failure is error:
            raise
        raise failure from error
