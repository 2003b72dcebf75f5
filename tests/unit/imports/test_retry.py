"""A technician tries a failed import again, and sees which slide is in its way."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.imports.helpers import bring_in, has_imported
from vsv.errors import Conflict, NotFound, Unavailable
from vsv.imports.conflicts import copy_of, id_taken, slide_in_the_way
from vsv.imports.request import ImportRequest, ImportState
from vsv.imports.retry import ImportRetries
from vsv.imports.workflow import ABORTED, ImportJob


@pytest.fixture
def retries(world):
    return ImportRetries(world.catalogue, world.files, world.workflow)


@pytest.fixture
def failed(world, slide_like):
    """Return the ImageID of a slide whose import has failed, through no fault of its own."""

    def fail(_):
        raise Unavailable("the storage does not answer")

    world.workflow.before = fail
    answer = world.bring_in(world.scan(slide_like("7"), "x.svs"))
    assert answer.state is ImportState.FAILED
    world.workflow.before = lambda _: None
    return answer.image_id


def started(world):
    return len(world.workflow.started)


def test_a_failed_import_is_tried_again_and_the_history_says_by_whom(world, retries, failed):
    before = started(world)
    again = retries.retry(failed, "ann")
    assert again["ImportStatus"] == "IMPORTING"
    assert again.keys().isdisjoint({"ImportError", "RetryAt", "FailedAt"})
    assert started(world) == before + 1
    (line, *_), _ = world.catalogue.history(failed, 1)
    assert (line["By"], line["Action"], line["Version"]) == ("ann", "IMPORT", again["Version"])
    world.workflow.proceed()
    record = world.catalogue.get(failed)
    assert (record["ImportStatus"], record["width"]) == ("IMPORTED", 300)
    assert started(world) == before + 1


def test_an_import_that_fails_again_can_be_tried_again(world, retries, failed):
    (world.storage.root / "x.svs").write_bytes(b"no slide at all")
    version = world.files.check("x.svs").version
    world.catalogue.change(
        failed,
        "x",
        "IMPORT",
        lambda old: {**old, "FileVersion": str(version), "FileSize": version.size},
    )
    before = started(world)
    for number in (1, 2):
        retries.retry(failed, "ann")
        world.workflow.proceed()
        assert world.catalogue.get(failed)["ImportStatus"] == "FAILED"
        assert started(world) == before + number


def test_two_at_once_start_one(world, retries, failed):
    """Both have seen the failure before either starts anything."""
    before = started(world)
    seen = world.catalogue.get(failed)
    one = retries.retry(failed, "ann")
    real = world.catalogue.get
    reads = iter([seen])
    world.catalogue.get = lambda image_id: next(reads, None) or real(image_id)
    other = retries.retry(failed, "bob")
    assert started(world) == before + 1
    assert other == one
    world.workflow.proceed()
    assert world.catalogue.get(failed)["ImportStatus"] == "IMPORTED"


def test_ten_at_once_start_one(world, retries, failed):
    before = started(world)

    def retry(number):
        try:
            return retries.retry(failed, f"person {number}")["ImportStatus"]
        except Conflict as error:
            return str(error)

    with ThreadPoolExecutor(10) as pool:
        told = set(pool.map(retry, range(10)))
    assert started(world) == before + 1
    assert told <= {"IMPORTING", "the slide's import did not fail: the slide is being imported"}
    world.workflow.proceed()
    assert world.catalogue.get(failed)["ImportStatus"] == "IMPORTED"


def test_a_retry_does_not_write_over_an_import_that_was_quicker(world, retries, failed):
    ensure = world.workflow.ensure

    def at_once(job, is_finished):
        running = ensure(job, is_finished)
        world.workflow.proceed()
        return running

    world.workflow.ensure = at_once
    assert retries.retry(failed, "ann")["ImportStatus"] == "IMPORTED"
    assert world.catalogue.get(failed)["ImportStatus"] == "IMPORTED"


def test_the_workstation_that_asks_meanwhile_starts_no_other(world, retries, failed):
    request = ImportRequest("x.svs", (world.scanner / "x.svs").stat().st_size)
    before = started(world)
    retries.retry(failed, "ann")
    assert world.call(request).state is ImportState.IMPORTING
    world.ahead_s = 1e6
    assert world.call(request).state is ImportState.IMPORTING
    assert started(world) == before + 1
    world.workflow.proceed()
    assert world.call(request).state is ImportState.IMPORTED


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"ImportStatus": "IMPORTED"}, "did not fail: it is complete"),
        ({"ImportStatus": "IMPORTING"}, "did not fail: the slide is being imported"),
        ({"Status": "DELETED"}, "the slide is deleted"),
        ({"Status": "TRANSFERRED"}, "the slide is archived; restore it"),
        ({"Removal": {"Operation": "RESTORE", "State": "FAILED"}}, "a RESTORE .* not complete"),
        ({"Filename": "7"}, "cannot be an ImageID"),
    ],
)
def test_a_slide_that_is_not_failed_says_how_it_stands(world, retries, failed, fields, says):
    world.catalogue.change(failed, "x", "IMPORT", lambda old: {**old, **fields})
    record, before = world.catalogue.get(failed), started(world)
    with pytest.raises(Conflict, match=says):
        retries.retry(failed, "ann")
    assert (world.catalogue.get(failed), started(world)) == (record, before)


def test_a_slide_that_is_not_there(retries):
    with pytest.raises(NotFound):
        retries.retry("nobody", "ann")


def test_a_slide_whose_file_is_gone_says_what_to_do(world, retries, failed):
    record, before = world.catalogue.get(failed), started(world)
    (world.storage.root / "x.svs").unlink()
    with pytest.raises(Conflict, match="no longer on the file system; start the import .* again"):
        retries.retry(failed, "ann")
    assert (world.catalogue.get(failed), started(world)) == (record, before)


def test_an_import_that_is_aborted_again_and_again_stays_failed(world, retries, failed):
    record = world.catalogue.get(failed)
    world.workflow.ensure = lambda *_: False
    with pytest.raises(Unavailable, match=ABORTED[:20]):
        retries.retry(failed, "ann")
    assert world.catalogue.get(failed) == record


# ─── The slide in the way ────────────────────────────────────────────────────────────────────────
def test_a_copy_names_the_slide_that_has_its_bytes_until_that_is_gone(world, retries, slide_like):
    source = slide_like("7")
    has_imported(world, source, "which is slide 8; delete this one.svs")
    answer = world.bring_in(world.scan(source, "copy.svs"))
    assert answer.state is ImportState.FAILED
    copy = world.catalogue.get(answer.image_id)
    assert copy["ConflictsWith"] == "7"
    world.catalogue.change("7", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    assert "ConflictsWith" not in retries.retry(answer.image_id, "ann")
    world.workflow.proceed()
    copy = world.catalogue.get(answer.image_id)
    assert copy["ImportStatus"] == "IMPORTED"
    assert "ConflictsWith" not in copy


def test_a_slide_whose_image_id_is_taken_names_the_other(world, slide_like):
    """Their imports ran at once; the next attempt has an ImageID of its own."""
    bring_in(world, slide_like("7"), "x.svs")
    world.scan(slide_like("7"), "y.svs", mtime_s=1_700_000_100)
    (world.storage.root / "y.svs").write_bytes((world.scanner / "y.svs").read_bytes())
    file = world.files.check("y.svs")
    world.workflow.run(ImportJob("7", "y.svs", file.size, file.mtime_ns))
    (other,) = world.catalogue.by_filename("y.svs")
    assert (other["ImportStatus"], other["ConflictsWith"]) == ("FAILED", "7")
    assert other["ImageID"] != "7"


def test_a_failure_of_its_own_names_no_slide(world, failed):
    assert "ConflictsWith" not in world.catalogue.get(failed)


@pytest.mark.parametrize("image_id", ["7", "a b", "é/ü"])
@pytest.mark.parametrize("name", ["x.svs", "a, which is slide 9; delete this one, or.svs", "'\n"])
def test_the_image_id_is_read_from_the_very_sentence_that_says_it(image_id, name):
    other = {"ImageID": image_id, "Filename": name}
    for error in (copy_of(other), id_taken(image_id)):
        assert slide_in_the_way(type(error).__name__, str(error)) == image_id
        assert slide_in_the_way("UnreadableSlide", str(error)) is None
    assert slide_in_the_way("DuplicateSlide", "another text") is None
