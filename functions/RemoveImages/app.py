"""DELETE /RemoveImages: note on each slide's record what is asked, and have it done."""

from typing import Any

from vsv.http import Event, Response, json_body, respond, results_response, technician
from vsv.logs import count, log_unexpected, observed
from vsv.removal.request import RemovalRequest
from vsv.settings import ClientSettings
from vsv.wiring import removal_desk


def answer(event: Event) -> Response:
    """Take the request of a technician."""
    name = technician(event, ClientSettings.read().client_id)
    request = RemovalRequest.parse(json_body(event))
    count(f"RemoveImages{request.operation.title()}")
    return results_response(request, removal_desk().handle(request, name))


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request: a result for each slide."""
    return respond(event, answer, log_unexpected)
