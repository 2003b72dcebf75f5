"""JPEG 2000 tiles: OpenSlide's pixels at full size, and reduced ones that lie where they should."""

import io
import struct
import subprocess
import sys

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from local.samples import generated_slide
from tests.pixels import block_means, psnr
from vsv.errors import UnreadableSlide
from vsv.slides.jpeg2000 import decode, resolutions

SLIDES = {
    "RGB": {"jpeg2000": "RGB"},
    "YCbCr": {"jpeg2000": "YCbCr"},
    "YCbCr 2×1": {"jpeg2000": "YCbCr", "subsampling": (2, 1)},
    "YCbCr 2×2": {"jpeg2000": "YCbCr", "subsampling": (2, 2)},
    "YCbCr 2×1, 240": {"jpeg2000": "YCbCr", "subsampling": (2, 1), "tile": (240, 240)},
}
# The lossy wavelet is computed in floating point, which OpenJPEG rounds one way as Pillow compiles
# it and another as OpenSlide does: a level's difference in one value of some 100,000.
ROUNDING = 1


def codestreams(path):
    """Return the tiles of the slide's first level, their size, and how their colours are coded."""
    with tifffile.TiffFile(path) as slide:
        page = slide.pages[0]
        places = zip(page.dataoffsets, page.databytecounts, strict=True)
        content = path.read_bytes()
        color = {33003: "YCbCr", 33005: "RGB"}[page.compression]
        tiles = [content[offset : offset + count] for offset, count in places]
        return tiles, (page.tilewidth, page.tilelength), color


def slide_of(tile, compression, path):
    """Return an Aperio slide of one tile."""
    height, width = 256, 256
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            iter([tile]),
            shape=(height, width, 3),
            dtype=np.uint8,
            tile=(height, width),
            photometric="rgb",
            compression=compression,
            description=b"Aperio Image Library v12.0.16 \r\n256x256 (256x256)",
            metadata=None,
        )
    return path


def openslides(path) -> np.ndarray:
    with openslide.OpenSlide(path) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        image = slide.read_region((0, 0), 0, slide.dimensions)
    return np.asarray(image.convert("RGB"), int)


@pytest.fixture(scope="module")
def tissue(real) -> np.ndarray:
    with openslide.OpenSlide(real) as slide:
        return np.asarray(slide.read_region((800, 600), 0, (256, 256)).convert("RGB"))


@pytest.fixture(scope="module")
def codestream(tissue) -> bytes:
    return encoded(tissue)


def encoded(pixels, **options) -> bytes:
    options = {"level": 45, "mct": True, "reversible": False, "resolutions": 4, **options}
    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", **options))


