"""Which slide a file is: its ImageID, rescans, copies of the same bytes, failures that end."""

import errno
import hashlib
import json
import os
import re
import shutil
import unicodedata
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.samples import generated_slide
from tests.unit.test_import import may_go
from vsv.catalogue.record import ImportStatus
from vsv.errors import FileChanged
from vsv.identifiers import FileVersion, parse_filename, parse_image_id
from vsv.imports import failure as failures
from vsv.imports.check_file import check_file
from vsv.imports.fail_import import fail_import
from vsv.imports.naming import image_id_for, is_url_safe, unique_image_id
from vsv.imports.request import ImportRequest, ImportState
from vsv.imports.workflow import ImportJob
from vsv.slides.slide import Slide

VERSION = FileVersion(1234, 5678)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Yield the small slides that tests of the module had made. No test changes one."""
    folder, made = tmp_path_factory.mktemp("made"), {}
    yield folder, made
    assert all(path.read_bytes() == data for path, data in made.values())


@pytest.fixture
def slide_like(real, made):
    """Make small slides, each of other bytes; without an ImageID unless one is given."""
    (folder, kept), numbers = made, count(1)

    def make(image_id=None):
        number = next(numbers)
        if (number, image_id) not in kept:
            path = generated_slide(
                folder / f"made-{len(kept)}.svs",
                real,
                size=(300, 200 + 4 * number),
                downsamples=(1,),
                properties={"ImageID": image_id},
            )
            kept[number, image_id] = path, path.read_bytes()
        return kept[number, image_id][0]

    return make


def with_sha256(request, path):
    return replace(request, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def bring_in(world, source, name, **scan):
    request = world.scan(source, name, **scan)
    answer = world.bring_in(request)
    assert (answer.state, may_go(answer, request)) == (ImportState.IMPORTED, True), answer
    return world.catalogue.get(answer.image_id)


def has_imported(world, source, name):
    """Have an empty lab be as it is after ``bring_in``."""
    request, answer = world.scan(source, name), world.has_imported(source, name)
    assert (answer.state, may_go(answer, request)) == (ImportState.IMPORTED, True), answer
    return world.catalogue.get(answer.image_id)


def can_be_seen(world, record):
    """Its file is there, under whatever name, and its pyramid is announced."""
    world.storage.locate(record["Filename"], FileVersion.parse(record["FileVersion"]))
    return world.storage.images(record["ImageID"]).has_descriptor()


def warnings_of(world, record):
    return " ".join(world.catalogue.get(record["ImageID"]).get("ImportWarnings", ()))


# ─── Names ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("tag", "filename", "expected"),
    [
        ("1004486", "a/b.svs", "1004486"),
        ("S26-1.A_2", "b.svs", "S26-1.A_2"),
        (None, "CMU-1.svs", "CMU-1"),
        ("", "CMU-1.SVS", "CMU-1"),
        (None, "x.y.z.svs", "x.y.z"),
        (None, "2026-03-14/1.svs", r"2026-03-14_1-\w{10}"),
        (None, "50% EtOH+PAS.svs", r"50-EtOH-PAS-\w{10}"),
        (None, "trailing .svs", r"trailing-\w{10}"),
        (None, "Müller_Größe.svs", r"Muller_Grosse-\w{10}"),
        (None, "病理 12.SVS", r"12-\w{10}"),
        (None, "切片.svs", r"slide-\w{10}"),
        (None, "L" * 220 + ".svs", r"L{89}-\w{10}"),
        ("S26/12/A", "slash.svs", "slash"),
        ("100%", "pct.svs", "pct"),
        ("a+b", "plus.svs", "plus"),
        ("with blank", "b.svs", "b"),
        ("Größe", "b.svs", "b"),
        ("T" * 101, "b.svs", "b"),
        ("ends.", "b.svs", "b"),
        (".hidden", "b.svs", "b"),
    ],
)
def test_an_image_id_is_the_tag_or_made_of_the_path(tag, filename, expected):
    assert re.fullmatch(expected, image_id_for(tag, filename))


def test_names_that_differ_in_changed_characters_have_different_ids():
    """So have those that look the same: an umlaut can be written in two ways."""
    names = ["a b.svs", "a+b.svs", "a%b.svs", "a-b.svs", "a/b.svs", "a_b.svs", "ä.svs", "a.svs"]
    names.append(unicodedata.normalize("NFD", "ä.svs"))
    names += [f"2026-03-{day}/1.svs" for day in range(10, 20)]
    names += ["L" * 220 + ".svs", "L" * 219 + "M.svs", "M" + "L" * 219 + ".svs"]
    assert len({image_id_for(None, name) for name in names}) == len(names)


@given(st.text(min_size=1, max_size=120), st.text(max_size=120) | st.none())
def test_any_file_name_gives_an_image_id_that_can_be_used(stem, tag):
    """Signed by CloudFront, as a name on EFS and a key of DynamoDB."""
    filename = f"{stem}.svs"
    try:
        parse_filename(filename)
    except Exception:  # noqa: BLE001  no slide's name
        return
    image_id = image_id_for(tag, filename)
    for each in (image_id, unique_image_id(image_id, filename, VERSION)):
        assert is_url_safe(each)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", each)
        assert parse_image_id(each) == each


def test_a_unique_id_is_of_one_file_and_version():
    ids = {
        unique_image_id("1", name, version)
        for name in ("a.svs", "b.svs")
        for version in (VERSION, FileVersion(1234, 5679), FileVersion(1235, 5678))
    }
    assert len(ids) == 6
    assert all(re.fullmatch(r"1-\w{10}", each) for each in ids)
    assert unique_image_id("1", "a.svs", VERSION) in ids


@pytest.mark.slow
def test_every_name_of_the_field_is_imported_under_an_id_of_its_own(world, slide_like):
    names = [
        "50% EtOH+PAS.svs",
        "trailing .svs",
        "L" * 220 + ".svs",
        "2026-03-14/1.svs",
        "2026-03-15/1.svs",
        "1.svs",
        "Müller+Größe.svs",
    ]
    ids = set()
    for name in names:
        record = bring_in(world, slide_like(), name)
        assert record["Filename"] == name
        assert is_url_safe(record["ImageID"])
        assert can_be_seen(world, record)
        assert check_file(world.storage, name)["image_id"] == record["ImageID"]
        # The same answer to the same question, and no second import.
        again = world.call(ImportRequest(name, int(record["FileSize"])))
        assert again.image_id == record["ImageID"]
        ids.add(record["ImageID"])
    assert len(ids) == len(names) == len(world.workflow.started)


def test_a_slide_that_an_earlier_version_named_keeps_its_id(world, slide_like):
    """By version 0.1 it had its plain stem, whatever that was."""
    source = slide_like()
    request = world.scan(source, "day 1/Größe 7.svs")
    path = world.storage.root / "day 1/Größe 7.svs"
    path.parent.mkdir()
    path.write_bytes(source.read_bytes())
    os.utime(path, (1_700_000_000, 1_700_000_000))
    version = FileVersion.of(path)
    world.workflow.run(ImportJob("Größe 7", request.filename, version.size, version.mtime_ns))

    answer = world.call(request)
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "Größe 7")
    assert not world.workflow.started


# ─── Rescans, and scanners that count alike ──────────────────────────────────────────────────────
@pytest.mark.parametrize("tag", [None, "1004486"])
@pytest.mark.slow
def test_a_rescan_of_the_same_name_is_another_slide(world, slide_like, tag):
    """GT 450: there is no ImageID to tell the two apart. Or both have the same."""
    old = has_imported(world, slide_like(tag), "x.svs")
    new = bring_in(world, slide_like(tag), "x.svs", mtime_s=1_700_000_500)

    assert old["ImageID"] == (tag or "x")
    assert re.fullmatch(rf"{old['ImageID']}-\w{{10}}", new["ImageID"])
    assert can_be_seen(world, old)
    assert can_be_seen(world, new)
    assert f"an earlier scan has the same file name: see slide {old['ImageID']}" in warnings_of(
        world, new
    )
    assert f"scanned again under the same file name: see slide {new['ImageID']}" in warnings_of(
        world, old
    )


@pytest.mark.slow
def test_each_of_many_rescans_is_a_slide_and_each_knows_the_others(world, slide_like):
    scans = [
        bring_in(world, slide_like(), "x.svs", mtime_s=1_700_000_000 + 100 * number)
        for number in range(4)
    ]
    assert len({scan["ImageID"] for scan in scans}) == 4
    for number, scan in enumerate(scans):
        assert can_be_seen(world, scan)
        text = warnings_of(world, scan)
        assert text.count("scanned again") == 3 - number
        assert text.count("an earlier scan") == number


def test_one_image_id_on_two_files_makes_two_slides(world, slide_like):
    first = has_imported(world, slide_like("1004486"), "x.svs")
    second = bring_in(world, slide_like("1004486"), "y.svs")
    assert first["ImageID"] == "1004486"
    assert re.fullmatch(r"1004486-\w{10}", second["ImageID"])
    assert "the ImageID 1004486 is another slide's, too" in warnings_of(world, second)
    assert world.catalogue.get("1004486")["FileVersion"] == first["FileVersion"]
    assert can_be_seen(world, first)
    assert can_be_seen(world, second)


def test_one_image_id_at_the_same_moment_makes_two_slides(world, slide_like):
    """Both imports begin before there is a record: one fails, and is tried again by itself."""
    requests = [world.scan(slide_like("1004486"), name) for name in ("x.svs", "y.svs")]
    for request in requests:
        world.call(request)
    world.datasync.proceed()
    for request in requests:
        assert world.call(request).state is ImportState.IMPORTING
    assert {job.image_id for job in world.workflow.running.values()} == {"1004486"}
    world.workflow.proceed()
    assert world.call(requests[0]).state is ImportState.IMPORTED
    answer = world.bring_in(requests[1])
    assert answer.state is ImportState.IMPORTED
    assert re.fullmatch(r"1004486-\w{10}", answer.image_id)
    assert len(world.catalogue.by_filename("y.svs")) == 1
    assert "RetryAt" not in world.catalogue.get(answer.image_id)


def test_a_pyramid_whose_record_was_lost_is_another_slides_too(world, slide_like):
    first = has_imported(world, slide_like("1004486"), "x.svs")
    world.catalogue.slides.delete_item(Key={"ImageID": "1004486"})
    second = bring_in(world, slide_like("1004486"), "y.svs")
    assert second["ImageID"] != "1004486"
    # The slide itself comes back by being imported again; its pyramid need not be rendered.
    answer = world.bring_in(ImportRequest("x.svs", int(first["FileSize"])))
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "1004486")


def test_what_an_earlier_version_called_a_conflict_is_imported(world, slide_like):
    """It has a record under the file's name, and the workstation still asks."""
    has_imported(world, slide_like("1"), "x.svs")
    request = world.scan(slide_like("1"), "day 2/y.svs")
    world.call(request)
    world.datasync.proceed()
    version = FileVersion.of(world.storage.root / "day 2/y.svs")
    fields = {"Filename": "day 2/y.svs", "FileVersion": str(version), "FileSize": version.size}
    fields |= {
        "ImportStatus": ImportStatus.FAILED,
        "ImportError": "ImageID 1 belongs to another slide",
    }
    fields |= {"SlideID": "day 2/y.svs", "CaseID": "day 2/y.svs", "Status": "NEW"}
    world.catalogue.change("day 2/y.svs", "import", "IMPORT", lambda _: fields)
    world.workflow.started.append(ImportJob("1", "day 2/y.svs", *vars(version).values()).name)

    answer = world.bring_in(request)
    assert answer.state is ImportState.IMPORTED
    assert re.fullmatch(r"1-\w{10}", answer.image_id)
    assert world.catalogue.get("day 2/y.svs")["Status"] == "DELETED"
    assert can_be_seen(world, world.catalogue.get(answer.image_id))


