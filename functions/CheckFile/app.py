"""CheckFile: what is on EFS under a file's name, for ImportSlide, which cannot see EFS."""

from typing import Any

from vsv.identifiers import FileVersion
from vsv.imports.check_file import check_file
from vsv.logs import observed
from vsv.wiring import storage


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """Return the file's state, or None where there is no such file."""
    version = event.get("version")
    return check_file(storage(), event["filename"], FileVersion.parse(version) if version else None)
