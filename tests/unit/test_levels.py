"""A slide's levels in numbers: which downsample they have, and which of their tiles cover which."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsv.geometry import Size
from vsv.slides.damage import Damage, TileNumber, UnsupportedTile, log_damage
from vsv.slides.level import Level, whole_downsample
from vsv.slides.lost_tiles import LostTiles, covered_tiles, empty_tiles
from vsv.slides.tile_index import TiledImage


@settings(max_examples=60)
@given(
    st.builds(Size, st.integers(12_800, 200_000), st.integers(12_800, 200_000)),
    st.integers(1, 64),
    st.tuples(st.booleans(), st.booleans()),
)
def test_a_levels_downsample_is_what_its_scanner_meant_however_it_rounds(full, downsample, up):
    """(Of a smaller slide, two downsamples of 60 and more would give the same level.)"""
    level = Size(
        *(
            -(-n // downsample) if ceil else n // downsample
            for n, ceil in zip(full, up, strict=True)
        )
    )
    assert whole_downsample(level, full) == downsample


@pytest.mark.parametrize(
    ("full", "level", "downsample"),
    [
        ((46_000, 32_914), (11_500, 8_228), 4),
        ((46_000, 32_914), (2_875, 2_057), 16),
        ((5, 5), (1, 1), 4),
        ((7, 7), (1, 1), 4),
        ((1, 1), (1, 1), 1),
        ((3, 300), (1, 100), 3),
        ((1000, 1000), (250, 500), None),
        ((1000, 1000), (500, 250), None),
        ((1000, 1000), (1001, 1001), None),
        ((1000, 1000), (3000, 3000), None),
        ((1000, 1000), (0, 250), None),
        ((1000, 1000), (250, 0), None),
    ],
)
def test_an_image_that_is_no_whole_number_smaller_has_no_downsample(full, level, downsample):
    assert whole_downsample(Size(*level), Size(*full)) == downsample


def level_of(index, size, tile, downsample):
    return Level(index, TiledImage(*size, *tile, 7, 2, b""), downsample)


lengths = st.integers(1, 3_000)
tile_lengths = st.sampled_from([16, 48, 64, 240, 256])


@settings(max_examples=60)
@given(lengths, lengths, st.lists(tile_lengths, min_size=6, max_size=6), st.integers(0, 10**6))
def test_a_lost_tile_takes_with_it_the_coarser_ones_that_show_a_part_of_it(
    width, height, tiles, number
):
    levels = [
        level_of(index, (-(-width // downsample), -(-height // downsample)), tile, downsample)
        for index, (downsample, tile) in enumerate(
            zip((1, 4, 16), zip(tiles[:3], tiles[3:], strict=True), strict=True)
        )
    ]
    level = levels[number % 3]
    lost = TileNumber(level.index, number % level.image.cols, number % level.image.rows)

    def pixels(of, tile_col, tile_row):
        """Return the part of the slide that the tile shows, at full resolution."""
        return (
            (
                tile_col * of.image.tile_width * of.downsample,
                min((tile_col + 1) * of.image.tile_width, of.image.width) * of.downsample,
            ),
            (
                tile_row * of.image.tile_height * of.downsample,
                min((tile_row + 1) * of.image.tile_height, of.image.height) * of.downsample,
            ),
        )

    here = pixels(level, lost.col, lost.row)
    expected = {lost} | {
        TileNumber(other.index, col, row)
        for other in levels
        if other.downsample > level.downsample
        for col in range(other.image.cols)
        for row in range(other.image.rows)
        if all(
            one[0] < two[1] and two[0] < one[1]
            for one, two in zip(here, pixels(other, col, row), strict=True)
        )
    }
    found = LostTiles(levels, [lost])
    assert set(found) == expected
    assert all(tile in found for tile in expected)
    assert found.mask(level.index).count(1) == 1


@pytest.mark.parametrize("downsample", [4, 1])
def test_a_tile_covers_those_whose_loss_it_shows(downsample):
    levels = [
        level_of(0, (70, 50), (16, 16), 1),
        level_of(1, (17, 13), (5, 7), downsample),
        level_of(2, (4, 3), (3, 2), 16),
    ]
    tiles = [
        TileNumber(level.index, col, row)
        for level in levels
        for row in range(level.image.rows)
        for col in range(level.image.cols)
    ]
    for tile in tiles:
        covered = [covered_tiles(levels[tile.level], tile, finer) for finer in levels]
        shown = [part for part in tiles if tile in LostTiles(levels, [part])]
        assert list(chain.from_iterable(covered)) == shown


def test_lost_tiles_are_all_that_cover_one_of_many():
    """Rows of lost tiles are passed over quickly, and none of them is missed."""
    levels = [level_of(0, (1000, 900), (10, 10), 1), level_of(1, (250, 225), (16, 16), 4)]
    masks = [bytes(number % 7 < 3 for number in range(100 * 90)), bytes(16 * 15)]
    many = LostTiles.masked(levels, masks)
    tiles = [TileNumber(0, number % 100, number // 100) for number in range(9000)]
    lost = [tile for tile, mask in zip(tiles, masks[0], strict=True) if mask]
    assert set(many) == set().union(*(LostTiles(levels, [tile]) for tile in lost))


SPARSE = [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("finest", "coarser", "lost"),
    [
        ([[1] * 4] * 4, [[1, 1], [1, 1]], ([], [])),
        ([[1] * 4] * 3 + [[1, 0, 1, 1]], [[1, 1], [1, 1]], ([(1, 3)], [])),
        ([[1] * 4] * 4, [[1, 0], [0, 1]], ([], [(1, 0), (0, 1)])),
        ([[1] * 4] * 4, [[0, 0], [0, 0]], ([], [(0, 0), (1, 0), (0, 1), (1, 1)])),
        (SPARSE, [[1, 0], [1, 1]], ([], [])),
        (SPARSE, [[0, 0], [1, 1]], ([], [(0, 0)])),
    ],
)
def test_tiles_that_a_scanner_left_empty_are_lost_amid_others(finest, coarser, lost):
    """More than a tenth of the finest level is what has no tissue, as what shows only that."""
    levels = [level_of(0, (1024, 1000), (256, 256), 1), level_of(1, (512, 500), (256, 256), 2)]
    masks = empty_tiles(levels, [[*chain(*finest)], [*chain(*coarser)]])
    found = [
        [(n % level.image.cols, n // level.image.cols) for n in range(len(mask)) if mask[n]]
        for level, mask in zip(levels, masks, strict=True)
    ]
    assert tuple(found) == lost


def test_a_damaged_tile_is_logged_by_its_place_and_why(caplog):
    """By nothing else: the slide's name may be a patient's."""
    damage = Damage(2, 3, 4, str(UnsupportedTile("12 bits")))
    assert damage.tile == TileNumber(2, 3, 4)
    log_damage(damage)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "tile 3_4 of level 2 is damaged: 12 bits: "
        "another level or the background is shown in its place"
    )
