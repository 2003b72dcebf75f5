"""TransferImage: move a slide's file to the archive."""

from typing import Any

from vsv.logs import count, observed
from vsv.wiring import remover


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Archive the slide that its record says is to be archived."""
    remover().transfer(event["ImageID"])
    count("SlideTransferred")
