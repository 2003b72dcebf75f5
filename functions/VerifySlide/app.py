"""VerifySlide: compare what was made of a slide with its file, for ops without access to EFS."""

from typing import Any

from vsv.imports.verify import verify
from vsv.logs import observed
from vsv.wiring import storage


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what is wrong, and which pieces of the slide to verify next."""
    return verify(storage(), event)
