"""Pixels in memory: exact where a tile is sound, refused where the least is odd about it."""

import io
import random
import subprocess
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.pixels import block_means, decoded, psnr
from vsv._halving import halve
from vsv.geometry import Size
from vsv.pyramid import encoding
from vsv.pyramid.encoding import Pixels, averaged, halved
from vsv.slides.jpeg import Frame

TILE = Size(64, 48)
SOURCES = ROOT / "layers" / "vsv" / "c"
# What slides are coded in: YCbCr by chroma, and RGB.
CODINGS = {
    "4:4:4": {"subsampling": "4:4:4"},
    "4:2:2": {"subsampling": "4:2:2"},
    "4:2:0": {"subsampling": "4:2:0"},
    "RGB": {"subsampling": "4:4:4", "keep_rgb": True},
}


@pytest.fixture(params=CODINGS)
def coding(request):
    return CODINGS[request.param]


def jpeg(size=TILE, mode="RGB", seed=0, **options):
    """Soft shapes with some noise."""
    rng = np.random.default_rng(seed)
    shapes = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    image = np.asarray(Image.fromarray(shapes).resize(size, Image.Resampling.BICUBIC), int)
    image = np.clip(image + rng.integers(-8, 9, image.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    chosen = {"quality": 90, "subsampling": "4:2:2", **options}
    Image.fromarray(image).convert(mode).save(buffer, "JPEG", **chosen)
    return buffer.getvalue()


def rgb(of):
    return np.asarray(of.image, float)


@pytest.mark.parametrize("transform", [None, 0, 1])
@pytest.mark.parametrize("jfif_bytes", [0, 5, 13, 14, 20])
def test_the_colours_are_those_that_libjpeg_takes_a_tile_for(transform, jfif_bytes):
    """It takes no segment of less than 14 bytes for JFIF's."""
    tile = jpeg(subsampling="4:4:4")
    jfif = b"JFIF\0\1\1\0\0\1\0\1".ljust(jfif_bytes, b"\0")[:jfif_bytes]
    markers = b"\xff\xe0" + (jfif_bytes + 2).to_bytes(2) + jfif if jfif_bytes else b""
    if transform is not None:
        markers += b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0" + bytes([transform])
    tile = tile[:2] + markers + tile[20:]
    expected = Image.frombytes("RGB", TILE, tile, "jpeg", "RGB", "", 1, 0).reduce(2)
    shown = halved([tile], 1, TILE)
    assert psnr(rgb(shown), expected) > 35


@pytest.mark.parametrize("size", [(64, 48), (256, 256), (240, 240), (16, 16), (1024, 32)])
@pytest.mark.parametrize("quality", [30, 90, 100])
@pytest.mark.slow
def test_halved_is_averages_of_two_by_two(coding, size, quality):
    """However chroma is subsampled: as if decoded at full size, the way libjpeg does, and averaged.

    What is left is that of JPEG's colours in whole numbers.
    """
    tile = jpeg(size, seed=1, quality=quality, **coding)
    got = rgb(halved([tile], 1, Size(*size)))
    expected = block_means(decoded(tile), 2)
    assert psnr(got, expected) > 47
    assert np.abs(got - expected).max() <= 8
    assert np.abs((got - expected).mean(axis=(0, 1))).max() < 0.2


def test_tiles_stand_side_by_side(coding):
    tiles = [jpeg(seed=number, **coding) for number in range(4)]
    whole = rgb(halved(tiles, 2, TILE))
    assert whole.shape == (48, 64, 3)
    for number, data in enumerate(tiles):
        row, col = divmod(number, 2)
        part = whole[24 * row : 24 * row + 24, 32 * col : 32 * col + 32]
        assert np.array_equal(part, rgb(halved([data], 1, TILE)))


@pytest.mark.parametrize("library", [True, False], ids=["libturbojpeg", "Pillow"])
def test_halved_tiles_are_encoded_as_they_are(coding, library, monkeypatch):
    if not library:
        monkeypatch.setattr(encoding, "_library", lambda: None)
    half = halved([jpeg(**coding)], 1, TILE)
    data = half.encode(95)
    assert Image.open(io.BytesIO(data)).size == (32, 24)
    assert not Frame.read(data).has_subsampled_chroma
    assert psnr(decoded(data), rgb(half)) > 34


def test_an_image_is_encoded_without_subsampling():
    image = Image.new("RGB", (33, 7), (200, 40, 90))
    data = Pixels(image).encode(95)
    assert not Frame.read(data).has_subsampled_chroma
    assert np.abs(decoded(data) - (200, 40, 90)).max() < 4


def spliced(data, marker, content):
    """Return the file with a segment put in before the scan."""
    at = data.index(b"\xff\xda")
    return data[:at] + marker + (len(content) + 2).to_bytes(2) + content + data[at:]


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"\xff\xd8",
        b"no JPEG at all",
        jpeg()[:-200],
        jpeg()[:-2],
        jpeg()[:300],
        jpeg().replace(b"\xff\xd9", b"") + bytes(40) + b"\xff\xd9",
        jpeg((80, 48)),
        jpeg((64, 64)),
        jpeg((640, 480)),
        jpeg(mode="L", subsampling=-1),
        jpeg(mode="CMYK", subsampling=-1),
        jpeg(progressive=True),
        jpeg(restart_marker_blocks=2),
        spliced(
            jpeg(), b"\xff\xc0", b"\x08\x00\x30\x00\x40\x03\x01\x21\x00\x02\x11\x01\x03\x11\x01"
        ),
        jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
        jpeg().replace(b"\x03\x01\x21\x00\x02\x11", b"\x03\x01\x41\x00\x02\x11"),
        jpeg().replace(b"\x03\x01\x21\x00\x02\x11", b"\x03\x01\x21\x03\x02\x11"),
        jpeg().replace(b"\xff\xc4", b"\xff\xe5"),
    ],
    ids=[
        *("empty", "begun", "text", "truncated", "without end", "header", "too long"),
        *("wide", "high", "huge", "grey", "CMYK", "progressive", "restarts"),
        *("two frames", "12 bits", "4:1:1", "no such table", "no Huffman tables"),
    ],
)
def test_what_is_not_as_it_should_be_is_left_to_others(odd):
    good = jpeg()
    assert odd != good
    for tiles in ([odd], [good, odd], [odd, good]):
        assert halved(tiles, len(tiles), TILE) is None
    assert halved([good], 1, TILE) is not None


