"""Powertools' logging, metrics and tracing around a handler, in one place.

Logs carry request IDs and error types. Slide and case IDs, labels and file names are patients':
they are not logged.
"""

import os
import warnings
from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

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

    Without Lambda's context (a handler called by hand) the handler runs bare.
    """

    def traced(event: Any, context: Any) -> Any:
        if not _is_sampled():
            return handler(event, context)
        capture = _tracer().capture_lambda_handler(
            handler, capture_response=False, capture_error=False
        )
        return capture(event, context)

    measured = _metrics.log_metrics(traced, capture_cold_start_metric=True)
    logged = logger.inject_lambda_context(measured)

    @wraps(handler)
    def entry(event: Any, context: Any) -> Any:
        if hasattr(context, "invoked_function_arn"):
            return logged(event, context)
        try:
            return handler(event, context)
        finally:
            _metrics.clear_metrics()

    return entry


def _is_sampled() -> bool:
    """Whether X-Ray wants this invocation's trace (a few of them, by its sampling rule)."""
    disabled = os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true")
    return "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", "") and not disabled


@cache
def _tracer() -> "Tracer":
    """The tracer. Its SDK takes 280 ms to import, three quarters of a cold start: only if asked."""
    from aws_lambda_powertools import Tracer

    return Tracer(auto_patch=False)


def count(name: str) -> None:
    """Count one event of this name."""
    _metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def log_unexpected(error: Exception) -> None:
    """Log an error that nobody foresaw, with its stack trace."""
    count("UnexpectedError")
    logger.exception("unexpected %s", type(error).__name__, exc_info=error)
