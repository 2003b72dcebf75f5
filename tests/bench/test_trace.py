"""The viewer's trace is the same every time, and asks for what a viewer would."""

import pytest

from benchmarks.trace import SCREEN, LevelClass, Trace
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom

SMALL, CMU1 = Size(8111, 6037), Size(46000, 32914)
NATIVE = (1, 4, 16)


def trace(size, tile=256, overlap=0):
    return Trace(DeepZoom(size, Size(tile, tile), overlap), NATIVE)


@pytest.mark.parametrize("size", [SMALL, CMU1, Size(300, 200)])
@pytest.mark.parametrize(("tile", "overlap"), [(256, 0), (254, 1), (240, 0)])
def test_every_tile_exists_and_is_asked_for_once(size, tile, overlap):
    over = trace(size, tile, overlap)
    addresses = [request.address for request in over.requests()]
    assert addresses
    assert len(set(addresses)) == len(addresses)
    for address in addresses:
        over.pyramid.tile_at(address)
    assert over.requests() == trace(size, tile, overlap).requests()


@pytest.mark.parametrize(("size", "low", "high"), [(SMALL, 200, 500), (CMU1, 2000, 6000)])
def test_a_trace_is_as_long_as_it_should_be_and_meets_every_class_of_level(size, low, high):
    requests = trace(size).requests()
    assert low < len(requests) < high
    assert {request.kind for request in requests} == set(LevelClass)


def test_the_path_is_the_same_for_every_tile_grid():
    assert trace(CMU1).views == trace(CMU1, 254, 1).views
    assert trace(CMU1).screen_megapixels == trace(CMU1, 254, 1).screen_megapixels


def test_views_stay_on_the_slide_where_they_fit():
    for view in trace(CMU1).views:
        for start, length, screen in (
            (view.l0_left, CMU1.width, SCREEN.width),
            (view.l0_top, CMU1.height, SCREEN.height),
        ):
            extent = screen * view.scale
            if extent <= length:
                assert start >= 0
                assert start + extent <= length + 1e-6
            else:
                assert start == pytest.approx((length - extent) / 2)
