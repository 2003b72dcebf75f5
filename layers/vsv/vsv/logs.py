"""Powertools' logging, metrics and tracing around a handler, in one place.

Logs carry request IDs and error types. Slide and case IDs, labels and file names are patients':
they are not logged.
"""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

__all__ = ["count", "log_unexpected", "logger", "observed"]

logger = Logger()
_tracer = Tracer(auto_patch=False)
_metrics = Metrics(namespace="VirtualSlideViewer")

# Handlers that count nothing are well.
warnings.filterwarnings("ignore", message="No application metrics to publish")

Handler = Callable[[Any, Any], Any]


def observed(handler: Handler) -> Handler:
    """Log with the invocation's context, trace without payloads, count cold starts.

    Without Lambda's context (a handler called by hand) the handler runs bare.
    """
    traced = _tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
    measured = _metrics.log_metrics(traced, capture_cold_start_metric=True)
    logged = logger.inject_lambda_context(measured)

    @wraps(handler)
    def entry(event: Any, context: Any) -> Any:
        return (logged if hasattr(context, "invoked_function_arn") else handler)(event, context)

    return entry


def count(name: str) -> None:
    """Count one event of this name."""
    _metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def log_unexpected(error: Exception) -> None:
    """Log an error that nobody foresaw, with its stack trace."""
    count("UnexpectedError")
    logger.exception("unexpected %s", type(error).__name__, exc_info=error)
