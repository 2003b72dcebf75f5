"""FailImport: where every failure of the import ends. The record says why."""

from typing import Any

from vsv.imports.fail_import import fail_import
from vsv.imports.workflow import ImportJob
from vsv.logs import count, logger, observed
from vsv.wiring import catalogue


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Note the failure and return what was noted."""
    logger.warning("an import failed", kind=event["error"].get("Error"))
    failed = fail_import(ImportJob.from_dict(event), event["error"], catalogue())
    if failed["ImageID"] is not None:
        count("ImportFailed")
    return failed
