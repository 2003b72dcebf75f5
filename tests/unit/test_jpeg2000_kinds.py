"""JPEG 2000 tiles of other kinds than Aperio's: shown exactly, or refused with a reason."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.svs import APERIO, Page
from vsv.errors import UnreadableSlide
from vsv.geometry import Box
from vsv.pyramid.deepzoom import TileAddress
from vsv.slides.associated import associated_image
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions

RGB, YCBCR = 33005, 33003
X = np.arange(256)
# Two tiles, soft enough for the wavelet's coarser levels.
PIXELS = np.stack(
    [np.add.outer(X // 2, X // 3), np.add.outer(X // 4, X // 2), np.add.outer(X, 0 * X)], -1
)
PIXELS = np.concatenate([PIXELS, PIXELS[::-1]], 1).astype(np.uint8)
GREY = PIXELS[..., 0]
ALPHA = np.concatenate([PIXELS, GREY[::-1, ::-1, None] // 2], -1)


def encoded(pixels, codecformat="j2k", **options):
    pixels = np.ascontiguousarray(pixels)
    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat=codecformat, level=0, **options))


def page(pixels, *, samples, photometric=2, compression=RGB, **options):
    chunks = [encoded(part, **options) for part in svs.tiles(pixels)]
    size = pixels.shape[1::-1]
    return Page(size, chunks, (256, 256), APERIO, compression, photometric, samples)


def shown(path):
    with Slide(path) as slide:
        return np.asarray(RegionReader(slide).read(slide.levels[0], Box(0, 0, 512, 256)))


SHOWN = {
    "grey": (page(GREY, samples=1, photometric=1), GREY[..., None]),
    "grey in YCbCr": (page(GREY, samples=1, photometric=1, compression=YCBCR), GREY[..., None]),
    "grey, white is zero": (page(255 - GREY, samples=1, photometric=0), GREY[..., None]),
    "RGB and another sample": (page(ALPHA, samples=4), PIXELS),
    "RGB and another sample, not transformed": (page(ALPHA, samples=4, mct=False), PIXELS),
    "one resolution": (page(PIXELS, samples=3, resolutions=1), PIXELS),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_what_can_be_shown_exactly_is(kind, tmp_path):
    level, expected = SHOWN[kind]
    expected = np.broadcast_to(expected, PIXELS.shape)
    path = svs.write(tmp_path / "slide.svs", [level])
    assert np.array_equal(shown(path), expected)
    with Slide(path) as slide:
        assert not slide.has_openslide
        for shrink in (2, 4):
            small = np.asarray(
                RegionReader(slide).read(slide.levels[0], Box(0, 0, 512, 256), shrink), int
            )
            assert psnr(small, svs.shrunk(np.ascontiguousarray(expected), shrink)) > 35
    data = Images(Storage(tmp_path), 95).tile("slide", TileAddress(9, 1, 0), TileOptions()).load()
    tile = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
    assert np.abs(tile - expected[:, 256:]).mean() < 2


def test_another_sample_of_ycbcr_changes_nothing(tmp_path):
    paths = [
        svs.write(tmp_path / name, [page(pixels, samples=samples, compression=YCBCR, mct=False)])
        for name, pixels, samples in (("3.svs", PIXELS, 3), ("4.svs", ALPHA, 4))
    ]
    assert np.array_equal(*map(shown, paths))


REFUSED = {
    "16 bits": (
        page(PIXELS.astype(np.uint16) * 200, samples=3),
        "16 bits per sample are not supported, only 8",
    ),
    "12 bits": (
        page(PIXELS.astype(np.uint16) * 16, samples=3, bitspersample=12),
        "12 bits per sample are not supported, only 8",
    ),
    "7 bits": (
        page(PIXELS // 2, samples=3, bitspersample=7),
        "7 bits per sample are not supported, only 8",
    ),
    "signed": (page(PIXELS.astype(np.int8), samples=3), "signed samples are not supported"),
    "16 bits, grey": (
        page(GREY.astype(np.uint16), samples=1, photometric=1),
        "16 bits per sample are not supported, only 8",
    ),
    "one sample": (page(GREY, samples=3), "with 1 sample per pixel, where the file says 3"),
    "two samples": (page(PIXELS[..., :2], samples=3), "with 2 samples per pixel"),
    "four samples": (page(ALPHA, samples=3), "with 4 samples per pixel, where the file says 3"),
    "three samples": (
        page(PIXELS, samples=1, photometric=1),
        "with 3 samples per pixel, where the file says 1",
    ),
    "two samples in file and data": (
        page(PIXELS[..., :2], samples=2),
        "2 samples per pixel are not supported, only 1 or 3",
    ),
    "JP2": (page(PIXELS, samples=3, codecformat="jp2"), "JP2 files are not supported"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_is_refused_with_the_reason(kind, tmp_path):
    level, reason = REFUSED[kind]
    with pytest.raises(UnreadableSlide, match=reason):
        Slide(svs.write(tmp_path / "slide.svs", [level]))


@pytest.mark.parametrize("where", [0, 3, 5])
@pytest.mark.parametrize("kind", REFUSED.keys() - {"two samples in file and data", "16 bits, grey"})
@pytest.mark.slow
def test_a_single_odd_tile_is_a_damaged_one(kind, where, tmp_path):
    """Also where it is the first or the last. Not even OpenSlide gets it."""
    odd, reason = REFUSED[kind]
    pixels = np.concatenate([PIXELS, PIXELS, PIXELS])
    level = page(pixels, samples=odd.samples, photometric=odd.photometric)
    if odd.samples == 1:
        level = page(pixels[..., 0], samples=1, photometric=1)
    level.chunks[where] = odd.chunks[0]
    damages = []
    with Slide(svs.write(tmp_path / "slide.svs", [level]), damages.append) as slide:
        read = np.asarray(RegionReader(slide).read(slide.levels[0], Box(0, 0, 512, 768)))
        assert not slide.has_openslide
    row, col = divmod(where, 2)
    assert [damage[:3] for damage in damages] == [(0, col, row)]
    assert reason in damages[0].reason
    box = np.s_[256 * row : 256 * row + 256, 256 * col : 256 * col + 256]
    assert (read[box] == 255).all()
    expected = np.broadcast_to(pixels if odd.samples > 1 else pixels[..., :1], read.shape).copy()
    expected[box] = 255
    assert np.array_equal(read, expected)


@pytest.mark.parametrize("kind", ["16 bits", "two samples"])
def test_a_coarser_level_of_such_tiles_is_not_used(kind, tmp_path):
    odd, _ = REFUSED[kind]
    odd = Page((256, 128), odd.chunks[:1], compression=RGB, photometric=2)
    path = svs.write(tmp_path / "slide.svs", [page(PIXELS, samples=3), odd])
    with Slide(path, lambda _: None) as slide:
        read = np.asarray(RegionReader(slide).read(slide.levels[1], Box(0, 0, 256, 128)), int)
    assert psnr(read, svs.shrunk(PIXELS, 2)) > 35


@pytest.mark.parametrize("kind", SHOWN)
def test_a_label_is_shown_alike(kind, tmp_path):
    level, expected = SHOWN[kind]
    label = Page(
        (512, 256),
        [encoded(ALPHA if level.samples == 4 else PIXELS if level.samples == 3 else GREY)],
        None,
        APERIO + "label",
        level.compression,
        level.photometric,
        level.samples,
    )
    if level.photometric == 0:
        label.chunks = [encoded(255 - GREY)]
    with Slide(svs.write(tmp_path / "slide.svs", [page(PIXELS, samples=3), label])) as slide:
        read = np.asarray(associated_image(slide, "label"))
    assert np.array_equal(read, np.broadcast_to(expected, PIXELS.shape))


@pytest.mark.parametrize("kind", ["16 bits", "signed", "two samples", "JP2"])
def test_a_label_is_refused_alike(kind, tmp_path):
    odd, reason = REFUSED[kind]
    label = Page((256, 256), odd.chunks[:1], None, APERIO + "label", RGB, 2)
    path = svs.write(tmp_path / "slide.svs", [page(PIXELS, samples=3), label])
    with Slide(path) as slide, pytest.raises(UnreadableSlide, match=f"label image .*{reason}"):
        associated_image(slide, "label")
