"""Imports that failed: what ends a failure, and which are tried again."""

import errno
import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.imports.helpers import bring_in, may_go, warnings_of, with_sha256
from vsv.catalogue.record import ImportStatus
from vsv.errors import FileChanged
from vsv.imports import failure as failures
from vsv.imports.fail_import import fail_import
from vsv.imports.naming import image_id_for, is_url_safe
from vsv.imports.request import ImportState
from vsv.imports.workflow import ImportJob
from vsv.slides.slide import Slide


# ─── Failures end ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("tag", ["F30", None])
def test_parts_of_a_file_leave_no_failure_once_it_is_imported(world, slide_like, tag):
    """A copy over a slow share pauses longer than the workstation waits."""
    source = slide_like(tag)
    whole = source.read_bytes()
    part = source.with_name("part.svs")
    for number in (1, 2):
        part.write_bytes(whole[: len(whole) * number // 3])
        answer = world.bring_in(world.scan(part, "slow.svs", mtime_s=1_700_000_000 + number))
        assert (answer.state, answer.image_id) == (ImportState.FAILED, "slow")

    record = bring_in(world, source, "slow.svs", mtime_s=1_700_000_009)
    assert record["ImageID"] == (tag or "slow")
    if tag:
        assert world.catalogue.get("slow")["Status"] == "DELETED"
        assert warnings_of(world, {"ImageID": "slow"}) == "the file was imported as F30"
    lines, _ = world.catalogue.history("slow", 10)
    assert any(change["Field"] == "ImportError" for line in lines for change in line["Changes"])
    assert [path.name for path in world.storage.root.glob("slow*.svs")] == ["slow.svs"]


def test_a_failed_file_of_other_bytes_stays_on_the_file_system(world, slide_like, tmp_path):
    """It goes from the worklist; nobody has decided that its bytes are worthless."""
    text = tmp_path / "text.svs"
    text.write_text("no slide at all")
    assert world.bring_in(world.scan(text, "x.svs")).state is ImportState.FAILED
    bring_in(world, slide_like("77"), "x.svs", mtime_s=1_700_000_500)
    assert world.catalogue.get("x")["Status"] == "DELETED"
    assert [path.read_text() for path in world.storage.root.glob("x.*-*.svs")] == [
        "no slide at all"
    ]


def test_a_failed_scan_that_can_be_seen_stays_and_names_its_successor(world, slide_like, tmp_path):
    source = Path(shutil.copy(slide_like("1"), tmp_path / "x.svs"))
    with Slide(source) as slide:
        offset, length, _ = slide.locate(0, 0, 0)
    with source.open("r+b") as file:
        file.seek(offset + 2)
        file.write(bytes(length - 2))
    assert world.bring_in(world.scan(source, "x.svs")).state is ImportState.FAILED
    bring_in(world, slide_like("2"), "x.svs", mtime_s=1_700_000_500)
    assert world.catalogue.get("1")["Status"] == "NEW"
    assert "scanned again under the same file name: see slide 2" in warnings_of(
        world, {"ImageID": "1"}
    )


def failing(world, request, error):
    """Return the answer once the import has failed with the error."""

    def fail(job):
        raise error

    world.workflow.before = fail
    answer = world.bring_in(request)
    assert answer.state is ImportState.FAILED
    return answer


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_tried_again_once_there_is_room(world, slide_like, number):
    request = world.scan(slide_like("7"), "x.svs")
    answer = failing(world, request, OSError(number, os.strerror(number), "/mnt/images/x"))
    assert answer.detail.startswith("the slide storage is full; delete or archive slides")
    assert "; the next attempt is in " in answer.detail
    assert "/mnt" not in answer.detail
    world.workflow.before = lambda job: None
    for _ in range(3):
        assert world.call(request).state is ImportState.FAILED
    assert len(world.workflow.started) == 1
    world.ahead_s += 61
    assert world.bring_in(request).state is ImportState.IMPORTED
    record = world.catalogue.get("7")
    assert not {"Retries", "RetryAt", "ImportError"} & record.keys()


@pytest.mark.parametrize(
    "error",
    [
        FileChanged("the slide's index is of another file now"),
        TimeoutError(errno.ETIMEDOUT, "timed out"),
        BlockingIOError(errno.EAGAIN, "busy"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        KeyError("a bug"),
    ],
)
@pytest.mark.slow
def test_what_may_pass_is_tried_again_less_and_less_often(world, slide_like, error):
    request = world.scan(slide_like("7"), "x.svs")
    failing(world, request, error)
    started = []
    for minute in range(0, 200, 10):
        before = len(world.workflow.started)
        world.call(request)
        world.workflow.proceed()
        if len(world.workflow.started) > before:
            started.append(minute)
        world.ahead_s += 600
    waits = [after - before for before, after in pairwise(started)]
    assert 5 <= len(started) <= 8
    assert waits == sorted(waits)
    assert waits[-1] > 30


def test_what_is_the_slides_own_fault_is_not_tried_again(world, tmp_path):
    path = tmp_path / "text.svs"
    path.write_text("no slide")
    request = world.scan(path, "x.svs")
    assert world.bring_in(request).detail == "the file is not a TIFF file"
    world.ahead_s += 10**7
    assert world.bring_in(request).state is ImportState.FAILED
    assert len(world.workflow.started) == 1


def test_an_attempt_that_is_stopped_from_outside_is_followed_by_another(world, slide_like):
    """The failure of the attempt before it does not end it."""
    request = world.scan(slide_like("7"), "x.svs")
    failing(world, request, OSError(errno.EIO, "input/output error"))
    world.workflow.before = lambda job: None
    world.ahead_s += 3600
    assert world.call(request).state is ImportState.IMPORTING
    world.workflow.kill()
    assert world.call(request).state is ImportState.IMPORTING
    assert world.bring_in(request).state is ImportState.IMPORTED


def test_a_copy_that_is_not_what_the_workstation_has_is_brought_again(world, slide_like):
    """Of the same size and time: DataSync alone would leave it as it is."""
    world.transfers._now = world.now
    source = slide_like("7")
    request = with_sha256(world.scan(source, "x.svs"), source)
    right = (world.scanner / "x.svs").read_bytes()
    (world.scanner / "x.svs").write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    os.utime(world.scanner / "x.svs", (1_700_000_000, 1_700_000_000))
    world.call(request)
    world.datasync.proceed()
    world.call(request)
    world.workflow.proceed()
    assert world.catalogue.by_filename("x.svs")[0]["ImportStatus"] == ImportStatus.FAILED

    # As long as it is the same on the workstation, it is brought again, but not with each call.
    # (The first one came: the second is another transfer's first attempt, and the third waits.)
    for _ in range(5):
        assert not may_go(world.bring_in(request), request)
    assert len(world.datasync.executions) == 3
    assert len(world.workflow.started) == 2
    (world.scanner / "x.svs").write_bytes(right)
    os.utime(world.scanner / "x.svs", (1_700_000_000, 1_700_000_000))
    world.ahead_s += 3600
    answer = world.bring_in(request)
    assert may_go(answer, request), answer
    assert (world.storage.root / "x.svs").read_bytes() == right


def test_a_failure_says_why_in_words():
    def reason(kind, message):
        cause = json.dumps({"errorType": kind, "errorMessage": message})
        return failures.Failure.of({"Error": kind, "Cause": cause}).reason

    assert reason("StorageFull", "the slide storage is full") == "the slide storage is full"
    assert reason("OSError", "/mnt/x") == "an internal error stopped the import (OSError)"
    assert reason("", "") == "an internal error stopped the import (unknown)"
    assert reason("States.Timeout", "") == "a step of the import took too long"


@pytest.mark.parametrize("filename", ["50% EtOH+PAS.svs", "d/" * 100 + "x.svs", "切片.svs"])
def test_a_failure_is_noted_under_an_image_id_whatever_the_files_name(catalogue, filename):
    job = ImportJob(image_id_for(None, filename), filename, 1234, 5678)
    for error in ("UnreadableSlide", "ImageIdConflict"):
        image_id = fail_import(job, {"Error": error, "Cause": "{}"}, catalogue)["ImageID"]
        assert is_url_safe(image_id)
        assert catalogue.get(image_id)["Filename"] == filename
