"""Slides that are sound: nothing is reported, and nothing is written."""

import shutil

import pytest
from PIL import Image

from local.samples import generated_slide
from tests.unit.imports.helpers import spoil
from tests.unit.verify.helpers import ID, Subject, jpeg
from vsv.imports import verify as module
from vsv.imports.verify import RecordedSlide, verify
from vsv.settings import ExtractMetadataSettings


@pytest.mark.parametrize("levels", ["all", "derived", "none"])
@pytest.mark.slow
def test_what_was_just_imported_is_sound_and_is_not_touched(world, generated, levels):
    world.importer._settings = ExtractMetadataSettings.read(
        {"PRERENDER_LEVELS": levels, "BARCODE_SEARCH_MS": "0"}
    )
    world.bring_in(world.scan(generated, "x.svs"))
    subject = Subject(world)
    before = {path: path.lstat().st_mtime_ns for path in world.storage.root.rglob("*")}
    assert subject.verify() == ([], 0)
    assert {path: path.lstat().st_mtime_ns for path in world.storage.root.rglob("*")} == before


def test_a_slide_of_one_level_is_sound(world, real):
    answer = world.has_imported(real, "x.svs")
    assert Subject(world, answer.image_id).verify() == ([], 0)


@pytest.mark.parametrize("options", [{"jpeg2000": "YCbCr"}, {"tile": (256, 192)}])
@pytest.mark.slow
def test_a_slide_whose_tiles_are_all_rendered_is_sound(world, real, tmp_path, options):
    path = generated_slide(tmp_path / "x.svs", real, size=(1100, 700), label_text=None, **options)
    answer = world.bring_in(world.scan(path, "x.svs"))
    assert Subject(world, answer.image_id).verify() == ([], 0)


def test_a_damaged_tile_that_others_stand_in_for_is_sound(world, generated, tmp_path):
    """The import took it out of the index, and rendered something else in its place."""
    path = shutil.copy(generated, tmp_path / "x.svs")
    spoil(tmp_path / "x.svs", 1, 1, 0)
    world.bring_in(world.scan(path, "x.svs"))
    assert Subject(world).verify() == ([], 0)


def test_tiles_that_another_encoder_made_look_the_same_and_are_counted(subject):
    for name in ("11/1_1", "label"):
        with Image.open(subject.tile(name)) as image:
            subject.tile(name).write_bytes(jpeg(image, subsampling="4:4:4", optimize=True))
    assert subject.verify() == ([], 2)


def test_a_slide_that_was_set_aside_is_sound(subject):
    subject.svs.rename(
        subject.svs.with_name(f"x.{RecordedSlide.of(subject.record).version}{subject.svs.suffix}")
    )
    assert subject.verify() == ([], 0)


def test_all_tiles_are_looked_at_in_pieces_of_a_bounded_size(subject, monkeypatch):
    monkeypatch.setattr(module, "_TILES_PER_PIECE", 30)
    plan = verify(subject.storage, {"slide": RecordedSlide.of(subject.record).to_dict()})
    assert plan["pieces"][0] == {"part": "file"}
    assert len(plan["pieces"]) > 4
    for path in subject.files.glob("*/*.jpeg"):
        path.unlink()
    monkeypatch.setattr(module, "_MAX_FINDINGS", 1000)
    pyramid = subject.storage.read_index(ID).pyramid
    assert sorted(subject.findings) == sorted(
        f"tile {level}/{col}_{row} is missing" for level, col, row in pyramid.tiles()
    )
