"""A dense screen, whose pixels are half as large: which tiles the viewer asks for, and when."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in

FRAME_MS = 50
REST_MS = 400
SLIDE = "1001"  # 40,000 x 30,000 pixels: level 16 is the whole slide's
IMAGE = "document.querySelector('#viewer').osd.world.getItemAt(0)"


class Tiles:
    """The tiles that a page has requested, as (level, column, row)."""

    def __init__(self, page: Page) -> None:
        self._seen: list[tuple[int, ...]] = []
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        tile = re.search(r"_files/(\d+)/(\d+)_(\d+)\.jpeg", url)
        if tile:
            self._seen.append(tuple(map(int, tile.groups())))

    def take(self) -> list[tuple[int, ...]]:
        """Return the tiles since the last call."""
        seen, self._seen = self._seen, []
        return seen


def open_with_stopped_clock(page: Page, backend: Backend, choice: str = "resting") -> None:
    """Open the slide. Then timers and frames happen only in ``run``."""
    page.clock.install()
    page.goto(backend.url)
    page.evaluate("choice => localStorage.setItem('vsv.detail', choice)", choice)
    sign_in(page)
    page.wait_for_selector("body[data-state=list]")
    page.goto(f"{backend.url}/#slide={SLIDE}")
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    page.clock.pause_at(page.evaluate("Date.now() + 1000") / 1000)


def run(page: Page, ms: int = FRAME_MS) -> None:
    page.clock.run_for(ms)


def load(page: Page) -> None:
    """Wait for all tiles that the viewer wants now."""
    run(page)
    while not page.evaluate(f"{IMAGE}.getFullyLoaded()"):
        run(page)


def load_while_moving(page: Page) -> None:
    """Wait for all tiles that the viewer wants, and never let the view rest."""
    step = 0.0001
    viewport = "document.querySelector('#viewer').osd.viewport"
    move = f"x => {viewport}.panBy(new OpenSeadragon.Point(x, 0), true)"
    while True:
        page.evaluate(move, step)
        run(page)
        if page.evaluate(f"{IMAGE}.getFullyLoaded()"):
            return
        step = -step


def look_at(page: Page, x: int, y: int, zoom: float) -> None:
    """Show a place at once, as a link within the page does."""
    page.evaluate(f"location.replace('#slide={SLIDE}&x={x}&y={y}&zoom={zoom}')")
    run(page)


def drawn_levels(page: Page) -> set[int]:
    return set(page.evaluate(f"{IMAGE}.lastDrawn.map(tile => tile.level)"))


PLACES = [(20_000, 15_000, 0.25), (22_000, 15_000, 0.25), (22_000, 15_000, 0.5)]


@pytest.fixture
def normal_screen(page: Page, backend: Backend) -> set[tuple[int, ...]]:
    """Return the tiles that a normal screen needs for the places."""
    tiles = Tiles(page)
    open_with_stopped_clock(page, backend)
    for place in PLACES:
        look_at(page, *place)
        load_while_moving(page)
    return set(tiles.take())


def test_a_moving_view_asks_for_no_more_tiles_than_on_a_normal_screen(
    normal_screen, dense_page: Page, backend: Backend
):
    page = dense_page
    tiles = Tiles(page)
    open_with_stopped_clock(page, backend)
    for place in PLACES:
        look_at(page, *place)
        load_while_moving(page)
    assert set(tiles.take()) <= normal_screen


def test_a_view_that_rests_becomes_finer(dense_page: Page, backend: Backend):
    page = dense_page
    tiles = Tiles(page)
    open_with_stopped_clock(page, backend)
    look_at(page, 20_000, 15_000, 0.25)
    load_while_moving(page)
    assert {level for level, *_ in tiles.take()} <= set(range(15))
    assert drawn_levels(page) == {14}

    run(page, REST_MS - FRAME_MS - 1)
    assert tiles.take() == [], "it has not rested for long enough"
    run(page, FRAME_MS)
    load(page)
    finer = tiles.take()
    assert {level for level, *_ in finer} == {15}
    assert drawn_levels(page) == {15}

    # What is loaded stays while the view moves; what comes into view is not asked for.
    look_at(page, 21_000, 15_000, 0.25)
    load_while_moving(page)
    assert {level for level, *_ in tiles.take()} == {14}
    assert drawn_levels(page) == {14, 15}
    run(page, REST_MS)
    load(page)
    assert not set(tiles.take()) & set(finer)
    assert drawn_levels(page) == {15}


def test_a_movement_stops_finer_tiles_that_wait(dense_page: Page, backend: Backend):
    page = dense_page
    tiles = Tiles(page)
    open_with_stopped_clock(page, backend)
    look_at(page, 20_000, 15_000, 0.25)
    load_while_moving(page)
    tiles.take()
    run(page, REST_MS)
    while len(tiles.take()) == 0:
        run(page, 1)
    look_at(page, 20_010, 15_000, 0.25)
    tiles.take()
    load_while_moving(page)
    assert tiles.take() == []


@pytest.mark.parametrize(("choice", "level"), [("standard", 14), ("always", 15)])
def test_the_detail_can_be_chosen_and_is_remembered(
    dense_page: Page, backend: Backend, choice: str, level: int
):
    page = dense_page
    page.goto(f"{backend.url}/#slide={SLIDE}&x=20000&y=15000&zoom=0.25")
    sign_in(page)
    page.get_by_label("Detail").select_option(choice)
    page.reload()
    expect(page.get_by_label("Detail")).to_have_value(choice)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    assert drawn_levels(page) == {level}


def test_a_normal_screen_has_nothing_to_choose(page: Page, backend: Backend):
    page.goto(f"{backend.url}/#slide={SLIDE}")
    sign_in(page)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(page.get_by_label("Detail")).to_be_hidden()
