"""What an import reads: the IDs on the label, the scanner's metadata, and what is missing."""

import re
from decimal import Decimal

import pytest

from tests.unit.imports.helpers import edit, job_for
from vsv.imports.request import ImportState


def test_the_label_names_slide_and_case(world, generated):
    answer = world.bring_in(world.scan(generated, "x.svs"))
    record = world.catalogue.get(answer.image_id)
    assert (record["SlideID"], record["CaseID"]) == ("S26-04711-A1", "S26-04711")
    assert record["IdSource"] == "BARCODE"
    assert record["Barcode"] == {"text": "S26-04711-A1"}
    assert "ImportWarnings" not in record


def test_what_the_scanner_wrote_is_in_the_record(world, slide_with):
    slide = slide_with(ImageID="77", **{"ScanScope ID": "SS1302"})
    world.bring_in(world.scan(slide, "x.svs"))
    record = world.catalogue.get("77")
    assert record["Scanner"] == "SS1302"
    assert record["AppMag"] == 40
    assert record["MPP"] == Decimal("0.2520")


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
    world, slide_with, on_label, by_scanner, slide_id, source, warnings
):
    slide = slide_with(label_text=on_label, ImageID="77", Barcode=by_scanner)
    world.bring_in(world.scan(slide, "x.svs"))
    record = world.catalogue.get("77")
    assert (record["SlideID"], record["IdSource"]) == (slide_id, source)
    found = [text for text in record.get("ImportWarnings", ()) if not text.endswith("image")]
    assert len(found) == len(warnings)
    assert all(part in text for part, text in zip(warnings, found, strict=True))


@pytest.mark.parametrize(("text", "case"), [("S1", "S1"), ("S1-2", "S1"), ("-7", "-7")])
def test_the_case_is_the_slide_id_up_to_its_last_hyphen(world, slide_with, text, case):
    answer = world.bring_in(world.scan(slide_with(label_text=text), "x.svs"))
    assert world.catalogue.get(answer.image_id)["CaseID"] == case


def test_two_slides_with_one_slide_id_both_say_so(world, slide_with):
    for number in ("1", "2"):
        slide = slide_with(f"{number}.svs", label_text="S26-1-A", ImageID=number)
        world.bring_in(world.scan(slide, f"{number}.svs"))
    first, second = world.catalogue.get_many(["1", "2"])
    assert first["ImportStatus"] == second["ImportStatus"] == "IMPORTED"
    assert first["SlideID"] == second["SlideID"] == "S26-1-A"
    assert first["ImportWarnings"] == ["slide 2 had the same slide ID at an import"]
    assert second["ImportWarnings"] == ["slide 1 had the same slide ID at an import"]


def test_the_same_slide_again_is_no_second_one_and_nothing_is_said_twice(world, slide_with):
    requests = [
        world.scan(slide_with(f"{n}.svs", label_text="S26-1-A", ImageID=str(n)), f"{n}.svs")
        for n in (1, 2)
    ]
    for request in requests:
        world.bring_in(request)
        world.workflow.run(job_for(world, request))
    world.workflow.run(job_for(world, requests[0]))
    first, second = world.catalogue.get_many(["1", "2"])
    assert len(first["ImportWarnings"]) == len(second["ImportWarnings"]) == 1


def test_a_slide_that_is_deleted_or_has_another_id_by_now_is_not_warned_of(world, slide_with):
    for number, change in (("1", {"Status": "DELETED"}), ("2", {"SlideID": "S26-2-A"})):
        slide = slide_with(f"{number}.svs", label_text="S26-1-A", ImageID=number)
        world.bring_in(world.scan(slide, f"{number}.svs"))
        edit(world, number, **change)
    slide = slide_with("3.svs", label_text="S26-1-A", ImageID="3")
    world.bring_in(world.scan(slide, "3.svs"))
    assert all("ImportWarnings" not in each for each in world.catalogue.get_many(["1", "2", "3"]))


def test_metadata_that_are_not_there_are_warnings_not_crashes(world, slide_with):
    bare = slide_with(ImageID=None, MPP=None, AppMag="", Date=None, Time=None)
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


def test_pages_without_a_description_are_still_label_and_macro(world, slide_with):
    """The GT 450 tells them apart by the TIFF's subfile type."""
    slide = slide_with(label_text="S7-1", describe_pages=False)
    answer = world.bring_in(world.scan(slide, "x.svs"))
    assert world.catalogue.get(answer.image_id)["SlideID"] == "S7-1"
    assert (world.storage.root / f"{answer.image_id}_files/macro.jpeg").exists()


@pytest.mark.parametrize("image_id", ["../../etc/passwd", "a/b", "C:x", ".hidden", "x" * 300])
@pytest.mark.slow
def test_an_image_id_that_is_no_name_never_reaches_the_file_system(world, slide_with, image_id):
    answer = world.bring_in(world.scan(slide_with(ImageID=image_id), "x.svs"))
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "x")
