"""Tiles that cost too much on request are left to the import."""

import io

import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.svs import Page
from vsv.errors import NotRendered
from vsv.geometry import Box
from vsv.pyramid import plan as pyramid
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.tile import source_pixels
from vsv.slides import regions
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions


def test_a_tile_of_a_huge_level_is_left_to_the_import(real, tmp_path, monkeypatch):
    """The topmost tile of a slide without coarse levels needs all of its pixels."""
    monkeypatch.setattr(pyramid, "MAX_PIXELS_ON_REQUEST", 2**19)
    svs.write(tmp_path / "slide.svs", [svs.level(svs.tissue(real, (1024, 768)))])
    shown = Images(Storage(tmp_path), 90, max_pixels=2**19)
    for level in (8, 7, 0):
        with pytest.raises(NotRendered, match="pixels, too many to be read on request"):
            shown.tile("slide", TileAddress(level, 0, 0), TileOptions())
    assert shown.tile("slide", TileAddress(9, 0, 0), TileOptions()).load()
    with Slide(tmp_path / "slide.svs") as slide:
        assert pyramid.levels_to_render(slide, "none") == tuple(range(8, -1, -1))


def emptied(page: Page, *numbers: int) -> Page:
    for number in numbers or range(len(page.chunks)):
        page.chunks[number] = b""
    return page


def test_what_stands_in_for_lost_tiles_counts_as_well(real, tmp_path):
    """All of a slide stands in for a coarse level that is empty: its tiles are not small."""
    pixels = svs.tissue(real, (2048, 2048))
    pages = [svs.level(pixels), emptied(svs.level(svs.shrunk(pixels, 8)))]
    svs.write(tmp_path / "slide.svs", pages)
    shown = Images(Storage(tmp_path), 90, max_pixels=2**20)
    with pytest.raises(NotRendered, match="too many"):
        shown.tile("slide", TileAddress(8, 0, 0), TileOptions()).load()
    with pytest.raises(NotRendered, match="too many"):
        shown.associated("slide", "thumbnail", "jpeg").load()
    shown = Images(Storage(tmp_path), 90)
    tile = shown.tile("slide", TileAddress(8, 0, 0), TileOptions()).load()
    assert psnr(np.asarray(Image.open(io.BytesIO(tile))), svs.shrunk(pixels, 8)) > 30


def test_what_stands_in_is_read_in_pieces(real, tmp_path, monkeypatch):
    """A tile of a level that is 64 times coarser shows more than there is memory for."""
    pixels = svs.tissue(real, (2048, 2048))
    tiles = [part.tobytes() for part in svs.tiles(pixels)]
    full = Page((2048, 2048), tiles, compression=1, photometric=2)
    path = svs.write(tmp_path / "slide.svs", [full, emptied(svs.level(svs.shrunk(pixels, 64)))])
    monkeypatch.setattr(regions, "_MAX_SOURCE_PIXELS", 2**16)
    sizes = []
    new = Image.new
    monkeypatch.setattr(Image, "new", lambda *given: sizes.append(given[1]) or new(*given))
    with Slide(path) as slide:
        region = np.asarray(RegionReader(slide).read(slide.levels[1], Box(0, 0, 32, 32)), int)
    assert max(width * height for width, height in sizes) <= 2**16
    assert np.abs(region - svs.shrunk(pixels, 64)).max() <= 2


def test_a_small_tile_costs_more_than_its_pixels(real, tmp_path):
    """A million tiles of 16 pixels take as long as large ones do."""
    tiles = [svs.jpeg(part) for part in svs.tiles(svs.tissue(real, (512, 512)), 16)]
    path = svs.write(tmp_path / "slide.svs", [Page((512, 512), tiles, (16, 16))])
    with Slide(path) as slide:
        pixels = source_pixels(slide, default_pyramid(slide), 0)
    assert pixels == 32 * 32 * 64 * 64


def test_levels_that_lost_tiles_are_pre_rendered_where_finer_ones_are_too_large(
    real, tmp_path, monkeypatch
):
    monkeypatch.setattr(pyramid, "MAX_PIXELS_ON_REQUEST", 2**20)
    pixels = svs.tissue(real, (2048, 2048))
    pages = [svs.level(pixels), svs.level(svs.shrunk(pixels, 4))]
    with Slide(svs.write(tmp_path / "whole.svs", pages)) as slide:
        assert pyramid.levels_to_render(slide, "none") == ()
    emptied(pages[1], 3)
    with Slide(svs.write(tmp_path / "empty.svs", pages)) as slide:
        assert pyramid.levels_to_render(slide, "none") == tuple(range(8, -1, -1))
