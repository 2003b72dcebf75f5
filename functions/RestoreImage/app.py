"""RestoreImage: restore a slide's file from the archive, before the import's first step."""

from typing import Any

from vsv.imports.workflow import ImportJob
from vsv.logs import observed
from vsv.wiring import remover


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Restore the slide's file from the archive."""
    remover().restore(ImportJob.from_dict(event))
