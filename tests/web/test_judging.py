"""Many slides are judged by keys: one press each, and never a status that nobody chose."""

import threading

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card, judgement, review, shown, status

TWENTY = [str(number) for number in range(1029, 1009, -1)]  # new slides, the newest first


@pytest.fixture
def reviewer(page: Page, backend: Backend) -> Page:
    """Open the review by its address."""
    page.goto(f"{backend.url}/#review={TWENTY[0]}")
    sign_in(page, "technician")
    shown(page, TWENTY[0])
    return page


def records(page: Page, *image_ids: str) -> list[tuple[str, str | None]]:
    """Return status and reason of the records that the server has."""
    query = "query($ids: [String!]) { getSlides(ImageIDs: $ids) { Status ReviewReason } }"
    script = """async ([query, ids]) => {
        const { graphqlUrl } = await (await fetch("config.json")).json();
        const stored = Object.values(sessionStorage).join(" ");
        const token = /[\\w-]+\\.[\\w-]+\\./.exec(stored)[0];
        const body = JSON.stringify({ query, variables: { ids } });
        const headers = { "Content-Type": "application/json", Authorization: token };
        const response = await fetch(graphqlUrl, { method: "POST", headers, body });
        return (await response.json()).data.getSlides;
    }"""
    found = page.evaluate(script, [query, list(image_ids)])
    return [(each["Status"], each["ReviewReason"]) for each in found]


class Answers:
    """Holds or loses the answers to edits; the server has carried them out."""

    def __init__(self, page: Page) -> None:
        self.edits = 0
        self.lose = 0
        self.refuse = 0
        page.route("**/graphql", self._answer)

    def _answer(self, route: Route) -> None:
        if "updateSlide" not in (route.request.post_data or ""):
            route.continue_()
            return
        self.edits += 1
        if self.refuse:
            self.refuse -= 1
            route.abort()
        elif self.lose:
            self.lose -= 1
            route.fetch()
            route.abort()
        else:
            route.continue_()


def test_twenty_slides_take_twenty_one_key_presses(reviewer: Page):
    presses = 0
    for image_id in TWENTY:
        shown(reviewer, image_id)
        keys = "b2" if image_id == TWENTY[7] else "g"
        for key in keys:
            reviewer.keyboard.press(key)
            presses += 1
    assert presses == 21
    expect(reviewer.locator("#judgements li[data-state=saving]")).to_have_count(0)
    wanted = [("GOOD", None)] * 20
    wanted[7] = ("BAD", "TISSUE_MISSED")
    assert records(reviewer, *TWENTY) == wanted


def test_the_next_slide_is_requested_ahead(reviewer: Page):
    """Nothing is waited for: when the next slide is shown, its record and images are there."""
    expect(reviewer.locator(".tissue-pane:not([data-shown])[data-viewer-ready]")).to_have_count(1)
    asked: list[str] = []
    reviewer.on("request", lambda request: asked.append(request.url + (request.post_data or "")))
    reviewer.keyboard.press("g")
    shown(reviewer, TWENTY[1])
    assert not [each for each in asked if f"/{TWENTY[1]}" in each]


def test_a_held_key_judges_one_slide(reviewer: Page):
    for _ in range(5):
        reviewer.keyboard.down("g")
        shown(reviewer, TWENTY[1])
        reviewer.keyboard.down("g")
    reviewer.keyboard.up("g")
    # The Enter key on a button repeats its click.
    status(reviewer.locator("#review-page"), "GOOD").focus()
    for _ in range(5):
        reviewer.keyboard.down("Enter")
        shown(reviewer, TWENTY[2])
    reviewer.keyboard.up("Enter")
    expect(judgement(reviewer, TWENTY[1])).to_contain_text("saved")
    assert [each for each, _ in records(reviewer, *TWENTY[:3])] == ["GOOD", "GOOD", "NEW"]


