"""DeleteImage: remove a slide's file, and all that was made of it."""

from typing import Any

from vsv.logs import count, observed
from vsv.wiring import remover


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Delete the slide that its record says is to be deleted."""
    remover().delete(event["ImageID"])
    count("SlideDeleted")
