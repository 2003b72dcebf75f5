"""SendToCdr: send slides that are marked for it to the CDR, on events of the table's stream."""

from typing import Any

from vsv.cdr.delivery import sender
from vsv.logs import observed


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Send what is due; raise if some of it has to wait."""
    sender().send(event["Records"])
