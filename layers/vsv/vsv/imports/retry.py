"""Failed imports that a technician tries again from the page."""

from vsv.catalogue.accessors import (
    file_version_of,
    filename_of,
    has_failed,
    is_archived,
    is_deleted,
    is_imported,
    removal_of,
    version_of,
)
from vsv.catalogue.history import Action
from vsv.catalogue.record import ImportStatus, SlideRecord, changed
from vsv.catalogue.table import Catalogue
from vsv.errors import Conflict, NotFound, Unavailable
from vsv.imports.failure import has_image_id
from vsv.imports.jobs import ImportJobs
from vsv.imports.remote_files import Files
from vsv.imports.workflow import ABORTED, ImportJob, Workflow

__all__ = ["FILE_GONE", "ImportRetries", "check_active", "check_failed", "importing_again"]

FILE_GONE = (
    "the slide's file is no longer on the file system; "
    "start the import on the scanner's workstation again, or scan the slide again"
)


def check_active(record: SlideRecord | None) -> SlideRecord:
    """Return the record if its slide is neither deleted nor being removed.

    Raises NotFound or Conflict.
    """
    if record is None:
        raise NotFound("there is no slide with this ImageID")
    if is_deleted(record):
        raise Conflict("the slide is deleted")
    if operation := removal_of(record):
        raise Conflict(f"a {operation} of this slide is not complete")
    return record


def check_failed(record: SlideRecord | None) -> SlideRecord:
    """Return the record if the import of its slide has failed and can be tried again.

    Raises NotFound, or Conflict saying how the slide stands.
    """
    record = check_active(record)
    if is_archived(record):
        raise Conflict("the slide is archived; restore it")
    if is_imported(record):
        raise Conflict("the slide's import did not fail: it is complete")
    if not has_failed(record):
        raise Conflict("the slide's import did not fail: the slide is being imported")
    if not has_image_id(record):
        # Version 0.1 noted failures so.
        raise Conflict("this cannot be an ImageID; `vsv-admin backfill` imports the file")
    return record


def importing_again(record: SlideRecord, generation: int) -> SlideRecord:
    """Return the record of a failed import that has started again, as this generation.

    A plan to transfer the file again stays until the import has read the file.
    """
    return changed(
        record,
        ImportStatus=ImportStatus.IMPORTING,
        ImportError=None,
        ConflictsWith=None,
        RetryAt=None,
        Generation=generation,
    )


class ImportRetries:
    """Starts failed imports again."""

    def __init__(self, catalogue: Catalogue, files: Files, workflow: Workflow) -> None:
        self._catalogue = catalogue
        self._files = files
        self._workflow = workflow
        self._jobs = ImportJobs(catalogue, workflow)

    def retry(self, image_id: str, by: str) -> SlideRecord | None:
        """Start the failed import of a slide again; return the record, which says so.

        The history names who did it (``by``). Of two at once, both start the one execution that is
        named for the failure. Raises NotFound, Conflict or Unavailable.
        """
        record = check_failed(self._catalogue.get(image_id))
        if not self._files.holds(filename_of(record), file_version_of(record)):
            raise Conflict(FILE_GONE)
        job = ImportJob.again(record)
        if not self._jobs.ensure(job) and self._jobs.finished(job.filename, job) is None:
            raise Unavailable(ABORTED)

        def decide(old: SlideRecord | None) -> SlideRecord | None:
            # If the import has written the record by now, that says more.
            unchanged = old is not None and version_of(old) == version_of(record)
            return importing_again(old, job.generation) if old and unchanged else old

        return self._catalogue.change(image_id, by, Action.IMPORT, decide)
