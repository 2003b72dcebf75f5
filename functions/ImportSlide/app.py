"""POST /ImportSlide: start the next step of a file's import, and return its state."""

from typing import Any

from vsv.api.gateway import Event, Response, json_body, json_response, require_scanner, respond
from vsv.imports.request import ImportRequest
from vsv.logs import count, log_unexpected, observed
from vsv.settings import ClientSettings
from vsv.wiring import import_service


def answer(event: Event) -> Response:
    """Decide about one file of the scanner."""
    require_scanner(event, ClientSettings.read().client_id)
    request = ImportRequest.parse(json_body(event))
    decided = import_service().handle(request)
    count(f"ImportSlide{decided.state.value.title()}")
    return json_response(decided.body(request))


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call of the scanner's workstation."""
    return respond(event, answer, log_unexpected)
