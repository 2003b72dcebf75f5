"""Pixels while a pyramid is rendered: what is odd is refused, never decoded into other memory."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from vsv.canvas import Planes, Rgb, _turbojpeg
from vsv.deepzoom import Size
from vsv.slides import has_subsampled_chroma

TILE = Size(64, 48)


@pytest.fixture(params=[Planes, Rgb])
def canvas(request):
    if request.param is Rgb:
        return Rgb()
    library = _turbojpeg()
    assert library is not None, "libturbojpeg is not installed"
    return Planes(library)


def jpeg(size=TILE, mode="RGB", seed=0, **options):
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 90, "subsampling": "4:2:2", **options})
    return buffer.getvalue()


def test_tiles_stand_side_by_side(canvas):
    tiles = [jpeg(seed=number) for number in range(4)]
    whole = canvas.halved(tiles, 2, TILE)
    for number, data in enumerate(tiles):
        row, col = divmod(number, 2)
        part = canvas.halved([data], 1, TILE)
        blank = whole.copy()
        canvas.place(blank, part, col * 32, row * 24)
        assert np.array_equal(blank, whole)


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
        jpeg(mode="L", subsampling=-1),
        jpeg(mode="CMYK", subsampling=-1),
    ],
    ids=["empty", "text", "truncated", "header", "wide", "high", "huge", "grey", "CMYK"],
)
def test_what_is_not_as_it_should_be_is_left_to_others(canvas, odd):
    assert canvas.halved([jpeg()], 1, TILE) is not None
    for tiles in ([odd], [jpeg(), odd], [odd, jpeg()]):
        pixels = canvas.halved(tiles, len(tiles), TILE)
        # Grey can be shown in colour, by the canvas of colours.
        assert pixels is None or (isinstance(canvas, Rgb) and len(odd) and pixels.shape[2] == 3)


def test_no_damage_crashes(canvas):
    """A tile comes from a file that nobody vouches for, and libturbojpeg is not Python."""
    rng = random.Random(1)
    whole = [jpeg(subsampling=name) for name in ("4:2:2", "4:2:0", "4:4:4")]
    expected = canvas.halved([whole[0]], 1, TILE)
    shown = 0
    for _ in range(1500):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 8)):
            within = min(rng.choice((700, 1_000_000)), len(data))
            data[rng.randrange(within)] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        has_subsampled_chroma(bytes(data))
        pixels = canvas.halved([bytes(data)], 1, TILE)
        shown += pixels is not None
        if pixels is None:
            # The next tile is none the worse for it.
            assert np.array_equal(canvas.halved([whole[0]], 1, TILE), expected)
    assert shown


def test_planes_are_for_one_subsampling_at_a_time():
    planes = Planes(_turbojpeg())
    assert planes.halved([jpeg(), jpeg(subsampling="4:2:0")], 2, TILE) is None
    assert planes.halved([jpeg(subsampling="4:4:4")], 1, TILE) is None
    assert planes.halved([jpeg(subsampling="4:2:0")], 1, TILE) is not None


def test_averages_neither_darken_nor_brighten(canvas):
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95, subsampling="4:2:0")
    with Image.open(buffer) as image:
        expected = np.asarray(canvas.of(image.convert("RGB")), float).mean(
            axis=(1, 2) if isinstance(canvas, Planes) else (0, 1)
        )
    half = canvas.halved([buffer.getvalue()], 1, TILE)
    means = half.mean(axis=(1, 2) if isinstance(canvas, Planes) else (0, 1))
    assert np.abs(means - expected).max() < 0.6
