"""Deleting, archiving, restoring, with all that may come between: kills, rescans, repeats."""

import os

import pytest

from local.samples import generated_slide
from tests.s3 import BUCKET, Killed
from tests.unit.removal.helpers import actions, on_efs
from vsv.errors import Archived, Conflict, NotFound, Unavailable
from vsv.imports.request import ImportRequest, ImportState
from vsv.pyramid.deepzoom import TileAddress
from vsv.viewing.images import Images, TileOptions


def test_a_deleted_slide_is_gone_and_its_record_says_so(world, removals, slide, small):
    (result,) = removals.ask("DELETE", slide)
    assert (result.detail, result.error) == ("the slide is being deleted", None)
    asked = world.catalogue.get(slide)
    assert (asked["Status"], asked["Removal"]["State"]) == ("GOOD", "REQUESTED")
    assert asked["Removal"]["By"] == "ann"
    removals.work()
    record = world.catalogue.get(slide)
    assert (record["Status"], "Removal" in record) == ("DELETED", False)
    assert on_efs(world, slide) == set()
    assert actions(world, slide)[-2:] == [("DELETE", "ann"), ("DELETE", "ann")]
    with pytest.raises(NotFound):
        Images(world.storage, 90).tile(slide, TileAddress(0, 0, 0), TileOptions())
    # Again: nothing to do, and nothing is done.
    (again,) = removals.ask("DELETE", slide)
    assert (again.detail, removals.waiting) == ("the slide is deleted", [])


@pytest.mark.parametrize("with_checksum", [pytest.param(True, marks=pytest.mark.slow), False])
@pytest.mark.slow
def test_a_deleted_slides_file_gives_no_permission_and_is_imported_as_a_new_one(
    world, removals, slide, with_checksum
):
    sha256 = world.catalogue.get(slide)["Sha256"] if with_checksum else None
    size = int(world.catalogue.get(slide)["FileSize"])
    request = ImportRequest("day 1/x.svs", size, sha256)
    for generation in range(1, 7):
        removals.ask("DELETE", slide)
        assert world.call(request).state is ImportState.ARRIVING
        removals.work()
        for _ in range(3):
            answer = world.call(request)
            assert answer.state in (ImportState.TRANSFERRING, ImportState.IMPORTING)
            assert "filename" not in answer.body(request)
            world.datasync.proceed()
        world.workflow.proceed()
        answer = world.call(request)
        assert answer.body(request)["filename"] == "day 1/x.svs"
        record = world.catalogue.get(slide)
        assert (record["Status"], record["SlideID"]) == ("NEW", "S26-04711-A1"), generation
        assert len(world.workflow.started) == generation + 1


def test_a_rescan_under_the_old_name_survives_the_old_slides_deletion(
    world, removals, slide, real, tmp_path
):
    rescan = generated_slide(
        tmp_path / "rescan.svs", real, size=(300, 200), properties={"ImageID": "77"}
    )
    removals.ask("DELETE", slide)
    request = world.scan(rescan, "day 1/x.svs", mtime_s=1_700_000_100)
    world.bring_in(request)
    removals.work()
    assert world.bring_in(request).image_id == "77"
    assert (world.storage.root / "day 1/x.svs").read_bytes() == rescan.read_bytes()
    assert on_efs(world, slide) == {"day 1/x.svs"}
    assert world.catalogue.get(slide)["Status"] == "DELETED"


