"""Focal planes and channels: the first plane is shown, and the others are mentioned."""

import io

import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.svs import APERIO
from tests.unit.field_slides.helpers import level_pixels
from vsv.slides.slide import Slide


def stack(real, mark, *, interleaved=False):
    pages = [
        [
            svs.level(svs.shrunk(plane, factor), description=f"{APERIO}|{mark(number)}")
            for factor in (1, 2, 4)
        ]
        for number, plane in enumerate(svs.tissue(real, (512, 384), 40 * z) for z in range(3))
    ]
    ordered = zip(*pages, strict=True) if interleaved else pages
    return [page for group in ordered for page in group]


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("mark", "kind"),
    [(lambda z: f"OffsetZ = {z}", "focal planes"), (lambda c: f"Dye = D{c}", "channels")],
)
def test_of_a_stack_the_first_plane_is_shown_and_said(mark, kind, interleaved, real, tmp_path):
    pages = stack(real, mark, interleaved=interleaved)
    # The first plane has no coarse level: that of another plane is not taken for it.
    pages.remove(next(page for page in pages if page.size == (128, 96)))
    path = svs.write(tmp_path / "slide.svs", pages)
    with Slide(path) as slide:
        assert [level.downsample for level in slide.levels] == [1, 2]
        assert np.abs(level_pixels(slide, 0) - svs.tissue(real, (512, 384))).mean() < 4
        assert slide.notices == (f"the slide has 3 {kind}; only the first is shown",)


@pytest.mark.parametrize(("finest", "coarser"), [("0.0", "0"), ("1", "1.00"), ("-0.5", "-.50")])
def test_a_planes_focus_is_a_number_however_it_is_written(finest, coarser, tissue, tmp_path):
    pages = [
        svs.level(tissue, description=f"{APERIO}|OffsetZ = {finest}"),
        svs.level(svs.shrunk(tissue, 4), description=f"{APERIO}|OffsetZ = {coarser}"),
    ]
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert [level.downsample for level in slide.levels] == [1, 4]


def test_planes_within_an_image_are_told_too(tissue, tmp_path):
    page = svs.level(tissue)
    page.chunks *= 5
    page.tags[32997] = (4, 5)
    with Slide(svs.write(tmp_path / "slide.svs", [page])) as slide:
        assert np.abs(level_pixels(slide, 0) - tissue).mean() < 4
        assert slide.notices == ("the slide has 5 focal planes; only the first is shown",)


def test_a_stack_of_two_hundred_planes_is_no_reason_to_refuse_it(real, tmp_path):
    plane = svs.level(svs.tissue(real, (300, 200)))
    with Slide(svs.write(tmp_path / "slide.svs", [plane] * 200)) as slide:
        assert slide.notices == ("the slide has 200 focal planes; only the first is shown",)


def test_a_grey_slide_is_shown(tissue, tmp_path):
    path = svs.write(tmp_path / "slide.svs", [svs.level(tissue[..., 0].copy(), photometric=1)])
    with Slide(path) as slide:
        pixels = level_pixels(slide, 0)
        assert np.abs(pixels - tissue[..., :1]).mean() < 4
        tile = Image.open(io.BytesIO(slide.jpeg_tile(0, 0, 0)))
        assert np.abs(np.asarray(tile, int) - tissue[:256, :256, 0]).mean() < 4
