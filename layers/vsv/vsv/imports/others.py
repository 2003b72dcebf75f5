"""Other slides with the same bytes, the same file name or the same ImageID tag.

A rescan is a slide of its own. So is a slide of another scanner with the same number. Notes on the
records say so.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vsv.catalogue.accessors import (
    archive_copy_of,
    file_version_of,
    filename_of,
    has_failed,
    has_file_version,
    has_metadata,
    image_id_of,
    is_deleted,
    is_imported,
    is_of_file,
    removal_of,
)
from vsv.catalogue.history import file_versions
from vsv.catalogue.record import Operation, SlideRecord
from vsv.catalogue.table import Catalogue
from vsv.errors import FileChanged, quoted
from vsv.identifiers import FileVersion
from vsv.imports import records
from vsv.imports.conflicts import copy_of
from vsv.imports.naming import is_url_safe
from vsv.imports.workflow import ImportJob
from vsv.storage.layout import Storage

__all__ = ["OtherSlides", "is_original"]

# Parts of a file are compared at both ends, by this number of bytes.
_COMPARED_BYTES: Final = 1 << 20
# They are searched in this number of changes of a record.
_MAX_LINES: Final = 100


class OtherSlides:
    """Finds other slides, and removes what remains of imports that are obsolete now."""

    def __init__(self, storage: Storage, catalogue: Catalogue) -> None:
        self._storage = storage
        self._catalogue = catalogue

    def check_original(self, job: ImportJob, sha256: str) -> None:
        """Raise DuplicateSlide where these bytes are another slide's, under another name.

        If the workstation sent their SHA-256 it is told to delete its copy, and the copy on EFS is
        removed. A slide that has a record is imported again even if there are others.
        """
        own = self._catalogue.get(job.image_id)
        if own and records.is_of(own, job.filename, job.version) and has_metadata(own):
            return
        for other in self._catalogue.by_sha256(sha256):
            if is_of_file(other, job.filename, job.version):
                continue
            if is_original(other) and self._is_kept(other):
                if job.sha256:
                    self._remove_copy(job, other)
                raise copy_of(other)

    def notes(self, job: ImportJob, tag: str | None) -> list[str]:
        """Return notes on the source of the ImageID, and on other scans of the same file name."""
        found = []
        if tag and not is_url_safe(tag):
            found.append(
                f"the ImageID {quoted(tag)} cannot be used in addresses: "
                "the file's name stands for the ImageID"
            )
        elif tag and job.image_id != tag:
            found.append(f"the ImageID {tag} is another slide's, too: this one has its own")
        return found + [_scanned(job.version, other) for other in self._scans(job)]

    def note_import(self, job: ImportJob) -> None:
        """Note the imported slide on other scans, and end failures of its own file."""
        for other in self._scans(job):
            text = _scanned(file_version_of(other), job.record_fields())
            records.note(self._catalogue, image_id_of(other), text)
        self._remove_parts(job, job.image_id)
        for other in self._others_of_name(job):
            same = has_file_version(other, job.version)
            if has_failed(other) and (same or not has_metadata(other)):
                self._remove_parts(job, image_id_of(other))
                records.supersede(self._catalogue, image_id_of(other), job.image_id)

    def _others_of_name(self, job: ImportJob) -> Iterator[SlideRecord]:
        for other in self._catalogue.by_filename(job.filename):
            if image_id_of(other) != job.image_id and not is_deleted(other):
                yield other

    def _scans(self, job: ImportJob) -> Iterator[SlideRecord]:
        """Yield other slides whose file has, or had, the same name."""
        for other in self._others_of_name(job):
            if has_metadata(other) and not has_file_version(other, job.version):
                yield other

    def _is_kept(self, record: SlideRecord) -> bool:
        return archive_copy_of(record) is not None or self._path(record) is not None

    def _path(self, record: SlideRecord) -> Path | None:
        try:
            return self._storage.locate(filename_of(record), file_version_of(record))
        except FileChanged:
            return None

    def _remove_copy(self, job: ImportJob, original: SlideRecord) -> None:
        """Remove the job's file and its failures: another slide has the same bytes."""
        copy, kept = self._path(job.record_fields()), self._path(original)
        if copy is None or (kept is not None and copy.samefile(kept)):
            return
        self._storage.remove_slide(job.filename, job.version)
        for record in self._catalogue.by_filename(job.filename):
            if records.is_of(record, job.filename, job.version):
                records.supersede(self._catalogue, image_id_of(record), image_id_of(original))

    def _remove_parts(self, job: ImportJob, image_id: str) -> None:
        """Remove files that were set aside for the job's file, if they are its first bytes.

        The history of the record lists them: it was theirs before.
        """
        slides = {str(file_version_of(other)) for other in self._scans(job)}
        lines, _ = self._catalogue.history(image_id, _MAX_LINES)
        for versions in file_versions(lines):
            for version in sorted(versions - slides - {str(job.version)}):
                self._remove_part(job, FileVersion.parse(version))

    def _remove_part(self, job: ImportJob, version: FileVersion) -> None:
        try:
            whole = self._storage.locate(job.filename, job.version)
            part = self._storage.locate(job.filename, version)
        except FileChanged:
            return
        if version.size < job.size and _begins_with(whole, part, version.size):
            self._storage.remove_slide(job.filename, version)


def is_original(record: SlideRecord) -> bool:
    """Return whether the slide is imported and will not be deleted."""
    stays = not is_deleted(record) and removal_of(record) != Operation.DELETE
    return is_imported(record) and stays


def _scanned(version: FileVersion, other: SlideRecord) -> str:
    """Return the note on the record of that file version about another one of its name."""
    if file_version_of(other).mtime_ns > version.mtime_ns:
        return f"scanned again under the same file name: see slide {image_id_of(other)}"
    return f"an earlier scan has the same file name: see slide {image_id_of(other)}"


def _begins_with(whole: Path, part: Path, size: int) -> bool:
    """Return whether a file's first ``size`` bytes equal the other's, by both ends of these."""
    with whole.open("rb") as one, part.open("rb") as two:
        for offset in (0, max(size - _COMPARED_BYTES, 0)):
            length = min(size, _COMPARED_BYTES)
            one.seek(offset)
            two.seek(offset)
            if one.read(length) != two.read(length):
                return False
    return True
