"""HTTP at the edge: API Gateway's events become values, values and errors become answers.

The one place that knows statuses. Errors are RFC 9457 problem details; they never hold a stack
trace or a path of the server's.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from vsv.deepzoom import TileAddress
from vsv.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
    UnreadableSlide,
    VsvError,
)
from vsv.images import Images, Resource, TileOptions
from vsv.storage import parse_image_id

__all__ = ["Event", "Response", "image_response", "json_body", "json_response", "respond"]

Event = Mapping[str, Any]
Response = dict[str, Any]

STATUS_OF: Final[dict[type[VsvError], HTTPStatus]] = {
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    UnreadableSlide: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# A tile must fit Lambda's 6 MB response, as PNG and in base64: 1,024² pixels do at their worst.
MAX_TILE_SIZE: Final = 1024
MAX_OVERLAP: Final = 64

# Slides do not change, but one may be deleted: a browser keeps a tile for an hour, and then asks
# whether it is still the same. Shared caches must not keep patients' images.
_CACHE_CONTROL: Final = "private, max-age=3600"

_IMAGE_PATH = re.compile(
    r".*?/DeepZoom/(?P<image_id>[^/]+?)"
    r"(?:\.dzi|_files/(?:(?P<address>[^/]+/[^/]+)|(?P<associated>[^/]+))\.(?P<format>[^/.]+))",
    re.DOTALL,
)
_FORMATS: Final = ("jpeg", "jpg", "png")


@dataclass(frozen=True)
class ImageRequest:
    """What a viewer asked for: the descriptor unless a tile or an associated image is named."""

    image_id: str
    options: TileOptions
    tile: TileAddress | None = None
    associated: str | None = None

    @classmethod
    def parse(cls, event: Event) -> "ImageRequest":
        """Parse path and query of a ``/DeepZoom/…`` request; raise InvalidRequest."""
        query = event.get("queryStringParameters") or {}
        match = _IMAGE_PATH.fullmatch(unquote(event.get("path") or ""))
        if match is None:
            raise InvalidRequest("the path is neither a descriptor's nor an image's")
        image_format = (match["format"] or query.get("fmt") or "jpeg").lower()
        if image_format not in _FORMATS:
            raise InvalidRequest(f"{image_format!r} is not one of {', '.join(_FORMATS)}")
        options = TileOptions(
            _number(query, "tilesize", 1, MAX_TILE_SIZE),
            _number(query, "overlap", 0, MAX_OVERLAP),
            image_format,
        )
        address = match["address"]
        return cls(
            parse_image_id(match["image_id"]),
            options,
            TileAddress.parse(address) if address else None,
            match["associated"],
        )

    def resource(self, images: Images) -> Resource:
        """What was asked for."""
        if self.tile:
            return images.tile(self.image_id, self.tile, self.options)
        if self.associated:
            return images.associated(self.image_id, self.associated, self.options.image_format)
        return images.descriptor(self.image_id, self.options)


def image_response(event: Event, images: Images) -> Response:
    """Answer a ``/DeepZoom/…`` request; 304 without reading a pixel where the viewer has it."""
    _require_person(event)
    resource = ImageRequest.parse(event).resource(images)
    headers = {
        "ETag": f'"{resource.tag}"',
        "Cache-Control": _CACHE_CONTROL,
        "X-Content-Type-Options": "nosniff",
    }
    if _has(event, resource.tag):
        return {"statusCode": HTTPStatus.NOT_MODIFIED.value, "headers": headers, "body": ""}
    headers["Content-Type"] = resource.media_type
    body = resource.load()
    is_text = not resource.media_type.startswith("image/")
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": headers,
        "body": body.decode() if is_text else base64.b64encode(body).decode("ascii"),
        "isBase64Encoded": not is_text,
    }


def _require_person(event: Event) -> None:
    """Raise Forbidden for a machine's token, whatever the gateway let through.

    A person's token names a user; one from client credentials, like the scanner's, does not.
    """
    context = event.get("requestContext") or {}
    claims = (context.get("authorizer") or {}).get("claims")
    if claims is not None and not (claims.get("cognito:username") or claims.get("username")):
        raise Forbidden("this token does not open images")


def json_body(event: Event) -> Any:
    """The request's JSON value. Raises InvalidRequest."""
    body = event.get("body") or ""
    try:
        # With binary media types */* API Gateway encodes every body.
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body
        return json.loads(raw)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequest("the body is not JSON") from error


def json_response(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A JSON answer that no cache keeps."""
    return {
        "statusCode": status.value,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
        "body": json.dumps(body, ensure_ascii=False),
    }


def respond(
    event: Event,
    answer: Callable[[Event], Response],
    on_unexpected: Callable[[Exception], None],
) -> Response:
    """Answer the request; turn an error into a problem.

    What was not foreseen is told to ``on_unexpected`` and to nobody else.
    """
    try:
        return answer(event)
    except VsvError as error:
        status = next(
            (code for kind, code in STATUS_OF.items() if isinstance(error, kind)),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        return _problem(event, status, str(error))
    except Exception as error:  # noqa: BLE001  the last line of defence: nothing may leak
        on_unexpected(error)
        return _problem(event, HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed here")


def _problem(event: Event, status: HTTPStatus, detail: str) -> Response:
    context = event.get("requestContext") or {}
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": f"urn:request:{context.get('requestId', 'unknown')}",
    }
    response = json_response(problem, status)
    response["headers"]["Content-Type"] = "application/problem+json"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"]["Retry-After"] = "30"
    return response


def _number(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise InvalidRequest(f"{name} is {text!r}, not a number in {low}..{high}")
    return int(text)


def _has(event: Event, tag: str) -> bool:
    """Whether If-None-Match names the tag (RFC 9110, 13.1.2: weak comparison)."""
    headers = event.get("headers") or {}
    asked = next(
        (value for name, value in headers.items() if name.lower() == "if-none-match"), None
    )
    if not asked:
        return False
    known = {entry.strip().removeprefix("W/") for entry in asked.split(",")}
    return "*" in known or f'"{tag}"' in known
