"""Rescans, and scanners that count alike: each file is a slide of its own."""

import re

import pytest

from tests.unit.imports.helpers import bring_in, can_be_seen, has_imported, warnings_of
from vsv.catalogue.record import ImportStatus
from vsv.identifiers import FileVersion
from vsv.imports.request import ImportRequest, ImportState
from vsv.imports.workflow import ImportJob


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
