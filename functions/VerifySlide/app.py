"""VerifySlide: hold what was made of a slide against its file, for ops, who cannot see EFS."""

from typing import Any

from vsv.imports.verify import verify
from vsv.logs import observed
from vsv.wiring import storage


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what is wrong, and which pieces of the slide are to be looked at next."""
    return verify(storage(), event)
