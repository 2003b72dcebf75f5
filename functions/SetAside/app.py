"""SetAside: free a file name on EFS for another file, keeping the one that has it."""

from typing import Any

from vsv.identifiers import FileVersion
from vsv.logs import observed
from vsv.wiring import storage


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Set that version of the file aside."""
    storage().set_aside(event["filename"], FileVersion.parse(event["version"]))
