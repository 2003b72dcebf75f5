"""HTTP at the edge: requests become values, values and errors become answers.

The one place that knows statuses. Errors are RFC 9457 problem details; they never hold a stack
trace or a path of the server's. What is said is the same behind API Gateway, whose events and
responses are told apart below, and behind ``vsv serve``.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from vsv.deepzoom import TileAddress
from vsv.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    StorageFull,
    Unavailable,
    UnreadableSlide,
    VsvError,
    quoted,
)
from vsv.failures import named
from vsv.images import Images, Resource, TileOptions
from vsv.people import Caller
from vsv.storage import parse_image_id

if TYPE_CHECKING:
    from vsv.removal.desk import Result
    from vsv.removal.request import RemovalRequest

__all__ = [
    "Answer",
    "Event",
    "ImageRequest",
    "Response",
    "cookies_response",
    "image_response",
    "json_body",
    "json_response",
    "person",
    "problem",
    "problem_of",
    "request_id",
    "require_scanner",
    "respond",
    "results_response",
    "show",
    "status_of",
    "technician",
]

Event = Mapping[str, Any]
Response = dict[str, Any]

STATUS_OF: Final[dict[type[VsvError], HTTPStatus]] = {
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    UnreadableSlide: HTTPStatus.UNPROCESSABLE_ENTITY,
    StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# A tile must fit Lambda's 6 MB response, as PNG and in base64: 1,024² pixels do at their worst.
MAX_TILE_SIZE: Final = 1024
MAX_OVERLAP: Final = 64

# Slides do not change, but one may be deleted: a browser keeps a tile for an hour, and then asks
# whether it is still the same. Shared caches must not keep patients' images; our own at the edge,
# which checks who asks, is told so by its cache policy.
_CACHE_CONTROL: Final = "private, max-age=3600"

_IMAGE_PATH = re.compile(
    r".*?/DeepZoom/(?P<image_id>[^/]+?)"
    r"(?:\.dzi|_files/(?:(?P<address>[^/]+/[^/]+)|(?P<associated>[^/]+))\.(?P<format>[^/.]+))",
    re.DOTALL,
)
_FORMATS: Final = ("jpeg", "jpg", "png")


class Answer(NamedTuple):
    """An answer, before an adapter gives it the form that its server wants."""

    status: HTTPStatus
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class ImageRequest:
    """What a viewer asked for: the descriptor unless a tile or an associated image is named."""

    image_id: str
    options: TileOptions
    tile: TileAddress | None = None
    associated: str | None = None

    @classmethod
    def parse(cls, path: str, query: Mapping[str, str]) -> "ImageRequest":
        """Parse decoded path and query of a ``/DeepZoom/…`` request; raise InvalidRequest."""
        match = _IMAGE_PATH.fullmatch(path)
        if match is None:
            raise InvalidRequest("the path is neither a descriptor's nor an image's")
        image_format = (match["format"] or query.get("fmt") or "jpeg").lower()
        if image_format not in _FORMATS:
            raise InvalidRequest(f"{quoted(image_format)} is not one of {', '.join(_FORMATS)}")
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


def show(resource: Resource, if_none_match: str | None, cache: str = _CACHE_CONTROL) -> Answer:
    """The resource; 304 without reading a pixel of it where ``If-None-Match`` names its tag."""
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
    """Whether the header names the tag (RFC 9110, 13.1.2: weak comparison)."""
    known = {entry.strip().removeprefix("W/") for entry in if_none_match.split(",")}
    return "*" in known or f'"{tag}"' in known


def problem_of(
    error: Exception, instance: str, on_unexpected: Callable[[Exception], None]
) -> Answer:
    """What an error is to the caller.

    What others' code raised is told to ``on_unexpected``. The caller learns of it only what may
    pass: that storage or a service failed for now.
    """
    if not isinstance(error, VsvError):
        on_unexpected(error)
    failure = named(error)
    if failure is not None:
        return problem(status_of(failure), str(failure), instance)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed here", instance)


def status_of(error: VsvError) -> HTTPStatus:
    """The status that stands for a named error."""
    return next(
        (code for kind, code in STATUS_OF.items() if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def problem(status: HTTPStatus, detail: str, instance: str) -> Answer:
    """Problem details (RFC 9457). ``instance`` is a URI of this very request."""
    content = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": instance,
    }
    answer = _json(content, status)
    answer.headers["Content-Type"] = "application/problem+json"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "30"
    return answer


def _json(content: Mapping[str, Any], status: HTTPStatus) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    # What UTF-8 cannot hold (a lone surrogate) JSON writes as the same escape that Python does.
    body = json.dumps(content, ensure_ascii=False).encode(errors="backslashreplace")
    return Answer(status, headers, body)


def _number(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise InvalidRequest(f"{name} is {quoted(text)}, not a number in {low}..{high}")
    return int(text)


# API Gateway, and a function URL, which CloudFront calls: its events name the path ``rawPath``.
# The app client whose tokens are taken is given as ``client_id``.


def image_response(event: Event, images: Images, client_id: str) -> Response:
    """Answer a ``/DeepZoom/…`` request; 304 without reading a pixel where the viewer has it."""
    _require_person(event, client_id)
    query = event.get("queryStringParameters") or {}
    path = event.get("path") or event.get("rawPath") or ""
    request = ImageRequest.parse(unquote(path), query)
    return _response(show(request.resource(images), _header(event, "if-none-match")))


def person(event: Event, client_id: str) -> str:
    """The name of the person who asks. Raises Forbidden for a machine."""
    return Caller.of(_claims(event), client_id).person()


def technician(event: Event, client_id: str) -> str:
    """The name of the technician who asks. Raises Forbidden for anyone else."""
    return Caller.of(_claims(event), client_id).technician()


def require_scanner(event: Event, client_id: str) -> None:
    """Raise Forbidden unless the scanner's workstation asks."""
    Caller.of(_claims(event), client_id).scanner()


