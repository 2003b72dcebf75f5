"""GET /DeepZoom/…: descriptor, tiles and associated images of a slide, from EFS."""

from functools import cache
from typing import Any

from vsv.http import image_response, respond
from vsv.images import Images
from vsv.logs import count, log_unexpected, observed
from vsv.settings import StorageSettings
from vsv.storage import Storage


@cache
def images() -> Images:
    """The slides, kept open from one request to the next."""
    settings = StorageSettings.read()
    return Images(Storage(settings.images_path), settings.quality)


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of a viewer."""
    count("ImageRequest")
    return respond(event, lambda request: image_response(request, images()), log_unexpected)