def test_keys_in_text_fields_judge_nothing(reviewer: Page):
    place = reviewer.locator("#review-page")
    place.get_by_label("Slide ID").fill("")
    place.get_by_label("Slide ID").press_sequentially("gbsnpu7")
    expect(place.get_by_label("Slide ID")).to_have_value("gbsnpu7")
    place.get_by_label("Slide ID").fill(TWENTY[0])
    place.get_by_label("Slide ID").press("Escape")
    reviewer.keyboard.press("b")
    place.get_by_label("Note").press_sequentially("grey band 12")
    place.get_by_label("Note").press("Enter")
    assert [each for each, _ in records(reviewer, TWENTY[0])] == ["NEW"]
    reviewer.keyboard.press("7")
    shown(reviewer, TWENTY[1])
    reviewer.keyboard.press("p")
    shown(reviewer, TWENTY[0])
    expect(place.locator(".review-reason")).to_have_text("Bad: Other. grey band 12")
    place.locator(".history > summary").click()
    expect(place.locator(".history-list > li").first).to_contain_text("grey band 12")
    reviewer.keyboard.press("b")
    expect(place.get_by_label("Note")).to_have_value("grey band 12")
    reviewer.keyboard.press("Escape")
    expect(place.locator(".review-reasons")).to_have_count(0)


@pytest.mark.parametrize("key", ["g", "s", "1"])
def test_a_slide_that_is_not_shown_yet_is_not_judged(reviewer: Page, key):
    """The second press comes before the next slide's record is there."""
    held = threading.Event()
    reviewer.route("**/graphql", lambda route: None if held.is_set() else route.continue_())
    held.set()
    reviewer.keyboard.press("g")
    for _ in range(3):
        reviewer.keyboard.press(key)
    reviewer.unroute("**/graphql")
    assert [each for each, _ in records(reviewer, *TWENTY[1:4])] == ["NEW"] * 3


def test_a_lost_answer_is_read_again(reviewer: Page):
    answers = Answers(reviewer)
    answers.lose = 1
    reviewer.keyboard.press("g")
    expect(judgement(reviewer, TWENTY[0])).to_contain_text("saved")
    assert answers.edits == 1
    assert records(reviewer, TWENTY[0]) == [("GOOD", None)]


def test_a_judgement_that_is_not_saved_says_so_and_is_tried_again(reviewer: Page):
    answers = Answers(reviewer)
    answers.refuse = 1
    reviewer.keyboard.press("g")
    shown(reviewer, TWENTY[1])
    item = judgement(reviewer, TWENTY[0])
    expect(item).to_contain_text("not saved: The server cannot be reached")
    assert records(reviewer, TWENTY[0]) == [("NEW", None)]
    item.get_by_role("button", name="Try again").click()
    expect(item).not_to_contain_text("not saved")
    expect(item).to_contain_text("saved")
    assert records(reviewer, TWENTY[0]) == [("GOOD", None)]


def test_an_undone_judgement_sets_back_the_former_status(reviewer: Page):
    reviewer.keyboard.press("g")
    shown(reviewer, TWENTY[1])
    reviewer.keyboard.press("b")
    reviewer.keyboard.press("1")
    shown(reviewer, TWENTY[2])
    expect(judgement(reviewer, TWENTY[1])).to_contain_text("saved")
    reviewer.keyboard.press("u")
    shown(reviewer, TWENTY[1])
    assert records(reviewer, *TWENTY[:2]) == [("GOOD", None), ("NEW", None)]
    judgement(reviewer, TWENTY[0]).get_by_role("button", name="Undo").click()
    place = shown(reviewer, TWENTY[0])
    expect(place.locator(".review-badges")).to_contain_text("New")
    expect(reviewer.locator("#judgements li")).to_have_count(0)
    assert records(reviewer, *TWENTY[:2]) == [("NEW", None), ("NEW", None)]


