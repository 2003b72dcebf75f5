"""The list of slides in a real browser: search, keyboard, roles, hostile texts."""

import re

from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card, leave, loaded, operation, review

HOSTILE = '<img src=x onerror="document.title=1">&amp;'


def found(page: Page, text: str) -> list[str]:
    """Wait for a search's result; return the slides that are shown."""
    expect(page.locator("#slide-count")).to_have_text(text)
    return page.locator(".slide-card").evaluate_all(
        "all => all.map((each) => each.dataset.imageId)"
    )


def test_search_and_filters_are_combined_and_in_the_address(technician: Page, backend: Backend):
    page = technician
    box = page.get_by_label("Search slides")
    status = page.get_by_label("Status", exact=True)
    page.get_by_role("button", name="Import failed").click()
    assert found(page, "1 slide") == ["1004"]
    assert page.url == f"{backend.url}/#only=failed"
    page.get_by_role("button", name="IDs not identified").click()
    assert set(found(page, "3 slides")) == {
        "1005",
        "1029",
        'odd/näme #1?&<img src=x onerror="document.title=1">',
    }
    box.fill("  1029 ")
    assert found(page, "1 slide") == ["1029"]
    box.fill("")
    expect(page.locator("#slide-count")).to_have_text("3 slides")
    page.get_by_role("button", name="IDs not identified").click()
    status.select_option("Sending failed")
    assert found(page, "1 slide") == ["1032"]
    box.fill("s24-1032 A1")
    expect(page).to_have_url(re.compile("text=s24-1032"))
    assert found(page, "1 slide") == ["1032"], "whatever the case"
    page.get_by_label("Scanner", exact=True).fill("SS5678")
    page.keyboard.press("Enter")
    assert found(page, "No slides found") == []
    notice = page.locator("#list-notice")
    expect(notice).to_contain_text("“s24-1032 A1”, status Sending failed, scanner “SS5678”")

    # the way back leads through the searches, and a link repeats one
    page.go_back()
    assert found(page, "1 slide") == ["1032"]
    expect(page.get_by_label("Scanner", exact=True)).to_have_value("")
    expect(box).to_have_value("s24-1032 A1")
    page.go_forward()
    expect(notice).to_contain_text("scanner “SS5678”")
    page.reload()
    expect(notice).to_contain_text("scanner “SS5678”")
    notice.get_by_role("button", name="Clear search").click()
    found(page, "30 slides")
    expect(box).to_be_focused()
    expect(box).to_have_value("")

    page.get_by_label("Scanned from").fill("2023-02-01")
    page.get_by_label("Scanned until").fill("2023-02-01")
    assert found(page, "1 slide") == ["1030"]
    expect(card(page, "1030")).to_contain_text("Archived")


def test_the_order_is_chosen_and_kept_in_the_address(technician: Page, backend: Backend):
    page = technician
    order = page.get_by_label("Order", exact=True)
    page.get_by_label("Search slides").fill("s24-10")
    order.select_option("Slide ID, A to Z")
    expect(page).to_have_url(re.compile("order=slide_id"))
    expect(page.locator(".slide-card").first).to_have_attribute("data-image-id", "1001")
    order.select_option("Oldest first")
    expect(page.locator(".slide-card").nth(1)).to_have_attribute("data-image-id", "1030")
    order.select_option("Status")
    page.get_by_role("button", name="Table", exact=True).click()
    rows = page.locator(".slide-row")
    expect(rows.first.locator(".cell-status")).to_have_text("New")
    page.get_by_role("button", name="Slide", exact=True).click()
    expect(page.get_by_role("columnheader", name="Slide")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(page.get_by_role("button", name="Slide", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows.first).to_have_attribute("data-image-id", "1033")
    assert page.url.endswith("#text=s24-10&order=slide_id_descending&view=table")
    page.reload()
    expect(rows.first).to_have_attribute("data-image-id", "1033")


def test_the_tables_columns_are_chosen_and_remembered(technician: Page, backend: Backend):
    page = technician
    page.get_by_role("button", name="Table", exact=True).click()
    row = page.locator('.slide-row[data-image-id="1033"]')
    expect(row).to_contain_text("S24-1033")
    expect(row).not_to_contain_text("1033.svs")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("File").check()
    page.get_by_label("Size", exact=True).uncheck()
    page.keyboard.press("Escape")
    expect(row).to_contain_text("1033.svs")
    page.goto("about:blank")
    page.goto(backend.url)
    expect(row).to_contain_text("1033.svs")
    expect(row).not_to_contain_text("px")
    stored = page.evaluate("JSON.stringify({...localStorage})")
    assert "1033" not in stored


def test_the_counts_lead_to_what_they_count(technician: Page, backend: Backend):
    page = technician
    counts = page.locator(".counts")
    expect(counts).to_have_text("none new today, 3 to identify")
    counts.get_by_role("button", name="3 to identify").click()
    found(page, "3 slides")
    expect(page.get_by_role("button", name="IDs not identified")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_pathologist_sees_no_review(page: Page, backend: Backend):
    page.goto(backend.url)
    sign_in(page, "pathologist")
    loaded(page)
    expect(card(page, "1030")).to_contain_text("Archived")
    for selector in (".slide-actions", ".slide-card input", ".selection-bar"):
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
    card(technician, "1033").locator("a").focus()
    keyboard.press("ArrowRight")
    expect(card(technician, "1032").locator("a")).to_be_focused()
    keyboard.press("End")
    expect(technician.locator('[data-image-id="1003"] .slide-link')).to_be_focused()
    keyboard.press("Home")
    first = technician.locator(".slide-card").first
    expect(first.locator("a")).to_be_focused()
    keyboard.press("Tab")
    expect(first.locator(".slide-actions button")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Space")
    expect(technician.locator(".selection-bar")).to_contain_text("1 selected")


def test_markup_in_ids_is_text(technician: Page, backend: Backend):
    place = review(technician, "1029")
    place.get_by_label("Slide ID").fill(HOSTILE)
    place.get_by_label("Case ID").fill(HOSTILE + "2")
    backend.simulate("edit", ImageID="1029", CaseID=HOSTILE)
    place.get_by_role("button", name="Save IDs").click()
    expect(place.locator(".conflict td").first).to_have_text(f"“{HOSTILE}”")
    place.get_by_role("button", name="Overwrite with mine").click()
    expect(technician.locator("#slide-name")).to_have_text(HOSTILE)
    place.locator(".history > summary").click()
    expect(place.locator(".history-list > li").first).to_contain_text(f"to “{HOSTILE}”")
    operation(place, "DELETE").click()
    expect(technician.locator("dialog.removal .names")).to_contain_text(HOSTILE)
    technician.keyboard.press("Escape")
    leave(technician)
    expect(card(technician, "1029").locator("h2")).to_have_text(HOSTILE)
    assert technician.title() == "Virtual Slide Viewer"
    assert technician.locator("img[src=x]").count() == 0


def test_nothing_remains_after_the_sign_in_has_ended(technician: Page, backend: Backend):
    technician.get_by_label("Search slides").fill("S24-1001")
    expect(technician.locator("#slide-count")).to_have_text("1 slide")
    place = review(technician, "1001")
    backend.simulate("end-sign-ins")
    place.locator(".history > summary").click()
    expect(technician.locator("body")).to_have_attribute("data-state", "signed-out")
    expect(place).to_be_hidden()
    expect(technician.locator(".slide-card")).to_have_count(0)
    assert technician.locator("#slide-search").input_value() == ""
