"""Damage to the slide file is found, also where its import failed."""

import os
import shutil

import pytest

from local.samples import generated_slide
from tests.unit.imports.helpers import spoil
from tests.unit.verify.helpers import Subject, flip
from vsv.imports.verify import RecordedSlide, verify
from vsv.slides.slide import Slide

# The slide file


def test_a_flipped_byte_of_the_slide_file_is_found_and_where_it_is(subject):
    with Slide(subject.svs) as slide:
        offset = slide.locate(0, 3, 2).offset
    flip(subject.svs, offset + 900)
    findings = subject.findings
    assert "the slide file has SHA-256" in findings[0]
    assert f"not {subject.record['Sha256']}" in findings[0]
    assert "tile 3_2 of level 0 is not what the tile index says" in findings
    assert "tile 12/3_2 is not the slide's own" in findings


def test_tissue_that_cannot_be_decoded_any_more_is_found(subject):
    times = subject.svs.stat()
    spoil(subject.svs, 0, 3, 2)
    os.utime(subject.svs, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert any(text.startswith("tile 3_2 of level 0 is damaged: ") for text in subject.findings)


@pytest.mark.parametrize("how", ["replaced", "removed", "cut"])
def test_a_slide_file_that_is_not_the_imported_one_is_found(subject, real, how):
    if how == "replaced":
        shutil.copy(real, subject.svs)
    elif how == "removed":
        subject.svs.unlink()
    else:
        os.truncate(subject.svs, subject.svs.stat().st_size - 1)
    assert subject.findings == ["the slide file was replaced or removed since it was imported"]


def test_a_slide_file_that_vanishes_meanwhile_is_found(subject):
    recorded = RecordedSlide.of(subject.record).to_dict()
    plan = verify(subject.storage, {"slide": recorded})
    subject.svs.unlink()
    for piece in plan["pieces"]:
        answer = verify(subject.storage, {"slide": recorded, "piece": piece})
        assert answer["findings"] == [
            "the slide file was replaced or removed since it was imported"
        ]


# Slides whose import failed


def test_of_a_failed_import_the_file_is_verified(world, tmp_path, generated):
    path = shutil.copy(generated, tmp_path / "x.svs")
    spoil(tmp_path / "x.svs", 0, 3, 2)
    world.bring_in(world.scan(path, "x.svs"))
    subject = Subject(world)
    assert subject.findings == []
    subject.descriptor.write_text("")
    flip(subject.svs, 5000)
    first, second = subject.findings
    assert first == "there is a descriptor, although the import is not complete"
    assert "the slide file has SHA-256" in second


def test_of_what_was_no_slide_its_reason_is_told(world, tmp_path):
    (tmp_path / "text.svs").write_text("text")
    world.bring_in(world.scan(tmp_path / "text.svs", "text.svs"))
    assert Subject(world, "text").findings == ["the file is not a TIFF file"]


def test_a_slide_whose_tag_is_another_slides_is_sound(world, real, tmp_path):
    world.has_imported(real, "x.svs")
    other = generated_slide(
        tmp_path / "y.svs", real, size=(300, 200), properties={"ImageID": "1004486"}
    )
    world.bring_in(world.scan(other, "day 1/y.svs"))
    (record,) = world.catalogue.by_filename("day 1/y.svs")
    assert record["ImageID"] != "1004486"
    assert Subject(world, record["ImageID"]).findings == []
