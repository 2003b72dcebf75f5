"""DeepZoom geometry: properties, exact tables, and OpenSlide as the oracle."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import openslide
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openslide.deepzoom import DeepZoomGenerator

from vsv.errors import InvalidRequest, NotFound
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

lengths = st.integers(1, 400_000)
sizes = st.builds(Size, lengths, lengths)
tile_sizes = st.builds(Size, st.integers(1, 1500), st.integers(1, 1500))
small_pyramids = st.builds(
    DeepZoom,
    st.builds(Size, st.integers(1, 300), st.integers(1, 300)),
    st.builds(Size, st.integers(1, 70), st.integers(1, 70)),
    st.integers(0, 5),
)


@given(sizes, tile_sizes)
def test_levels_halve_rounding_up_from_the_image_to_one_pixel(size, tile):
    pyramid = DeepZoom(size, tile)
    level_sizes = [pyramid.level_size(level) for level in range(pyramid.level_count)]

    assert level_sizes[-1] == size
    assert level_sizes[0] == (1, 1)
    assert pyramid.level_count == 1 or level_sizes[1] != (1, 1)
    for coarse, fine in pairwise(level_sizes):
        assert coarse == (-(-fine.width // 2), -(-fine.height // 2))


@given(small_pyramids)
def test_tiles_cover_each_level_exactly_once_but_for_the_overlap(pyramid):
    for level in range(pyramid.level_count):
        width, height = pyramid.level_size(level)
        cols, rows = pyramid.grid(level)
        for length, count, axis, tile in (
            (width, cols, 0, pyramid.tile.width),
            (height, rows, 1, pyramid.tile.height),
        ):
            end = 0
            for number in range(count):
                address = (number, 0) if axis == 0 else (0, number)
                box = pyramid.tile_at(TileAddress(level, *address)).box
                left, right = box[axis], box[axis + 2]
                assert left == max(number * tile - pyramid.overlap, 0)
                assert left <= end, "a gap between two tiles"
                end = right
            assert end == length
            assert right - left >= 1


@settings(max_examples=40)
@given(small_pyramids, st.data())
def test_numbered_tiles_are_all_tiles_once_and_ranges_are_their_pieces(pyramid, data):
    tiles = list(pyramid.tiles())
    expected = {
        (level, col, row)
        for level in range(pyramid.level_count)
        for col in range(pyramid.grid(level).width)
        for row in range(pyramid.grid(level).height)
    }
    assert len(tiles) == len(expected) == pyramid.tile_count
    assert set(tiles) == expected

    start = data.draw(st.integers(0, len(tiles)))
    stop = data.draw(st.integers(start, len(tiles) + 3))
    assert list(pyramid.tiles(start, stop)) == tiles[start:stop]


@settings(max_examples=40)
@given(
    st.builds(Size, st.integers(2, 40), st.integers(2, 40)),
    st.builds(Size, st.integers(1, 8), st.integers(1, 8)),
    st.integers(0, 10**6),
)
def test_the_tiles_beneath_a_tile_show_exactly_what_it_shows(size, tile, number):
    pyramid = DeepZoom(size, tile)
    coarser = list(pyramid.tiles(levels=pyramid.levels[1:]))
    address = coarser[number % len(coarser)]
    box, (width, height) = pyramid.tile_at(address).box, pyramid.level_size(address.level + 1)
    shown = [
        (x, y)
        for part in (pyramid.tile_at(each).box for each in pyramid.beneath(address))
        for x in range(part.left, part.right)
        for y in range(part.top, part.bottom)
    ]
    assert len(shown) == len(set(shown))
    assert set(shown) == {
        (x, y)
        for x in range(2 * box.left, min(2 * box.right, width))
        for y in range(2 * box.top, min(2 * box.bottom, height))
    }
    assert pyramid.beneath(address) == sorted(pyramid.beneath(address), key=lambda at: at.row)


@pytest.mark.parametrize("tile_size", [240, 254, 256])
@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("limit_bounds", [True, False])
def test_level_sizes_and_grids_are_openslides(real, tile_size, overlap, limit_bounds):
    with openslide.OpenSlide(real) as slide:
        oracle = DeepZoomGenerator(slide, tile_size, overlap, limit_bounds)
        pyramid = DeepZoom(Size(*slide.dimensions), Size(tile_size, tile_size), overlap)

        assert pyramid.level_count == oracle.level_count
        assert pyramid.tile_count == oracle.tile_count
        for level in range(oracle.level_count):
            assert pyramid.level_size(level) == oracle.level_dimensions[level]
            assert pyramid.grid(level) == oracle.level_tiles[level]
            for col, row in {(0, 0), tuple(n - 1 for n in oracle.level_tiles[level])}:
                box = pyramid.tile_at(TileAddress(level, col, row)).box
                assert box.size == oracle.get_tile_dimensions(level, (col, row))


def test_exact_table_of_cmu_1():
    """CMU-1 is 46,000 × 32,914; Aperio's own 4x level is 11,500 × 8,228, a row less."""
    pyramid = DeepZoom(Size(46_000, 32_914), Size(256, 256))

    assert pyramid.level_count == 17
    assert [pyramid.level_size(level) for level in (16, 15, 14, 12, 8, 0)] == [
        (46_000, 32_914),
        (23_000, 16_457),
        (11_500, 8_229),
        (2_875, 2_058),
        (180, 129),
        (1, 1),
    ]
    assert pyramid.grid(16) == (180, 129)
    assert pyramid.tile_count == 31_106
    assert pyramid.tile_at(TileAddress(16, 179, 128)).box == (45_824, 32_768, 46_000, 32_914)


