"""Colours: what the TIFF says counts, whatever the tiles' markers say."""

import io

import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.unit.field_slides.helpers import JFIF, adobe, inserted, level_pixels, oracle, renamed
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.tile import render_tile
from vsv.slides.jpeg import standalone
from vsv.slides.slide import Slide

CONTRADICTIONS = {
    "RGB, but JFIF": (True, lambda tile: inserted(renamed(tile, b"\1\2\3"), JFIF)),
    "RGB, but Adobe's YCbCr": (True, lambda tile: inserted(renamed(tile, b"\1\2\3"), adobe(1))),
    "YCbCr, but Adobe's RGB": (False, lambda tile: inserted(tile, adobe(0))),
    "YCbCr, but named R, G, B": (False, lambda tile: renamed(tile, b"RGB")),
    "YCbCr, Adobe's RGB after JFIF's end": (
        False,
        lambda tile: inserted(renamed(tile, b"RGB"), adobe(0) + adobe(0)),
    ),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_colours_are_what_the_tiff_says_whatever_the_tiles_say(kind, tissue, tmp_path):
    is_rgb, change = CONTRADICTIONS[kind]
    page = svs.level(tissue, photometric=2 if is_rgb else 6)
    page.chunks = [change(tile) for tile in page.chunks]
    path = svs.write(tmp_path / "slide.svs", [page])
    expected = oracle(path)
    with Slide(path) as slide:
        assert np.array_equal(level_pixels(slide, 0), expected)
        zoom = default_pyramid(slide)
        for address in zoom.tiles():
            box = zoom.tile_at(address).box
            tile = Image.open(io.BytesIO(render_tile(slide, zoom, address))).convert("RGB")
            if zoom.downsample(address.level) == 1:
                # Passed through, and still right for any decoder.
                assert np.array_equal(tile, expected[box.top : box.bottom, box.left : box.right])
            elif zoom.downsample(address.level) == 2:
                part = expected[2 * box.top : 2 * box.bottom, 2 * box.left : 2 * box.right]
                assert psnr(np.asarray(tile), svs.shrunk(part.astype(np.uint8), 2)) > 30


def test_markers_that_agree_are_left_as_they_are(tissue):
    tile = svs.jpeg(tissue[:256, :256])
    for data in (tile, inserted(tile, JFIF), inserted(tile, adobe(1))):
        assert standalone(b"", data, (256, 256), "YCbCr")[0] == data
