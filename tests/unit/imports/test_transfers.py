"""Transfers of an import: one at a time, again after a failure, and less and less often."""

import os
import shutil
from types import SimpleNamespace

import pytest

from vsv.imports import check_file, file_state
from vsv.imports.request import ImportState


def test_of_calls_that_saw_the_same_only_one_starts_the_transfer(world, real):
    """The race itself, step by step; the deployed stack's tests run it at full speed."""
    request = world.scan(real, "x.svs")
    seen = [world.transfers.status(request.filename) for _ in range(3)]
    started = [world.transfers.start(request.filename, request.size, each) for each in seen]
    assert started == [True, False, False]
    assert len(world.datasync.executions) == 1


def test_what_still_arrives_is_not_imported(world, real):
    """Without a transfer that tells, a file that changed in the last 15 s has not arrived."""
    request = world.scan(real, "x.svs")
    (world.storage.root / "x.svs").write_bytes(real.read_bytes()[:1_000_000])
    world.files.age_s = 3
    assert world.call(request).state is ImportState.ARRIVING
    (world.storage.root / "x.svs").write_bytes(real.read_bytes())
    assert world.call(request).state is ImportState.ARRIVING
    assert not world.workflow.started
    assert not world.datasync.executions
    world.files.age_s = 14.9
    assert world.call(request).state is ImportState.ARRIVING
    world.files.age_s = 15
    assert world.call(request).state is ImportState.IMPORTING


def test_a_part_that_has_not_changed_for_15_s_is_transferred_anew(world, real):
    request = world.scan(real, "x.svs")
    (world.storage.root / "x.svs").write_bytes(real.read_bytes()[:1_000_000])
    world.files.age_s = 14.9
    assert world.call(request).detail == f"1000000 of {request.size} bytes have arrived"
    assert not world.datasync.executions
    world.files.age_s = 15
    assert world.call(request).state is ImportState.TRANSFERRING
    assert len(world.datasync.executions) == 1


def test_a_files_age_is_not_its_modification_time(storage, real, monkeypatch):
    """DataSync sets that to the original's, as it ends. And clocks may disagree."""
    path = storage.root / "x.svs"
    shutil.copy(real, path)
    os.utime(path, (1_000, 1_000))
    changed_s = path.stat().st_ctime
    for seconds, age_s in ((14.5, 14.5), (0, 0), (-20, 0)):
        monkeypatch.setattr(
            file_state, "time", SimpleNamespace(time=lambda s=seconds: changed_s + s)
        )
        assert check_file.check_file(storage, "x.svs")["unchanged_for_s"] == pytest.approx(
            age_s, abs=1e-3
        )


def test_a_transfer_that_failed_is_started_again_and_says_why(world, small):
    request = world.scan(small, "x.svs")
    world.call(request)
    world.datasync.proceed("ERROR")
    answer = world.call(request)
    assert answer.state is ImportState.TRANSFERRING
    assert "the share is gone" in answer.detail
    assert len(world.datasync.executions) == 2


def test_a_transfer_that_ends_between_two_looks_is_not_started_again(world, small):
    """A call finds no file, another brings it, and only then the first asks about the transfer."""
    request = world.scan(small, "x.svs")
    check, others = world.files.check, []

    def check_then_wait(filename):
        found = check(filename)
        if not others:
            others.append(None)
            world.call(request)
            world.datasync.proceed()
        return found

    world.files.check = check_then_wait
    assert world.call(request).state is ImportState.IMPORTING
    assert len(world.datasync.executions) == 1


def test_a_part_that_is_whole_a_moment_later_is_not_transferred_again(world, small):
    request = world.scan(small, "x.svs")
    world.call(request)
    path = world.storage.root / "x.svs"
    path.write_bytes(small.read_bytes()[:1000])
    check = world.files.check

    def check_then_wait(filename):
        found = check(filename)
        world.datasync.proceed()
        return found

    world.files.check = check_then_wait
    assert world.call(request).state is ImportState.IMPORTING
    assert len(world.datasync.executions) == 1


def test_an_execution_that_datasync_does_not_know_yet_is_under_way(world, small):
    request = world.scan(small, "x.svs")
    world.call(request)
    world.datasync.executions.clear()
    world.clock += 59
    assert world.call(request).detail == "the file is being transferred"
    assert not world.datasync.executions
    world.clock += 1
    assert world.call(request).state is ImportState.TRANSFERRING
    assert len(world.datasync.executions) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param("ERROR", "the share is gone", marks=pytest.mark.slow),
        ("SUCCESS", "DataSync did not find it"),
    ],
)
@pytest.mark.slow
def test_a_transfer_that_brings_nothing_is_tried_less_and_less_often(world, small, status, reason):
    request = world.scan(small, "x.svs")
    (world.scanner / "x.svs").unlink()
    started = []
    for minute in range(190):
        before = len(world.datasync.executions)
        answer = world.call(request)
        assert answer.state is ImportState.TRANSFERRING
        if len(world.datasync.executions) > before:
            started.append(minute)
        if minute > 2:
            assert reason in answer.detail
        if minute == 20:
            assert answer.detail.endswith("the next attempt is in 12 min")
        world.datasync.proceed(status)
        world.clock += 60
    assert started == [0, 1, 2, 4, 8, 16, 32, 64, 124, 184]


def test_a_call_that_died_before_it_started_the_transfer_blocks_others_for_a_minute(world, small):
    request = world.scan(small, "x.svs")
    world.datasync.start_task_execution, start = None, world.datasync.start_task_execution
    with pytest.raises(TypeError):
        world.call(request)
    world.datasync.start_task_execution = start
    world.clock += 59
    assert world.call(request).state is ImportState.TRANSFERRING
    assert not world.datasync.executions
    world.clock += 1
    world.call(request)
    assert len(world.datasync.executions) == 1
