"""What OpenSlide is asked for: regions of levels by their size, and images by their names."""

import numpy as np
import openslide
import pytest

from tests.pixels import psnr
from vsv.errors import NotFound, UnreadableSlide
from vsv.geometry import Box
from vsv.slides.openslide_reader import OpenSlideReader
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide

BACKGROUND = (240, 230, 220)


@pytest.fixture
def reader(small):
    """Return a slide of 517 × 389 pixels, and of 129 × 97."""
    return OpenSlideReader(small, BACKGROUND)


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image, float)


@pytest.mark.parametrize(("number", "size"), [(0, (517, 389)), (1, (129, 97))])
def test_a_region_is_that_of_the_level_of_this_size(reader, small, number, size):
    box = (24, 16, 88, 80)
    with Slide(small) as slide:
        assert slide.levels[number].image.size == size
        expected = pixels(RegionReader(slide).read(slide.levels[number], Box(*box)))
    assert psnr(pixels(reader.read(size, box)), expected) > 46, (
        "what lies above it has 41: it is pale"
    )


def test_beyond_the_scan_is_background(reader):
    shown = pixels(reader.read((517, 389), (510, 380, 530, 400)))
    assert (shown[-5:, :] == BACKGROUND).all()
    assert (shown[:, -5:] == BACKGROUND).all()
    assert not (shown[:9, :7] == BACKGROUND).all()


def test_a_level_that_openslide_does_not_know_is_told_by_its_size(reader):
    with pytest.raises(UnreadableSlide, match="no level of 129 × 98 pixels"):
        reader.read((129, 98), (0, 0, 8, 8))


def test_a_slide_can_be_read_on_after_a_region_that_could_not(reader, monkeypatch):
    def damaged(*_):
        raise openslide.OpenSlideError("not a JPEG file")

    with monkeypatch.context() as patch:
        patch.setattr(openslide.OpenSlide, "read_region", damaged)
        with pytest.raises(UnreadableSlide, match="a region of level 1 is damaged"):
            reader.read((129, 97), (0, 0, 8, 8))
    # OpenSlide itself refuses all that comes after an error.
    assert reader._slide is None
    assert reader.read((129, 97), (0, 0, 8, 8)).size == (8, 8)
    assert reader._slide is reader._opened()


def test_images_are_found_by_name(reader, monkeypatch):
    assert pixels(reader.associated_image("label")).shape[2] == 3
    with pytest.raises(NotFound, match="no overview image"):
        reader.associated_image("overview")


def test_what_is_no_slide_is_told(tmp_path):
    (tmp_path / "x.svs").write_text("no slide")
    with pytest.raises(UnreadableSlide, match="OpenSlide cannot read the file"):
        OpenSlideReader(tmp_path / "x.svs", BACKGROUND)
