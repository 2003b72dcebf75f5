"""ExtractMetadata: the import's first step. Record, associated images, plan of the pyramid."""

from typing import Any

from vsv.imports.workflow import ImportJob
from vsv.logs import observed
from vsv.wiring import importer


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the pieces of the pyramid that are to be rendered."""
    return importer().extract_metadata(ImportJob.from_dict(event))
