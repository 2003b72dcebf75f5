"""FailImport's part: leave on the slide's record why its import failed.

It loads nothing that reads pixels: it has to work where a layer does not.
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
    """FailImport: leave on the record why. ``error`` has Step Functions' ``Error``, ``Cause``.

    Nothing is left of a copy of another slide's bytes that the workstation may delete.
    """
    why = Failure.of(error)
    if why.error == DuplicateSlide.__name__ and job.sha256:
        return {"ImageID": None, "reason": why.reason}
    image_id = records.fail(catalogue, changed(job.record_fields(), Sha256=job.sha256), why)
    return {"ImageID": image_id, "reason": why.reason}
