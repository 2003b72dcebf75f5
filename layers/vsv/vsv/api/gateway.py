"""Events and responses of API Gateway, and of the function URL that CloudFront calls.

Powertools has classes for such events, but importing them loads 48 modules: too many for the cold
start of a tile.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from vsv.api.answers import (
    Answer,
    json_answer,
    problem_of,
)
from vsv.api.caller import Caller
from vsv.errors import (
    InvalidRequest,
)

__all__ = [
    "Event",
    "Response",
    "header",
    "json_body",
    "json_response",
    "person",
    "request_id",
    "require_person",
    "require_scanner",
    "respond",
    "technician",
    "to_response",
]

Event = Mapping[str, Any]
Response = dict[str, Any]


def person(event: Event, client_id: str) -> str:
    """Return the name of the person who asks. Raises Forbidden for a machine."""
    return Caller.of(_claims(event), client_id).person()


def technician(event: Event, client_id: str) -> str:
    """Return the name of the technician who asks. Raises Forbidden for anyone else."""
    return Caller.of(_claims(event), client_id).technician()


def require_scanner(event: Event, client_id: str) -> None:
    """Raise Forbidden unless the scanner's workstation asks."""
    Caller.of(_claims(event), client_id).scanner()


def require_person(event: Event, client_id: str) -> None:
    """Raise Forbidden for a machine's token, even if API Gateway accepted it.

    An event without a token passes: CloudFront has checked the cookies, or there is only
    ``vsv serve``.
    """
    claims = _claims(event)
    if claims is not None:
        Caller.of(claims, client_id).person()


def _claims(event: Event) -> Mapping[str, Any] | None:
    """Return the claims of the token that API Gateway has checked."""
    context = event.get("requestContext") or {}
    claims: Mapping[str, Any] | None = (context.get("authorizer") or {}).get("claims")
    return claims


def json_body(event: Event) -> Any:
    """Return the request's JSON value. Raises InvalidRequest."""
    body = event.get("body") or ""
    try:
        # With binary media types */* API Gateway encodes every body.
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body
        return json.loads(raw)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequest("the body is not JSON") from error


def json_response(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return a JSON answer that no cache keeps."""
    return to_response(json_answer(body, status))


def request_id(event: Event) -> str:
    """Return API Gateway's ID of a request, under which its access log names the caller."""
    return str(event["requestContext"]["requestId"])


def respond(
    event: Event,
    answer: Callable[[Event], Response],
    on_unexpected: Callable[[Exception], None],
) -> Response:
    """Answer the request; turn an error into problem details.

    Only ``on_unexpected`` receives errors of other libraries.
    """
    try:
        return answer(event)
    except Exception as error:  # noqa: BLE001  the last line of defence: nothing may leak
        context = event.get("requestContext") or {}
        instance = f"urn:request:{context.get('requestId', 'unknown')}"
        return to_response(problem_of(error, instance, on_unexpected))


def to_response(answer: Answer) -> Response:
    """Return the answer in API Gateway's format: images in base64."""
    status, headers, body = answer
    is_image = headers.get("Content-Type", "").startswith("image/")
    return {
        "statusCode": status.value,
        "headers": headers,
        "body": base64.b64encode(body).decode("ascii") if is_image else body.decode(),
        "isBase64Encoded": is_image,
    }


def header(event: Event, wanted: str) -> str | None:
    """Return the header of this lower-case name, in whatever case the client wrote it."""
    headers = event.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == wanted), None)
