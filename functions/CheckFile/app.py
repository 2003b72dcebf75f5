"""CheckFile: describe a file on EFS, for ImportSlide, which has no access to EFS."""

from typing import Any

from vsv.identifiers import FileVersion
from vsv.imports.check_file import check_file
from vsv.logs import observed
from vsv.wiring import storage


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """Return the file's state, or None if there is none."""
    version = event.get("version")
    return check_file(storage(), event["filename"], FileVersion.parse(version) if version else None)