def test_undo_is_offered_for_a_minute(reviewer: Page):
    reviewer.clock.install()
    reviewer.keyboard.press("g")
    expect(judgement(reviewer, TWENTY[0]).get_by_role("button", name="Undo")).to_be_visible()
    reviewer.clock.fast_forward(61_000)
    expect(judgement(reviewer, TWENTY[0])).to_have_count(0)
    reviewer.keyboard.press("u")
    assert records(reviewer, TWENTY[0]) == [("GOOD", None)]


@pytest.mark.parametrize(
    ("before", "keys", "theirs", "mine"),
    [
        ({}, "g", {"Status": "BAD", "ReviewReason": "LABEL"}, ("GOOD", None)),
        ({}, "b1", {"Status": "GOOD"}, ("BAD", "OUT_OF_FOCUS")),
        ({}, "b1", {"Status": "BAD", "ReviewReason": "LABEL"}, ("BAD", "OUT_OF_FOCUS")),
        ({"Status": "GOOD"}, "s", {"Status": "BAD", "ReviewReason": "LABEL"}, ("SEND", None)),
    ],
    ids=["good", "bad", "reason", "send"],
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_two_technicians_on_one_slide(
    technician: Page, backend: Backend, before, keys, theirs, mine, overwrite
):
    """The second is asked, on this slide; the server keeps what the first chose until then."""
    if before:
        backend.simulate("edit", ImageID="1010", **before)
    technician.reload()
    place = review(technician, "1010")
    backend.simulate("edit", ImageID="1010", **theirs)
    for key in keys:
        technician.keyboard.press(key)
    conflict = place.locator(".conflict")
    expect(conflict).to_be_visible()
    shown_id = place.get_attribute("data-image-id")
    assert shown_id == "1010"
    chosen = (theirs["Status"], theirs.get("ReviewReason"))
    assert records(technician, "1010") == [chosen]
    for key in "gbs":  # nothing is judged before the question is answered
        technician.keyboard.press(key)
    assert records(technician, "1010", "1011") == [chosen, ("NEW", None)]
    if overwrite and mine[0] != "SEND":  # a bad slide cannot be sent
        conflict.get_by_role("button", name="Overwrite with mine").click()
        expect(conflict).to_have_count(0)
        expect(place.locator(".review-result")).to_contain_text("Saved")
        assert records(technician, "1010") == [mine]
    else:
        conflict.get_by_role("button", name="Use the current values").click()
        expect(conflict).to_have_count(0)
        assert records(technician, "1010") == [chosen]
        expect(judgement(technician, "1010")).to_have_count(0)


def test_a_judgement_that_somebody_else_changed_is_not_undone(reviewer: Page, backend: Backend):
    reviewer.keyboard.press("g")
    expect(judgement(reviewer, TWENTY[0])).to_contain_text("saved")
    backend.simulate("edit", ImageID=TWENTY[0], Status="BAD", ReviewReason="LABEL")
    reviewer.keyboard.press("u")
    expect(judgement(reviewer, TWENTY[0])).to_contain_text(
        "not undone: Somebody else has changed the slide since."
    )
    assert records(reviewer, TWENTY[0]) == [("BAD", "LABEL")]


def test_the_list_is_where_it_was(technician: Page):
    technician.set_viewport_size({"width": 900, "height": 600})
    card(technician, "1020").scroll_into_view_if_needed()
    place = technician.evaluate("scrollY")
    assert place > 0
    review(technician, "1020")
    technician.keyboard.press("g")
    shown(technician, "1019")
    technician.go_back()
    expect(technician.locator("#list-page")).to_be_visible()
    expect(card(technician, "1020")).to_contain_text("Review: Good")
    assert technician.evaluate("scrollY") == place


def test_the_last_slide_says_so(reviewer: Page, backend: Backend):
    """The queue of new slides ends with the oldest; a failed import is not in it."""
    reviewer.goto(f"{backend.url}/#review=1003")
    place = shown(reviewer, "1003")
    reviewer.keyboard.press("n")
    expect(place.locator(".review-result")).to_have_text("This is the last slide.")
    reviewer.keyboard.press("p")
    shown(reviewer, "1002")
