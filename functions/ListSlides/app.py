"""ListSlides: list the slide files on EFS, for ops without access to EFS."""

from typing import Any

from vsv.imports.listing import list_slides
from vsv.logs import observed
from vsv.wiring import storage


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return a page of slide files, and the start of the next page."""
    return list_slides(storage(), event)
