"""Answers: statuses, problem details, entity tags.

No other module knows statuses. Errors are RFC 9457 problem details; they never hold a stack
trace or a path of the server's. They are the same behind API Gateway and behind ``vsv serve``.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vsv.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    StorageFull,
    Unavailable,
    UnreadableSlide,
    VsvError,
)
from vsv.failures import named

if TYPE_CHECKING:
    from vsv.viewing.images import Resource

__all__ = ["Answer", "json_answer", "problem", "problem_of", "show", "status_of"]

STATUS_OF: Final[dict[type[VsvError], HTTPStatus]] = {
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    UnreadableSlide: HTTPStatus.UNPROCESSABLE_ENTITY,
    StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


# Slides do not change, but one may be deleted: a browser keeps a tile for an hour, and then asks
# whether it is still the same. Shared caches must not keep patients' images; our own at the edge,
# which checks who asks, is told so by its cache policy.
_CACHE_CONTROL: Final = "private, max-age=3600"


class Answer(NamedTuple):
    """An answer, before an adapter gives it the form that its server wants."""

    status: HTTPStatus
    headers: dict[str, str]
    body: bytes = b""


def show(resource: "Resource", if_none_match: str | None, cache: str = _CACHE_CONTROL) -> Answer:
    """Return the resource; 304 without reading its pixels if ``If-None-Match`` names its tag."""
    headers = {
        "ETag": f'"{resource.tag}"',
        "Cache-Control": cache,
        "X-Content-Type-Options": "nosniff",
    }
    if if_none_match and _names(if_none_match, resource.tag):
        return Answer(HTTPStatus.NOT_MODIFIED, headers)
    headers["Content-Type"] = resource.media_type
    return Answer(HTTPStatus.OK, headers, resource.load())


def _names(if_none_match: str, tag: str) -> bool:
    """Return whether the header names the tag (RFC 9110, 13.1.2: weak comparison)."""
    known = {entry.strip().removeprefix("W/") for entry in if_none_match.split(",")}
    return "*" in known or f'"{tag}"' in known


def problem_of(
    error: Exception, instance: str, on_unexpected: Callable[[Exception], None]
) -> Answer:
    """Return the problem details of an error.

    Errors of other libraries go to ``on_unexpected``. The caller learns of transient ones only:
    that storage or a service failed for now.
    """
    if not isinstance(error, VsvError):
        on_unexpected(error)
    failure = named(error)
    if failure is not None:
        return problem(status_of(failure), str(failure), instance)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed here", instance)


def status_of(error: VsvError) -> HTTPStatus:
    """Return the status of a named error."""
    return next(
        (code for kind, code in STATUS_OF.items() if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def problem(status: HTTPStatus, detail: str, instance: str) -> Answer:
    """Return problem details (RFC 9457). ``instance`` is a URI of this request."""
    content = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": instance,
    }
    answer = json_answer(content, status)
    answer.headers["Content-Type"] = "application/problem+json"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "30"
    return answer


def json_answer(content: Mapping[str, Any], status: HTTPStatus) -> Answer:
    """Return a JSON answer that no cache keeps."""
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    # What UTF-8 cannot hold (a lone surrogate) JSON writes as the same escape that Python does.
    body = json.dumps(content, ensure_ascii=False).encode(errors="backslashreplace")
    return Answer(status, headers, body)
