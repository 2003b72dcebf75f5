"""Powertools' logging, metrics and tracing around a handler, in one place.

Logs carry request IDs, error types and where in the code they were raised. Slide and case IDs,
labels and file names are patients': they are not logged, and neither is what an error of others'
code says, for it may quote them (a path, a key, a value that was refused).
"""

import errno
import os
import traceback
import warnings
from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from vsv import failures
from vsv.errors import VsvError

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer

__all__ = ["count", "log_unexpected", "logger", "observed"]

logger = Logger()
_metrics = Metrics(namespace="VirtualSlideViewer")

# Handlers that count nothing are well.
warnings.filterwarnings("ignore", message="No application metrics to publish")

Handler = Callable[[Any, Any], Any]


def observed(handler: Handler) -> Handler:
    """Log with the invocation's context, trace without payloads, count cold starts.

    Failures of storage and services are raised as the VsvErrors that stand for them: the workflow's
    states choose by an error's exact name. Of other errors the name stays, but not what they say,
    for Lambda logs what is raised. Without Lambda's context (a handler called by hand) the handler
    runs without logs.
    """

    def named_handler(event: Any, context: Any) -> Any:
        try:
            return handler(event, context)
        except VsvError:
            raise
        except Exception as error:
            failure = failures.named(error)
            if failure is None:
                raise
            log_unexpected(error)
            raise failure from None

    def discreet(event: Any, context: Any) -> Any:
        try:
            return named_handler(event, context)
        except VsvError:
            raise
        except Exception as error:  # noqa: BLE001  raised again, without what it says
            log_unexpected(error)
            raise _silent(error) from None

    def traced(event: Any, context: Any) -> Any:
        if not _is_sampled():
            return discreet(event, context)
        capture = _tracer().capture_lambda_handler(
            discreet, capture_response=False, capture_error=False
        )
        return capture(event, context)

    measured = _metrics.log_metrics(traced, capture_cold_start_metric=True)
    logged = logger.inject_lambda_context(measured)

    @wraps(handler)
    def entry(event: Any, context: Any) -> Any:
        if hasattr(context, "invoked_function_arn"):
            return logged(event, context)
        try:
            return named_handler(event, context)
        finally:
            _metrics.clear_metrics()

    return entry


def _is_sampled() -> bool:
    """Return whether X-Ray samples this invocation."""
    disabled = os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true")
    return "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", "") and not disabled


@cache
def _tracer() -> "Tracer":
    """Return the tracer.

    Its SDK takes 280 ms to import, three quarters of a cold start, so this is called if tracing is
    on only.
    """
    from aws_lambda_powertools import Tracer

    return Tracer(auto_patch=False)


def count(name: str) -> None:
    """Count one event of this name."""
    _metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def log_unexpected(error: Exception) -> None:
    """Log an unexpected error: its type and its trace, but not its message."""
    count("UnexpectedError")
    trace = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    logger.error("unexpected %s", type(error).__name__, trace=trace, cause=_code(error))


def _code(error: Exception) -> str | None:
    """Return what AWS or the system calls the error."""
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno)
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code if isinstance(code, str) else None


def _silent(error: Exception) -> Exception:
    """Return an error of the same name that says no more."""
    kind = type(type(error).__name__, (Exception,), {})
    silent: Exception = kind("the log has where it was raised")
    return silent
