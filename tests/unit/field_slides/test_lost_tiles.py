"""Tiles that the scanner left empty, and the coarser levels above them."""

import io

import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.unit.field_slides.helpers import LIES, spoilt
from vsv.geometry import Box
from vsv.pyramid.deepzoom import TileAddress
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.viewing.images import Images, TileOptions


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_coarser_levels_are_not_trusted_above_an_empty_tile(order, real, tmp_path):
    full, pages = spoilt(real, lambda _: b"")
    pages = [pages[number] for number in order]
    with Slide(svs.write(tmp_path / "slide.svs", pages), lambda _: None) as slide:
        for downsample in (4, 8, 16, 32):
            shown = np.asarray(
                RegionReader(slide).region(
                    downsample, Box(0, 0, 2048 // downsample, 2048 // downsample)
                )
            )
            assert psnr(shown, svs.shrunk(full, downsample)) > 28, downsample
        assert slide.notices == (
            "the scanner left 1 tile empty at 1/4 of the resolution; finer levels are shown there",
        )
        assert slide.jpeg_tile(order.index(2), 0, 0) is None


def test_an_empty_tile_of_the_finest_level_is_told_truly(real, tmp_path):
    pages = spoilt(real, lambda tile: tile)[1]
    pages[0].chunks[9] = b""
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert slide.notices == (
            "the scanner left 1 tile empty at 1/1 of the resolution; nothing is shown there",
        )


def test_a_scan_of_the_tissue_only_keeps_its_coarser_levels(real, tmp_path):
    """A finest level that is empty over large parts is a way of scanning, not a fault."""
    full = svs.tissue(real, (2048, 2048))
    pages = [svs.level(full), svs.level(svs.shrunk(full, 4))]
    pages[0].chunks[16:] = [b""] * 48
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert slide.notices == ()
        assert slide.jpeg_tile(1, 1, 1) == pages[1].chunks[3]


@pytest.mark.parametrize(
    "break_tile",
    [lambda _: b"", lambda tile: bytes(len(tile)), LIES["wider"], lambda tile: tile[:40]],
)
@pytest.mark.slow
def test_an_import_says_so_and_shows_finer_levels(break_tile, real, world):
    full, pages = spoilt(real, break_tile)
    svs.write(world.scanner / "spoilt.svs", pages)
    request = world.scan(world.scanner / "spoilt.svs", "slide.svs")
    (world.scanner / "spoilt.svs").unlink()
    answer = world.bring_in(request)
    assert answer.detail == "imported", answer
    record = world.catalogue.get(answer.image_id)
    assert any("finer levels are shown" in text for text in record["ImportWarnings"])
    images = Images(world.storage, 90)
    for level, downsample in ((7, 16), (8, 8), (9, 4)):
        tile = images.tile(answer.image_id, TileAddress(level, 0, 0), TileOptions()).load()
        shown = np.asarray(Image.open(io.BytesIO(tile)).convert("RGB"))
        expected = svs.shrunk(full, downsample)[: shown.shape[0], : shown.shape[1]]
        assert psnr(shown, expected) > 28, level
