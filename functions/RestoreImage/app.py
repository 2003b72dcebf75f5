"""RestoreImage: the import's step before the first, for a slide that comes from the archive."""

from typing import Any

from vsv.imports.workflow import ImportJob
from vsv.logs import observed
from vsv.wiring import remover


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Bring the slide's file back from the archive."""
    remover().restore(ImportJob.from_dict(event))
