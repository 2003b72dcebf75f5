"""Double clicks, in a real browser: what the first click has changed does not get the second."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.web.backend import Backend, sign_in

# How long the second click of two comes after the first.
INTERVALS_MS = (60, 150, 250, 400)


@pytest.fixture
def technician(page: Page, backend: Backend) -> Page:
    """The list, for a technician, on whose page time passes only when a test says so."""
    page.goto(backend.url)
    sign_in(page, "technician")
    expect(page.locator(".slide-card")).to_have_count(24)
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    return page


@pytest.fixture
def changes(technician: Page) -> Callable[[], int]:
    """How many requests have been sent so far that change something."""
    sent: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "DELETE" or "mutation" in (request.post_data or ""):
            sent.append(request)

    technician.on("request", note)

    def count() -> int:
        # Whatever a click has set off was sent before this is answered.
        technician.evaluate("() => fetch('config.json').then((answer) => answer.text())")
        return len(sent)

    return count


def double_click(
    page: Page, target: Locator, interval_ms: int, settled: Callable[[], None]
) -> None:
    """Click twice at one place: the second time so much later, once the first has done its work."""
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


def said(dialog: Locator, text: str) -> Callable[[], None]:
    return lambda: expect(dialog.locator(".review-said")).to_have_text(text)


@pytest.mark.parametrize("interval_ms", INTERVALS_MS)
@pytest.mark.parametrize("typed", [False, True])
def test_a_status_is_set_once(technician: Page, changes, interval_ms, typed):
    dialog = review(technician, "1010")
    if typed:
        dialog.get_by_label("Case ID").fill("S24-77")
    steps = (("GOOD", "Good"), ("BAD", "Bad"), ("GOOD", "Good"), ("SEND", "To be sent"))
    for number, (status, text) in enumerate(steps, 1):
        button = dialog.locator(f"[data-status={status}]")
        double_click(technician, button, interval_ms, said(dialog, f"Saved: {text}."))
        assert changes() == number
        expect(dialog.locator(f".review-badges .status-{status}")).to_be_visible()
        technician.clock.run_for(1000)


@pytest.mark.parametrize("interval_ms", [0, *INTERVALS_MS])
def test_a_status_is_set_once_though_the_answer_is_late(technician: Page, changes, interval_ms):
    dialog = review(technician, "1010")
    good = dialog.locator("[data-status=GOOD]")
    double_click(technician, good, interval_ms, lambda: None)
    said(dialog, "Saved: Good.")()
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
        said(dialog, "Saved: To be sent.")()
        backend.mishap("fail-work", why="the CDR answered 422: unknown case")

    double_click(technician, again, 400, failed)
    assert changes() == 1
    technician.clock.run_for(6000)
    expect(again).to_be_enabled()
    again.click()
    said(dialog, "Saved: To be sent.")()
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
        """Those above which something may come or go; the file's are below."""
        return [place for place in places() if place[0] not in ("TRANSFER", "RESTORE", "DELETE")]

    before = fixed()
    assert len(before) == 6
    for status, text in (("BAD", "Bad"), ("GOOD", "Good")):
        dialog.locator(f"[data-status={status}]").click()
        said(dialog, f"Saved: {text}.")()
        assert fixed() == before
        technician.clock.run_for(1000)
    dialog.get_by_label("Case ID").fill("")
    expect(dialog).to_contain_text("Saving removes the case ID.")
    assert fixed() == before
    backend.mishap("edit", ImageID="1010", CaseID="S24-THEIRS")
    dialog.locator("[data-status=BAD]").click()
    expect(dialog.locator(".conflict")).to_be_visible()
    assert fixed() == before
    dialog.get_by_role("button", name="Take what is there").click()
    technician.clock.run_for(1000)
    dialog.locator("[data-status=SEND]").click()
    said(dialog, "Saved: To be sent.")()
    assert fixed() == before
    backend.mishap("fail-work", why="the CDR answered 422: " + "unknown case " * 20)
    technician.clock.run_for(6000)
    expect(dialog).to_contain_text("Sending failed:")
    assert fixed() == before


@pytest.mark.parametrize("interval_ms", INTERVALS_MS[::3])
@pytest.mark.parametrize("operation", ["TRANSFER", "DELETE"])
def test_two_clicks_at_one_place_remove_nothing(technician: Page, changes, interval_ms, operation):
    """Nor do they take away the results of what was confirmed."""
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
def test_nothing_that_comes_under_the_pointer_gets_the_second_click(
    technician: Page, changes, interval_ms
):
    """Each of these has another control in its place afterwards, or another meaning."""
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


def test_a_click_is_taken_at_once_where_it_means_the_same(technician: Page):
    """Turning a label, selecting, zooming: as fast as one likes."""
    dialog = review(technician, "1010")
    turn = dialog.get_by_role("button", name="Turn")
    for _ in range(3):
        turn.click()
    expect(dialog.locator(".review-label .slide-image")).to_have_attribute("data-turn", "3")
    technician.keyboard.press("Escape")
    box = technician.locator('[data-image-id="1010"]').get_by_role("checkbox")
    box.click()
    box.click()
    expect(box).not_to_be_checked()


def test_a_place_is_free_again_after_half_a_second(technician: Page, changes):
    dialog = review(technician, "1010")
    bad = dialog.locator("[data-status=BAD]")
    bad.click()
    said(dialog, "Saved: Bad.")()
    technician.clock.run_for(500)
    dialog.locator("[data-status=GOOD]").click()
    said(dialog, "Saved: Good.")()
    technician.clock.run_for(500)
    bad.click()
    said(dialog, "Saved: Bad.")()
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
