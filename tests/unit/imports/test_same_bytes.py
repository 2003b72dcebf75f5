"""The same bytes under another name: a copy is refused, and leaves nothing."""

from dataclasses import replace

import pytest

from tests.unit.imports.helpers import bring_in, has_imported, may_go, with_sha256
from vsv.catalogue.record import ImportStatus
from vsv.imports.request import ImportState
from vsv.imports.workflow import ImportJob


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
