"""Double clicks, in a real browser: a control that the first click changed ignores the second."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.web.backend import Backend, sign_in

# The time between the two clicks.
INTERVALS_MS = (60, 150, 250, 400)


@pytest.fixture
def technician(page: Page, backend: Backend) -> Page:
    """Sign in as a technician, and stop the page's clock: tests advance it."""
    page.goto(backend.url)
    sign_in(page, "technician")
    expect(page.locator(".slide-card")).to_have_count(24)
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
    with page.expect_response(lambda answer: "getSlide(" in (answer.request.post_data or "")):
        page.locator(f'[data-image-id="{image_id}"] .slide-actions button').click()
    page.clock.run_for(1000)
    return page.locator("dialog.review")


def result_is(dialog: Locator, text: str) -> Callable[[], None]:
    return lambda: expect(dialog.locator(".review-result")).to_have_text(text)


@pytest.mark.parametrize("interval_ms", INTERVALS_MS)
@pytest.mark.parametrize("typed", [False, True])
def test_a_status_is_set_once(technician: Page, changes, interval_ms, typed):
    dialog = review(technician, "1010")
    if typed:
        dialog.get_by_label("Case ID").fill("S24-77")
    steps = (("GOOD", "Good"), ("BAD", "Bad"), ("GOOD", "Good"), ("SEND", "To be sent"))
    for number, (status, text) in enumerate(steps, 1):
        button = dialog.locator(f"[data-status={status}]")
        double_click(technician, button, interval_ms, result_is(dialog, f"Saved: {text}."))
        assert changes() == number
        expect(dialog.locator(f".review-badges .status-{status}")).to_be_visible()
        technician.clock.run_for(1000)


@pytest.mark.parametrize("interval_ms", [0, *INTERVALS_MS])
def test_a_status_is_set_once_when_the_response_is_late(technician: Page, changes, interval_ms):
    dialog = review(technician, "1010")
    good = dialog.locator("[data-status=GOOD]")
    double_click(technician, good, interval_ms, lambda: None)
    result_is(dialog, "Saved: Good.")()
    assert changes() == 1


def test_a_delivery_that_fails_at_once_is_not_repeated_by_the_second_click(
    technician: Page, backend: Backend, changes
):
    technician.click("#slide-more")
    expect(technician.locator(".slide-card")).to_have_count(30)
    technician.clock.run_for(1000)
    dialog = review(technician, "1032")
    again = dialog.locator("[data-status=SEND]")

    def failed() -> None:
        result_is(dialog, "Saved: To be sent.")()
        backend.simulate("fail-work", why="the CDR answered 422: unknown case")

    double_click(technician, again, 400, failed)
    assert changes() == 1
    technician.clock.run_for(6000)
    expect(again).to_be_enabled()
    again.click()
    result_is(dialog, "Saved: To be sent.")()
    assert changes() == 2


def test_the_dialogs_buttons_keep_their_places(technician: Page, backend: Backend):
    dialog = review(technician, "1010")
    controls = "[data-status], [data-operation], .review-saving button, .dialog-head button"

    def places() -> list:
        return dialog.locator(controls).evaluate_all(
            "all => all.map((each) => [each.dataset.status ?? each.dataset.operation ?? each.type,"
            " each.getBoundingClientRect().x, each.getBoundingClientRect().y"
            " + (each.closest('.review-body')?.scrollTop ?? 0)])"
        )

    def fixed() -> list:
        """Return the places of the buttons that must not move; those for the file are below."""
        return [place for place in places() if place[0] not in ("TRANSFER", "RESTORE", "DELETE")]

    before = fixed()
    assert len(before) == 6
    for status, text in (("BAD", "Bad"), ("GOOD", "Good")):
        dialog.locator(f"[data-status={status}]").click()
        result_is(dialog, f"Saved: {text}.")()
        assert fixed() == before
        technician.clock.run_for(1000)
    dialog.get_by_label("Case ID").fill("")
    expect(dialog).to_contain_text("Saving removes the case ID.")
    assert fixed() == before
    backend.simulate("edit", ImageID="1010", CaseID="S24-THEIRS")
    dialog.locator("[data-status=BAD]").click()
    expect(dialog.locator(".conflict")).to_be_visible()
    assert fixed() == before
    dialog.get_by_role("button", name="Use the current values").click()
    technician.clock.run_for(1000)
    dialog.locator("[data-status=SEND]").click()
    result_is(dialog, "Saved: To be sent.")()
    assert fixed() == before
    backend.simulate("fail-work", why="the CDR answered 422: " + "unknown case " * 20)
    technician.clock.run_for(6000)
    expect(dialog).to_contain_text("Sending failed:")
    assert fixed() == before


@pytest.mark.parametrize("interval_ms", INTERVALS_MS[::3])
@pytest.mark.parametrize("operation", ["TRANSFER", "DELETE"])
def test_two_clicks_at_one_place_remove_nothing(technician: Page, changes, interval_ms, operation):
    """Nor do they close the dialog with the results."""
    removal = technician.locator("dialog.removal")
    for image_id in ("1012", "1013"):
        technician.locator(f'[data-image-id="{image_id}"]').get_by_role("checkbox").check()
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
    dialog = technician.locator("dialog.review")
    visible = lambda place: lambda: expect(place).to_be_visible()  # noqa: E731

    button = technician.locator('[data-image-id="1010"] .slide-actions button')
    double_click(technician, button, interval_ms, visible(dialog))
    expect(dialog).to_be_visible()
    technician.keyboard.press("Escape")
    technician.clock.run_for(1000)

    search = technician.get_by_role("button", name="Search…")
    double_click(technician, search, interval_ms, visible(technician.get_by_role("search")))
    expect(technician.get_by_role("search")).to_be_visible()
    technician.clock.run_for(1000)

    technician.locator('[data-image-id="1014"]').get_by_role("checkbox").check()
    bar = technician.locator(".selection-bar")
    technician.clock.run_for(1000)
    none = bar.get_by_role("button", name="Select none")
    double_click(technician, none, interval_ms, lambda: expect(bar).to_be_hidden())
    technician.clock.run_for(1000)

    more = technician.locator("#slide-more")
    double_click(technician, more, interval_ms, lambda: expect(cards).to_have_count(30))
    assert changes() == 0
    assert "#slide" not in technician.url
    expect(dialog).to_have_count(0)


def test_repeated_clicks_on_an_unchanged_control_all_count(technician: Page):
    """Rotating a label, selecting, zooming: as fast as the user likes."""
    dialog = review(technician, "1010")
    rotate = dialog.get_by_role("button", name="Rotate")
    for _ in range(3):
        rotate.click()
    expect(dialog.locator(".review-label .slide-image")).to_have_attribute("data-turns", "3")
    technician.keyboard.press("Escape")
    box = technician.locator('[data-image-id="1010"]').get_by_role("checkbox")
    box.click()
    box.click()
    expect(box).not_to_be_checked()


def test_a_click_counts_again_after_half_a_second(technician: Page, changes):
    dialog = review(technician, "1010")
    bad = dialog.locator("[data-status=BAD]")
    bad.click()
    result_is(dialog, "Saved: Bad.")()
    technician.clock.run_for(500)
    dialog.locator("[data-status=GOOD]").click()
    result_is(dialog, "Saved: Good.")()
    technician.clock.run_for(500)
    bad.click()
    result_is(dialog, "Saved: Bad.")()
    assert changes() == 3


def test_a_key_that_is_held_presses_one_control(technician: Page, changes):
    dialog = review(technician, "1010")
    dialog.locator("[data-operation=TRANSFER]").focus()
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
