"""The decisions of ``/ImportSlide``: the state of a file's import, and its next step.

The workstation calls until the answer permits it to delete its copy. Calls may be repeated, late
and simultaneous: each reads the current state and starts the next step.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from vsv.catalogue.accessors import (
    archive_copy_of,
    copy_again_of,
    file_size_of,
    file_version_of,
    filename_of,
    has_failed,
    has_file_version,
    image_id_of,
    import_error_of,
    is_imported,
    is_importing,
    progress_of,
    removal_of,
    retry_at_of,
    sha256_of,
)
from vsv.catalogue.record import Operation, SlideRecord
from vsv.catalogue.table import Catalogue
from vsv.imports.conflicts import same_bytes
from vsv.imports.failure import seconds_to_retry
from vsv.imports.file_state import FileState
from vsv.imports.jobs import ImportJobs
from vsv.imports.others import is_original
from vsv.imports.remote_files import Files
from vsv.imports.request import Answer, ImportRequest, ImportState
from vsv.imports.transfers import Transfers, TransferState, TransferStatus
from vsv.imports.workflow import ABORTED, Workflow
from vsv.logs import count

__all__ = ["ImportService"]

_BEING_DELETED: Final = "an earlier slide of this file is being deleted"

_STOPPED: Final = f"{ABORTED}; the next attempt is in some hours"

# A file of no known transfer is complete when it has not changed for this long.
_UNCHANGED_FOR_S: Final = 15.0


class ImportService:
    """Decides what is next for a file, and does it."""

    def __init__(
        self,
        files: Files,
        catalogue: Catalogue,
        transfers: Transfers,
        workflow: Workflow,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._files = files
        self._catalogue = catalogue
        self._transfers = transfers
        self._now = now
        self._jobs = ImportJobs(catalogue, workflow, now)

    def handle(self, request: ImportRequest) -> Answer:
        """Start the next step of the file's import, and return its state."""
        return self._look(request, self._files.check(request.filename))

    def _look(self, request: ImportRequest, file: FileState | None) -> Answer:
        if file is None:
            return self._fetch(request, None, None)
        return self._answer(request, file, self._jobs.record_of(request.filename, file))

    def _answer(
        self, request: ImportRequest, file: FileState, record: SlideRecord | None
    ) -> Answer:
        if not _is_described(request, file, record) or self._is_bad_copy(request, record):
            return self._fetch(request, file, record)
        if record and removal_of(record) == Operation.DELETE:
            return Answer(ImportState.ARRIVING, _BEING_DELETED)
        if record and is_imported(record):
            return _imported(record)
        if record and has_failed(record):
            is_due = self._jobs.is_retry_due(record) or _has_news(request, record)
            if not is_due:
                return _failed(self._why_failed(record), record)
        return self._import(request, file, record)

    def _is_bad_copy(self, request: ImportRequest, record: SlideRecord | None) -> bool:
        """Return whether the file on EFS is a bad copy, and no other has arrived since."""
        copy_again = copy_again_of(record) if record else None
        if not copy_again:
            return False
        transfer = self._transfers.status(request.filename)
        found_at = datetime.fromisoformat(copy_again).timestamp()
        return transfer.state is not TransferState.DONE or transfer.started_at < found_at

    def _why_failed(self, record: SlideRecord) -> str:
        wait_s = seconds_to_retry(record, self._now())
        again = f"; the next attempt is in {_in_words(wait_s)}" if wait_s else ""
        return f"{import_error_of(record)}{again}"

    def _import(
        self, request: ImportRequest, file: FileState, record: SlideRecord | None
    ) -> Answer:
        """Import the file on EFS, once, as soon as it is complete."""
        if record is None:
            transfer = self._transfers.status(request.filename)
            if transfer.state is TransferState.UNDER_WAY:
                return Answer(ImportState.TRANSFERRING, "the file is being transferred")
            told_whole = transfer.state is TransferState.DONE and transfer.size == file.size
            if not told_whole and file.unchanged_for_s < _UNCHANGED_FOR_S:
                return Answer(ImportState.ARRIVING, "the file changed a moment ago")
            if told_whole:
                self._transfers.forget_attempts(request.filename, transfer)
        has_news = record is not None and _has_news(request, record)
        job = self._jobs.job(request.filename, file, request.sha256, has_news=has_news)
        if self._jobs.ensure(job):
            return _importing("the slide is being imported", record)
        finished = self._jobs.finished(request.filename, job)
        if finished is None:
            return self._same_bytes(request) or _failed(_STOPPED)
        # It has ended in between; the bytes are compared with the record as usual.
        return self._answer(request, file, finished)

    def _fetch(
        self, request: ImportRequest, file: FileState | None, record: SlideRecord | None
    ) -> Answer:
        """Transfer the file that is described, and keep the other one that EFS has in its place."""
        transfer = self._transfers.status(request.filename)
        if transfer.state is TransferState.UNDER_WAY:
            return Answer(ImportState.TRANSFERRING, "the file is being transferred")
        if transfer.state is TransferState.DONE:
            # It may have ended in between: a second transfer would bring nothing.
            now = self._files.check(request.filename)
            if now and (file is None or now.version != file.version):
                return self._look(request, now)
        if file and record is None and file.unchanged_for_s < _UNCHANGED_FOR_S:
            return Answer(ImportState.ARRIVING, f"{file.size} of {request.size} bytes have arrived")
        if file and record and is_importing(record):
            job = self._jobs.job(request.filename, file)
            if self._jobs.ensure(job):
                return _importing("an earlier file of this name is being imported", record)
        others = self._catalogue.by_filename(request.filename)
        for other in others:
            if self._is_kept(request, file, other):
                return _imported(other)
            if removal_of(other) == Operation.DELETE and file_size_of(other) == request.size:
                return Answer(ImportState.ARRIVING, _BEING_DELETED)
        if same := self._same_bytes(request):
            return same
        for other in filter(None, (record, *others)):
            if file and has_file_version(other, file.version):
                # A slide was made of the file that has the name.
                self._files.set_aside(request.filename, file.version)
        return self._transfer(request, transfer)

    def _transfer(self, request: ImportRequest, last: TransferStatus) -> Answer:
        """Start the transfer, unless the last ones brought nothing and it is too early for one."""
        reason = _why_again(last, request.size)
        wait_s = self._transfers.wait_s(request.size, last)
        if wait_s:
            reason = reason or "earlier transfers brought nothing"
            detail = f"{reason}; the next attempt is in {_in_words(wait_s)}"
        elif not self._transfers.start(request.filename, request.size, last):
            detail = "the transfer was just started"
        elif reason:
            count("TransferFailed")
            detail = f"{reason}; it was started again"
        else:
            detail = "the transfer to EFS was started"
        return Answer(ImportState.TRANSFERRING, detail)

    def _same_bytes(self, request: ImportRequest) -> Answer | None:
        """Return the answer if the same bytes were imported under another name, and are kept."""
        if request.sha256 is None:
            return None
        for other in self._catalogue.by_sha256(request.sha256):
            same_size = file_size_of(other) == request.size
            if same_size and is_original(other) and self._holds(other):
                return _imported(other, same_bytes(other))
        return None

    def _holds(self, record: SlideRecord) -> bool:
        """Return whether the slide's file is in the archive, or on EFS under any name."""
        if archive_copy_of(record) is not None:
            return True
        return self._files.holds(filename_of(record), file_version_of(record))

    def _is_kept(self, request: ImportRequest, file: FileState | None, other: SlideRecord) -> bool:
        """Return whether the file was imported, and is in the archive or under another name.

        If another file has the name now, a size alone does not distinguish the two.
        """
        same = file_size_of(other) == request.size and (
            sha256_of(other) == request.sha256 if request.sha256 else file is None
        )
        return same and is_original(other) and self._holds(other)


