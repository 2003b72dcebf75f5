"""Files that have arrived on EFS: the record of their bytes, and their one import."""

from typing import Protocol

from vsv.catalogue import FAILED, IMPORTED, Catalogue, Record, is_deleted
from vsv.imports.files import FileState
from vsv.imports.workflow import ImportJob, Workflow
from vsv.slides import FileVersion

__all__ = ["Arrivals"]


class _Bytes(Protocol):
    """The bytes of a file, and the ImageID that they carry: a FileState, or an ImportJob."""

    @property
    def image_id(self) -> str: ...

    @property
    def version(self) -> FileVersion: ...


class Arrivals:
    """Knows a file's record by its bytes, and sees to it that these are imported once."""

    def __init__(self, catalogue: Catalogue, workflow: Workflow) -> None:
        self._catalogue = catalogue
        self._workflow = workflow

    def record_of(self, filename: str, file: _Bytes) -> Record | None:
        """The record of these bytes under this name: by ImageID, or by name where that is taken."""
        for record in self._catalogue.get_many((file.image_id, filename)):
            if (
                record
                and record["Filename"] == filename
                and record["FileVersion"] == str(file.version)
                and not is_deleted(record)
            ):
                return record
        return None

    def settled(self, filename: str, file: _Bytes) -> Record | None:
        """The record of these bytes, if their import has come to an end."""
        record = self.record_of(filename, file)
        return record if record and record["ImportStatus"] in (IMPORTED, FAILED) else None

    def job(self, filename: str, file: FileState, sha256: str | None = None) -> ImportJob:
        """The job of importing this file: another one once a slide of these bytes was deleted."""
        generation = 0
        for record in self._catalogue.get_many((file.image_id, filename)):
            if record and record["Filename"] == filename:
                deleted = is_deleted(record)
                generation = int(record.get("Version" if deleted else "Generation", 0))
                if deleted or record["FileVersion"] == str(file.version):
                    break
                generation = 0
        return ImportJob(
            file.image_id, filename, file.size, file.mtime_ns, sha256, generation=generation
        )

    def ensure(self, job: ImportJob) -> bool:
        """Start the job's import unless it has begun; return whether it is running.

        If not it is settled, or was stopped from outside, again and again.
        """
        return self._workflow.ensure(job, lambda: self.settled(job.filename, job) is not None)
