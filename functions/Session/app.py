"""POST and DELETE /Session: the cookies by which CloudFront shows images to signed-in people."""

from collections.abc import Mapping
from typing import Any

from vsv.api.gateway import Event, Response, json_response, person, request_id, respond
from vsv.logs import count, log_unexpected, observed
from vsv.settings import ClientSettings
from vsv.viewing.image_cookies import EXPIRED, VALID_S
from vsv.wiring import image_cookies


def answer(event: Event) -> Response:
    """Give a person cookies for images, or take them away."""
    person(event, ClientSettings.read().client_id)
    if event["httpMethod"] == "DELETE":
        return cookies_response(EXPIRED, 0)
    count("Session")
    return cookies_response(image_cookies().issue(), VALID_S, request_id(event))


def cookies_response(cookies: Mapping[str, str], seconds: int, session: str = "") -> Response:
    """Return an answer that sets cookies for images, which live as long as the browser stays open.

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


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of a viewer."""
    return respond(event, answer, log_unexpected)