def _require_person(event: Event, client_id: str) -> None:
    """Raise Forbidden for a machine's token, whatever the gateway let through.

    Where the event tells of no token there is nobody to be asked: CloudFront has checked the
    cookies, or there is no gateway.
    """
    claims = _claims(event)
    if claims is not None:
        Caller.of(claims, client_id).person()


def _claims(event: Event) -> Mapping[str, Any] | None:
    """The claims of the token that the gateway has checked."""
    context = event.get("requestContext") or {}
    claims: Mapping[str, Any] | None = (context.get("authorizer") or {}).get("claims")
    return claims


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
    return _response(_json(body, status))


def request_id(event: Event) -> str:
    """API Gateway's name of a request, by which its access log says who it was from."""
    return str(event["requestContext"]["requestId"])


def cookies_response(cookies: Mapping[str, str], seconds: int, session: str = "") -> Response:
    """An answer that sets cookies for images, which live as long as the browser stays open.

    Its body says for how many ``seconds`` they are good; 0 takes them away. ``session`` is what
    the pages add to the addresses of images: the edge's log then leads to the request that got the
    cookies, and so to the person.
    """
    attributes = "Path=/DeepZoom/; Secure; HttpOnly; SameSite=Strict"
    if seconds == 0:
        attributes += "; Max-Age=0"
    set_cookie = [f"{name}={value}; {attributes}" for name, value in cookies.items()]
    body = {"seconds": seconds, **({"session": session} if session else {})}
    return {**json_response(body), "multiValueHeaders": {"Set-Cookie": set_cookie}}


def results_response(request: "RemovalRequest", results: "Sequence[Result]") -> Response:
    """202, with what became of the request for each slide."""
    images = [
        {
            "ImageID": result.image.image_id,
            "Filename": result.image.filename,
            "status": status_of(result.error) if result.error else HTTPStatus.ACCEPTED,
            "detail": result.detail,
        }
        for result in results
    ]
    body = {"Operation": str(request.operation), "Images": images}
    return json_response(body, HTTPStatus.ACCEPTED)


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
    except Exception as error:  # noqa: BLE001  the last line of defence: nothing may leak
        context = event.get("requestContext") or {}
        instance = f"urn:request:{context.get('requestId', 'unknown')}"
        return _response(problem_of(error, instance, on_unexpected))


def _response(answer: Answer) -> Response:
    """The answer as API Gateway wants it: images in base64."""
    status, headers, body = answer
    is_image = headers.get("Content-Type", "").startswith("image/")
    return {
        "statusCode": status.value,
        "headers": headers,
        "body": base64.b64encode(body).decode("ascii") if is_image else body.decode(),
        "isBase64Encoded": is_image,
    }


def _header(event: Event, wanted: str) -> str | None:
    """The header of this name, given in lower case; clients spell them as they like."""
    headers = event.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == wanted), None)
