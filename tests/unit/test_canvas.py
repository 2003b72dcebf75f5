"""Pixels in memory: what is odd is refused, never decoded into other memory."""

import io
import random
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tests.pixels import block_means, decoded, psnr
from vsv.canvas import Canvas, averaged, halved
from vsv.deepzoom import Size
from vsv.slides import read_frame

TILE = Size(64, 48)
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def jpeg(size=TILE, mode="RGB", seed=0, **options):
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 90, "subsampling": "4:2:2", **options})
    return buffer.getvalue()


def pixels(image):
    return np.asarray(image.convert("RGB"), float)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_halved_tiles_stand_side_by_side_and_are_averages(subsampling):
    tiles = [jpeg(seed=number, subsampling=subsampling) for number in range(4)]
    whole = pixels(halved(tiles, 2, TILE).image)
    assert whole.shape == (48, 64, 3)
    for number, data in enumerate(tiles):
        row, col = divmod(number, 2)
        part = whole[24 * row : 24 * row + 24, 32 * col : 32 * col + 32]
        assert psnr(part, block_means(decoded(data), 2)) > 50


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"no JPEG",
        jpeg()[:-200],
        jpeg()[:300],
        jpeg((72, 48)),
        jpeg((64, 56)),
        jpeg((640, 480)),
        jpeg(mode="CMYK", subsampling=-1),
    ],
    ids=["empty", "text", "truncated", "header", "wide", "high", "huge", "CMYK"],
)
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_what_is_not_as_it_should_be_is_left_to_others(odd, subsampling):
    good = jpeg(subsampling=subsampling)
    for tiles in ([odd], [good, odd], [odd, good]):
        assert halved(tiles, len(tiles), TILE) is None
    assert halved([good], 1, TILE) is not None


def test_a_grey_tile_is_shown_in_colour():
    grey = jpeg(mode="L", subsampling=-1)
    part = pixels(halved([grey], 1, TILE).image)
    assert psnr(part, block_means(decoded(grey), 2)) > 50


def test_no_damage_crashes():
    """A tile comes from a file that nobody vouches for, and libturbojpeg is not Python."""
    rng = random.Random(1)
    whole = [jpeg(subsampling=name) for name in SUBSAMPLINGS]
    expected = pixels(halved([whole[0]], 1, TILE).image)
    shown = 0
    for _ in range(3000):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 8)):
            within = min(rng.choice((700, 1_000_000)), len(data))
            data[rng.randrange(within)] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        canvas = halved([bytes(data)], 1, TILE)
        shown += canvas is not None
        if canvas is None:
            # The next tile is none the worse for it.
            assert np.array_equal(pixels(halved([whole[0]], 1, TILE).image), expected)
    assert shown


def test_a_tile_outside_the_canvas_is_refused():
    canvas = Canvas(TILE)
    assert canvas.decode(jpeg(), 0, 0, TILE)
    for left, top in ((1, 0), (0, 1), (64, 48), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="not within"):
            canvas.decode(jpeg(), left, top, TILE)


def test_what_is_pasted_is_encoded():
    canvas = Canvas(Size(32, 24))
    canvas.paste(Image.new("RGB", (32, 24), (200, 40, 90)), 0, 0)
    canvas.paste(Image.new("RGBX", (16, 12), (10, 220, 30, 255)), 16, 12)
    data = canvas.encode(95)
    frame = read_frame(data)
    assert frame[:2] == (32, 24)
    assert not frame.has_subsampled_chroma
    image = decoded(data)
    assert np.abs(image[0, 0] - (200, 40, 90)).max() < 4
    assert np.abs(image[-1, -1] - (10, 220, 30)).max() < 4


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_averages_neither_darken_nor_brighten(subsampling):
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95, subsampling=subsampling)
    half = pixels(halved([buffer.getvalue()], 1, TILE).image)
    assert np.abs(half.mean(axis=(0, 1)) - decoded(buffer).mean(axis=(0, 1))).max() < 0.6


@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5), (1, 4), (1, 1)])
def test_the_last_column_and_row_count_for_what_they_stand_for(size):
    noise = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), np.uint8)
    col, row = Fraction(1, 16), Fraction(5, 8)
    got = np.asarray(averaged(Image.fromarray(noise), col, row), float)
    weights = np.ones((size[1], size[0]))
    weights[:, -1] *= float(col)
    weights[-1] *= float(row)
    height, width = -(-size[1] // 2), -(-size[0] // 2)
    for y in range(height):
        for x in range(width):
            area = np.s_[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            expected = (noise[area] * weights[area][..., None]).sum((0, 1)) / weights[area].sum()
            assert np.abs(got[y, x] - expected).max() <= 1