def test_columns_have_as_many_digits_as_the_slide_needs():
    wide = DeepZoom(Size(400_000, 300), Size(256, 256))
    address = TileAddress.parse(f"{wide.level_count - 1}/1562_1")
    assert wide.tile_at(address).box.size == (128, 44)


@pytest.mark.parametrize(
    "text", ["", "1", "1/2", "1/2_", "a/1_1", "1/1_1x", "1/-1_1", "1/1_1\n", "١/1_1"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidRequest, match="not a tile address"):
        TileAddress.parse(text)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ((13, 0, 0), r"level 13 of 0\.\.12"),
        *(
            ((12, *place), r"columns 0\.\.9, rows 0\.\.12")
            for place in [(10, 0), (0, 13), (-1, 0), (0, -1)]
        ),
    ],
)
def test_what_the_pyramid_has_not_is_not_found_and_says_what_there_is(address, message):
    pyramid = DeepZoom(Size(2220, 2967), Size(240, 240))
    with pytest.raises(NotFound, match=message):
        pyramid.tile_at(TileAddress(*address))


@pytest.mark.parametrize("level", [-1, 13])
def test_a_level_that_the_pyramid_has_not_is_not_found(level):
    pyramid = DeepZoom(Size(2220, 2967), Size(240, 240))
    for ask in (pyramid.downsample, pyramid.level_size, pyramid.grid):
        with pytest.raises(NotFound, match=f"level {level} of"):
            ask(level)


def test_descriptor_is_what_openslide_writes(real):
    with openslide.OpenSlide(real) as slide:
        oracle = DeepZoomGenerator(slide, 240, 1).get_dzi("png")
        ours = DeepZoom(Size(*slide.dimensions), Size(240, 240), 1).descriptor("png")
    assert ET.canonicalize(ours, strip_text=True) == ET.canonicalize(oracle, strip_text=True)


def test_a_descriptor_of_tiles_that_are_not_square_is_refused():
    with pytest.raises(InvalidRequest, match="square"):
        DeepZoom(Size(10, 10), Size(4, 5)).descriptor()


@pytest.mark.parametrize("extension", ["", "jp g", '"', "jpég", "p/ng", ".png"])
def test_a_descriptor_names_no_extension_that_is_none(extension):
    with pytest.raises(InvalidRequest, match="not a file name extension"):
        DeepZoom(Size(10, 10), Size(4, 4)).descriptor(extension)


@pytest.mark.parametrize(
    ("size", "tile", "overlap"),
    [
        ((0, 5), (1, 1), 0),
        ((5, -1), (1, 1), 0),
        ((5, 5), (0, 1), 0),
        ((5, 5), (1, 0), 0),
        ((5, 5), (1, 1), -1),
    ],
)
def test_an_image_or_tiles_of_no_size_are_refused(size, tile, overlap):
    with pytest.raises(InvalidRequest, match="no tiles"):
        DeepZoom(Size(*size), Size(*tile), overlap)
    assert DeepZoom(Size(1, 1), Size(1, 1)).tile_count == 1