@pytest.fixture(scope="module", params=SLIDES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def slide(name, real, tmp_path_factory):
    path = tmp_path_factory.mktemp("jpeg2000") / "slide.svs"
    # The right and the lower tiles reach beyond the slide.
    return generated_slide(path, real, size=(1025, 769), downsamples=(1,), **SLIDES[name])


@pytest.mark.slow
def test_full_size_is_openslides_pixels(slide, name):
    expected = openslides(slide)
    tiles, (width, height), color = codestreams(slide)
    ours = Image.new("RGB", (1025, 769))
    places = [(left, top) for top in range(0, 769, height) for left in range(0, 1025, width)]
    for tile, place in zip(tiles, places, strict=True):
        ours.paste(decode(tile, (width, height), color), place)
    difference = np.abs(np.asarray(ours, int) - expected)
    assert difference.max() <= ROUNDING
    # Subsampled chroma is converted by Pillow, which rounds differently.
    assert np.mean(difference > 0) < (0.5 if "2×" in name else 1e-4)


def test_without_rounding_the_pixels_are_equal(tissue, tmp_path):
    """The lossless wavelet computes with integers."""
    for transformed in (True, False):
        tile = encoded(tissue, level=None, reversible=True, mct=transformed)
        image = decode(tile, (256, 256), "RGB")
        assert np.array_equal(image, tissue)
        assert np.array_equal(image, openslides(slide_of(tile, 33005, tmp_path / "x.svs")))


@pytest.mark.parametrize("luma", [0, 1, 77, 128, 201, 255])
def test_every_chroma_there_is_becomes_openslides_color(tmp_path, luma):
    cb, cr = np.meshgrid(np.arange(256), np.arange(256))
    pixels = np.stack([np.full_like(cb, luma), cb, cr], axis=-1).astype(np.uint8)
    tile = encoded(pixels, level=None, reversible=True, mct=False)
    image = np.asarray(decode(tile, (256, 256), "YCbCr"), int)
    difference = np.abs(image - openslides(slide_of(tile, 33003, tmp_path / "x.svs")))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 2


# PSNR in dB against means of blocks of the full-size image, as measured over these five slides:
# a half 36 to 39, a quarter 43 to 48, an eighth 39 to 43, a sixteenth 37 to 40. Where samples are
# not moved to the middles of their blocks: 32 to 33, 37, 32 and 31.
@pytest.mark.parametrize(("reduce", "floor"), [(1, 34), (2, 39), (3, 35), (4, 33)])
@pytest.mark.slow
def test_a_reduced_image_is_close_to_means_of_blocks(slide, reduce, floor):
    tiles, (width, height), color = codestreams(slide)
    images = [decode(tile, (width, height), color, reduce) for tile in tiles]
    assert {image.size for image in images} == {(width >> reduce, height >> reduce)}
    ours = np.array([np.asarray(image, float) for image in images])
    expected = np.array(
        [
            block_means(np.asarray(decode(tile, (width, height), color), float), 1 << reduce)
            for tile in tiles
        ]
    )
    assert psnr(ours, expected) > floor
    # No seams: the borders of tiles are hardly worse than their insides.
    for border in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        assert psnr(ours[border], expected[border]) > floor - 4


def test_what_the_wavelet_cannot_halve_is_averaged(tissue):
    tile = encoded(tissue, resolutions=1)
    assert resolutions(tile) == 0
    full = decode(tile, (256, 256), "RGB")
    for reduce in (1, 2, 3):
        assert decode(tile, (256, 256), "RGB", reduce) == full.reduce(1 << reduce)


@pytest.mark.parametrize("wavelet_levels", [0, 1, 3, 5])
def test_resolutions_are_those_that_the_header_promises(tissue, wavelet_levels):
    tile = encoded(tissue, resolutions=wavelet_levels + 1)
    assert resolutions(tile) == wavelet_levels
    header = tile[: tile.index(b"\xff\x90\x00\x0a") + 4]
    assert resolutions(header) == wavelet_levels


def test_resolutions_are_no_more_than_the_size_can_be_halved():
    tile = encoded(np.zeros((240, 200, 3), np.uint8), resolutions=6)
    assert resolutions(tile) == 3
    assert decode(tile, (200, 240), "RGB", 3).size == (25, 30)
    with pytest.raises(ValueError, match="200 × 240 pixels cannot be halved 4 times"):
        decode(tile, (200, 240), "RGB", 4)


@pytest.mark.parametrize("reduce", [0, 1, 2, 3])
def test_a_codestream_of_several_tiles(tissue, reduce):
    buffer = io.BytesIO()
    Image.fromarray(tissue).save(buffer, "JPEG2000", no_jp2=True, tile_size=(96, 64))
    image = decode(buffer.getvalue(), (256, 256), "RGB", reduce)
    assert psnr(image, block_means(tissue.astype(float), 1 << reduce)) > 27


def test_the_image_is_a_plain_one(codestream):
    """Without the encoder's comment, which would go into every JPEG that is made of it."""
    for reduce in (0, 1):
        image = decode(codestream, (256, 256), "RGB", reduce)
        assert type(image) is Image.Image
        assert image.mode == "RGB"
        assert image.info == {}
        assert image.reduce(2).size == (128 >> reduce, 128 >> reduce)


def test_numpy_is_not_needed():
    """It would be a good part of a cold start."""
    code = "import sys, vsv.slides.jpeg2000; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def patched(data, offset, code, *values):
    data = bytearray(data)
    struct.pack_into(code, data, offset, *values)
    return bytes(data)


# Offsets into the SIZ segment, which follows SOC (T.800, A.5.1).
@pytest.mark.parametrize(
    ("offset", "code", "values", "message"),
    [
        (0, ">H", [0xFFD8], "not a JPEG 2000 codestream"),
        (4, ">H", [2], "damaged|without its coding style"),
        (4, ">H", [65535], "damaged"),
        (8, ">II", [255, 256], "255 × 256 pixels instead of 256 × 256"),
        (8, ">II", [2**31, 2**31], "2147483648 × 2147483648 pixels"),
        (8, ">II", [0, 256], "displaced or empty"),
        (16, ">II", [1, 0], "displaced or empty"),
        (24, ">II", [0, 0], "displaced or empty"),
        (24, ">II", [1, 1], "made of 65536 tiles"),
        (32, ">II", [0, 1], "displaced or empty"),
        (40, ">H", [1], "1 sample per pixel, where the file says 3"),
        (40, ">H", [16384], "16384 samples per pixel"),
        (42, ">B", [15], "16 bits per sample are not supported"),
        (42, ">B", [0x87], "signed samples are not supported"),
        (43, ">BB", [0, 1], "subsampled by 0 × 1"),
        (43, ">BB", [1, 3], "subsampled by 1 × 3"),
        (43, ">BB", [2, 1], "first component subsampled"),
        (46, ">BB", [2, 1], "in RGB with subsampled components"),
    ],
)
def test_a_header_that_lies_is_told_before_decoding(codestream, offset, code, values, message):
    tile = patched(codestream, offset, code, *values)
    for reduce in (0, 1):
        with pytest.raises(UnreadableSlide, match=message):
            decode(tile, (256, 256), "RGB", reduce)


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 20, 50, 60, 0.3, 0.7, 0.99])
def test_a_truncated_codestream_is_damaged(codestream, kept):
    tile = codestream[: kept if isinstance(kept, int) else int(kept * len(codestream))]
    for reduce in (0, 1):
        with pytest.raises(UnreadableSlide):
            decode(tile, (256, 256), "RGB", reduce)


# Offsets into the COD segment (A.6.1).
@pytest.mark.parametrize(
    ("offset", "code", "value", "message"),
    [
        (0, ">H", 0xFF64, "without its coding style"),
        (6, ">H", 65535, "65535 quality layers"),
        (9, ">B", 33, "damaged"),
        (9, ">B", 255, "damaged"),
        (10, ">B", 255, "damaged"),
    ],
)
def test_a_coding_style_that_is_none_is_told(codestream, offset, code, value, message):
    tile = patched(codestream, codestream.index(b"\xff\x52") + offset, code, value)
    for reduce in (0, 3):
        with pytest.raises(UnreadableSlide, match=message):
            decode(tile, (256, 256), "RGB", reduce)


@settings(max_examples=200)
@given(data=st.data())
@pytest.mark.slow
def test_wrong_bytes_give_an_image_or_an_error(codestream, data):
    tile = bytearray(codestream)
    for _ in range(data.draw(st.integers(1, 4))):
        # Most of them where they do most.
        end = data.draw(st.sampled_from((120, len(tile))))
        tile[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    reduce = data.draw(st.integers(0, 3))
    try:
        image = decode(bytes(tile), (256, 256), "YCbCr", reduce)
    except UnreadableSlide:
        return
    assert image.size == (256 >> reduce, 256 >> reduce)