def _is_described(request: ImportRequest, file: FileState, record: SlideRecord | None) -> bool:
    """Return whether the file on EFS is the one that the caller described, as far as known."""
    if file.size != request.size:
        return False
    known = sha256_of(record) if record else None
    return not (request.sha256 and known) or request.sha256 == known


def _has_news(request: ImportRequest, record: SlideRecord) -> bool:
    """Return whether the request has the SHA-256 of a failed file, which was not known before."""
    failed = has_failed(record) and retry_at_of(record) is not None
    return failed and request.sha256 is not None and sha256_of(record) is None


def _imported(record: SlideRecord, detail: str = "imported") -> Answer:
    rendered, total = progress_of(record) or (None, None)
    return Answer(
        ImportState.IMPORTED, detail, image_id_of(record), rendered, total, sha256_of(record)
    )


def _importing(detail: str, record: SlideRecord | None) -> Answer:
    image_id = image_id_of(record) if record else None
    return Answer(ImportState.IMPORTING, detail, image_id, *(progress_of(record) or ()))


def _failed(reason: str, record: SlideRecord | None = None) -> Answer:
    return Answer(ImportState.FAILED, reason, image_id_of(record) if record else None)


def _why_again(last: TransferStatus, size: int) -> str | None:
    """Return what was wrong with the last transfer; None if there was none of this file."""
    if last.state is TransferState.FAILED:
        return f"the transfer failed ({last.error})"
    if last.state is TransferState.DONE and last.attempts(size):
        return "the last transfer did not bring this file: DataSync did not find it in its folder"
    return None


def _in_words(seconds: float) -> str:
    """Return the time in words, rounded up."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds > size:
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{math.ceil(seconds)} s"
