"""Tiles that are passed through look in a browser exactly as OpenSlide shows them."""

import base64
import io
import shutil

import numpy as np
import openslide
import pytest
from PIL import Image

from local.samples import generated_slide
from vsv.geometry import Box
from vsv.pyramid.deepzoom import TileAddress
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions

SLIDES = {
    "YCbCr 4:4:4": {},
    "YCbCr 4:2:2, shared tables": {"subsampling": (2, 1), "shared_tables": True},
    "YCbCr 4:2:0, tables in each tile": {"subsampling": (2, 2)},
    "RGB, shared tables, 240": {"colors": "RGB", "shared_tables": True, "tile": (240, 240)},
    "RGB, tables in each tile": {"colors": "RGB"},
    "BigTIFF, little-endian": {"bigtiff": True, "subsampling": (2, 1), "tile": (240, 240)},
    "BigTIFF, big-endian": {"bigtiff": True, "byteorder": ">", "shared_tables": True},
    "classic, big-endian": {"byteorder": ">", "subsampling": (2, 1), "shared_tables": True},
}

# Draws an image and returns its pixels. The canvas must not convert colours.
PIXELS = """async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", {colorSpace: "srgb"});
    context.drawImage(image, 0, 0);
    const {data} = context.getImageData(0, 0, image.width, image.height);
    let binary = "";
    for (const value of data) binary += String.fromCharCode(value);
    return btoa(binary);
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module", params=["the real slide", *SLIDES])
def slide(request, real, tmp_path_factory):
    """Return the path of a slide."""
    if request.param == "the real slide":
        return real
    path = tmp_path_factory.mktemp("slides") / "slide.svs"
    options = {"size": (900, 700), "label_text": None, "downsamples": (1,)}
    return generated_slide(path, real, **options, **SLIDES[request.param])


def as_openslide_shows(path, box):
    try:
        with openslide.OpenSlide(path) as oracle:
            left, top, right, bottom = box
            region = oracle.read_region((left, top), 0, (right - left, bottom - top))
            return np.asarray(region.convert("RGB"))
    except openslide.OpenSlideUnsupportedFormatError:
        # OpenSlide rejects classic TIFFs of this byte order: compare with Pillow's pixels.
        with Slide(path) as slide:
            return np.asarray(RegionReader(slide).read(slide.levels[0], Box(*box)))


def test_a_tile_holds_the_scanners_data_and_openslides_pixels(slide, page, tmp_path):
    shutil.copy(slide, tmp_path / "s.svs")
    images = Images(Storage(tmp_path), 90)
    with Slide(slide) as opened:
        edge = opened.levels[0].image.tile_width
        level = (max(opened.width, opened.height) - 1).bit_length()
        for col, row in ((0, 0), (1, 1), (2, 0)):
            tile = images.tile("s", TileAddress(level, col, row), TileOptions()).load()
            offset, length, _ = opened.locate(0, col, row)
            data = opened.file.read(offset, length)
            assert tile.endswith(data[2:]), "the data is not the scanner's"

            box = (col * edge, row * edge, (col + 1) * edge, (row + 1) * edge)
            expected = as_openslide_shows(slide, box)
            with Image.open(io.BytesIO(tile)) as image:
                assert image.mode == "RGB"
                assert np.array_equal(image, expected), "in Pillow"

            source = f"data:image/jpeg;base64,{base64.b64encode(tile).decode()}"
            shown = np.frombuffer(base64.b64decode(page.evaluate(PIXELS, source)), np.uint8)
            shown = shown.reshape(edge, edge, 4)[:, :, :3]
            difference = np.abs(shown.astype(int) - expected.astype(int))
            assert difference.max() == 0, f"in Chromium, by up to {difference.max()}"
