"""The import protocol: what the workstation is told, and what is true on EFS and in the catalogue.

Files are real slides, the tables are moto's; DataSync and Step Functions are played by
``tests.unit.conftest.World``, so that a test can stop them at any point.
"""

import hashlib
import re

import pytest

from local.samples import generated_slide
from tests.unit.imports.helpers import may_go
from vsv.identifiers import FileVersion
from vsv.imports.request import ImportRequest, ImportState
from vsv.imports.workflow import ImportJob
from vsv.pyramid.deepzoom import TileAddress
from vsv.settings import ExtractMetadataSettings
from vsv.slides.slide import Slide
from vsv.viewing.images import Images, TileOptions


def states(world, request, calls):
    return [world.call(request).state.value for _ in range(calls)]


@pytest.fixture
def slide_like(real, tmp_path):
    """Make small slides that differ in what a test needs."""

    def make(name="other.svs", size=(300, 200), label_text=None, describe_pages=True, **properties):
        return generated_slide(
            tmp_path / name,
            real,
            size=size,
            downsamples=(1,),
            label_text=label_text,
            describe_pages=describe_pages,
            properties=properties,
        )

    return make


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


def test_the_label_names_slide_and_case(world, generated):
    answer = world.bring_in(world.scan(generated, "x.svs"))
    record = world.catalogue.get(answer.image_id)
    assert (record["SlideID"], record["CaseID"]) == ("S26-04711-A1", "S26-04711")
    assert record["IdSource"] == "BARCODE"
    assert record["Barcode"] == {"text": "S26-04711-A1"}
    assert "ImportWarnings" not in record


@pytest.mark.parametrize(
    ("on_label", "by_scanner", "slide_id", "source", "warnings"),
    [
        (None, "S12-34567 01-01-08", "S12-34567 01-01-08", "SCANNER", ["not by the import (no"]),
        ("S26-1-A", "S26-1-A", "S26-1-A", "BARCODE", []),
        ("S26-1-A", "S26-2-A", "S26-1-A", "BARCODE", ["another slide ID from the label: S26-2-A"]),
        ("S26-1-A", "\x1dGS", "S26-1-A", "BARCODE", []),
        (None, "S26\x1dA", "77", "NONE", ["does not match the pattern"]),
        ("S26\x1dA", None, "77", "NONE", []),
        ("S26\x1dA", "S26-2-A", "S26-2-A", "SCANNER", ["(a code was read, but its text"]),
    ],
)
def test_the_labels_code_comes_first_then_the_scanners(
    world, slide_like, on_label, by_scanner, slide_id, source, warnings
):
    slide = slide_like(label_text=on_label, ImageID="77", Barcode=by_scanner)
    world.bring_in(world.scan(slide, "x.svs"))
    record = world.catalogue.get("77")
    assert (record["SlideID"], record["IdSource"]) == (slide_id, source)
    found = [text for text in record.get("ImportWarnings", ()) if not text.endswith("image")]
    assert len(found) == len(warnings)
    assert all(part in text for part, text in zip(warnings, found, strict=True))


@pytest.mark.parametrize(("text", "case"), [("S1", "S1"), ("S1-2", "S1"), ("-7", "-7")])
def test_the_case_is_the_slide_id_up_to_its_last_hyphen(world, slide_like, text, case):
    answer = world.bring_in(world.scan(slide_like(label_text=text), "x.svs"))
    assert world.catalogue.get(answer.image_id)["CaseID"] == case


def test_two_slides_with_one_slide_id_both_say_so(world, slide_like):
    for number in ("1", "2"):
        slide = slide_like(f"{number}.svs", label_text="S26-1-A", ImageID=number)
        world.bring_in(world.scan(slide, f"{number}.svs"))
    first, second = world.catalogue.get_many(["1", "2"])
    assert first["ImportStatus"] == second["ImportStatus"] == "IMPORTED"
    assert first["SlideID"] == second["SlideID"] == "S26-1-A"
    assert first["ImportWarnings"] == ["slide 2 had the same slide ID at an import"]
    assert second["ImportWarnings"] == ["slide 1 had the same slide ID at an import"]


def test_the_same_slide_again_is_no_second_one_and_nothing_is_said_twice(world, slide_like):
    requests = [
        world.scan(slide_like(f"{n}.svs", label_text="S26-1-A", ImageID=str(n)), f"{n}.svs")
        for n in (1, 2)
    ]
    for request in requests:
        world.bring_in(request)
        world.workflow.run(_job(world, request))
    world.workflow.run(_job(world, requests[0]))
    first, second = world.catalogue.get_many(["1", "2"])
    assert len(first["ImportWarnings"]) == len(second["ImportWarnings"]) == 1


