"""Slides are deleted, archived and restored in a real browser."""

from playwright.sync_api import Page, expect

from tests.web.backend import Backend
from tests.web.review_page import card, leave, operation, review, shown


def test_a_slide_is_deleted_after_a_confirmation(technician: Page, backend: Backend):
    technician.clock.install()
    place = review(technician, "1011")
    operation(place, "DELETE").click()
    removal = technician.locator("dialog.removal")
    expect(removal).to_contain_text(
        "This deletes the file, its pyramid and its archived copy; the record stays."
    )
    expect(removal.locator(".names")).to_contain_text("S24-1011-A1")
    keep = removal.get_by_role("button", name="Keep")
    expect(keep).to_be_focused()
    technician.keyboard.press("Enter")
    expect(removal).to_have_count(0)
    expect(operation(place, "DELETE")).to_be_focused()

    pressed = operation(place, "DELETE").bounding_box()
    operation(place, "DELETE").click()
    confirm = removal.get_by_role("button", name="Delete “S24-1011-A1”")
    box = confirm.bounding_box()
    apart = box["x"] + box["width"] < pressed["x"] or box["y"] + box["height"] < pressed["y"]
    assert apart, "two clicks at one place do not delete"
    confirm.click()
    expect(removal.locator("[data-result=accepted]")).to_contain_text("Being deleted…")
    expect(place.locator(".removal")).to_have_text("Being deleted…")
    expect(place.get_by_label("Slide ID")).to_have_attribute("readonly", "")
    backend.simulate("fail-work", why="the file system is not available")
    technician.clock.fast_forward(6_000)
    expect(removal).to_contain_text("Deletion failed. The file system is not available.")
    removal.get_by_role("button", name="Close").click()
    expect(place.locator(".removal")).to_have_text(
        "Deletion failed. The file system is not available."
    )
    expect(card(technician, "1011")).to_contain_text("Deletion failed.")

    operation(place, "DELETE").click()
    removal.get_by_role("button", name="Delete “S24-1011-A1”").click()
    expect(removal.locator("[data-result=accepted]")).to_be_visible()
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(removal.locator("[data-result=done]")).to_contain_text("Deleted.")
    removal.get_by_role("button", name="Close").click()
    expect(place).to_contain_text("The file is deleted.")
    leave(technician)
    expect(card(technician, "1011")).to_contain_text("Deleted")
    expect(card(technician, "1011").locator("a")).to_have_count(0)
    technician.get_by_label("Status", exact=True).select_option("Deleted")
    expect(technician.locator(".slide-card")).to_have_count(1)


def test_a_slide_is_archived_and_restored(technician: Page, backend: Backend):
    technician.clock.install()
    technician.goto(f"{backend.url}/#slide=1001")
    technician.wait_for_selector('#viewer[data-viewer-ready="true"]')
    technician.locator("#slide-info").get_by_role("button", name="Review").click()
    place = shown(technician, "1001")
    operation(place, "TRANSFER").click()
    removal = technician.locator("dialog.removal")
    expect(removal).to_contain_text("This moves the file to the archive")
    removal.get_by_role("button", name="Archive “S24-1001-A1”").click()
    expect(removal).to_contain_text("Being archived…")
    removal.get_by_role("button", name="Close").click()
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(place.locator(".review-badges")).to_have_text("Archived")
    technician.go_back()

    notice = technician.locator("#viewer-message")
    expect(notice).to_contain_text("The slide is archived; a technician can restore it.")
    expect(technician.locator("#slide-label img")).to_be_visible()
    notice.get_by_role("button", name="Restore…").click()
    removal.get_by_role("button", name="Restore “S24-1001-A1”").click()
    expect(removal).to_contain_text("Being restored…")
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(removal).to_contain_text("Restored.")
    removal.get_by_role("button", name="Close").click()
    technician.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(notice).to_be_hidden()
    expect(technician.locator("#slide-facts")).to_contain_text("Good")


def test_many_slides_are_deleted_at_once_and_each_has_its_result(
    technician: Page, backend: Backend
):
    technician.clock.install()
    for image_id in ("1003", "1004", "1012", "1013"):
        card(technician, image_id).get_by_role("checkbox").check()
    bar = technician.locator(".selection-bar")
    expect(bar).to_contain_text("4 selected")
    expect(operation(bar, "RESTORE")).to_be_disabled()
    operation(bar, "DELETE").click()
    removal = technician.locator("dialog.removal")
    expect(removal.locator(".names li")).to_have_count(4)
    removal.get_by_role("button", name="Delete 4 slides").click()
    results = removal.locator(".results li")
    expect(removal).to_contain_text("3 of 4 accepted.")
    importing = results.filter(has_text="S24-1003-A1")
    expect(importing).to_contain_text("The slide is being imported.")
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(removal.locator("[data-result=done]")).to_have_count(3)
    expect(removal.locator("[data-result=refused]")).to_have_count(1)
    removal.get_by_role("button", name="Close").click()
    expect(bar).to_be_hidden()
    for image_id in ("1004", "1012", "1013"):
        expect(card(technician, image_id).locator(".status-DELETED")).to_be_visible()
    technician.click("#list-refresh")
    expect(technician.locator("#slide-count")).to_have_text("27 slides")
    expect(card(technician, "1004")).to_have_count(0)


def test_a_removal_without_a_response_is_shown_for_each_slide(technician: Page, backend: Backend):
    for image_id in ("1012", "1013"):
        card(technician, image_id).get_by_role("checkbox").check()
    backend.simulate("break-api")
    operation(technician.locator(".selection-bar"), "TRANSFER").click()
    removal = technician.locator("dialog.removal")
    removal.get_by_role("button", name="Archive 2 slides").click()
    expect(removal.locator("[data-result=refused]")).to_have_count(2)
    expect(removal.locator(".results")).to_contain_text("The server reported an error.")
