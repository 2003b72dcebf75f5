"""Imports that ops start once more."""

from dataclasses import replace
from enum import Enum, auto

from vsv.admin.executions import Executions
from vsv.admin.standing import standing
from vsv.catalogue.record import (
    SlideRecord,
    generation_of,
    has_failed,
    is_archived,
    is_imported,
    is_importing,
    version_of,
)
from vsv.catalogue.table import Catalogue
from vsv.errors import Conflict, Unavailable
from vsv.imports.failure import has_image_id
from vsv.imports.workflow import ImportJob, Workflow

__all__ = ["Again", "Reimports", "check"]


class Again(Enum):
    """Why a slide is imported once more."""

    RETRY = auto()  # its import failed
    RENDER = auto()  # all that was made of it is to be made anew
    INDEX = auto()  # its index is to be written anew; tiles that are there stay


def check(record: SlideRecord | None, again: Again) -> SlideRecord:
    """The record, if its slide can be imported once more. Raises NotFound or Conflict."""
    record = standing(record)
    if is_archived(record):
        raise Conflict("the slide is archived")
    if not has_image_id(record):
        # Version 0.1 noted failures so.
        raise Conflict("this cannot be an ImageID: take-in imports the file under another")
    if again is Again.RETRY and is_imported(record):
        raise Conflict("the slide's import did not fail")
    if again is not Again.RETRY and is_importing(record):
        raise Conflict("the slide is being imported")
    return record


class Reimports:
    """Starts imports of slides that were imported before."""

    def __init__(self, catalogue: Catalogue, workflow: Workflow, executions: Executions) -> None:
        self._catalogue = catalogue
        self._workflow = workflow
        self._executions = executions

    def start(self, image_id: str, again: Again) -> ImportJob:
        """Start the slide's import. May be repeated. Raises NotFound, Conflict or Unavailable."""
        record = check(self._catalogue.get(image_id), again)
        job = ImportJob.again(record, rebuild=again is Again.RENDER)
        if is_importing(record):
            # It goes on where it was stopped from outside, under the name by which it is known.
            job = replace(job, generation=generation_of(record))
            execution = self._executions.last(job)
            if execution and execution.is_running:
                raise Conflict("the slide is being imported")

        def is_settled() -> bool:
            return self._is_settled(job, record)

        if not self._workflow.ensure(job, is_settled) and not is_settled():
            raise Unavailable("the import was stopped from outside, again and again")
        return job

    def _is_settled(self, job: ImportJob, seen: SlideRecord) -> bool:
        """Whether this import has come to an end, as the record tells."""
        record = self._catalogue.get(job.image_id)
        return (
            record is not None
            and generation_of(record) == job.generation
            and version_of(record) != version_of(seen)
            and (is_imported(record) or has_failed(record))
        )
