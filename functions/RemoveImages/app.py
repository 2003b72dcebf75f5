"""DELETE /RemoveImages: note the operation on each slide's record, and start it."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from vsv.api.answers import status_of
from vsv.api.gateway import Event, Response, json_body, json_response, respond, technician
from vsv.logs import count, log_unexpected, observed
from vsv.removal.request import RemovalRequest
from vsv.removal.service import Result
from vsv.settings import ClientSettings
from vsv.wiring import removal_service


def answer(event: Event) -> Response:
    """Accept the request of a technician."""
    name = technician(event, ClientSettings.read().client_id)
    request = RemovalRequest.parse(json_body(event))
    count(f"RemoveImages{request.operation.title()}")
    return results_response(request, removal_service().handle(request, name))


def results_response(request: RemovalRequest, results: Sequence[Result]) -> Response:
    """Return 202, with a result for each slide."""
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


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request: a result for each slide."""
    return respond(event, answer, log_unexpected)
