"""The technicians' review in a real browser: IDs and statuses are edited."""

import json
import re
import subprocess
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.backend import Backend
from tests.web.review_page import all_cards, card, review, status
from vsv.catalogue.record import ReviewStatus
from vsv.catalogue.review import check_status
from vsv.errors import Conflict

WEB = Path(__file__).parents[2] / "web"


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