def test_an_archived_slide_keeps_label_and_thumbnail_and_comes_back(world, removals, slide, small):
    before = on_efs(world, slide)
    images = Images(world.storage, 90)
    tile = images.tile(slide, TileAddress(8, 0, 0), TileOptions()).load()
    removals.ask("TRANSFER", slide)
    removals.work()
    record = world.catalogue.get(slide)
    assert (record["Status"], record["StatusBefore"]) == ("TRANSFERRED", "GOOD")
    assert on_efs(world, slide) == {f"{slide}.index"} | {
        f"{slide}_files/{name}.jpeg" for name in ("label", "thumbnail", "macro")
    } & (before | {f"{slide}.index"})
    (key,) = removals.objects()
    assert "x.svs" not in key
    stored = removals.s3.get_object(Bucket=BUCKET, Key=key)
    assert stored["Body"].read() == small.read_bytes()
    with pytest.raises(Archived, match="archived"):
        Images(world.storage, 90).tile(slide, TileAddress(8, 0, 0), TileOptions())
    assert Images(world.storage, 90).associated(slide, "label", "jpeg").load()

    (result,) = removals.ask("RESTORE", slide, by="bob")
    assert result.error is None
    removals.work()
    record = world.catalogue.get(slide)
    assert (record["Status"], record["ImportStatus"]) == ("GOOD", "IMPORTED")
    assert "Removal" not in record
    assert on_efs(world, slide) == before
    assert Images(world.storage, 90).tile(slide, TileAddress(8, 0, 0), TileOptions()).load() == tile

    # The archive has it still: to archive it again is to free the file system again.
    removals.ask("TRANSFER", slide)
    removals.work()
    assert world.catalogue.get(slide)["Status"] == "TRANSFERRED"
    removals.ask("DELETE", slide)
    removals.work()
    assert removals.objects() == []
    assert on_efs(world, slide) == set()


def test_the_workstation_may_delete_what_is_in_the_archive(world, removals, slide):
    record = world.catalogue.get(slide)
    request = ImportRequest("day 1/x.svs", int(record["FileSize"]), record["Sha256"])
    removals.ask("TRANSFER", slide)
    removals.work()
    assert world.call(request).body(request)["filename"] == "day 1/x.svs"
    other = ImportRequest("day 1/x.svs", int(record["FileSize"]), "0" * 64)
    assert "filename" not in world.call(other).body(other)


def steps_of(removals, operation):
    """Where a step may be killed: each call of it that changes something."""
    remover = removals.remover
    return [
        (remover._storage, "remove_pyramid"),
        (remover._storage, "archive_images"),
        (remover._storage, "remove_slide"),
        (remover._catalogue, "change"),
        (removals.archive, "store"),
        (removals.archive, "discard"),
    ]


