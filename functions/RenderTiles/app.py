"""RenderTiles: the import's second step, for one piece of the pyramid."""

from typing import Any

from vsv.imports.workflow import ImportJob
from vsv.logs import observed
from vsv.wiring import importer


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Render the tiles ``start`` to ``stop`` and return how many were not there yet."""
    piece = event["piece"]
    return importer().render_tiles(ImportJob.from_dict(event["job"]), piece["start"], piece["stop"])
