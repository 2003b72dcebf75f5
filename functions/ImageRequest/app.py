"""GET /DeepZoom/…: descriptor, tiles and associated images of a slide."""

from functools import cache
from typing import Any
from urllib.parse import unquote

from vsv.api.answers import show
from vsv.api.gateway import Event, Response, header, require_person, respond, to_response
from vsv.logs import log_unexpected, observed
from vsv.settings import ClientSettings, StorageSettings
from vsv.storage.layout import Storage
from vsv.viewing.images import Images
from vsv.viewing.request import ImageRequest


@cache
def images(settings: StorageSettings) -> Images:
    """Return the slides, kept open from one request to the next."""
    storage = Storage(settings.images_path, settings.pyramid_bucket)
    return Images(storage, settings.quality, keeps_index=True)


def answer(event: Event) -> Response:
    """Show what the viewer asks for; 304 without reading a pixel where the viewer has it."""
    require_person(event, ClientSettings.read().client_id)
    # A function URL's events, which CloudFront calls, name the path rawPath.
    path = event.get("path") or event.get("rawPath") or ""
    request = ImageRequest.parse(unquote(path), event.get("queryStringParameters") or {})
    resource = request.resource(images(StorageSettings.read()))
    return to_response(show(resource, header(event, "if-none-match")))


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of a viewer."""
    return respond(event, answer, log_unexpected)
