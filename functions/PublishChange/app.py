"""PublishChange: tell signed-in people of changed slides, on events of the table's stream."""

from functools import cache
from typing import Any

from vsv.live import publisher as live
from vsv.logs import observed

# One for the life of the process: it remembers whose progress was told a moment ago.
publisher = cache(live.publisher)


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Publish the changes; raise if some may go through later."""
    publisher().publish(event["Records"])
