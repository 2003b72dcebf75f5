"""The work of removing. Each step may be killed at any point, repeated, and run twice at once.

The record says what is removed and from where; a caller names no path. If the record no longer
names the operation, it is complete, and nothing is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Unpack

from vsv.catalogue.accessors import (
    archive_copy_of,
    file_version_of,
    filename_of,
    image_id_of,
    removal_by,
    removal_of,
    sha256_of,
    status_of,
    with_archive_copy,
)
from vsv.catalogue.history import Action
from vsv.catalogue.record import Operation, ReviewStatus, SlideRecord, changed
from vsv.catalogue.table import Catalogue
from vsv.errors import Conflict, FileChanged, InvalidRequest
from vsv.failures import named
from vsv.identifiers import FileVersion, parse_image_id
from vsv.imports.workflow import ImportJob
from vsv.removal.service import fail
from vsv.storage.archive import Archive
from vsv.storage.archive_copy import Archived
from vsv.storage.layout import Storage

__all__ = ["Remover"]


class Remover:
    """Deletes, archives and restores slides on one images path."""

    def __init__(
        self, storage: Storage, catalogue: Catalogue, archive: Callable[[], Archive]
    ) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._archive = archive

    def delete(self, image_id: str) -> None:
        """Delete the slide file, all that was made of it, and its archived copy."""
        record = self._requested(image_id, Operation.DELETE)
        if record is None:
            return
        with self._failing(image_id, Operation.DELETE):
            version = file_version_of(record)
            self._free_images(image_id, version)
            self._storage.remove_slide(filename_of(record), version)
            # Even if the record does not name it: a TRANSFER may have been killed.
            self._archive().discard(image_id, version)
            self._finish(record, Status=ReviewStatus.DELETED, Archive=None, StatusBefore=None)

    def transfer(self, image_id: str) -> None:
        """Copy the slide file to the archive, and then remove it from the file system.

        Label, thumbnail and macro stay. Nothing is removed until the archive is found to have the
        bytes that were imported.
        """
        record = self._requested(image_id, Operation.TRANSFER)
        if record is None:
            return
        with self._failing(image_id, Operation.TRANSFER):
            filename, version = filename_of(record), file_version_of(record)
            self._store(record)
            self._storage.archive_images(image_id, version)
            self._storage.remove_slide(filename, version)
            before = status_of(record)
            self._finish(record, Status=ReviewStatus.TRANSFERRED, StatusBefore=before)

    def restore(self, job: ImportJob) -> None:
        """Copy the slide file back from the archive, to be imported again.

        Raises ArchiveNotReady while the archive prepares the file.
        """
        record = self._requested(job.image_id, Operation.RESTORE)
        if record is None:
            return
        try:
            self._storage.locate(job.filename, job.version)
        except FileChanged:
            archived = Archived.from_dict(archive_copy_of(record) or {})
            target = self._storage.place(job.filename, job.version)
            self._archive().fetch(archived, target, str(sha256_of(record)), job.version)

    def _requested(self, image_id: str, operation: Operation) -> SlideRecord | None:
        record = self._catalogue.get(image_id)
        return record if record and removal_of(record) == operation else None

    def _free_images(self, image_id: str, version: FileVersion) -> None:
        """Remove index, pyramid and associated images, unless they are another file's."""
        try:
            parse_image_id(image_id)
        except InvalidRequest:
            return  # a failure's record, under its file's name: nothing was made of that
        index = self._storage.read_index(image_id)
        if index is None or index.version == version:
            self._storage.remove_pyramid(image_id)

    def _store(self, record: SlideRecord) -> None:
        """Copy the slide file to the archive unless it is there, and note that on the record."""
        filename, sha256 = filename_of(record), sha256_of(record)
        if not sha256:
            raise Conflict("the record has no checksum to compare the file with")
        try:
            file = self._storage.open(filename, file_version_of(record))
        except FileChanged:
            if archive_copy_of(record) is not None:
                return  # killed between removing the file and noting that
            raise
        try:
            archived = self._archive().store(file, image_id_of(record), filename, sha256)
        finally:
            file.close()

        def decide(old: SlideRecord | None) -> SlideRecord | None:
            if old is None or removal_of(old) != Operation.TRANSFER:
                raise Conflict("the slide's record was changed during the operation")
            return with_archive_copy(old, archived.to_dict())

        self._catalogue.change(image_id_of(record), _by(record), Action.TRANSFER, decide)

    def _finish(self, record: SlideRecord, **fields: Unpack[SlideRecord]) -> None:
        """Set the fields, and remove the request from the record."""
        operation = removal_of(record)

        def decide(old: SlideRecord | None) -> SlideRecord | None:
            if old is None or removal_of(old) != operation:
                return old
            return changed({**old, **fields}, Removal=None)

        self._catalogue.change(image_id_of(record), _by(record), Action(str(operation)), decide)

    @contextmanager
    def _failing(self, image_id: str, operation: Operation) -> Iterator[None]:
        """Note a failure on the record, and raise it: Lambda retries."""
        try:
            yield
        except Exception as error:
            failure = named(error) or f"an internal error stopped it ({type(error).__name__})"
            fail(self._catalogue, image_id, operation, str(failure))
            raise


def _by(record: SlideRecord) -> str:
    return removal_by(record) or "removal"
