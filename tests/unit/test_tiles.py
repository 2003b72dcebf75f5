"""Tiles: DeepZoom's exact size always, the scanner's own pixels where they are to be had."""

import io
import os
import shutil
import struct

import numpy as np
import openslide
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from local.samples import generated_slide
from tests.pixels import block_means, psnr
from vsv.errors import UnreadableSlide
from vsv.geometry import Box, Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.native import default_pyramid, native_tile
from vsv.pyramid.tile import render_tile
from vsv.slides import regions
from vsv.slides.damage import Damage, TileNumber
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


# Sizes chosen so that levels are short by a pixel, that tiles are a pixel wide, and that the slide
# is smaller than a tile.
SHAPES = {
    "floored": {"size": (1157, 773), "rounding": "floor"},
    "ceiled": {"size": (1157, 773), "rounding": "ceil"},
    "one pixel over": {"size": (1025, 769), "rounding": "floor"},
    "smaller than a tile": {"size": (131, 67), "rounding": "floor"},
    "one level": {"size": (700, 1300), "downsamples": (1,)},
    "240 RGB": {"size": (1211, 1303), "tile": (240, 240), "colors": "RGB"},
    "tiles not square": {"size": (1025, 900), "tile": (256, 128)},
    "JPEG 2000 RGB": {"size": (513, 449), "jpeg2000": "RGB"},
    "JPEG 2000 YCbCr": {"size": (513, 449), "jpeg2000": "YCbCr", "subsampling": (2, 1)},
    "BigTIFF, big-endian": {"size": (600, 500), "bigtiff": True, "byteorder": ">"},
}


@pytest.fixture(scope="module", params=SHAPES)
def slide(request, real, tmp_path_factory):
    path = tmp_path_factory.mktemp("shape") / "slide.svs"
    with Slide(generated_slide(path, real, **SHAPES[request.param])) as slide:
        yield slide


@pytest.mark.slow
def test_every_tile_of_every_level_has_exactly_deepzooms_size(slide):
    own = default_pyramid(slide)
    for pyramid in (
        own,
        DeepZoom(own.size, Size(254, 254), 1),
        DeepZoom(own.size, Size(97, 97), 3),
    ):
        for address in pyramid.tiles():
            tile = decoded(render_tile(slide, pyramid, address))
            assert tile.size == pyramid.tile_at(address).box.size, address
            assert tile.mode == "RGB"


def test_full_resolution_is_openslides_to_the_pixel(slide):
    with openslide.OpenSlide(slide.path) as oracle:
        expected = oracle.read_region((0, 0), 0, oracle.dimensions).convert("RGB")
    ours = np.asarray(
        RegionReader(slide).read(slide.levels[0], Box(0, 0, slide.width, slide.height)), int
    )
    difference = np.abs(ours - np.asarray(expected, int))
    # JPEG 2000's wavelet and its chroma are computed in floating point, and rounded elsewhere.
    assert difference.max() <= (0 if slide.levels[0].image.is_jpeg else 1)
    assert difference.mean() < 0.2


def test_every_level_is_the_box_filtered_slide_up_to_the_last_column_and_row(slide):
    """The levels in the file were JPEG-compressed again: close to the original, not equal."""
    full = np.asarray(
        RegionReader(slide).read(slide.levels[0], Box(0, 0, slide.width, slide.height)), float
    )
    pyramid = default_pyramid(slide)
    for level in range(pyramid.level_count - 1):
        downsample = pyramid.downsample(level)
        size = pyramid.level_size(level)
        ours = RegionReader(slide).region(downsample, Box(0, 0, *size))
        expected = block_means(full, downsample)
        assert ours.size == expected.shape[1::-1] == size
        # A column of white, of black or of padding would fall far below this.
        for part in (np.s_[:, :], np.s_[:, -1], np.s_[-1, :]):
            assert psnr(np.asarray(ours)[part], expected[part]) > 20, (downsample, part)


