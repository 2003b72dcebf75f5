"""Which import a file gets: its record by its bytes, and its number."""

from datetime import UTC, datetime

import pytest

from tests.unit.imports.records import (
    AFTER,
    BEFORE,
    LATER,
    OWN_ID,
    VERSION,
    Records,
    failure,
    record,
)
from vsv.imports.file_state import FileState
from vsv.imports.jobs import ImportJobs
from vsv.imports.workflow import ImportJob

NOW_S = datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp()


# ─── Files that arrive ───────────────────────────────────────────────────────────────────────────


FILE = FileState(VERSION.size, VERSION.mtime_ns, 60.0, "1")


def job_of(*known, **options):
    job = ImportJobs(Records(*known), None, now=lambda: NOW_S).job("x.svs", FILE, "ab", **options)
    assert (job.filename, job.version, job.sha256) == ("x.svs", VERSION, "ab")
    return job.image_id, job.generation


@pytest.mark.parametrize(
    ("known", "image_id", "generation"),
    [
        ([], "1", 0),
        ([record(Version=9)], "1", 0),
        ([record(Version=9, Generation=3)], "1", 3),
        ([record(OWN_ID, Version=9, Generation=3)], OWN_ID, 3),
        ([failure(Version=9, Generation=3)], "1", 3),
        ([failure(Version=9, Generation=3, RetryAt=AFTER)], "1", 3),
        ([failure(Version=9, Generation=3, RetryAt=BEFORE)], "1", 9),
        # Version 0.1 noted failures under the file's name.
        ([failure("x.svs", Version=9, Generation=3)], "1", 9),
        # A deleted slide is followed by a new one, another slide is left alone.
        ([record(Version=9, Generation=3, Status="DELETED")], "1", 9),
        ([record(filename="y.svs", Version=9)], OWN_ID, 0),
        ([record(version=LATER, Version=9)], OWN_ID, 0),
        ([record(filename="y.svs"), record(OWN_ID, filename="z.svs")], OWN_ID, 0),
    ],
)
def test_an_import_is_another_one_once_there_is_reason_for_it(known, image_id, generation):
    assert job_of(*known) == (image_id, generation)


def test_an_import_is_another_one_once_more_is_known_of_the_file():
    for known in (failure(Version=9), record(Version=9, Generation=3)):
        assert job_of(known, has_news=True) == ("1", 9)


def test_of_a_slide_and_a_failure_of_the_same_bytes_the_slide_counts():
    slide = record(OWN_ID)
    for known in ([failure(), slide], [slide, failure()], [slide, record("0", Status="DELETED")]):
        assert ImportJobs(Records(*known), None).record_of("x.svs", FILE) is slide
    old = record("Größe 7")
    assert ImportJobs(Records(old), None).record_of("x.svs", FILE) is old
    for other in (record(filename="y.svs"), record(version=LATER), record(Status="DELETED")):
        assert ImportJobs(Records(other), None).record_of("x.svs", FILE) is None


def test_an_import_is_finished_by_its_own_end_only():
    job = ImportJob("1", "x.svs", 7, 1000, generation=3)
    first = ImportJob("1", "x.svs", 7, 1000)

    def finished(job, *known):
        return ImportJobs(Records(*known), None).finished("x.svs", job)

    for status in ("IMPORTED", "FAILED"):
        end = record(status=status, Generation=3)
        assert finished(job, end) is end
        assert finished(first, end) is None
    assert finished(first, record()) == record()
    assert finished(job, record()) is None
    assert finished(job, record(status="IMPORTING", Generation=3)) is None
    assert finished(job) is None