# ─── The same bytes ──────────────────────────────────────────────────────────────────────────────
def test_the_same_bytes_under_another_name_are_told_and_not_transferred(world, slide_like):
    source = slide_like("7")
    has_imported(world, source, "x.svs")
    request = with_sha256(world.scan(source, "copy of x.svs"), source)
    answer = world.call(request)
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "7")
    assert answer.detail == "the file has the same bytes as 'x.svs', which is slide 7"
    body = answer.body(request)
    assert (body["filename"], body["size"]) == ("copy of x.svs", request.size)
    assert body["sha256"] == request.sha256
    assert len(world.datasync.executions) == 1


@pytest.mark.parametrize("fault", ["gone", "deleted", "size", "failed"])
def test_a_copy_stays_unless_the_same_bytes_are_imported_and_kept(world, slide_like, fault):
    source = slide_like("7")
    record = has_imported(world, source, "x.svs")
    request = with_sha256(world.scan(source, "copy.svs"), source)
    if fault == "gone":
        (world.storage.root / "x.svs").unlink()
    elif fault == "deleted":
        world.catalogue.change("7", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    elif fault == "size":
        request = replace(request, size=request.size + 1)
    else:
        world.catalogue.change(
            "7", "x", "IMPORT", lambda old: {**old, "ImportStatus": ImportStatus.FAILED}
        )
    assert record["Sha256"] == request.sha256
    assert world.call(request).state is ImportState.TRANSFERRING


def test_the_same_bytes_without_a_checksum_are_a_conflict_that_says_what_to_do(world, slide_like):
    source = slide_like("7")
    first = has_imported(world, source, "x.svs")
    request = world.scan(source, "copy.svs")
    answer = world.bring_in(request)
    assert answer.state is ImportState.FAILED
    assert "the same bytes as 'x.svs', which is slide 7; delete this one" in answer.detail
    assert not may_go(answer, request)
    assert world.catalogue.get("7") == first
    assert world.catalogue.get(answer.image_id)["ImportStatus"] == ImportStatus.FAILED
    assert len(world.workflow.started) == 2

    # Once the checksum is sent, the copies may go, and nothing of them is left in the worklist.
    told = with_sha256(request, source)
    answer = world.bring_in(told)
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "7")
    assert may_go(answer, told)
    assert not (world.storage.root / "copy.svs").exists()
    assert (world.storage.root / "x.svs").exists()
    assert {record["Status"] for record in world.catalogue.by_filename("copy.svs")} == {"DELETED"}


def test_a_copy_on_its_way_while_the_other_is_imported_leaves_nothing(world, slide_like):
    source = slide_like("7")
    requests = [with_sha256(world.scan(source, name), source) for name in ("x.svs", "copy.svs")]
    for request in requests:
        world.call(request)
    world.datasync.proceed()
    for request in requests:
        world.call(request)
    world.workflow.proceed()
    for request in requests:
        answer = world.bring_in(request)
        assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "7")
    assert not (world.storage.root / "copy.svs").exists()
    assert not [r for r in world.catalogue.by_filename("copy.svs") if r["Status"] != "DELETED"]


def test_two_slides_of_the_same_bytes_can_both_be_imported_again(world, slide_like):
    """Each has its record from before: an import of it is not a copy's."""
    source = slide_like("7")
    first = has_imported(world, source, "x.svs")
    second = bring_in(world, slide_like("8"), "y.svs")
    for record in (first, second):
        fields = {"Sha256": first["Sha256"]}
        world.catalogue.change(record["ImageID"], "t", "T", lambda old, f=fields: {**old, **f})
    world.workflow.run(ImportJob.again(world.catalogue.get("7")))
    assert world.catalogue.get("7")["ImportStatus"] == ImportStatus.IMPORTED


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