@pytest.mark.parametrize("operation", ["DELETE", "TRANSFER"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(6))
@pytest.mark.slow
def test_killed_at_any_point_it_resumes_and_the_record_is_true(
    world, removals, slide, operation, number, after, monkeypatch
):
    removals.ask(operation, slide)
    owner, name = steps_of(removals, operation)[number]
    genuine = getattr(owner, name)

    def killed(*arguments):
        if after:
            genuine(*arguments)
        raise Killed

    monkeypatch.setattr(owner, name, killed)
    try:
        removals.work()
    except Killed:
        record = world.catalogue.get(slide)
        if record["Status"] == "GOOD":
            assert record["Removal"]["Operation"] == operation
        else:  # killed after the last write
            assert "Removal" not in record
            assert not (world.storage.root / "day 1/x.svs").exists()
        lost = not (world.storage.root / "day 1/x.svs").exists()
        assert not lost or operation == "DELETE" or record["Archive"]
    monkeypatch.undo()
    removals.ask(operation, slide)
    removals.work()
    record = world.catalogue.get(slide)
    assert record["Status"] == {"DELETE": "DELETED", "TRANSFER": "TRANSFERRED"}[operation]
    assert "Removal" not in record
    assert len(removals.objects()) == (operation == "TRANSFER")
    assert not (world.storage.root / "day 1/x.svs").exists()


def test_a_failure_is_on_the_record_and_can_be_repeated(world, removals, slide, monkeypatch):
    def unavailable(*_):
        raise Unavailable("S3 is too busy")

    removals.ask("TRANSFER", slide)
    monkeypatch.setattr(removals.archive, "store", unavailable)
    with pytest.raises(Unavailable):
        removals.work()
    removal = world.catalogue.get(slide)["Removal"]
    assert (removal["State"], removal["Error"]) == ("FAILED", "S3 is too busy")
    assert world.catalogue.get(slide)["Status"] == "GOOD"
    monkeypatch.undo()
    removals.ask("TRANSFER", slide)
    assert "Error" not in world.catalogue.get(slide)["Removal"]
    removals.work()
    assert world.catalogue.get(slide)["Status"] == "TRANSFERRED"


def test_bytes_that_are_not_the_imported_ones_are_not_archived_and_not_lost(world, removals, slide):
    path = world.storage.root / "day 1/x.svs"
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    removals.ask("TRANSFER", slide)
    with pytest.raises(Exception, match="SHA-256|imported"):
        removals.work()
    assert path.exists()
    assert removals.objects() == []
    assert world.catalogue.get(slide)["Removal"]["State"] == "FAILED"


def test_a_slide_whose_bytes_nobody_knows_is_not_archived(world, removals, slide):
    world.catalogue.change(slide, "ann", "EDIT", lambda old: {**old, "Sha256": None})
    removals.ask("TRANSFER", slide)
    with pytest.raises(Conflict):
        removals.work()
    assert "no checksum" in world.catalogue.get(slide)["Removal"]["Error"]
    assert removals.objects() == []


def test_a_slide_whose_removal_is_taken_back_while_it_is_archived_stays(
    world, removals, slide, monkeypatch
):
    store = removals.archive.store

    def taken_back_meanwhile(*arguments):
        world.catalogue.change(slide, "ann", "EDIT", lambda old: {**old, "Removal": None})
        return store(*arguments)

    monkeypatch.setattr(removals.archive, "store", taken_back_meanwhile)
    removals.ask("TRANSFER", slide)
    with pytest.raises(Conflict, match="changed during the operation"):
        removals.work()
    record = world.catalogue.get(slide)
    assert record["Status"] == "GOOD"
    assert not {"Archive", "Removal"} & record.keys()
    assert (world.storage.root / "day 1/x.svs").exists()


def test_a_restore_that_fails_says_why_and_the_slide_stays_in_the_archive(
    world, removals, slide, monkeypatch
):
    removals.ask("TRANSFER", slide)
    removals.work()

    def lost(*_):
        raise Unavailable("S3 does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(removals.archive, "fetch", lost)
        removals.ask("RESTORE", slide)
        removals.work()
    record = world.catalogue.get(slide)
    assert (record["Status"], record["ImportStatus"]) == ("TRANSFERRED", "IMPORTED")
    assert (record["Removal"]["State"], record["Removal"]["Error"]) == (
        "FAILED",
        "S3 does not answer",
    )
    removals.ask("RESTORE", slide)
    removals.work()
    assert world.catalogue.get(slide)["Status"] == "GOOD"


def test_what_makes_no_sense_is_refused_slide_by_slide(world, removals, slide, tmp_path):
    text = tmp_path / "text.svs"
    text.write_text("no slide")
    failed = world.bring_in(world.scan(text, "failed.svs")).image_id
    unknown, archived, restored = removals.ask("TRANSFER", "nobody", failed, slide)
    assert str(unknown.error) == "there is no slide with this ImageID"
    assert "import is not complete" in str(archived.error)
    assert restored.error is None
    (result,) = removals.ask("DELETE", slide)
    assert str(result.error) == "a TRANSFER of this slide is not complete"
    (result,) = removals.ask("RESTORE", failed)
    assert "not archived" in str(result.error)
    # What failed to be imported can be deleted, and scanned again.
    removals.work()
    removals.ask("DELETE", failed)
    removals.work()
    assert world.catalogue.get(failed)["Status"] == "DELETED"
    assert not (world.storage.root / "failed.svs").exists()


def test_two_at_once_do_no_harm(world, removals, slide):
    removals.ask("TRANSFER", slide)
    removals.ask("TRANSFER", slide)
    assert len(removals.waiting) == 2
    removals.work()
    assert world.catalogue.get(slide)["Status"] == "TRANSFERRED"
    assert len(removals.objects()) == 1
    removals.remover.delete(slide)
    assert world.catalogue.get(slide)["Status"] == "TRANSFERRED"
