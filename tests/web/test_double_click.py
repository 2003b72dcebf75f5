"""Double clicks, in a real browser: a control that the first click changed ignores the second."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card, judgement, loaded

# The time between the two clicks.
INTERVALS_MS = (60, 150, 250, 400)


@pytest.fixture
def technician(page: Page, backend: Backend) -> Page:
    """Sign in as a technician, and stop the page's clock: tests advance it."""
    page.goto(backend.url)
    sign_in(page, "technician")
    loaded(page)
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    return page


@pytest.fixture
def changes(technician: Page) -> Callable[[], int]:
    """Return a function that counts the requests for changes so far."""
    sent: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "DELETE" or "mutation" in (request.post_data or ""):
            sent.append(request)

    technician.on("request", note)

    def count() -> int:
        # Requests that a click has caused were sent before this one is answered.
        technician.evaluate("() => fetch('config.json').then((answer) => answer.text())")
        return len(sent)

    return count


def double_click(
    page: Page, target: Locator, interval_ms: int, settled: Callable[[], None]
) -> None:
    """Click twice at one place, the second time after the first has had its effect."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(*place)
    settled()
    page.clock.run_for(interval_ms)
    page.mouse.click(*place)
    page.clock.run_for(1)


def review(page: Page, image_id: str) -> Locator:
    card(page, image_id).locator(".slide-actions button").click()
    return shown(page, image_id)


def shown(page: Page, image_id: str) -> Locator:
    """Let time pass until a slide can be judged, and until a click counts again."""
    ready = page.locator(f'#review-page[data-ready][data-image-id="{image_id}"]')
    while not ready.count():
        page.clock.run_for(100)
    page.clock.run_for(1000)
    return page.locator("#review-page")


def moved_to(page: Page, image_id: str) -> Callable[[], None]:
    return lambda: expect(page.locator("#review-page")).to_have_attribute("data-image-id", image_id)


@pytest.mark.parametrize("interval_ms", [0, *INTERVALS_MS])
@pytest.mark.parametrize("typed", [False, True])
def test_a_double_click_judges_one_slide(technician: Page, changes, interval_ms, typed):
    """The second click, at the same place, does not judge the next slide."""
    place = review(technician, "1012")
    if typed:
        place.get_by_label("Case ID").fill("S24-77")
    good = place.locator("[data-status=GOOD]")
    double_click(technician, good, interval_ms, moved_to(technician, "1011"))
    shown(technician, "1011")
    assert changes() == 1
    expect(judgement(technician, "1012")).to_contain_text("saved")
    expect(place.locator(".review-badges .status-NEW")).to_be_visible()


@pytest.mark.parametrize("interval_ms", INTERVALS_MS[::3])
def test_a_double_click_on_bad_or_on_a_reason_judges_one_slide(
    technician: Page, changes, interval_ms
):
    place = review(technician, "1012")
    reasons = place.locator(".review-reasons")
    bad = place.locator("[data-status=BAD]")
    double_click(technician, bad, interval_ms, lambda: expect(reasons).to_be_visible())
    assert changes() == 0
    technician.clock.run_for(1000)
    reason = place.locator("[data-reason=STITCHING]")
    double_click(technician, reason, interval_ms, moved_to(technician, "1011"))
    shown(technician, "1011")
    assert changes() == 1


def test_the_buttons_keep_their_places(technician: Page, backend: Backend):
    place = review(technician, "1012")
    buttons = ".review-bar > button, .review-ids button, [data-glass] button"

    def places() -> list:
        return place.locator(buttons).evaluate_all(
            "all => all.map((each) => [each.getBoundingClientRect().x,"
            " each.getBoundingClientRect().y, each.getBoundingClientRect().width])"
        )

    before = places()
    assert len(before) == 11
    place.get_by_label("Case ID").fill("")
    expect(place).to_contain_text("Saving removes the case ID.")
    assert places() == before
    backend.simulate("edit", ImageID="1012", CaseID="S24-THEIRS")
    place.get_by_role("button", name="Save IDs").click()
    expect(place.locator(".conflict")).to_be_visible()
    assert places() == before
    place.get_by_role("button", name="Use the current values").click()
    technician.clock.run_for(1000)
    for image_id, key in (("1011", "g"), ("1010", "g")):
        technician.keyboard.press(key)
        shown(technician, image_id)
        assert places() == before
    technician.keyboard.press("b")
    expect(place.locator(".review-reasons")).to_be_visible()
    assert places() == before


@pytest.mark.parametrize("interval_ms", INTERVALS_MS[::3])
@pytest.mark.parametrize("operation", ["TRANSFER", "DELETE"])
def test_two_clicks_at_one_place_remove_nothing(technician: Page, changes, interval_ms, operation):
    """Nor do they close the dialog with the results."""
    removal = technician.locator("dialog.removal")
    for image_id in ("1012", "1013"):
        card(technician, image_id).get_by_role("checkbox").check()
    technician.clock.run_for(1000)
    act = technician.locator(f".selection-bar [data-operation={operation}]")
    double_click(technician, act, interval_ms, lambda: expect(removal).to_be_visible())
    expect(removal).to_be_visible()
    assert changes() == 0
    technician.clock.run_for(1000)
    verb = {"TRANSFER": "Archive", "DELETE": "Delete"}[operation]
    confirm = removal.get_by_role("button", name=f"{verb} 2 slides")
    accepted = removal.locator("[data-result=accepted]")
    double_click(technician, confirm, interval_ms, lambda: expect(accepted).to_have_count(2))
    assert changes() == 1
    expect(removal).to_be_visible()
    removal.get_by_role("button", name="Close").click()
    expect(removal).to_have_count(0)


@pytest.mark.parametrize("interval_ms", INTERVALS_MS[::3])
def test_a_control_that_appears_under_the_pointer_ignores_the_second_click(
    technician: Page, changes, interval_ms
):
    """Each of these controls changes, or another control takes its place."""
    cards = technician.locator(".slide-card")
    page = technician.locator("#review-page")
    visible = lambda place: lambda: expect(place).to_be_visible()  # noqa: E731

    button = card(technician, "1010").locator(".slide-actions button")
    double_click(technician, button, interval_ms, visible(page))
    expect(page).to_be_visible()
    shown(technician, "1010")
    technician.keyboard.press("Escape")
    expect(cards.first).to_be_visible()
    technician.clock.run_for(1000)

    filters = technician.get_by_role("button", name="Filters")
    status = technician.get_by_label("Status", exact=True)
    filters.click()
    technician.clock.run_for(1000)
    double_click(technician, filters, interval_ms, visible(status))
    expect(status).to_be_visible()
    technician.clock.run_for(1000)

    card(technician, "1014").get_by_role("checkbox").check()
    bar = technician.locator(".selection-bar")
    technician.clock.run_for(1000)
    none = bar.get_by_role("button", name="Select none")
    double_click(technician, none, interval_ms, lambda: expect(bar).to_be_hidden())
    technician.clock.run_for(1000)

    assert changes() == 0
    assert "slide=" not in technician.url
    expect(page).to_be_hidden()


def test_repeated_clicks_on_an_unchanged_control_all_count(technician: Page):
    """Rotating a label, selecting, zooming: as fast as the user likes."""
    place = review(technician, "1012")
    turn = place.get_by_role("button", name="Turn the label")
    for _ in range(3):
        turn.click()
    expect(place.locator("[data-glass=label] .slide-image")).to_have_attribute("data-turns", "3")
    technician.keyboard.press("Escape")
    box = card(technician, "1010").get_by_role("checkbox")
    box.click()
    box.click()
    expect(box).not_to_be_checked()


def test_a_click_counts_again_when_the_next_slide_has_been_shown(technician: Page, changes):
    place = review(technician, "1012")
    for number, image_id in enumerate(("1011", "1010", "1005"), 1):
        place.locator("[data-status=GOOD]").click()
        moved_to(technician, image_id)()
        shown(technician, image_id)
        assert changes() == number


def test_a_key_that_is_held_presses_one_control(technician: Page, changes):
    place = review(technician, "1012")
    place.locator("[data-operation=TRANSFER]").focus()
    removal = technician.locator("dialog.removal")
    technician.keyboard.down("Enter")
    expect(removal).to_be_visible()
    technician.keyboard.down("Enter")
    technician.keyboard.down("Enter")
    technician.keyboard.up("Enter")
    assert changes() == 0
    expect(removal.get_by_role("button", name="Cancel")).to_be_visible()
    technician.keyboard.press("Enter")
    expect(removal.locator("[data-result=accepted]")).to_be_visible()
    assert changes() == 1
