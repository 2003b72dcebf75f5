"""Grey images whose white is zero: shown as they are meant, whatever compresses them."""

import io

import numpy as np
import openslide
import pytest
from PIL import Image

from tests import svs
from tests.svs import APERIO, ENCODINGS, Page
from vsv.geometry import Box
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.plan import levels_to_render
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile_blocks import blocks
from vsv.slides.associated import associated_image
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions

WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1
# From black to white, and half of it paper.
GREY = np.maximum(np.add.outer(np.arange(512), np.arange(512)) // 4, 128).astype(np.uint8)
GREY[:200, :150] = 30

COMPRESSIONS = {"JPEG": (7, {}, svs.jpeg), **ENCODINGS}


def page(kind, pixels, photometric, **options):
    compression, tags, encode = COMPRESSIONS[kind]
    shown = 255 - pixels if photometric == WHITE_IS_ZERO else pixels
    parts = [shown] if "tile" in options else svs.tiles(shown)
    return Page(
        pixels.shape[::-1],
        [encode(np.ascontiguousarray(part)) for part in parts],
        **options,
        compression=compression,
        photometric=photometric,
        samples=1,
        tags=dict(tags),
    )


def tile_of(storage, address):
    """Return what a viewer gets."""
    images = Images(storage, 90, keeps_index=True)
    data = images.tile("slide", TileAddress(*address), TileOptions()).load()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_grey_slide_is_shown_as_it_is_meant(kind, photometric, tmp_path):
    levels = [GREY, GREY[::2, ::2].copy()]
    path = tmp_path / "slide.svs"
    svs.write(path, [page(kind, pixels, photometric) for pixels in levels])
    with Slide(path) as slide:
        for level, pixels in enumerate(levels):
            read = np.asarray(
                RegionReader(slide).read(slide.levels[level], Box(0, 0, *pixels.shape[::-1])), int
            )
            assert np.abs(read - pixels[..., None]).mean() < 3
        half = np.asarray(RegionReader(slide).read(slide.levels[0], Box(0, 0, 512, 512), 2), int)
        assert np.abs(half - svs.shrunk(GREY, 2)[..., None]).mean() < 3
    # Without an index, and with the one that was written then.
    for _ in range(2):
        for address, pixels in (((9, 0, 1), GREY[256:, :256]), ((8, 0, 0), levels[1])):
            assert np.abs(tile_of(Storage(tmp_path), address) - pixels[..., None]).mean() < 3
    assert np.abs(tile_of(Storage(tmp_path), (7, 0, 0)) - GREY[2::4, 2::4, None]).mean() < 4


def test_openslide_means_the_same(tmp_path):
    path = svs.write(tmp_path / "slide.svs", [page("JPEG", GREY, WHITE_IS_ZERO)])
    with Slide(path) as ours, openslide.OpenSlide(path) as theirs:
        region = theirs.read_region((0, 0), 0, (512, 512)).convert("RGB")
        assert np.array_equal(RegionReader(ours).read(ours.levels[0], Box(0, 0, 512, 512)), region)


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
def test_only_what_viewers_show_right_is_the_slides_own(photometric, tmp_path):
    """Its tiles are neither passed through by the index nor left out of the pyramid."""
    is_right = photometric == BLACK_IS_ZERO
    path = svs.write(tmp_path / "slide.svs", [page("JPEG", GREY, photometric)])
    with Slide(path) as slide:
        assert (slide.jpeg_tile(0, 0, 0) is not None) is is_right
        found = [block for _, block in blocks(slide, path.name, Fingerprint.of(slide))]
        assert [block.passes_through(0, 0) for block in found] == [is_right]
        assert (9 not in levels_to_render(slide, "derived")) is is_right


def test_an_import_renders_it_as_it_is_meant(tmp_path):
    storage = Storage(tmp_path)
    svs.write(tmp_path / "slide.svs", [page("JPEG", GREY, WHITE_IS_ZERO)])
    with Slide(tmp_path / "slide.svs") as slide:
        zoom = default_pyramid(slide)
        index = SlideIndex.of(slide, "slide.svs", zoom, quality=90, levels=zoom.levels)
        storage.write_index("slide", index)
        for address, block in blocks(slide, "slide.svs", Fingerprint.of(slide)):
            storage.write_block("slide", address, block)
        Renderer(slide, index, storage.images("slide")).render()
    for address, pixels in (((9, 1, 1), GREY[256:, 256:]), ((8, 0, 0), GREY[1::2, 1::2])):
        assert np.abs(tile_of(storage, address) - pixels[..., None]).mean() < 3


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_grey_label_is_shown_as_it_is_meant(kind, photometric, tmp_path):
    """It holds the barcode."""
    label = page(kind, GREY[:120, :100], photometric, tile=None, description=APERIO + "label")
    path = svs.write(tmp_path / "slide.svs", [page("JPEG", GREY, BLACK_IS_ZERO), label])
    with Slide(path) as slide:
        shown = np.asarray(associated_image(slide, "label"), int)
    assert np.abs(shown - GREY[:120, :100, None]).mean() < 3
