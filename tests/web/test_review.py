"""The technicians' review in a real browser, against the fake backend."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.backend import Backend, sign_in
from vsv.catalogue.record import ReviewStatus
from vsv.catalogue.review import check_status
from vsv.errors import Conflict

WEB = Path(__file__).parents[2] / "web"
HOSTILE = '<img src=x onerror="document.title=1">&amp;'


@pytest.fixture
def technician(page: Page, backend: Backend) -> Page:
    """Sign in as a technician, and show the list."""
    page.goto(backend.url)
    sign_in(page, "technician")
    expect(page.locator(".slide-card")).to_have_count(24)
    return page


def card(page: Page, image_id: str) -> Locator:
    return page.locator(f'[data-image-id="{image_id}"].slide-card')


def all_cards(page: Page) -> None:
    page.click("#slide-more")
    expect(page.locator(".slide-card")).to_have_count(30)


def review(page: Page, image_id: str) -> Locator:
    """Open the dialog, and wait until it has loaded the current record."""
    with page.expect_response(lambda answer: "getSlide(" in (answer.request.post_data or "")):
        card(page, image_id).locator(".slide-actions button").click()
    dialog = page.locator("dialog.review")
    expect(dialog).to_be_visible()
    return dialog


def operation(place: Locator, name: str) -> Locator:
    return place.locator(f"[data-operation={name}]")


def status(dialog: Locator, name: str) -> Locator:
    return dialog.locator(f"[data-status={name}]")


def test_a_technician_reads_the_label_and_fixes_the_ids(technician: Page, backend: Backend):
    all_cards(technician)
    urls: list[str] = []
    logged: list[str] = []
    technician.on("request", lambda request: urls.append(request.url))
    technician.on("console", lambda message: logged.append(message.text))

    dialog = review(technician, "1029")
    expect(dialog.get_by_label("Slide ID")).to_have_value("1029")
    expect(dialog).to_contain_text("none (no barcode that is a slide ID on the label)")
    label = dialog.locator(".review-label img")
    expect(label).to_be_visible()
    assert label.bounding_box()["width"] > 350, "it can be read while the user types"
    dialog.get_by_role("button", name="Rotate").click()
    expect(label).to_have_css("rotate", "90deg")

    save = dialog.get_by_role("button", name="Save", exact=True)
    expect(save).to_be_disabled()
    dialog.get_by_label("Slide ID").fill("  S24-4711-B2 ")
    dialog.get_by_label("Case ID").fill("")
    expect(dialog).to_contain_text("Saving removes the case ID.")
    save.click()
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    expect(dialog.get_by_label("Slide ID")).to_have_value("S24-4711-B2")
    expect(dialog.locator(".dialog-title")).to_have_text("S24-4711-B2")
    expect(dialog).not_to_contain_text("Saving removes")
    dialog.get_by_label("Case ID").fill("S24-4711")
    dialog.get_by_label("Case ID").press("Enter")
    expect(save).to_be_disabled()

    dialog.locator(".history > summary").click()
    entries = dialog.locator(".history-list > li")
    expect(entries).to_have_count(3)
    expect(entries.nth(0)).to_contain_text("Edit by technician")
    expect(entries.nth(0)).to_contain_text("Case ID: from none to “S24-4711”")
    expect(entries.nth(1)).to_contain_text("Slide ID: from “1029” to “S24-4711-B2”")
    expect(entries.nth(2)).to_contain_text("Import by the system")

    technician.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(card(technician, "1029")).to_contain_text("S24-4711-B2")
    expect(card(technician, "1029").locator(".slide-actions button")).to_be_focused()

    assert not [url for url in urls if "4711" in url], "IDs are not in URLs"
    assert not [text for text in logged if "4711" in text], "IDs are not in the console"
    stored = technician.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert "4711" not in stored


def test_a_busy_server_is_asked_again_and_nothing_typed_is_lost(technician: Page, backend: Backend):
    dialog = review(technician, "1002")
    dialog.get_by_label("Slide ID").fill("S24-4711-B2")
    backend.simulate("be-busy", requests=1000)
    dialog.get_by_role("button", name="Save", exact=True).click()
    notice = technician.locator("#busy-notice")
    expect(notice).to_contain_text("The server is busy. The page retries automatically")
    backend.simulate("be-busy", requests=0)
    assert dialog.get_by_label("Slide ID").input_value() == "S24-4711-B2"
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    expect(notice).to_be_hidden()
    expect(dialog.locator(".message")).to_have_count(0)

    backend.simulate("be-busy", requests=1000)
    dialog.get_by_label("Slide ID").fill("S24-4711-B3")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.locator(".message")).to_contain_text("The server is busy")
    backend.simulate("be-busy", requests=0)
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    expect(dialog.get_by_label("Slide ID")).to_have_value("S24-4711-B3")


def test_a_slide_id_that_another_slide_has_is_reported(technician: Page):
    dialog = review(technician, "1002")
    taken = "S24-1001-A1"
    dialog.get_by_label("Slide ID").fill(taken)
    dialog.get_by_role("button", name="Save", exact=True).click()
    warning = "Slide 1001 had the same slide ID at an edit."
    expect(dialog.locator(".review-result")).to_have_text(f"Saved. {warning}")
    expect(dialog).to_contain_text("Warning: slide 1001 had the same slide ID at an edit")
    technician.keyboard.press("Escape")
    expect(review(technician, "1001")).to_contain_text("Warning: slide 1002 had the same slide ID")


def test_an_error_is_shown_and_the_input_is_kept(technician: Page, backend: Backend):
    dialog = review(technician, "1002")
    slide_id = dialog.get_by_label("Slide ID")
    slide_id.fill("x" * 70)
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.locator(".message")).to_contain_text("SlideID has 70 characters, not 1 to 64")
    expect(slide_id).to_have_value("x" * 70)

    slide_id.fill("S24-8-A")
    backend.simulate("break-api")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.locator(".message")).to_contain_text("The server reported an error")
    expect(slide_id).to_have_value("S24-8-A")
    backend.simulate("repair-api")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    expect(dialog.locator(".message")).to_have_count(0)

    slide_id.fill("S24-9-A")
    technician.keyboard.press("Escape")
    expect(dialog.locator(".message")).to_contain_text("Not saved yet")
    dialog.get_by_role("button", name="Keep editing").click()
    expect(slide_id).to_have_value("S24-9-A")
    dialog.get_by_role("button", name="Close").click()
    dialog.get_by_role("button", name="Discard").click()
    expect(card(technician, "1002")).to_contain_text("S24-8-A")


def test_two_technicians_at_one_slide(technician: Page, backend: Backend):
    dialog = review(technician, "1002")
    slide_id, case_id = dialog.get_by_label("Slide ID"), dialog.get_by_label("Case ID")
    save = dialog.get_by_role("button", name="Save", exact=True)
    expect(status(dialog, "GOOD")).to_be_visible()

    slide_id.fill("S24-1-MINE")
    backend.simulate("edit", ImageID="1002", SlideID="S24-1-THEIRS", CaseID="S24-1", Status="BAD")
    save.click()
    conflict = dialog.locator(".conflict")
    rows = conflict.locator("tbody tr")
    expect(rows).to_have_text(
        [
            re.compile("Slide ID.*“S24-1-THEIRS”.*“S24-1-MINE”"),
            re.compile("Case ID.*“S24-1”.*unchanged"),
            re.compile("Status.*Bad.*unchanged"),
        ]
    )
    expect(slide_id).to_have_value("S24-1-MINE")
    expect(case_id).to_have_value("S24-1")
    expect(card(technician, "1002")).to_contain_text("S24-1-THEIRS")
    slide_id.fill("S24-1-MINE-2")
    save.click()
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    expect(conflict).to_have_count(0)
    expect(card(technician, "1002")).to_contain_text("S24-1-MINE-2")

    # a status, too
    backend.simulate("edit", ImageID="1002", Status="GOOD")
    backend.simulate("edit", ImageID="1002", CaseID="S24-2")
    slide_id.fill("S24-3")
    status(dialog, "GOOD").click()
    expect(rows).to_have_text([re.compile("Case ID.*“S24-2”.*unchanged")])
    conflict.get_by_role("button", name="Use the current values").click()
    expect(slide_id).to_have_value("S24-1-MINE-2")
    expect(status(dialog, "BAD")).to_be_enabled()

    slide_id.fill("S24-4")
    backend.simulate("edit", ImageID="1002", SlideID="S24-5")
    save.click()
    conflict.get_by_role("button", name="Overwrite with mine").click()
    expect(card(technician, "1002")).to_contain_text("S24-4")

    # a change of other fields does not get in the way
    slide_id.fill("S24-6")
    backend.simulate("touch", ImageID="1002")
    save.click()
    expect(dialog.locator(".review-result")).to_have_text("Saved.")
    expect(card(technician, "1002")).to_contain_text("S24-6")


def test_statuses_from_new_to_sent_and_sent_again(technician: Page, backend: Backend):
    technician.clock.install()
    dialog = review(technician, "1010")
    buttons = dialog.locator("[data-status]:enabled")
    expect(buttons).to_have_text(["Mark good", "Mark bad"])
    status(dialog, "BAD").click()
    expect(buttons).to_have_text(["Mark good"])
    dialog.get_by_label("Case ID").fill("S24-77")
    expect(buttons).to_have_text(["Save and mark good"])
    status(dialog, "GOOD").click()
    expect(buttons).to_have_text(["Mark bad", "Send"])
    expect(card(technician, "1010")).to_contain_text("S24-77")
    expect(card(technician, "1010")).to_contain_text("Review: Good")

    dialog.get_by_label("Case ID").fill("")
    expect(buttons).to_have_text(["Save and mark bad"])
    expect(status(dialog, "SEND")).to_be_disabled()
    expect(dialog).to_contain_text("It can be sent once it has a case ID.")
    dialog.get_by_label("Case ID").fill("S24-77")
    status(dialog, "SEND").click()
    expect(buttons).to_have_count(0)
    expect(dialog).to_contain_text("To be sent to the CDR, requested")
    backend.simulate("fail-work", why="the CDR answered 422: unknown case")
    technician.clock.fast_forward(6_000)
    expect(dialog).to_contain_text("Sending failed: the CDR answered 422: unknown case")
    expect(buttons).to_have_text(["Send again"])
    status(dialog, "SEND").click()
    expect(buttons).to_have_count(0)
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(dialog).to_contain_text(re.compile(r"Sent to the CDR .*, receipt cdr-\d+\."))

    dialog.get_by_label("Case ID").fill("S24-78")
    dialog.get_by_label("Case ID").press("Enter")
    expect(dialog).to_contain_text("Changed after sending")
    expect(card(technician, "1010")).to_contain_text("Changed after sending")
    expect(buttons).to_have_text(["Send again"])


def test_ids_that_were_not_read_are_confirmed_or_typed(technician: Page, backend: Backend):
    all_cards(technician)
    expect(card(technician, "1029")).to_contain_text("Not identified")
    dialog = review(technician, "1029")
    confirm = dialog.get_by_role("button", name="Confirm IDs")
    source = dialog.locator(".review-source")
    expect(source).to_contain_text("These IDs were neither read from the label nor typed.")
    status(dialog, "GOOD").click()
    expect(dialog.locator(".review-result")).to_have_text("Saved: Good.")
    expect(status(dialog, "SEND")).to_be_disabled()
    expect(dialog).to_contain_text("It can be sent once its slide ID is typed or confirmed.")
    # Typed and sent at once.
    dialog.get_by_label("Slide ID").fill("S24-1029-A1")
    expect(status(dialog, "SEND")).to_have_text("Save and send")
    expect(status(dialog, "SEND")).to_be_enabled()
    dialog.get_by_label("Slide ID").fill("")
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Slide ID").fill("1029")
    # Confirmed, although the record has changed in a field that is not shown.
    backend.simulate("touch", ImageID="1029")
    confirm.click()
    expect(source).to_have_text("These IDs were typed or confirmed by a person.")
    expect(confirm).to_be_disabled()
    expect(status(dialog, "SEND")).to_be_enabled()
    expect(card(technician, "1029")).not_to_contain_text("Not identified")
    dialog.locator(".history > summary").click()
    entry = dialog.locator(".history-list > li").first
    expect(entry).to_contain_text("Source of the IDs: from none to typed or confirmed")
    technician.keyboard.press("Escape")

    dialog = review(technician, "1010")
    expect(source).to_have_text("These IDs were read from the label's barcode.")
    expect(confirm).to_be_disabled()


def test_the_statuses_offered_are_those_that_the_server_accepts():
    script = """
        import { nextStatuses } from "./src/review/review.js";
        const slide = (Status) => ({ Status, SlideID: "a", CaseID: "b", ImportStatus: "IMPORTED" });
        const offered = process.argv.slice(1).map((each) => [each, nextStatuses(slide(each))]);
        console.log(JSON.stringify(Object.fromEntries(offered)));
    """
    command = ["node", "--input-type=module", "-e", script, "--", *ReviewStatus]
    answer = subprocess.run(command, cwd=WEB, check=True, capture_output=True)

    def is_legal(old: str, new: str) -> bool:
        try:
            check_status({"Status": old}, new)
        except Conflict:
            return False
        return True

    legal = {old: {new for new in ReviewStatus if is_legal(old, new)} for old in ReviewStatus}
    offered = json.loads(answer.stdout)
    assert {old: set(new) for old, new in offered.items()} == legal


def test_a_slide_is_deleted_after_a_confirmation(technician: Page, backend: Backend):
    technician.clock.install()
    dialog = review(technician, "1011")
    operation(dialog, "DELETE").click()
    removal = technician.locator("dialog.removal")
    expect(removal).to_contain_text(
        "This deletes the file, its pyramid and its archived copy; the record stays."
    )
    expect(removal.locator(".names")).to_contain_text("S24-1011-A1")
    keep = removal.get_by_role("button", name="Keep")
    expect(keep).to_be_focused()
    technician.keyboard.press("Enter")
    expect(removal).to_have_count(0)
    expect(operation(dialog, "DELETE")).to_be_focused()

    pressed = operation(dialog, "DELETE").bounding_box()
    operation(dialog, "DELETE").click()
    confirm = removal.get_by_role("button", name="Delete “S24-1011-A1”")
    box = confirm.bounding_box()
    apart = box["x"] + box["width"] < pressed["x"] or box["y"] + box["height"] < pressed["y"]
    assert apart, "two clicks at one place do not delete"
    confirm.click()
    expect(removal.locator("[data-result=accepted]")).to_contain_text("Being deleted…")
    expect(dialog.locator(".removal")).to_have_text("Being deleted…")
    expect(dialog.get_by_label("Slide ID")).to_have_attribute("readonly", "")
    backend.simulate("fail-work", why="the file system is not available")
    technician.clock.fast_forward(6_000)
    expect(removal).to_contain_text("Deletion failed. The file system is not available.")
    removal.get_by_role("button", name="Close").click()
    expect(dialog.locator(".removal")).to_have_text(
        "Deletion failed. The file system is not available."
    )
    expect(card(technician, "1011")).to_contain_text("Deletion failed.")

    operation(dialog, "DELETE").click()
    removal.get_by_role("button", name="Delete “S24-1011-A1”").click()
    expect(removal.locator("[data-result=accepted]")).to_be_visible()
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(removal.locator("[data-result=done]")).to_contain_text("Deleted.")
    removal.get_by_role("button", name="Close").click()
    expect(dialog).to_contain_text("The file is deleted.")
    dialog.get_by_role("button", name="Close").click()
    expect(card(technician, "1011")).to_contain_text("Deleted")
    expect(card(technician, "1011").locator("a")).to_have_count(0)
    technician.select_option("[aria-label='By review status']", label="Deleted")
    expect(technician.locator(".slide-card")).to_have_count(1)


def test_a_slide_is_archived_and_restored(technician: Page, backend: Backend):
    technician.clock.install()
    technician.goto(f"{backend.url}/#slide=1001")
    technician.wait_for_selector('#viewer[data-viewer-ready="true"]')
    technician.locator("#slide-info").get_by_role("button", name="Review").click()
    dialog = technician.locator("dialog.review")
    operation(dialog, "TRANSFER").click()
    removal = technician.locator("dialog.removal")
    expect(removal).to_contain_text("This moves the file to the archive")
    removal.get_by_role("button", name="Archive “S24-1001-A1”").click()
    expect(removal).to_contain_text("Being archived…")
    removal.get_by_role("button", name="Close").click()
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(dialog.locator(".review-badges")).to_have_text("Archived")
    dialog.get_by_role("button", name="Close").click()

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
    technician.fill("#slide-filter", "S24-10")
    expect(bar).to_contain_text("4 selected")
    technician.fill("#slide-filter", "S24-1003")
    expect(bar).to_contain_text("1 selected")
    technician.fill("#slide-filter", "S24-100")
    bar.get_by_role("button", name="Select all shown").click()
    expect(bar).to_contain_text("4 selected")

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
    technician.fill("#slide-filter", "")
    expect(technician.locator(".slide-card .status-DELETED")).to_have_count(3)
    technician.click("#list-refresh")
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
