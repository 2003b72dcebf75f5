"""Each slide of the demonstration is what the demonstration says of it."""

import itertools
import re
from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from local.sample_slides import demo_slides, tissue
from local.sample_slides.demo_slides import SLIDES, Stock, make
from local.sample_slides.scan import TILE, Scan
from local.samples import pixels_of
from vsv.errors import UnreadableSlide
from vsv.slides.associated import associated_image
from vsv.slides.barcode_reader import read_barcode
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.slide import Slide

ANY_TEXT = "[!-~](?:[ -~]{0,62}[!-~])?"
SOUND = [slide for slide in SLIDES if not slide.fails]
CASES = {slide.slide_id.rpartition("-")[0] for slide in SLIDES}
EDGES = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])


def read(label: Image.Image) -> str | None:
    return read_barcode(label.convert("RGB"), ANY_TEXT, ("DataMatrix",), 10.0).text


# ─── What needs no slide ─────────────────────────────────────────────────────────────────────────


def test_there_are_cases_of_several_slides_with_names_of_their_own():
    assert len(CASES) == 3
    for names in ("filename", "slide_id", "image_id", "scanned"):
        assert len({getattr(slide, names) for slide in SLIDES}) == len(SLIDES), names
    for case in CASES:
        assert sum(slide.slide_id.startswith(case) for slide in SLIDES) > 1


@pytest.mark.slow
@pytest.mark.parametrize("slide", SLIDES, ids=lambda slide: slide.filename)
def test_the_label_s_code_is_the_slide_id_unless_it_has_none(slide):
    assert read(slide.label()) == (slide.slide_id if slide.has_barcode else None)


def test_a_block_s_tiles_come_at_each_of_its_places_and_glass_elsewhere():
    block = np.full((TILE, 2 * TILE, 3), 90, np.uint8)
    block[:, TILE:] = tissue.GLASS
    scan = Scan(3 * TILE, 2 * TILE - 9, [block], {(0, 0): 0, (1, 1): 0})
    encoded = []

    def encode(tile):
        encoded.append(tile)
        return bytes([tile[0, 0, 0]])

    dark, glass = bytes([90]), bytes([tissue.GLASS[0]])
    assert list(scan.tiles(encode)) == [dark, glass, glass, glass, dark, glass]
    assert len(encoded) == 2, "glass once, the block once"


def test_coarse_levels_show_the_blocks_where_the_finest_one_does():
    block = np.full((TILE, TILE, 3), 90, np.uint8)
    second, third = Scan(3 * TILE, 2 * TILE - 9, [block], {(1, 1): 0}).coarse
    assert second.shape == ((2 * TILE - 9) // 4, 3 * TILE // 4, 3)
    assert third.shape == ((2 * TILE - 9) // 16, 3 * TILE // 16, 3)
    assert (second[TILE // 4 :, TILE // 4 : TILE // 2] == 90).all()
    assert (second[: TILE // 4] == tissue.GLASS).all()


# ─── The slides ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def stock(real) -> Stock:
    return Stock(pixels_of(real))


@pytest.fixture(scope="module")
def made(stock, tmp_path_factory):
    """Return a slide's file, made when first asked for: processes share the tests of a module."""
    folder = tmp_path_factory.mktemp("demo")

    def file_of(filename: str) -> Path:
        path = folder / filename
        (slide,) = (slide for slide in SLIDES if slide.filename == filename)
        return path if path.exists() else make(slide, stock, path)

    return file_of


def sharpness(path, left: int, top: int) -> float:
    """Return the variance of the image's second derivative, which falls out of focus."""
    with openslide.OpenSlide(path) as slide:
        region = slide.read_region((left, top), 0, (1200, 1200)).convert("L")
    grey = np.asarray(region, np.int32)
    edges = sum(
        EDGES[y, x] * grey[y : 1198 + y, x : 1198 + x]
        for y, x in itertools.product(range(3), repeat=2)
        if EDGES[y, x]
    )
    return float(np.var(edges))


@pytest.mark.slow
@pytest.mark.parametrize("slide", SOUND, ids=lambda slide: slide.filename)
def test_it_opens_with_its_images_and_properties(made, slide):
    with Slide(made(slide.filename)) as opened:
        metadata = opened.metadata()
        assert not metadata.warnings
        assert not opened.notices
        assert not Fingerprint.of(opened).damaged
        assert metadata.image_id == slide.image_id
        assert float(metadata.mpp_um) == pytest.approx(slide.mpp_um)
        assert metadata.scan_date.strftime("%m/%d/%Y %H:%M:%S") == slide.scanned
        label = associated_image(opened, "label")
        assert read(label) == (slide.slide_id if slide.has_barcode else None)
        assert associated_image(opened, "macro").size == (1280, 431)
        assert associated_image(opened, "thumbnail").width > 200
    with openslide.OpenSlide(made(slide.filename)) as opened:
        assert opened.properties["aperio.Stain"] == slide.stain
        assert opened.level_count == 3
        # The coarse levels show what the finest one does.
        fine = opened.read_region((0, 0), 0, (4096, 2048)).convert("RGB").reduce(4)
        coarse = opened.read_region((0, 0), 1, (1024, 512)).convert("RGB")
        difference = np.asarray(fine, np.int32) - np.asarray(coarse, np.int32)
        assert np.abs(difference).mean() < 2


@pytest.mark.slow
def test_the_microarray_is_at_least_40_000_pixels_wide(made):
    with Slide(made("microarray.svs")) as slide:
        assert slide.width >= 40_000


@pytest.mark.slow
def test_one_slide_is_out_of_focus(made):
    sharp = sharpness(made("skin_1.svs"), 900, 1700)
    assert sharpness(made("skin_out_of_focus.svs"), 900, 1700) < sharp / 10


@pytest.mark.slow
def test_the_stains_differ(stock):
    """Keratin's tissue is brown and blue: less red than H&E's, where there is tissue."""
    pixels, stained = (
        np.asarray(piece.image)[2000:2400, 900:1300].reshape(-1, 3).mean(axis=0)
        for piece in (stock.section, stock.keratin_section)
    )
    assert pixels[0] - pixels[1] > 40
    assert stained[0] - stained[1] < 40


@pytest.mark.slow
def test_one_file_is_cut_off_and_its_import_says_so(made):
    (slide,) = (slide for slide in SLIDES if slide.fails)
    expected = re.escape("the file is truncated: it ends at byte")
    with pytest.raises(UnreadableSlide, match=expected), Slide(made(slide.filename)):
        pass


@pytest.mark.slow
def test_the_same_slide_has_the_same_bytes_again(made, real, tmp_path):
    (slide,) = (slide for slide in SLIDES if slide.filename == "shave_1.svs")
    again = demo_slides.make(slide, Stock(pixels_of(real)), tmp_path / slide.filename)
    assert again.read_bytes() == made(slide.filename).read_bytes()
