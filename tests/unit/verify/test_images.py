"""Damage to tiles, to the descriptor and to associated images is found."""

import io
import shutil

import pytest
from PIL import Image

from local.samples import generated_slide
from tests.unit.verify.helpers import Subject, flip, jpeg
from vsv.geometry import Box
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide

LABEL = "the label image"


# The pyramid


@pytest.mark.parametrize("name", ["12/3_2", "11/1_1", "0/0_0"])
def test_a_missing_tile_is_found(subject, name):
    subject.tile(name).unlink()
    assert subject.findings == [f"tile {name} is missing"]


@pytest.mark.parametrize("name", ["12/3_2", "10/1_0"])
def test_a_native_tile_has_the_slides_own_bytes_or_is_found(subject, name):
    flip(subject.tile(name), 1200)
    assert subject.findings == [f"tile {name} is not the slide's own"]


@pytest.mark.parametrize("name", ["11/1_1", "9/0_0", "10/1_1"])
def test_a_tile_of_another_slide_is_found(subject, real, name):
    with Image.open(subject.tile(name)) as tile, Slide(real) as other:
        box = Box(700, 700, 700 + tile.width, 700 + tile.height)
        region = RegionReader(other).read(other.levels[0], box)
        subject.tile(name).write_bytes(jpeg(region))
    assert subject.findings == [f"tile {name} does not show what the slide does"]


def test_a_tile_of_another_place_is_found(subject):
    shutil.copy(subject.tile("11/1_2"), subject.tile("11/1_1"))
    assert subject.findings == ["tile 11/1_1 does not show what the slide does"]


def test_a_tile_that_is_damaged_in_a_corner_is_found(subject):
    with Image.open(subject.tile("11/1_1")) as tile:
        tile.paste((0, 160, 0), (240, 240, 256, 256))
        subject.tile("11/1_1").write_bytes(jpeg(tile))
    assert subject.findings == ["tile 11/1_1 does not show what the slide does"]


def test_a_tile_of_another_size_is_found(subject):
    with Image.open(subject.tile("9/1_0")) as tile:
        width, height = tile.size
        subject.tile("9/1_0").write_bytes(jpeg(tile.crop((0, 0, width - 1, height))))
    assert subject.findings == [
        f"tile 9/1_0 measures {width - 1} × {height} pixels, not {width} × {height}"
    ]


@pytest.mark.parametrize("content", [b"", b"text", "half", "png"])
@pytest.mark.slow
def test_what_is_no_jpeg_image_is_found(subject, content):
    path = subject.tile("11/1_1")
    if content == "half":
        content = path.read_bytes()[: path.stat().st_size // 2]
    elif content == "png":
        buffer = io.BytesIO()
        Image.open(path).save(buffer, "PNG")
        content = buffer.getvalue()
    path.write_bytes(content)
    assert subject.findings == ["tile 11/1_1 cannot be decoded"]


@pytest.mark.slow
def test_a_missing_descriptor_is_found(subject):
    subject.descriptor.unlink()
    assert subject.findings == ["the descriptor is missing"]


def test_of_many_findings_the_first_are_told_and_the_rest_is_counted(subject):
    shutil.rmtree(subject.files / "12")
    findings = subject.findings
    assert len(findings) == 21
    assert findings[-1] == "… and 50 more of these"


# Associated images


def test_a_changed_label_is_found(subject):
    """Another patient's, say."""
    with Image.open(subject.tile("label")) as label:
        subject.tile("label").write_bytes(jpeg(label.rotate(90)))
    assert subject.findings == [f"{LABEL} does not show what the slide does"]


def test_associated_images_that_are_missing_or_broken_are_found(subject):
    subject.tile("thumbnail").unlink()
    subject.tile("macro").write_bytes(b"text")
    assert subject.findings == [
        "the thumbnail image is missing",
        "the macro image cannot be decoded",
    ]


def test_a_label_of_a_slide_that_has_none_is_found(world, real, tmp_path):
    path = generated_slide(tmp_path / "x.svs", real, size=(300, 200), label_text=None)
    world.bring_in(world.scan(path, "x.svs"))
    subject = Subject(world)
    assert subject.findings == []
    shutil.copy(subject.tile("macro"), subject.tile("label"))
    assert subject.findings == ["there is a label image, but the slide has none"]
