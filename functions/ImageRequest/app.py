"""GET /DeepZoom/…: descriptor, tiles and associated images of a slide."""

from functools import cache
from typing import Any

from vsv.http import Event, Response, image_response, respond
from vsv.images import Images
from vsv.logs import log_unexpected, observed
from vsv.settings import ClientSettings, StorageSettings
from vsv.storage import Storage


@cache
def images(settings: StorageSettings) -> Images:
    """The slides, kept open from one request to the next."""
    storage = Storage(settings.images_path, settings.pyramid_bucket)
    return Images(storage, settings.quality, keeps_index=True)


def answer(event: Event) -> Response:
    """Show what the viewer asks for."""
    return image_response(event, images(StorageSettings.read()), ClientSettings.read().client_id)


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of a viewer."""
    return respond(event, answer, log_unexpected)
