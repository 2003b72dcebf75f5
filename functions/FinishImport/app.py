"""FinishImport: the import's last step. Nothing is missing, so the pyramid may be announced."""

from typing import Any

from vsv.imports.workflow import ImportJob
from vsv.logs import count, observed
from vsv.wiring import importer


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write descriptor and record; return the number of tiles."""
    finished = importer().finish_import(ImportJob.from_dict(event))
    count("SlideImported")
    return finished
