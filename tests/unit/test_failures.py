"""Failures of storage and services have names by which callers and workflow choose."""

import builtins
import errno
import inspect

import boto3
import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from vsv.errors import NotFound, StorageFull, Unavailable
from vsv.failures import named
from vsv.logs import observed

# What another attempt does not mend: the call is wrong, or the file is not what it should be.
PERMANENT = {
    ChildProcessError,
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    ProcessLookupError,
}
OS_ERRORS = [
    kind
    for kind in vars(builtins).values()
    if inspect.isclass(kind) and issubclass(kind, OSError) and kind is not OSError
]
UNANSWERED = [
    kind
    for kind in vars(botocore.exceptions).values()
    if inspect.isclass(kind)
    and issubclass(kind, botocore.exceptions.ConnectionError | botocore.exceptions.HTTPClientError)
]


def refusal(code, status=400, **fields) -> ClientError:
    """Return a service's answer, as boto3 raises it."""
    metadata = {"HTTPStatusCode": status, "RequestId": "1"}
    answer = {"Error": {"Code": code, "Message": "arn:…"}, "ResponseMetadata": metadata}
    return ClientError({**answer, **fields}, "Operation")


@pytest.mark.parametrize("kind", OS_ERRORS)
def test_each_kind_of_pythons_oserror_passes_or_is_known_not_to(kind):
    assert isinstance(named(kind()), Unavailable) == (kind not in PERMANENT)


@pytest.mark.parametrize("number", sorted(errno.errorcode))
@pytest.mark.slow
def test_what_a_file_system_says_is_named_by_its_number(number):
    failure = named(OSError(number, "…", "/mnt/images/Meier_Anna.svs"))
    if number in (errno.ENOSPC, errno.EDQUOT):
        assert isinstance(failure, StorageFull)
    else:
        assert failure is None or type(failure) is Unavailable
    assert "Meier" not in str(failure)


@pytest.mark.parametrize(
    "number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ENFILE, errno.ENOLCK]
)
def test_a_file_system_that_fails_for_a_while_is_unavailable(number):
    assert isinstance(named(OSError(number, "…")), Unavailable)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_a_call_that_would_fail_again_has_no_other_name(number):
    assert named(OSError(number, "…")) is None


@pytest.mark.parametrize(
    "error", [OSError("image file is truncated"), ValueError(), KeyError("a"), OSError(9999, "…")]
)
def test_errors_of_libraries_are_left_alone(error):
    assert named(error) is None


def test_an_error_that_has_a_name_keeps_it():
    error = NotFound("no slide")
    assert named(error) is error


@pytest.mark.parametrize("kind", UNANSWERED)
def test_a_call_that_botocore_gets_no_answer_to_is_unavailable(kind):
    error = kind(endpoint_url="https://x", proxy_url="x", error="x", request=None, response=None)
    failure = named(error, "S3")
    assert type(failure) is Unavailable
    assert "S3" in str(failure)


@pytest.mark.parametrize(
    "code",
    sorted(
        {
            *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
            *TransientRetryableChecker._TRANSIENT_ERROR_CODES,
        }
    ),
)
def test_all_that_botocore_tries_again_is_unavailable(code):
    assert isinstance(named(refusal(code)), Unavailable)


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("dynamodb", "ProvisionedThroughputExceededException", 400),
        ("dynamodb", "InternalServerError", 500),
        ("lambda", "TooManyRequestsException", 429),
        ("lambda", "EFSMountTimeoutException", 408),
        ("lambda", "ServiceException", 500),
        ("stepfunctions", "ExecutionLimitExceeded", 400),
        ("stepfunctions", "ThrottlingException", 400),
        ("datasync", "InternalException", 500),
        ("kms", "KMSInternalException", 500),
        ("kms", "DependencyTimeoutException", 503),
        ("s3", "SlowDown", 503),
    ],
)
def test_a_services_own_exceptions_are_told_by_their_code(aws, service, code, status):
    """Boto3 makes a class for each of them; its name is not ``ClientError``."""
    answer = refusal(code, status).response
    kind = boto3.client(service, region_name="eu-central-1").exceptions.from_code(code)
    assert isinstance(named(kind(answer, "Operation")), Unavailable)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "NoSuchBucket"])
def test_a_refusal_for_good_has_no_other_name(code):
    assert named(refusal(code)) is None


@pytest.mark.parametrize(
    ("codes", "passes"),
    [
        (["None", "ThrottlingError"], True),
        (["ProvisionedThroughputExceeded", "TransactionConflict"], True),
        (["ThrottlingError", "ConditionalCheckFailed"], False),
        (["None"], False),
        ([], False),
    ],
)
def test_a_cancelled_transaction_passes_if_all_its_reasons_do(codes, passes):
    error = refusal(
        "TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes]
    )
    assert isinstance(named(error), Unavailable) == passes


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TimeoutError(), "Unavailable"),
        (OSError(errno.ESTALE, "/mnt/images"), "Unavailable"),
        (OSError(errno.ENOSPC, "/mnt/images"), "StorageFull"),
        (refusal("ThrottlingException"), "Unavailable"),
        (PermissionError(errno.EACCES, "/mnt/images"), "PermissionError"),
    ],
)
def test_a_function_raises_what_stands_for_the_failure(error, name):
    """Step Functions matches the exact name of the type, and knows no subclasses."""

    @observed
    def handler(event, context):
        raise error

    with pytest.raises(Exception, match=".") as raised:
        handler({}, None)
    assert type(raised.value).__name__ == name
