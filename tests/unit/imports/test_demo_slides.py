"""The demonstration's slides on their way through the import: what a technician finds."""

import pytest

from local.sample_slides.demo_slides import SLIDES, Stock, make
from local.samples import pixels_of
from tests.unit.imports.helpers import bring_in
from vsv.imports.request import ImportState


@pytest.mark.slow
def test_a_case_arrives_with_one_slide_to_identify_and_one_that_failed(world, real, tmp_path):
    stock = Stock(pixels_of(real))
    case = [slide for slide in SLIDES if slide.slide_id.startswith("S26-05133")]
    identified, unidentified, cut_off = (
        make(each, stock, tmp_path / each.filename) for each in case
    )

    record = bring_in(world, identified, identified.name)
    assert (record["SlideID"], record["CaseID"]) == ("S26-05133-B1", "S26-05133")
    assert record["IdSource"] == "BARCODE"
    assert "ImportWarnings" not in record
    assert record["Scanner"] == "SS1302"

    record = bring_in(world, unidentified, unidentified.name)
    assert record["IdSource"] == "NONE"
    assert record["SlideID"] == record["ImageID"]

    answer = world.bring_in(world.scan(cut_off, cut_off.name))
    assert answer.state is ImportState.FAILED
    failed = world.catalogue.get(answer.image_id)
    assert failed["ImportStatus"] == "FAILED"
    assert "the file is truncated" in failed["ImportError"]
