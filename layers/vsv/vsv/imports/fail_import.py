"""FailImport: note on the slide's record why its import failed.

It loads nothing that reads pixels, so that it works even if a layer does not load.
"""

from collections.abc import Mapping

from vsv.catalogue.record import changed
from vsv.catalogue.table import Catalogue
from vsv.errors import DuplicateSlide
from vsv.imports import records
from vsv.imports.failure import Failure
from vsv.imports.workflow import ImportJob

__all__ = ["fail_import"]


def fail_import(
    job: ImportJob, error: Mapping[str, str], catalogue: Catalogue
) -> dict[str, str | None]:
    """Note the failure; return the record's ImageID and the reason.

    ``error`` has Step Functions' ``Error`` and ``Cause``. No record is written for a copy of
    another slide's bytes that the workstation may delete.
    """
    why = Failure.of(error)
    if why.error == DuplicateSlide.__name__ and job.sha256:
        return {"ImageID": None, "reason": why.reason}
    image_id = records.fail(catalogue, changed(job.record_fields(), Sha256=job.sha256), why)
    return {"ImageID": image_id, "reason": why.reason}