@settings(max_examples=60)
@given(data=st.data())
def test_a_region_is_the_same_however_it_is_cut(real, data):
    with Slide(real) as slide:
        downsample = 2 ** data.draw(st.integers(0, 4))
        width, height = -(-slide.width // downsample), -(-slide.height // downsample)
        left = data.draw(st.integers(0, width - 2))
        top = data.draw(st.integers(0, height - 2))
        right = data.draw(st.integers(left + 1, min(width, left + 300)))
        bottom = data.draw(st.integers(top + 1, min(height, top + 300)))
        whole = RegionReader(slide).region(downsample, Box(left, top, right, bottom))
        middle = (left + right) // 2
        if middle > left:
            part = RegionReader(slide).region(downsample, Box(left, top, middle, bottom))
            assert np.array_equal(part, whole.crop((0, 0, middle - left, bottom - top)))


def test_a_native_tile_is_the_scanners_bytes(real):
    with Slide(real) as slide:
        pyramid = default_pyramid(slide)
        address = next(pyramid.tiles())
        tile = render_tile(slide, pyramid, address)
        offset, length, _ = slide.locate(0, 0, 0)
        raw = real.read_bytes()[offset:][:length]
        assert tile.endswith(raw[2:])
        expected = RegionReader(slide).read(slide.levels[0], Box(0, 0, 240, 240))
        assert np.array_equal(decoded(tile), expected)


@pytest.mark.parametrize(
    ("size", "short"), [((512, 511), (0, 1)), ((511, 512), (1, 0)), ((511, 511), (1, 1))]
)
def test_a_tile_that_the_scanners_level_does_not_fill_is_not_the_scanners(
    real, tmp_path, size, short
):
    """Aperio rounds a level down: a tile at its border is padded there, where tissue is due."""
    path = generated_slide(tmp_path / "x.svs", real, size=size, tile=(64, 64), downsamples=(1, 4))
    with Slide(path) as slide:
        pyramid = default_pyramid(slide)
        assert pyramid.tile == (64, 64)
        level = next(n for n in pyramid.levels if pyramid.downsample(n) == 4)
        assert (128 - slide.levels[1].image.width, 128 - slide.levels[1].image.height) == short
        own = {
            (col, row): native_tile(slide, pyramid, TileAddress(level, col, row))
            for col in range(2)
            for row in range(2)
        }
    filled = {
        (col, row): TileNumber(1, col, row)
        for col in range(2)
        for row in range(2)
        if not (col and short[0]) and not (row and short[1])
    }
    assert own == {place: filled.get(place) for place in own}


@pytest.mark.parametrize("jpeg2000", [False, True])
def test_a_region_too_large_for_memory_is_made_of_pieces(real, tmp_path, monkeypatch, jpeg2000):
    """It looks the same, and none of its pieces is larger than may be in memory at once."""
    most_pixels = 5
    options = {"size": (175, 111), "downsamples": (1,), "tile": (64, 64), "jpeg2000": jpeg2000}
    with Slide(generated_slide(tmp_path / "x.svs", real, **options)) as slide:
        boxes = {2: Box(75, 40, 88, 56), 8: Box(12, 6, 22, 14), 32: Box(0, 0, 6, 4)}
        whole = {each: RegionReader(slide).region(each, box) for each, box in boxes.items()}
        pieces = []
        read = RegionReader.read

        def watched(reader, level, box, shrink):
            pieces.append(box.size.width * box.size.height / shrink**2)
            return read(reader, level, box, shrink)

        monkeypatch.setattr(regions, "_MAX_SOURCE_PIXELS", most_pixels)
        monkeypatch.setattr(RegionReader, "read", watched)
        for downsample, box in boxes.items():
            region = RegionReader(slide).region(downsample, box)
            difference = np.abs(np.asarray(region, int) - np.asarray(whole[downsample], int))
            # What is halved again and again is rounded each time, and a block that the slide's
            # border cuts weighs its halves alike.
            assert difference[:-1, :-1].max() <= 2, downsample
            assert difference.mean() < 1, downsample
            assert difference.max() < 40, downsample
    assert max(pieces) <= most_pixels


def test_a_png_is_lossless(real):
    with Slide(real) as slide:
        pyramid = default_pyramid(slide)
        for address in (next(pyramid.tiles()), list(pyramid.tiles())[-5]):
            box = pyramid.tile_at(address).box
            expected = RegionReader(slide).region(pyramid.downsample(address.level), box)
            assert np.array_equal(decoded(render_tile(slide, pyramid, address, "png")), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"not a slide at all, but a text file", "not a TIFF"),
        (b"II*\0", "not a TIFF"),
        (b"II*\0\xff\xff\xff\x7f" + bytes(100), "truncated"),
        (b"II*\0\x08\0\0\0" + bytes(100), "0 entries"),
    ],
)
def test_what_is_no_slide_says_what_it_is(tmp_path, content, message):
    path = tmp_path / "x.svs"
    path.write_bytes(content)
    with pytest.raises(UnreadableSlide, match=message):
        Slide(path)


@pytest.mark.parametrize("kept", [0.999, 0.9, 0.5, 0.01])
def test_a_truncated_slide_is_told_at_once(real, generated, tmp_path, kept):
    for source in (real, generated):
        path = tmp_path / "x.svs"
        path.write_bytes(source.read_bytes()[: int(source.stat().st_size * kept)])
        with pytest.raises(UnreadableSlide, match="truncated|not a TIFF"):
            Slide(path)


def test_a_cycle_of_directories_ends(real, tmp_path):
    with Slide(real) as slide:
        assert slide.levels
    data = bytearray(real.read_bytes())
    (first,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[first : first + 2])
    data[first + 2 + 12 * count :][:4]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    path = tmp_path / "cycle.svs"
    path.write_bytes(data)
    with pytest.raises(UnreadableSlide, match="in a circle"):
        Slide(path)


def spoilt(source, target, level, col, row, spoil) -> list[Damage]:
    """Spoil one tile's data in a copy of the slide; return what opening it will tell."""
    shutil.copy(source, target)
    with Slide(source) as slide:
        offset, length, _ = slide.locate(level, col, row)
    with target.open("r+b") as file:
        spoil(file, offset, length)
    return []


