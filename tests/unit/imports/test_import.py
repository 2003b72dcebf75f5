"""The import protocol: what the workstation is told, and what is true on EFS and in the catalogue.

Files are real slides, the tables are moto's; DataSync and Step Functions are played by
``tests.unit.conftest.World``, so that a test can stop them at any point.
"""

import hashlib

import pytest

from tests.unit.imports.helpers import may_go
from vsv.identifiers import FileVersion
from vsv.imports.request import ImportRequest, ImportState
from vsv.pyramid.deepzoom import TileAddress
from vsv.settings import ExtractMetadataSettings
from vsv.slides.slide import Slide
from vsv.viewing.images import Images, TileOptions


def test_from_the_scanner_to_a_complete_pyramid(world, real):
    """The whole way, and at each stop of it: no permission to delete before the end."""
    request = world.scan(real, "day 1/CMU-1.svs")

    assert world.call(request).state is ImportState.TRANSFERRING
    assert world.call(request).state is ImportState.TRANSFERRING
    assert len(world.datasync.executions) == 1
    world.datasync.proceed()
    assert world.call(request).state is ImportState.IMPORTING
    assert world.call(request).state is ImportState.IMPORTING
    assert len(world.workflow.started) == 1
    assert not may_go(world.call(request), request)
    world.workflow.proceed()
    answer = world.call(request)

    assert answer.body(request) == {
        "status": "IMPORTED",
        "detail": "imported",
        "ImageID": "1004486",
        "tiles_rendered": 190,
        "tiles_total": 190,
        "filename": "day 1/CMU-1.svs",
        "size": 1938955,
        "sha256": hashlib.sha256(real.read_bytes()).hexdigest(),
    }
    record = world.catalogue.get("1004486")
    assert record["SlideID"] == record["CaseID"] == "1004486"
    assert record["IdSource"] == "NONE"
    assert record["Barcode"] == {"reason": "no code on the label"}
    assert record["ScanDate"] == "2009-12-29T09:59:15+00:00"
    assert (record["width"], record["height"]) == (2220, 2967)
    assert record["Sha256"] == hashlib.sha256(real.read_bytes()).hexdigest()
    assert (world.storage.root / "1004486.dzi").exists()
    assert len(list((world.storage.root / "1004486_files").glob("*/*.jpeg"))) == 190
    assert {path.name for path in (world.storage.root / "1004486_files").glob("*.jpeg")} == {
        "label.jpeg",
        "thumbnail.jpeg",
        "macro.jpeg",
    }


def test_another_file_of_the_name_is_not_made_to_wait(world, small, slide_with):
    request = world.scan(small, "x.svs")
    for _ in range(5):
        world.call(request)
        world.datasync.proceed("ERROR")
    rescan = world.scan(slide_with(), "x.svs")
    world.call(rescan)
    world.datasync.proceed()
    assert world.call(rescan).state is ImportState.IMPORTING


def test_another_size_or_checksum_is_never_told_to_delete(world, small):
    request = world.scan(small, "x.svs")
    assert may_go(world.has_imported(small, "x.svs"), request)
    right = hashlib.sha256(small.read_bytes()).hexdigest()

    for other in (
        ImportRequest("x.svs", request.size + 1),
        ImportRequest("x.svs", request.size, "0" * 64),
        ImportRequest("y.svs", request.size),
    ):
        for _ in range(3):
            assert not may_go(world.call(other), other)
            world.datasync.executions and world.datasync.proceed("ERROR")
    # And the answer to the right question has not changed.
    assert may_go(world.call(request), request)
    checked = ImportRequest("x.svs", request.size, right)
    assert may_go(world.call(checked), checked)


def test_a_rescan_under_the_old_name_is_a_new_import_and_the_old_slide_stays(
    world, real, slide_with
):
    first = world.scan(real, "x.svs")
    world.has_imported(real, "x.svs")
    second = world.scan(slide_with(ImageID="77"), "x.svs", mtime_s=1_700_000_500)

    assert not may_go(world.call(second), second)
    answer = world.bring_in(second)

    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "77")
    old, new = world.catalogue.get_many(["1004486", "77"])
    assert old["ImportStatus"] == new["ImportStatus"] == "IMPORTED"
    with Slide(world.storage.locate("x.svs", FileVersion.parse(old["FileVersion"]))) as slide:
        assert slide.metadata().image_id == "1004486"
    assert not may_go(world.call(first), first), "the name is another slide's now"


