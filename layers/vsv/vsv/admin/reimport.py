"""Imports of slides that were imported before, started by an operator."""

from dataclasses import replace
from enum import Enum, auto

from vsv.admin.executions import Executions
from vsv.catalogue.accessors import (
    generation_of,
    has_failed,
    is_archived,
    is_imported,
    is_importing,
    version_of,
)
from vsv.catalogue.record import SlideRecord
from vsv.catalogue.table import Catalogue
from vsv.errors import Conflict, Unavailable
from vsv.imports.failure import has_image_id
from vsv.imports.retry import check_active
from vsv.imports.workflow import ABORTED, ImportJob, Workflow

__all__ = ["ReimportReason", "Reimports", "check"]


class ReimportReason(Enum):
    """Why a slide is imported again."""

    RETRY = auto()  # its import failed
    RENDER = auto()  # all that was made of it is rebuilt
    INDEX = auto()  # its index is rewritten; tiles that exist stay


def check(record: SlideRecord | None, reason: ReimportReason) -> SlideRecord:
    """Return the record if its slide can be imported again. Raises NotFound or Conflict."""
    record = check_active(record)
    if is_archived(record):
        raise Conflict("the slide is archived")
    if not has_image_id(record):
        # Version 0.1 noted failures so.
        raise Conflict("this cannot be an ImageID: backfill imports the file under another")
    if reason is ReimportReason.RETRY and is_imported(record):
        raise Conflict("the slide's import did not fail")
    if reason is not ReimportReason.RETRY and is_importing(record):
        raise Conflict("the slide is being imported")
    return record


class Reimports:
    """Starts imports of slides that were imported before."""

    def __init__(self, catalogue: Catalogue, workflow: Workflow, executions: Executions) -> None:
        self._catalogue = catalogue
        self._workflow = workflow
        self._executions = executions

    def start(self, image_id: str, reason: ReimportReason) -> ImportJob:
        """Start the slide's import. May be repeated. Raises NotFound, Conflict or Unavailable."""
        record = check(self._catalogue.get(image_id), reason)
        job = ImportJob.again(record, rebuild=reason is ReimportReason.RENDER)
        if is_importing(record):
            # An aborted import continues under its old name.
            job = replace(job, generation=generation_of(record))
            execution = self._executions.last(job)
            if execution and execution.is_running:
                raise Conflict("the slide is being imported")

        def is_finished() -> bool:
            return self._is_finished(job, record)

        if not self._workflow.ensure(job, is_finished) and not is_finished():
            raise Unavailable(ABORTED)
        return job

    def _is_finished(self, job: ImportJob, seen: SlideRecord) -> bool:
        """Return whether the record says that this import has ended."""
        record = self._catalogue.get(job.image_id)
        return (
            record is not None
            and generation_of(record) == job.generation
            and version_of(record) != version_of(seen)
            and (is_imported(record) or has_failed(record))
        )