def overwrite(file, offset, length):
    file.seek(offset)
    file.write(os.urandom(length))


def garble(file, offset, length):
    """Make it look like a JPEG still."""
    file.seek(offset + 2)
    file.write(bytes(length - 4))


def make_empty(file, offset, length):
    """As Aperio leaves tiles: there is none, its byte count is zero."""
    data = bytearray(file.read())
    for code in ("<I", "<H", "<Q"):
        # The counts lie in a row; the tile's own is found by its neighbours not being touched.
        packed = struct.pack(code, length)
        if data.count(packed) == 1:
            file.seek(data.index(packed))
            file.write(bytes(len(packed)))
            return
    raise AssertionError("the byte count is not unique")


@pytest.mark.parametrize("spoil", [overwrite, garble, make_empty])
def test_a_spoilt_tile_of_a_coarser_level_is_shown_from_the_finer_one(generated, tmp_path, spoil):
    target = tmp_path / "spoilt.svs"
    damages = spoilt(generated, target, 1, 1, 0, spoil)
    with Slide(generated) as good, Slide(target, damages.append) as slide:
        pyramid = default_pyramid(slide)
        level = pyramid.level_count - 3
        for col, row in ((0, 0), (2, 0), (1, 1)):
            address = TileAddress(level, col, row)
            assert render_tile(slide, pyramid, address) == render_tile(good, pyramid, address)
        assert damages == []
        if spoil is not garble:  # what looks like a JPEG is passed through
            shown = decoded(render_tile(slide, pyramid, TileAddress(level, 1, 0)))
            assert psnr(shown, RegionReader(good).read(good.levels[1], Box(256, 0, 512, 256))) > 32
        shown = RegionReader(slide).read(slide.levels[1], Box(256, 0, 512, 256))
        assert psnr(shown, RegionReader(good).read(good.levels[1], Box(256, 0, 512, 256))) > 32
        # The level above is made of it, and so of the finer one too.
        shown = RegionReader(slide).region(8, Box(128, 0, 256, 128))
        assert psnr(shown, RegionReader(good).region(8, Box(128, 0, 256, 128))) > 32
    assert [str(damage)[:22] for damage in damages] == ["tile 1_0 of level 1 is"]


@pytest.mark.parametrize("spoil", [overwrite, garble])
def test_a_spoilt_tile_of_the_finest_level_is_background(real, tmp_path, spoil, caplog):
    target = tmp_path / "spoilt.svs"
    spoilt(real, target, 0, 1, 1, spoil)
    with Slide(real) as good, Slide(target) as slide:
        around = RegionReader(slide).read(slide.levels[0], Box(0, 0, 720, 720))
        expected = RegionReader(good).read(good.levels[0], Box(0, 0, 720, 720))
        expected.paste((255, 255, 255), (240, 240, 480, 480))
        assert np.array_equal(around, expected)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "tile 1_1 of level 0 is damaged" in record.getMessage()
    assert target.name not in record.getMessage()


@settings(max_examples=300)
@given(position=st.integers(0, 1_500), value=st.integers(0, 255), data=st.data())
@pytest.mark.slow
def test_a_slide_with_a_wrong_byte_in_its_directories_never_hangs_or_crashes(
    real, tmp_path_factory, position, value, data
):
    content = bytearray(real.read_bytes())
    (first,) = struct.unpack("<I", content[4:8])
    content[(first + position) % len(content)] = value
    path = tmp_path_factory.mktemp("fuzz") / "x.svs"
    path.write_bytes(content)
    try:
        with Slide(path) as slide:
            slide.metadata()
    except UnreadableSlide:
        pass
    finally:
        path.unlink()


def test_a_tile_of_senseless_length_is_damaged_and_not_read(small, monkeypatch):
    damages = []
    with Slide(small, damages.append) as slide:
        longest = slide.locate(0, 1, 0).length
        monkeypatch.setattr("vsv.slides.slide._MAX_TILE_BYTES", longest)
        assert slide.jpeg_tile(0, 1, 0)
        monkeypatch.setattr("vsv.slides.slide._MAX_TILE_BYTES", longest - 1)
        assert slide.jpeg_tile(0, 1, 0) is None
        assert [str(each) for each in damages] == [
            f"tile 1_0 of level 0 is damaged: it has {longest} bytes"
        ]
        assert slide.is_damaged(0, 1, 0)
        assert not slide.is_damaged(0, 0, 0)


def test_neighbours_that_lie_back_to_back_are_read_in_one_call(small, monkeypatch):
    """On EFS each call takes a millisecond."""
    with Slide(small) as slide:
        entries = [slide.locate(0, col, 0) for col in (0, 1)]
        assert entries[0].offset + entries[0].length == entries[1].offset
        alone = [slide.jpeg_tile(0, col, 0) for col in (0, 1)]
        reads, read = [], slide.file.read
        monkeypatch.setattr(slide.file, "read", lambda *at: reads.append(at) or read(*at))
        assert slide.jpeg_tiles(0, range(2), 0) == alone
        assert reads == [(entries[0].offset, entries[0].length + entries[1].length)]
