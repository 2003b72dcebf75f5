"""Import jobs of files on EFS: the record of a file's bytes, and their one import."""

import time
from collections.abc import Callable
from typing import Protocol

from vsv.catalogue.accessors import (
    generation_of,
    has_failed,
    image_id_of,
    is_deleted,
    is_imported,
    version_of,
)
from vsv.catalogue.record import SlideRecord
from vsv.catalogue.table import Catalogue
from vsv.identifiers import FileVersion
from vsv.imports.failure import has_image_id, is_retry_due
from vsv.imports.file_state import FileState
from vsv.imports.naming import unique_image_id
from vsv.imports.records import is_free_for, is_of
from vsv.imports.workflow import ImportJob, Workflow

__all__ = ["ImportJobs"]


class _Bytes(Protocol):
    """A FileState or an ImportJob: the version of a file, and the ImageID that it should have."""

    @property
    def image_id(self) -> str: ...

    @property
    def version(self) -> FileVersion: ...


class ImportJobs:
    """Finds a file's record by its bytes, and imports these bytes once.

    ``now`` returns the time in seconds since 1970.
    """

    def __init__(
        self, catalogue: Catalogue, workflow: Workflow, now: Callable[[], float] = time.time
    ) -> None:
        self._catalogue = catalogue
        self._workflow = workflow
        self._now = now

    def record_of(self, filename: str, file: _Bytes) -> SlideRecord | None:
        """Return the record of these bytes under this name.

        It has the ImageID that they should have, or their own if another slide has that. Records of
        version 0.1 are found by the file's name.
        """
        for records in (
            self._catalogue.get_many(_image_ids(filename, file)),
            self._catalogue.by_filename(filename),
        ):
            found = [
                record for record in records if record and is_of(record, filename, file.version)
            ]
            if found:
                # Of a slide and a failure, the slide.
                return min(found, key=has_failed)
        return None

    def finished(self, filename: str, job: ImportJob) -> SlideRecord | None:
        """Return the record of the job's bytes if this import of them has ended."""
        record = self.record_of(filename, job)
        if record is None or not (is_imported(record) or has_failed(record)):
            return None
        return record if generation_of(record) == job.generation else None

    def is_retry_due(self, record: SlideRecord) -> bool:
        """Return whether the record's import has failed, and its retry is due."""
        return is_retry_due(record, self._now())

    def job(
        self,
        filename: str,
        file: FileState,
        sha256: str | None = None,
        *,
        has_news: bool = False,
    ) -> ImportJob:
        """Return the job of importing this file.

        It is a new one after a slide of these bytes was deleted, or if their import has failed and
        is due again: by time, or because more is known of the file.
        """
        record = self.record_of(filename, file)
        generation = 0
        if record is not None:
            generation = generation_of(record)
            if has_news or self.is_retry_due(record):
                generation = version_of(record)
        if record is not None and has_image_id(record):
            image_id = image_id_of(record)
        else:
            image_id, before = self._free_image_id(filename, file)
            if before and is_deleted(before):
                generation = version_of(before)
        return ImportJob(
            image_id, filename, file.size, file.mtime_ns, sha256, generation=generation
        )

    def ensure(self, job: ImportJob) -> bool:
        """Start the job's import unless it has begun; return whether it is running.

        Otherwise it has ended, or was aborted repeatedly.
        """
        return self._workflow.ensure(job, lambda: self.finished(job.filename, job) is not None)

    def _free_image_id(self, filename: str, file: FileState) -> tuple[str, SlideRecord | None]:
        """Return an ImageID for the file that no other slide has, and its old record."""
        image_ids = _image_ids(filename, file)
        found = self._catalogue.get_many(image_ids)
        for image_id, record in zip(image_ids, found, strict=True):
            if is_free_for(record, filename):
                return image_id, record
        return image_ids[-1], None


def _image_ids(filename: str, file: _Bytes) -> tuple[str, str]:
    return file.image_id, unique_image_id(file.image_id, filename, file.version)
