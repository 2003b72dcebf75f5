"""JPEG headers: what is read of them, what is refused, and which colours they name."""

import io
from itertools import permutations

import numpy as np
import pytest
from PIL import Image

from vsv.slides.damage import DamagedTile
from vsv.slides.jpeg import Frame, is_jpeg, standalone

SIZE = (40, 24)
JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
# libjpeg takes no notice of these.
CUT_JFIF = b"\xff\xe0\x00\x0fJFIF\0\1\1\0\0\1\0\1\0"
SHORT_JFIF = b"\xff\xe0\x00\x07JFIF\0"


def jpeg(mode="RGB", **options):
    """Return a JPEG stream with Pillow's JFIF segment taken out."""
    noise = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, "JPEG", **options)
    data = file.getvalue()
    return data.replace(data[2:20], b"", 1) if data[2:4] == b"\xff\xe0" else data


def adobe(transform, length=14):
    return b"\xff\xee" + length.to_bytes(2) + b"Adobe\0d\0\0\0\0"[: length - 3] + bytes([transform])


def begun(data, *segments):
    """Return the stream with segments at its beginning."""
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize(
    ("options", "factors", "subsampled"),
    [
        ({"subsampling": "4:4:4"}, b"\x11\x11\x11", False),
        ({"subsampling": "4:2:2"}, b"\x21\x11\x11", True),
        ({"subsampling": "4:2:0"}, b"\x22\x11\x11", True),
        ({"mode": "L"}, b"\x11", False),
    ],
)
def test_a_header_tells_size_and_sampling(options, factors, subsampled):
    frame = Frame.read(jpeg(**options))
    assert (frame.width, frame.height, frame.precision) == (*SIZE, 8)
    assert frame.ids == b"\1\2\3"[: len(factors)]
    assert frame.factors == factors
    assert frame.has_subsampled_chroma is subsampled


@pytest.mark.parametrize("size", [(1, 1), (255, 256), (300, 257), (1024, 3)])
def test_sizes_of_two_bytes_are_read_whole(size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "JPEG")
    frame = Frame.read(file.getvalue())
    assert (frame.width, frame.height) == size


def test_a_long_comment_stays_where_markers_are_taken_out():
    """(Its length takes two bytes.)"""
    comment = b"\xff\xfe\x01\x2e" + b"\xff\xe0" * 150
    plain = jpeg(subsampling="4:4:4")
    stream, _ = standalone(b"", begun(plain, comment, JFIF, comment), SIZE, "RGB")
    assert stream == begun(plain, adobe(0), comment, comment)


def test_a_header_that_is_cut_off_anywhere_is_damaged():
    data = jpeg()
    whole = data.index(b"\xff\xda") + 2
    assert Frame.read(data[:whole]) == Frame.read(data)
    for length in range(whole):
        with pytest.raises(DamagedTile):
            Frame.read(data[:length])


def test_segments_may_have_fill_bytes_before_them():
    data = jpeg()
    filled = data.replace(b"\xff\xc0", b"\xff\xff\xff\xc0").replace(b"\xff\xc4", b"\xff\xff\xc4")
    assert Frame.read(filled) == Frame.read(data)
    # And where markers have to be taken out.
    stream, _ = standalone(b"", begun(filled, JFIF), SIZE, "RGB")
    assert Frame.read(stream).shows("RGB")
    assert stream.endswith(data[data.index(b"\xff\xda") :])


FRAME = jpeg()[jpeg().index(b"\xff\xc0") :][:19]


def spoilt(data, marker, at, value):
    changed = bytearray(data)
    changed[data.index(marker) + at] = value
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (spoilt(jpeg(), b"\xff\xc0", 4, 12), "12 bits per sample are not supported, only 8"),
        (jpeg("CMYK"), "JPEG data with 4 samples per pixel are not supported"),
        (jpeg().replace(FRAME, FRAME[:3] + b"\x12" + FRAME[4:] + b"\0"), "3 components"),
        (spoilt(jpeg(), b"\xff\xc0", 1, 0xC3), "lossless, hierarchical or arithmetic"),
        (begun(jpeg(), b"\xff\xd0"), "kind that is not decoded"),
        (begun(jpeg(), b"\xff\xe5\x00\x01"), "header is damaged"),
        (begun(jpeg(), b"\x00"), "header is damaged"),
        (begun(jpeg(), FRAME), "two frames"),
        (begun(jpeg(), b"\xff\xc3" + FRAME[2:]), "lossless, hierarchical or arithmetic"),
        (begun(spoilt(jpeg(), b"\xff\xc0", 1, 0xC3), FRAME), "kind that is not decoded"),
        (begun(jpeg(), b"\xff\xcc\x00\x02"), "kind that is not decoded"),
        (jpeg()[:2] + jpeg()[jpeg().index(b"\xff\xda") :], "kind that is not decoded"),
        (begun(jpeg(), *[b"\xff\xfe\x00\x02"] * 1000), "too many segments"),
    ],
)
def test_a_stream_that_is_not_what_is_decoded_says_why(data, reason):
    with pytest.raises(DamagedTile, match=reason):
        Frame.read(data)