def test_a_slide_that_is_deleted_or_has_another_id_by_now_is_not_warned_of(world, slide_like):
    for number, change in (("1", {"Status": "DELETED"}), ("2", {"SlideID": "S26-2-A"})):
        slide = slide_like(f"{number}.svs", label_text="S26-1-A", ImageID=number)
        world.bring_in(world.scan(slide, f"{number}.svs"))
        _change(world, number, **change)
    slide = slide_like("3.svs", label_text="S26-1-A", ImageID="3")
    world.bring_in(world.scan(slide, "3.svs"))
    assert all("ImportWarnings" not in each for each in world.catalogue.get_many(["1", "2", "3"]))


def test_metadata_that_are_not_there_are_warnings_not_crashes(world, slide_like):
    bare = slide_like(ImageID=None, MPP=None, AppMag="", Date=None, Time=None)
    answer = world.bring_in(world.scan(bare, "Größe 7 µm.svs"))

    assert answer.state is ImportState.IMPORTED
    record = world.catalogue.get(answer.image_id)
    assert re.fullmatch(r"Grosse-7-m-[0-9a-f]{10}", answer.image_id)
    assert record["SlideID"] == answer.image_id
    assert not {"MPP", "AppMag", "ScanDate"} & set(record)
    warnings = " ".join(record["ImportWarnings"])
    for part in ("no MPP", "no AppMag", "no Date", "no label"):
        assert part in warnings
    assert "ImageID" not in warnings
    assert record["ImportNotes"] == ["no ImageID"]


def test_pages_without_a_description_are_still_label_and_macro(world, slide_like):
    """The GT 450 tells them apart by the TIFF's subfile type."""
    slide = slide_like(label_text="S7-1", describe_pages=False)
    answer = world.bring_in(world.scan(slide, "x.svs"))
    assert world.catalogue.get(answer.image_id)["SlideID"] == "S7-1"
    assert (world.storage.root / f"{answer.image_id}_files/macro.jpeg").exists()


@pytest.mark.parametrize("image_id", ["../../etc/passwd", "a/b", "C:x", ".hidden", "x" * 300])
@pytest.mark.slow
def test_an_image_id_that_is_no_name_never_reaches_the_file_system(world, slide_like, image_id):
    answer = world.bring_in(world.scan(slide_like(ImageID=image_id), "x.svs"))
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "x")


def test_another_file_of_the_name_is_not_made_to_wait(world, small, slide_like):
    request = world.scan(small, "x.svs")
    for _ in range(5):
        world.call(request)
        world.datasync.proceed("ERROR")
    rescan = world.scan(slide_like(), "x.svs")
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
    world, real, slide_like
):
    first = world.scan(real, "x.svs")
    world.has_imported(real, "x.svs")
    second = world.scan(slide_like(ImageID="77"), "x.svs", mtime_s=1_700_000_500)

    assert not may_go(world.call(second), second)
    answer = world.bring_in(second)

    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "77")
    old, new = world.catalogue.get_many(["1004486", "77"])
    assert old["ImportStatus"] == new["ImportStatus"] == "IMPORTED"
    with Slide(world.storage.locate("x.svs", FileVersion.parse(old["FileVersion"]))) as slide:
        assert slide.metadata().image_id == "1004486"
    assert not may_go(world.call(first), first), "the name is another slide's now"


@pytest.mark.slow
def test_a_rescan_while_the_first_is_imported_waits(world, real, slide_like):
    world.call(world.scan(real, "x.svs"))
    world.datasync.proceed()
    world.call(ImportRequest("x.svs", real.stat().st_size))
    job = next(iter(world.workflow.running.values()))
    world.importer.extract_metadata(job)
    second = world.scan(slide_like(ImageID="77"), "x.svs", mtime_s=1_700_000_500)

    assert world.call(second).state is ImportState.IMPORTING
    assert len(world.datasync.executions) == 1
    world.workflow.proceed()
    assert world.bring_in(second).image_id == "77"
    assert world.catalogue.get("1004486")["ImportStatus"] == "IMPORTED"


def test_a_reimport_keeps_what_a_technician_edited(world, generated):
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    edits = {"SlideID": "S-EDITED-1", "CaseID": None, "IdSource": "TYPED", "Status": "GOOD"}
    world.catalogue.change(image_id, "ann", "EDIT", lambda old: {**old, **edits})
    job = _job(world, request)
    world.workflow.run(job)
    record = world.catalogue.get(image_id)
    assert (record["SlideID"], record["Status"]) == ("S-EDITED-1", "GOOD")
    assert record["IdSource"] == "TYPED"
    assert "CaseID" not in record
    assert record["ImportStatus"] == "IMPORTED"