def test_only_what_fits_is_asked_for():
    good = jpeg()
    for tiles, cols in (((), 1), ((good,) * 3, 2), ((good,) * 17, 1), ((good,), 0)):
        with pytest.raises(ValueError, match="tiles in full rows"):
            halve(tiles, cols, 64, 48)
    for size in ((0, 48), (64, -1)):
        with pytest.raises(ValueError, match="of at least a pixel"):
            halve((good,), 1, *size)
    with pytest.raises(TypeError):
        halve((None,), 1, 64, 48)
    # A slide may have such tiles. They go another way.
    for size in ((65, 48), (8, 8), (1040, 48), (2**30, 2**30)):
        assert halve((good,), 1, *size) is None


@pytest.mark.slow
def test_no_damage_reads_or_writes_where_it_must_not(tmp_path):
    """A tile comes from a file that nobody vouches for, and C is not Python.

    The same C, compiled to stop at the first access outside its memory and at any undefined step;
    and as other processors have it, without vector instructions by name: with the same pixels.
    """
    options = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [SOURCES / "halving.c", ROOT / "tests" / "unit" / "fuzz_halving.c"]
    results = defaultdict(set)
    for processor in ("-D__SSE2__", "-U__SSE2__"):
        program = tmp_path / "fuzz"
        command = ["cc", *options, processor, "-I", SOURCES, "-o", program, *sources]
        subprocess.run(command, check=True, capture_output=True)
        for number, (name, coding) in enumerate(CODINGS.items()):
            tile = jpeg(seed=number, quality=40, **coding)
            done = subprocess.run([program, "2500"], input=tile, capture_output=True)
            assert done.returncode == 0, done.stderr.decode()
            results[name].add(done.stdout)
    for (result,) in results.values():
        decoded_ones, refused, _ = map(int, result.split())
        # Some damage shows in the pixels only; most of it must be noticed.
        assert decoded_ones > 100
        assert refused > 1000


def test_damage_is_forgotten_with_the_tile():
    rng = random.Random(1)
    good = jpeg()
    expected = rgb(halved([good], 1, TILE))
    for _ in range(200):
        data = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        halved([bytes(data)], 1, TILE)
        assert np.array_equal(rgb(halved([good], 1, TILE)), expected)


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


def test_tiles_are_encoded_by_the_library_that_pillow_brings_along():
    """Another one beside it would be loaded into the same process."""
    assert "pillow_simd.libs" in encoding._library()._name


def test_a_tile_that_cannot_be_encoded_is_no_empty_file():
    half = halved([jpeg()], 1, TILE)
    with pytest.raises(MemoryError, match="could not encode"):
        half.encode(101)
    assert decoded(half.encode(90)).shape == (24, 32, 3)
