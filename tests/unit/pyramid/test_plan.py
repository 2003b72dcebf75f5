"""What is to be rendered: which levels, in which bands, units and pieces."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import pytest

from tests.unit.pyramid.helpers import bands, index_of, levelled, rendered
from vsv.errors import IncompletePyramid
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.plan import Band, Work, check_complete, levels_to_render
from vsv.pyramid.render import Renderer
from vsv.slides.slide import Slide


def test_a_band_ends_at_each_level_that_the_slide_has_on_the_grid():
    size = (4096, 1024)
    assert bands(levelled(size, 1, 4)) == [(0, 10, True), (11, 12, True)]
    assert bands(levelled(size, 1, 4, compression=33003)) == [(0, 10, False), (11, 12, False)]
    assert bands(levelled(size, 1, 4, coarser_tile=(128, 128))) == [(0, 12, True)]
    each = [(level, level, False) for level in range(13)]
    assert bands(levelled(size, 1, tile=(255, 255))) == each, "of an odd tile no half is whole"
    assert bands(levelled(size, 1, tile=(256, 128))) == each
    assert bands(levelled(size, 1, tile=(2048, 2048))) == each
    assert bands(levelled(size, 1, tile=(1024, 1024))) == [(0, 12, True)]
    assert bands(levelled(size, 1), DeepZoom(Size(*size), Size(256, 256), 1)) == each


def test_bands_without_a_level_that_is_wanted_are_no_work():
    slide = levelled((4096, 1024), 1, 4)
    assert bands(slide, levels=()) == []
    assert bands(slide, levels=(0,)) == bands(slide, levels=(10,)) == [(0, 10, True)]
    assert bands(slide, levels=(11,)) == bands(slide, levels=(12,)) == [(11, 12, True)]


def test_pieces_have_about_as_many_tiles_as_they_should():
    slide = levelled((4096, 1024), 1, 4)
    pyramid = default_pyramid(slide)
    work = Work.of(slide, pyramid, pyramid.levels)
    # All coarse tiles are one unit; then come 16, each of a tile and the four beneath it.
    assert [*work.pieces(9)] == [(number, number + 1) for number in range(17)]
    assert [*work.pieces(10)] == [(0, 1), *((start, start + 2) for start in range(1, 17, 2))]
    assert [*work.pieces(15)] == [
        (0, 1),
        *((start, start + 3) for start in range(1, 16, 3)),
        (16, 17),
    ]
    assert [*work.pieces(1000)] == [(0, 1), (1, 17)]
    for piece, tiles in (((0, 1), 15), ((1, 3), 10), ((16, 17), 5), ((16, 99), 5), ((0, 3), 25)):
        found = [tile for band, root in work.units(*piece) for tile in work.beneath(band, root)]
        assert len(set(found)) == len(found) == tiles


def test_what_would_keep_a_viewer_waiting_is_always_rendered():
    """Where more than 2**28 pixels of the slide are behind a tile: 256 pixels of 64 are not."""
    alone = levelled((100_000, 100_000), 1)
    assert levels_to_render(alone, "none") == tuple(range(10, -1, -1))
    assert levels_to_render(levelled((100_000, 100_000), 1, 32), "none") == ()
    narrow = levelled((100_000, 1000), 1)
    assert levels_to_render(narrow, "none") == ()
    assert levels_to_render(alone, "all") == tuple(range(17, -1, -1))
    assert levels_to_render(alone, "derived") == tuple(range(16, -1, -1))
    assert levels_to_render(levelled((4096, 1024), 1, 4), "derived") == (11, *range(9, -1, -1))


def renderer(size, store=None, on_tile=None):
    slide = levelled(size, 1)
    pyramid = default_pyramid(slide)
    index = SimpleNamespace(pyramid=pyramid, levels=pyramid.levels, quality=90)
    return Renderer(slide, index, store, on_tile)


def unit(size):
    return renderer(size)._unit(Band(0, 0, False), (), None)


def test_the_last_pixels_of_a_level_stand_for_what_is_left_of_the_slide():
    shares = unit((1001, 512))._last_shares
    assert shares(TileAddress(10, 3, 1)) == (1, 1)
    assert shares(TileAddress(9, 0, 0)) == (1, 1), "not at the right border"
    assert shares(TileAddress(9, 1, 0)) == (Fraction(1, 2), 1)
    assert shares(TileAddress(8, 0, 0)) == (Fraction(1, 4), 1)
    shares = unit((512, 1003))._last_shares
    assert shares(TileAddress(9, 0, 0)) == (1, 1)
    assert shares(TileAddress(9, 0, 1)) == (1, Fraction(1, 2))
    assert shares(TileAddress(8, 0, 0)) == (1, Fraction(3, 4))


@pytest.mark.parametrize(
    ("levels", "there", "asked"),
    [
        ((12, 11), (), [2]),
        ((12, 11), ("11/0_0",), [2, 320]),
        ((12, 11), ("12/0_0", "12/1_0"), [2, 320]),
        ((12, 11), ("12/5_5",), [2]),
        ((1, 0), ("1/0_0",), [2, 2]),
        ((0,), (), [1]),
    ],
)
def test_a_unit_that_was_not_begun_costs_the_question_for_two_tiles(levels, there, asked):
    """The first tile and the last: one that another worker has just begun with is written again."""
    questions, seen = [], []

    def missing(names):
        questions.append(len(names))
        return set(names) - set(there)

    rendering = renderer((4096, 4096), SimpleNamespace(missing=missing), seen.append)
    work = rendering.work = replace(rendering.work, levels=levels)
    left = rendering._missing(work.bands[0], TileAddress(0, 0, 0))
    assert questions == asked
    assert seen == ([False] * len(there) if len(asked) > 1 else [])
    assert len(left) == work.pyramid.count(levels) - len(seen)


def test_levels_that_lack_tiles_are_all_named():
    index = SimpleNamespace(levels=(12, 11, 0), pyramid=default_pyramid(levelled((4096, 1024), 1)))
    counts = {12: 64, 11: 16, 0: 1}
    store = SimpleNamespace(count_tiles=counts.get)
    check_complete(index, store)
    counts.update({12: 65, 11: 15, 0: 0})
    with pytest.raises(IncompletePyramid) as raised:
        check_complete(index, store)
    assert str(raised.value) == (
        "the pyramid is incomplete: level 11 has 15 of 16 tiles, level 0 has 0 of 1 tiles"
    )


@pytest.mark.parametrize(
    ("which", "levels"),
    [("all", {*range(13)}), ("derived", {*range(13)} - {12, 10, 8}), ("none", set())],
)
def test_which_levels_are_rendered(generated, storage, which, levels):
    """Levels 12, 10 and 8 are the slide's own 1x, 4x and 16x."""
    with Slide(generated) as slide:
        index = index_of(slide, which)
        folder = rendered(slide, index, storage.root)
    assert set(index.levels) == levels
    assert {int(level.name) for level in folder.glob("*")} == levels