def test_a_reimport_keeps_ids_that_were_typed_before_records_said_so(world, generated):
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    for edits, source in (({"SlideID": "S-EDITED-1"}, "TYPED"), ({"SlideID": None}, "NONE")):
        _change(world, image_id, IdSource=None, **edits)
        world.workflow.run(_job(world, request))
        record = world.catalogue.get(image_id)
        assert (record.get("SlideID"), record["IdSource"]) == (edits["SlideID"], source)


def test_a_reimport_names_a_slide_whose_label_nobody_could_read_before(world, generated):
    """Its ImageID is nobody's edit. Its status is."""
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    unread = {"SlideID": image_id, "CaseID": image_id, "Barcode": {"reason": "no code"}}
    _change(world, image_id, **unread, IdSource="NONE", Status="GOOD")
    world.workflow.run(_job(world, request))
    record = world.catalogue.get(image_id)
    assert (record["SlideID"], record["CaseID"]) == ("S26-04711-A1", "S26-04711")
    assert (record["IdSource"], record["Status"]) == ("BARCODE", "GOOD")


def test_a_reimport_leaves_an_image_id_that_a_person_confirmed(world, generated):
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    _change(world, image_id, SlideID=image_id, CaseID=image_id, IdSource="TYPED")
    world.workflow.run(_job(world, request))
    assert world.catalogue.get(image_id)["SlideID"] == image_id


def test_a_corrected_file_of_the_same_name_takes_over_from_a_failed_one(world, real, slide_like):
    """And nothing of the failed one's label clings to it."""
    broken = slide_like("broken.svs", label_text="WRONG-1", ImageID=None)
    data = bytearray(broken.read_bytes())
    with Slide(broken) as slide:
        offset = slide.locate(0, 0, 0).offset
    data[offset : offset + 400] = bytes(400)
    broken.write_bytes(data)
    assert world.bring_in(world.scan(broken, "x.svs")).state is ImportState.FAILED
    assert world.catalogue.get("x")["SlideID"] == "WRONG-1"

    good = slide_like("good.svs", label_text="RIGHT-2", ImageID=None, size=(320, 200))
    answer = world.bring_in(world.scan(good, "x.svs", mtime_s=1_700_000_900))
    assert answer.state is ImportState.IMPORTED
    record = world.catalogue.get("x")
    assert record["SlideID"] == "RIGHT-2"
    assert "ImportError" not in record


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


def test_an_import_that_was_stopped_from_outside_is_started_again(world, generated):
    request = world.scan(generated, "x.svs")
    world.call(request)
    world.datasync.proceed()
    world.call(request)
    job = next(iter(world.workflow.running.values()))
    world.importer.extract_metadata(job)
    rendered = world.importer.render_tiles(job, 0, 1)["rendered"]
    world.workflow.kill()

    answer = world.call(request)
    assert (answer.state, answer.tiles_rendered) == (ImportState.IMPORTING, rendered)
    assert len(world.workflow.started) == 2
    world.workflow.proceed()
    assert may_go(world.call(request), request)


def test_repeated_steps_render_no_tile_twice(world, real):
    request = world.scan(real, "x.svs")
    world.has_imported(real, "x.svs")
    job = _job(world, request)
    tiles = list((world.storage.root / "1004486_files").glob("*/*.jpeg"))
    before = {path: path.stat().st_mtime_ns for path in tiles}
    tiles[7].unlink()

    plan = world.importer.extract_metadata(job)
    rendered = [
        world.importer.render_tiles(job, piece["start"], piece["stop"])["rendered"]
        for piece in plan["pieces"]
    ]
    assert sum(rendered) == 1
    after = {path: path.stat().st_mtime_ns for path in tiles}
    assert {path for path in tiles if before[path] != after[path]} == {tiles[7]}


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


def test_a_file_that_changes_under_the_import_stops_it(world, real, slide_like):
    request = world.scan(real, "x.svs")
    world.call(request)
    world.datasync.proceed()
    world.call(request)
    job = next(iter(world.workflow.running.values()))
    world.importer.extract_metadata(job)
    path = world.storage.root / "x.svs"
    path.write_bytes(slide_like().read_bytes())
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


def _job(world, request):
    file = world.files.check(request.filename)
    return ImportJob(file.image_id, request.filename, file.size, file.mtime_ns)


def _change(world, image_id, **fields):
    world.catalogue.change(image_id, "ann", "EDIT", lambda old: {**old, **fields})


def test_nothing_outside_the_images_path_is_touched(world, slide_like, tmp_path):
    outside = {path for path in tmp_path.iterdir() if path.name not in ("efs", "scanner")}
    world.bring_in(world.scan(slide_like(ImageID="../../../x"), "x.svs"))
    assert {p for p in tmp_path.iterdir() if p.name not in ("efs", "scanner")} - outside == {
        tmp_path / "other.svs"
    }
