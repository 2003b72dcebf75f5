"""The list of slides in a real browser: search, keyboard, roles, hostile texts."""

from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import all_cards, card, operation, review, status

HOSTILE = '<img src=x onerror="document.title=1">&amp;'


def test_listings_and_search(technician: Page, backend: Backend):
    cards = technician.locator(".slide-card")
    count = technician.locator("#slide-count")

    def names() -> list[str]:
        return cards.evaluate_all("all => all.map((each) => each.dataset.imageId)")

    technician.get_by_role("button", name="Import failures").click()
    expect(cards).to_have_count(1)
    assert names() == ["1004"], "found on a first page, with an empty second one"
    technician.select_option("[aria-label='By review status']", label="Sending failed")
    expect(count).to_have_text("1 slide")
    assert names() == ["1032"], "the first page was empty, and more followed"
    expect(technician.get_by_role("button", name="Import failures")).to_have_attribute(
        "aria-pressed", "false"
    )
    technician.select_option("[aria-label='By review status']", label="Deleted")
    expect(count).to_have_text("No slide has this status.")
    technician.get_by_role("button", name="Unsent").click()
    all_unsent = 30 - 2
    technician.get_by_role("button", name="Not identified").click()
    expect(cards).to_have_count(2)
    technician.get_by_role("button", name="Unsent").click()
    technician.click("#slide-more")
    expect(cards).to_have_count(all_unsent)

    technician.get_by_role("button", name="Search…").click()
    form = technician.get_by_role("search")
    form.get_by_role("button", name="Search").click()
    expect(form).to_contain_text("Fill in at least one field.")
    form.get_by_label("Slide ID begins with").fill("S24-103")
    form.get_by_label("Slide ID begins with").press("Enter")
    expect(count).to_have_text("4 slides")
    form.get_by_label("Scanner", exact=True).fill("SS5678")
    form.get_by_role("button", name="Search").click()
    expect(count).to_have_text("1 slide")
    form.get_by_label("Scanner", exact=True).fill("")
    form.get_by_label("Scanned from").fill("2023-02-01")
    form.get_by_label("Scanned until").fill("2023-02-01")
    form.get_by_role("button", name="Search").click()
    expect(count).to_have_text("1 slide")
    assert names() == ["1030"]
    expect(card(technician, "1030")).to_contain_text("Archived")
    form.get_by_label("Case ID begins with").fill("s24")
    form.get_by_role("button", name="Search").click()
    expect(count).to_have_text("No slides found. IDs are case-sensitive.")
    assert "S24" not in technician.url
    technician.get_by_role("button", name="All", exact=True).click()
    expect(cards).to_have_count(24)
    expect(form).to_be_hidden()


def test_a_pathologist_sees_no_review(page: Page, backend: Backend):
    page.goto(backend.url)
    sign_in(page, "pathologist")
    expect(page.locator(".slide-card")).to_have_count(24)
    all_cards(page)
    expect(card(page, "1030")).to_contain_text("Archived")
    for selector in (".slide-actions", "input[type=checkbox]", ".listing-bar", ".selection-bar"):
        expect(page.locator(selector)).to_have_count(0)
    card(page, "1001").locator("a").click()
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(page.locator("#slide-info").get_by_role("button")).to_have_count(0)

    # archived while it is open: tiles are refused from now on
    backend.simulate("archive", ImageID="1001")
    page.keyboard.press("5")
    notice = page.locator("#viewer-message")
    expect(notice).to_contain_text("The slide is archived; a technician can restore it.")
    expect(notice.get_by_role("button")).to_have_text(["Try again"])
    expect(page.locator("#tile-notice")).to_be_hidden()


def test_by_keyboard_alone(technician: Page, backend: Backend):
    keyboard = technician.keyboard
    card(technician, "1002").locator("a").focus()
    keyboard.press("Tab")
    expect(card(technician, "1002").locator(".slide-actions button")).to_be_focused()
    keyboard.press("Enter")
    dialog = technician.locator("dialog.review")
    expect(dialog.get_by_label("Slide ID")).to_be_focused()
    keyboard.type("S24-55-A")
    keyboard.press("Tab")
    expect(dialog.get_by_label("Case ID")).to_be_focused()
    keyboard.type("S24-55")
    keyboard.press("Enter")
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    keyboard.press("Tab")
    expect(status(dialog, "GOOD")).to_be_focused()
    keyboard.press("Space")
    expect(dialog.locator(".review-result")).to_have_text("Saved: Good.")
    expect(dialog.locator(".review-actions[tabindex]")).to_be_focused()
    keyboard.press("Tab")
    expect(status(dialog, "BAD")).to_be_focused()
    for _ in range(3):
        keyboard.press("Tab")
    expect(operation(dialog, "DELETE")).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Enter")
    expect(technician.locator("dialog.removal")).to_have_count(0)
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(dialog.locator(".history-list > li")).to_have_count(3)
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(card(technician, "1002").locator(".slide-actions button")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Space")
    expect(technician.locator(".selection-bar")).to_contain_text("1 selected")


def test_markup_in_ids_is_text(technician: Page, backend: Backend):
    dialog = review(technician, "1014")
    dialog.get_by_label("Slide ID").fill(HOSTILE)
    dialog.get_by_label("Case ID").fill(HOSTILE + "2")
    backend.simulate("edit", ImageID="1014", CaseID=HOSTILE)
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.locator(".conflict td").first).to_have_text(f"“{HOSTILE}”")
    dialog.get_by_role("button", name="Overwrite with mine").click()
    expect(dialog.locator(".dialog-title")).to_have_text(HOSTILE)
    dialog.locator(".history > summary").click()
    expect(dialog.locator(".history-list > li").first).to_contain_text(f"to “{HOSTILE}”")
    operation(dialog, "DELETE").click()
    expect(technician.locator("dialog.removal .names")).to_contain_text(HOSTILE)
    technician.keyboard.press("Escape")
    technician.keyboard.press("Escape")
    expect(card(technician, "1014").locator("h2")).to_have_text(HOSTILE)
    assert technician.title() == "Virtual Slide Viewer"
    assert technician.locator("img[src=x]").count() == 0


def test_nothing_remains_after_the_sign_in_has_ended(technician: Page, backend: Backend):
    technician.get_by_role("button", name="Search…").click()
    technician.get_by_label("Slide ID begins with").fill("S24-1001")
    dialog = review(technician, "1001")
    backend.simulate("end-sign-ins")
    dialog.locator(".history > summary").click()
    expect(technician.locator("body")).to_have_attribute("data-state", "signed-out")
    expect(dialog).to_have_count(0)
    expect(technician.locator(".slide-card")).to_have_count(0)
    assert technician.locator("#search-form input").first.input_value() == ""