def test_an_empty_segment_is_one():
    assert Frame.read(begun(jpeg(), b"\xff\xe5\x00\x02")) == Frame.read(jpeg())


def test_an_image_of_too_many_scans_is_refused():
    """A decoder goes over the whole image for each."""
    data = jpeg(progressive=True)
    scan = b"\xff\xda"
    most = data + scan * (64 - data.count(scan))
    assert standalone(b"", most, SIZE, "YCbCr")[0] == most
    with pytest.raises(DamagedTile, match="more than 64 scans"):
        standalone(b"", most + scan, SIZE, "YCbCr")
    assert standalone(b"", jpeg() + scan * 100, SIZE, "YCbCr")[1].width == SIZE[0]


@pytest.mark.parametrize(
    ("segments", "ids", "color"),
    [
        ([], b"\1\2\3", "YCbCr"),
        ([], b"RGB", None),
        ([JFIF], b"RGB", "YCbCr"),
        ([adobe(0)], b"\1\2\3", "RGB"),
        ([adobe(1)], b"RGB", "YCbCr"),
        ([adobe(2)], b"\1\2\3", None),
        ([JFIF, adobe(0)], b"\1\2\3", "YCbCr"),
        ([adobe(1), adobe(0)], b"\1\2\3", "RGB"),
        ([SHORT_JFIF], b"\1\2\3", "YCbCr"),
        ([SHORT_JFIF], b"RGB", None),
        *(([jfif, adobe(0)], b"\1\2\3", None) for jfif in (CUT_JFIF, SHORT_JFIF)),
        *(([jfif, adobe(1)], b"RGB", "YCbCr") for jfif in (CUT_JFIF, SHORT_JFIF)),
        *(
            [[one, other, adobe(0)], b"RGB", "YCbCr"]
            for one, other in permutations((JFIF, SHORT_JFIF))
        ),
        ([adobe(0, length=13)], b"\1\2\3", "YCbCr"),
        ([b"\xff\xe0\x00\x07JFIX\0"], b"RGB", None),
        ([b"\xff\xee\x00\x0eAdobx\0d\0\0\0\0\0"], b"\1\2\3", "YCbCr"),
    ],
)
def test_a_stream_shows_the_colours_that_every_decoder_takes_it_for(segments, ids, color):
    """No colours where decoders differ: libjpeg takes names for RGB, others do not."""
    data = bytearray(jpeg())
    for number, name in enumerate(ids):
        data[data.index(b"\xff\xc0") + 10 + 3 * number] = name
    frame = Frame.read(begun(bytes(data), *segments))
    assert [each for each in ("RGB", "YCbCr") if frame.shows(each)] == ([color] if color else [])


@pytest.mark.parametrize("color", ["RGB", "YCbCr"])
@pytest.mark.parametrize("transform", [0, 1, 2])
@pytest.mark.parametrize("jfif", [b"", SHORT_JFIF, CUT_JFIF, JFIF])
@pytest.mark.parametrize("in_tables", [False, True])
def test_every_decoder_shows_the_colours_of_the_directory(color, transform, jfif, in_tables):
    """Whatever the tile's own markers say."""
    plain = jpeg(subsampling="4:4:4")
    tables, data = b"", begun(plain, jfif, adobe(transform))
    if in_tables:
        tables, data = begun(b"\xff\xd8\xff\xd9", jfif, adobe(transform)), plain
    stream, _ = standalone(tables, data, SIZE, color)
    expected = begun(plain, JFIF if color == "YCbCr" else adobe(0))
    assert decoded(stream) == decoded(expected)
    assert decoded(stream) != decoded(begun(plain, adobe(0) if color == "YCbCr" else JFIF))


def decoded(stream):
    """As libjpeg does it. (Pillow does not open files with short JFIF segments.)"""
    return Image.frombytes("RGB", SIZE, stream, "jpeg", "RGB", "", 1, 0)


def test_what_the_tiles_have_in_common_is_put_into_each():
    data = jpeg()
    tables = data.index(b"\xff\xdb"), data.index(b"\xff\xc0")
    common = data[: tables[0]] + data[slice(*tables)] + b"\xff\xd9"
    tile = data[:2] + data[tables[1] :]
    stream, frame = standalone(common, tile, SIZE, "YCbCr")
    assert stream == data
    assert frame == Frame.read(data)
    for size in ((41, 24), (40, 25), (24, 40)):
        with pytest.raises(DamagedTile, match=f"40 × 24 pixels instead of {size[0]} × {size[1]}"):
            standalone(common, tile, size, "YCbCr")
    assert standalone(common, tile, None, "YCbCr")[0] == data, "of a block of version 0.1"
    assert not is_jpeg(data[1:])
    with pytest.raises(DamagedTile, match="not a JPEG stream"):
        standalone(common, data[1:], SIZE, "YCbCr")
