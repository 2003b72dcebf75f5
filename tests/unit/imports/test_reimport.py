"""A slide that is imported again: what people have edited or confirmed stays."""

from tests.unit.imports.helpers import edit, job_for, may_go
from vsv.imports.request import ImportState
from vsv.slides.slide import Slide


def test_a_reimport_keeps_what_a_technician_edited(world, generated):
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    edits = {"SlideID": "S-EDITED-1", "CaseID": None, "IdSource": "TYPED", "Status": "BAD"}
    edits |= {"ReviewReason": "LABEL", "ReviewNote": "torn"}
    world.catalogue.change(image_id, "ann", "EDIT", lambda old: {**old, **edits})
    job = job_for(world, request)
    world.workflow.run(job)
    record = world.catalogue.get(image_id)
    assert (record["SlideID"], record["Status"]) == ("S-EDITED-1", "BAD")
    assert (record["ReviewReason"], record["ReviewNote"]) == ("LABEL", "torn")
    assert record["IdSource"] == "TYPED"
    assert "CaseID" not in record
    assert record["ImportStatus"] == "IMPORTED"


def test_a_reimport_keeps_ids_that_were_typed_before_records_said_so(world, generated):
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    for edits, source in (({"SlideID": "S-EDITED-1"}, "TYPED"), ({"SlideID": None}, "NONE")):
        edit(world, image_id, IdSource=None, **edits)
        world.workflow.run(job_for(world, request))
        record = world.catalogue.get(image_id)
        assert (record.get("SlideID"), record["IdSource"]) == (edits["SlideID"], source)


def test_a_reimport_names_a_slide_whose_label_nobody_could_read_before(world, generated):
    """Its ImageID is nobody's edit. Its status is."""
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    unread = {"SlideID": image_id, "CaseID": image_id, "Barcode": {"reason": "no code"}}
    edit(world, image_id, **unread, IdSource="NONE", Status="GOOD")
    world.workflow.run(job_for(world, request))
    record = world.catalogue.get(image_id)
    assert (record["SlideID"], record["CaseID"]) == ("S26-04711-A1", "S26-04711")
    assert (record["IdSource"], record["Status"]) == ("BARCODE", "GOOD")


def test_a_reimport_leaves_an_image_id_that_a_person_confirmed(world, generated):
    request = world.scan(generated, "x.svs")
    image_id = world.has_imported(generated, "x.svs").image_id
    edit(world, image_id, SlideID=image_id, CaseID=image_id, IdSource="TYPED")
    world.workflow.run(job_for(world, request))
    assert world.catalogue.get(image_id)["SlideID"] == image_id


def test_a_corrected_file_of_the_same_name_takes_over_from_a_failed_one(world, real, slide_with):
    """And nothing of the failed one's label clings to it."""
    broken = slide_with("broken.svs", label_text="WRONG-1", ImageID=None)
    data = bytearray(broken.read_bytes())
    with Slide(broken) as slide:
        offset = slide.locate(0, 0, 0).offset
    data[offset : offset + 400] = bytes(400)
    broken.write_bytes(data)
    assert world.bring_in(world.scan(broken, "x.svs")).state is ImportState.FAILED
    assert world.catalogue.get("x")["SlideID"] == "WRONG-1"

    good = slide_with("good.svs", label_text="RIGHT-2", ImageID=None, size=(320, 200))
    answer = world.bring_in(world.scan(good, "x.svs", mtime_s=1_700_000_900))
    assert answer.state is ImportState.IMPORTED
    record = world.catalogue.get("x")
    assert record["SlideID"] == "RIGHT-2"
    assert "ImportError" not in record


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
    job = job_for(world, request)
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
