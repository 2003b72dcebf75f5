"""Name the failures of storage and of services, so that callers know what may pass.

Libraries raise many types for one thing: Python has a dozen for an OSError, boto3 makes a class for
each code of each service. Callers choose by VsvErrors instead: HTTP's statuses, GraphQL's error
types, and the workflow's retries, which match a type by its exact name.

This module imports no boto3: ImageRequest starts without it.
"""

import errno
from collections.abc import Iterable, Mapping
from typing import Any, Final

from vsv.errors import StorageFull, Unavailable, VsvError

__all__ = ["named"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# Another attempt would fail alike: the call is wrong, or the file is not what it should be.
_PERMANENT_TYPES: Final = (
    ChildProcessError,
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    ProcessLookupError,
)
# The network's errors, which Python also raises without an errno.
_TRANSIENT_TYPES: Final = (BlockingIOError, ConnectionError, InterruptedError, TimeoutError)
_PERMANENT_ERRNOS: Final = frozenset(
    {
        *(errno.E2BIG, errno.EBADF, errno.EDOM, errno.EFAULT, errno.EFBIG, errno.EILSEQ),
        *(errno.EINVAL, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG, errno.ENODATA),
        *(errno.ENOEXEC, errno.ENOSYS, errno.ENOTEMPTY, errno.ENOTSUP, errno.ENOTTY),
        *(errno.ENXIO, errno.EOPNOTSUPP, errno.EOVERFLOW, errno.ERANGE, errno.EROFS),
        *(errno.ESPIPE, errno.EXDEV),
    }
)

# Codes of AWS's answers below 500 that stand for a refusal which may pass.
_TRANSIENT_CODES: Final = frozenset(
    {
        # any service; botocore tries these again by itself, a few times
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"),
        *("RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
        *("BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete"),
        *("RequestTimeout", "RequestTimeoutException", "SlowDown"),
        # DynamoDB
        *("ProvisionedThroughputExceededException", "TransactionInProgressException"),
        *("TransactionConflictException", "ReplicatedWriteConflictException"),
        # Lambda
        *("EC2ThrottledException", "EFSIOException", "EFSMountConnectivityException"),
        *("EFSMountTimeoutException", "ENINotReadyException", "ResourceConflictException"),
        "ResourceNotReadyException",
        # Step Functions: too many executions run at once
        "ExecutionLimitExceeded",
    }
)
# The reasons of DynamoDB for a cancelled transaction that may go through later.
_TRANSIENT_REASONS: Final = frozenset(
    {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
)


def named(error: BaseException, service: str = "a service that is needed") -> VsvError | None:
    """Return the VsvError that stands for a failure of storage or of a service, else None.

    ``service`` names for people what was called. A VsvError stands for itself.
    """
    if isinstance(error, VsvError):
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        return StorageFull()
    if _is_unanswered(error):
        return Unavailable(f"{service} does not answer; try again later")
    if isinstance(error, OSError):
        return Unavailable("the slide storage fails; try again later") if _passes(error) else None
    if _is_refusal(error):
        return Unavailable(f"{service} is too busy; try again later")
    return None


def _passes(error: OSError) -> bool:
    """Return whether another attempt may not meet the system's error.

    An error without a number is a library's own: Pillow's for an image that it cannot read.
    """
    if isinstance(error, _TRANSIENT_TYPES):
        return True
    return (
        error.errno in errno.errorcode
        and error.errno not in _PERMANENT_ERRNOS
        and not isinstance(error, _PERMANENT_TYPES)
    )


def _is_unanswered(error: BaseException) -> bool:
    """Return whether boto3 got no answer, or a part of one."""
    if not _is_botocores(error):
        return False
    from botocore.exceptions import ConnectionError, HTTPClientError, IncompleteReadError

    return isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError)


def _is_refusal(error: BaseException) -> bool:
    """Return whether the service answered that it cannot do this now."""
    response = getattr(error, "response", None)
    if not _is_botocores(error) or not isinstance(response, dict):
        return False
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = response.get("Error", {}).get("Code")
    if code == "TransactionCanceledException":
        return _is_refused_for_now(response.get("CancellationReasons", []))
    return status >= 500 or status == 429 or code in _TRANSIENT_CODES


def _is_refused_for_now(reasons: Iterable[Mapping[str, Any]]) -> bool:
    codes = {reason.get("Code") for reason in reasons} - {None, "None"}
    return bool(codes) and codes <= _TRANSIENT_REASONS


def _is_botocores(error: BaseException) -> bool:
    return any(kind.__module__.startswith("botocore.") for kind in type(error).__mro__)