@pytest.mark.slow
def test_a_rescan_while_the_first_is_imported_waits(world, real, slide_with):
    world.call(world.scan(real, "x.svs"))
    world.datasync.proceed()
    world.call(ImportRequest("x.svs", real.stat().st_size))
    job = next(iter(world.workflow.running.values()))
    world.importer.extract_metadata(job)
    second = world.scan(slide_with(ImageID="77"), "x.svs", mtime_s=1_700_000_500)

    assert world.call(second).state is ImportState.IMPORTING
    assert len(world.datasync.executions) == 1
    world.workflow.proceed()
    assert world.bring_in(second).image_id == "77"
    assert world.catalogue.get("1004486")["ImportStatus"] == "IMPORTED"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"just a text called .svs", "the file is not a TIFF file"),
        (
            b"II*\0\x08\0\0\0" + b"\1\0" + bytes(40),
            "the file is a TIFF file, but its first image is not tiled",
        ),
    ],
)
def test_what_is_no_slide_fails_with_a_reason_and_is_kept(world, tmp_path, content, reason):
    path = tmp_path / "text.svs"
    path.write_bytes(content)
    request = world.scan(path, "text.svs")
    answer = world.bring_in(request)

    assert (answer.state, answer.detail) == (ImportState.FAILED, reason)
    assert not may_go(answer, request)
    record = world.catalogue.get("text")
    assert (record["ImportStatus"], record["ImportError"]) == ("FAILED", reason)
    assert (world.storage.root / "text.svs").read_bytes() == content


def test_a_truncated_slide_fails_with_a_reason(world, generated, tmp_path):
    path = tmp_path / "short.svs"
    path.write_bytes(generated.read_bytes()[:-5000])
    answer = world.bring_in(world.scan(path, "short.svs"))
    assert answer.state is ImportState.FAILED
    assert "truncated" in answer.detail


@pytest.mark.parametrize(("levels", "total"), [("derived", 60), ("none", 0)])
def test_with_fewer_levels_rendered_every_tile_is_still_shown(world, real, levels, total):
    """The slide's own level 12 has 130 of the 190 tiles."""
    world.importer._settings = ExtractMetadataSettings.read(
        {"PRERENDER_LEVELS": levels, "BARCODE_SEARCH_MS": "0"}
    )
    request = world.scan(real, "x.svs")
    answer = world.bring_in(request)
    assert may_go(answer, request)
    assert (answer.tiles_rendered, answer.tiles_total) == (total, total)
    images = Images(world.storage, 90)
    for address in ((12, 3, 3), (11, 2, 2), (0, 0, 0)):
        tile = images.tile("1004486", TileAddress(*address), TileOptions())
        assert tile.load().startswith(b"\xff\xd8")


def test_an_incomplete_pyramid_is_never_announced(world, real):
    request = world.scan(real, "x.svs")
    world.call(request)
    world.datasync.proceed()
    world.call(request)
    job = next(iter(world.workflow.running.values()))
    world.importer.extract_metadata(job)
    with pytest.raises(Exception, match="level 12 has 0 of 130 tiles"):
        world.importer.finish_import(job)
    assert not (world.storage.root / "1004486.dzi").exists()


def test_a_file_that_changes_under_the_import_stops_it(world, real, slide_with):
    request = world.scan(real, "x.svs")
    world.call(request)
    world.datasync.proceed()
    world.call(request)
    job = next(iter(world.workflow.running.values()))
    world.importer.extract_metadata(job)
    path = world.storage.root / "x.svs"
    path.write_bytes(slide_with().read_bytes())
    world.workflow.proceed()
    answer = world.catalogue.get("1004486")
    assert answer["ImportStatus"] == "FAILED"
    assert "replaced or removed" in answer["ImportError"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"filename": "x.svs"},
        {"filename": "x.svs", "size": "7"},
        {"filename": "x.svs", "size": True},
        {"filename": "x.svs", "size": -1},
        {"filename": 7, "size": 7},
        {"filename": "x.svs", "size": 7, "sha256": "abc"},
        *(
            {"filename": name, "size": 7}
            for name in (
                "",
                ".svs",
                "x.tif",
                "/etc/x.svs",
                "../x.svs",
                "a/../x.svs",
                "a//x.svs",
                "./x.svs",
                "a\\x.svs",
                "C:x.svs",
                "x\0.svs",
                "x\n.svs",
                "x|y.svs",
                "*.svs",
                "\ud800.svs",
                "x" * 300 + ".svs",
                "d/" * 600 + "x.svs",
            )
        ),
    ],
)
def test_malformed_requests_are_refused_and_say_why(body):
    with pytest.raises(Exception, match="must|filename") as refused:
        ImportRequest.parse(body)
    assert type(refused.value).__name__ == "InvalidRequest"
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["x.svs", "Ä Ö/ü 1.SVS", "切片.svs", "😀.svs", "a b(1),c.svs"])
def test_names_of_all_alphabets_are_taken(name):
    assert ImportRequest.parse({"filename": name, "size": 1}).filename == name


def test_nothing_outside_the_images_path_is_touched(world, slide_with, tmp_path):
    outside = {path for path in tmp_path.iterdir() if path.name not in ("efs", "scanner")}
    world.bring_in(world.scan(slide_with(ImageID="../../../x"), "x.svs"))
    assert {p for p in tmp_path.iterdir() if p.name not in ("efs", "scanner")} - outside == {
        tmp_path / "other.svs"
    }
