"""POST and DELETE /Session: the cookies by which CloudFront shows images to who has signed in."""

from typing import Any

from vsv.http import Event, Response, cookies_response, person, request_id, respond
from vsv.logs import count, log_unexpected, observed
from vsv.session import ENDED, SESSION_S
from vsv.settings import ClientSettings
from vsv.wiring import sessions


def answer(event: Event) -> Response:
    """Open a session for a person, or end it."""
    person(event, ClientSettings.read().client_id)
    if event["httpMethod"] == "DELETE":
        return cookies_response(ENDED, 0)
    count("Session")
    return cookies_response(sessions().open(), SESSION_S, request_id(event))


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of a viewer."""
    return respond(event, answer, log_unexpected)
