"""The technicians' review in a real browser: IDs and statuses are edited."""

import json
import re
import subprocess
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.web.backend import Backend
from tests.web.review_page import card, leave, loaded, review, shown, status
from vsv.catalogue.record import ReviewStatus
from vsv.catalogue.review import check_status
from vsv.errors import Conflict

WEB = Path(__file__).parents[2] / "web"


def save(place: Locator) -> Locator:
    return place.get_by_role("button", name="Save IDs")


def result(place: Locator) -> Locator:
    return place.locator(".review-result")


def test_a_technician_reads_the_label_and_fixes_the_ids(technician: Page, backend: Backend):
    loaded(technician)
    urls: list[str] = []
    logged: list[str] = []
    technician.on("request", lambda request: urls.append(request.url))
    technician.on("console", lambda message: logged.append(message.text))

    place = review(technician, "1029")
    expect(technician.locator("#slide-name")).to_have_text("1029")
    expect(place.get_by_label("Slide ID")).to_have_value("1029")
    expect(place).to_contain_text("none (no barcode that is a slide ID on the label)")
    label = place.locator("[data-glass=label] img")
    expect(label).to_be_visible()
    place.get_by_role("button", name="Turn the label").click()
    expect(label).to_have_css("rotate", "90deg")
    width = label.bounding_box()["height"]
    technician.keyboard.press("l")
    assert label.bounding_box()["height"] > 2 * width, "it can be read"
    technician.keyboard.press("Escape")

    expect(save(place)).to_be_disabled()
    place.get_by_label("Slide ID").fill("  S24-4711-B2 ")
    place.get_by_label("Case ID").fill("")
    expect(place).to_contain_text("Saving removes the case ID.")
    save(place).click()
    expect(result(place)).to_have_text("Saved.")
    expect(place.get_by_label("Slide ID")).to_have_value("S24-4711-B2")
    expect(technician.locator("#slide-name")).to_have_text("S24-4711-B2")
    expect(place).not_to_contain_text("Saving removes")
    place.get_by_label("Case ID").fill("S24-4711")
    place.get_by_label("Case ID").press("Enter")
    expect(save(place)).to_be_disabled()

    place.locator(".history > summary").click()
    entries = place.locator(".history-list > li")
    expect(entries).to_have_count(3)
    expect(entries.nth(0)).to_contain_text("Edit by technician")
    expect(entries.nth(0)).to_contain_text("Case ID: from none to “S24-4711”")
    expect(entries.nth(1)).to_contain_text("Slide ID: from “1029” to “S24-4711-B2”")
    expect(entries.nth(2)).to_contain_text("Import by the system")

    leave(technician)
    expect(card(technician, "1029")).to_contain_text("S24-4711-B2")
    expect(card(technician, "1029").locator("a")).to_be_focused()

    assert not [url for url in urls if "4711" in url], "IDs are not in URLs"
    assert not [text for text in logged if "4711" in text], "IDs are not in the console"
    stored = technician.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert "4711" not in stored


def test_the_case_id_follows_the_slide_id_until_another_is_typed(technician: Page):
    place = review(technician, "1005")
    slide_id, case_id = place.get_by_label("Slide ID"), place.get_by_label("Case ID")
    slide_id.fill("S24-77-A1")
    expect(case_id).to_have_value("S24-77")
    slide_id.fill("S24-78-A1")
    expect(case_id).to_have_value("S24-78")
    case_id.fill("S24-OTHER")
    slide_id.fill("S24-79-A1")
    expect(case_id).to_have_value("S24-OTHER")


def test_an_id_that_contradicts_the_barcode_is_asked_about_once(technician: Page):
    place = review(technician, "1010")
    slide_id = place.get_by_label("Slide ID")
    slide_id.fill("S24-9999-A1")
    slide_id.press("Enter")
    question = place.locator(".message")
    expect(question).to_contain_text("barcode says “S24-1010-A1”, and you typed “S24-9999-A1”.")
    technician.keyboard.press("g")
    question.get_by_role("button", name="Correct it").click()
    expect(slide_id).to_be_focused()
    slide_id.press("Enter")
    question.get_by_role("button", name="Save “S24-9999-A1”").click()
    expect(result(place)).to_have_text("Saved.")
    expect(place.locator(".review-badges")).to_have_text("New")
    expect(place).to_contain_text("These IDs were typed or confirmed by a person.")

    slide_id.fill("S24-1010-A1")
    slide_id.press("Enter")
    expect(place).to_contain_text("Barcode: “S24-1010-A1”")
    expect(save(place)).to_be_disabled()
    slide_id.fill("S24-9999-A1")
    slide_id.press("Enter")
    expect(save(place)).to_be_disabled()
    expect(question).to_have_count(0)


def test_a_busy_server_is_asked_again_and_nothing_typed_is_lost(technician: Page, backend: Backend):
    loaded(technician)
    place = review(technician, "1029")
    place.get_by_label("Slide ID").fill("S24-4711-B2")
    backend.simulate("be-busy", requests=1000)
    save(place).click()
    notice = technician.locator("#busy-notice")
    expect(notice).to_contain_text("The server is busy. The page retries automatically")
    backend.simulate("be-busy", requests=0)
    assert place.get_by_label("Slide ID").input_value() == "S24-4711-B2"
    expect(result(place)).to_have_text("Saved.")
    expect(notice).to_be_hidden()
    expect(place.locator(".message")).to_have_count(0)


def test_a_slide_id_that_another_slide_has_is_reported(technician: Page):
    place = review(technician, "1005")
    place.get_by_label("Slide ID").fill("S24-1001-A1")
    save(place).click()
    place.get_by_role("button", name="Save “S24-1001-A1”").click()
    warning = "Slide 1001 had the same slide ID at an edit."
    expect(result(place)).to_have_text(f"Saved. {warning}")
    expect(place).to_contain_text("Warning: slide 1001 had the same slide ID at an edit")
    leave(technician)
    expect(review(technician, "1001")).to_contain_text("Warning: slide 1005 had the same slide ID")


def test_an_error_is_shown_and_the_input_is_kept(technician: Page, backend: Backend):
    loaded(technician)
    place = review(technician, "1029")
    slide_id = place.get_by_label("Slide ID")
    slide_id.fill("x" * 70)
    save(place).click()
    expect(place.locator(".message")).to_contain_text("SlideID has 70 characters, not 1 to 64")
    expect(slide_id).to_have_value("x" * 70)

    slide_id.fill("S24-8-A")
    backend.simulate("break-api")
    save(place).click()
    expect(place.locator(".message")).to_contain_text("The server reported an error")
    expect(slide_id).to_have_value("S24-8-A")
    backend.simulate("repair-api")
    place.get_by_role("button", name="Try again").click()
    expect(result(place)).to_have_text("Saved.")
    expect(place.locator(".message")).to_have_count(0)

    slide_id.fill("S24-9-A")
    slide_id.press("Escape")
    technician.keyboard.press("Escape")
    expect(place.locator(".message")).to_contain_text("Not saved yet")
    place.get_by_role("button", name="Keep editing").click()
    expect(slide_id).to_have_value("S24-9-A")
    place.get_by_role("button", name="Next").click()
    place.get_by_role("button", name="Discard").click()
    shown(technician, "1028")
    expect(card(technician, "1029")).to_contain_text("S24-8-A")


def test_two_technicians_at_the_ids_of_one_slide(technician: Page, backend: Backend):
    loaded(technician)
    place = review(technician, "1029")
    slide_id, case_id = place.get_by_label("Slide ID"), place.get_by_label("Case ID")

    slide_id.fill("S24-1-MINE")
    case_id.fill("1029")
    backend.simulate("edit", ImageID="1029", SlideID="S24-1-THEIRS", CaseID="S24-1", Status="BAD")
    save(place).click()
    conflict = place.locator(".conflict")
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
    expect(card(technician, "1029")).to_contain_text("S24-1-THEIRS")
    conflict.get_by_role("button", name="Overwrite with mine").click()
    expect(result(place)).to_have_text("Saved.")
    expect(conflict).to_have_count(0)
    expect(card(technician, "1029")).to_contain_text("S24-1-MINE")
    expect(place.locator(".review-badges")).to_have_text("Bad")

    slide_id.fill("S24-3")
    backend.simulate("edit", ImageID="1029", SlideID="S24-2")
    save(place).click()
    conflict.get_by_role("button", name="Use the current values").click()
    expect(slide_id).to_have_value("S24-2")
    expect(save(place)).to_be_disabled()

    # a change of other fields does not get in the way
    slide_id.fill("S24-6")
    backend.simulate("touch", ImageID="1029")
    save(place).click()
    expect(result(place)).to_have_text("Saved.")
    expect(card(technician, "1029")).to_contain_text("S24-6")


def test_statuses_from_new_to_sent_and_sent_again(technician: Page, backend: Backend):
    technician.clock.install()
    place = review(technician, "1010")
    buttons = place.locator("[data-status]:enabled")
    expect(buttons).to_have_text(["Good G", "Bad… B"])
    place.get_by_label("Case ID").fill("S24-77")
    expect(place).to_contain_text("Good, Bad and Send save the typed IDs, too.")
    status(place, "GOOD").click()
    shown(technician, "1005")
    expect(card(technician, "1010")).to_contain_text("S24-77")
    expect(card(technician, "1010")).to_contain_text("Review: Good")

    technician.keyboard.press("p")
    shown(technician, "1010")
    expect(buttons).to_have_text(["Good G", "Bad… B", "Send S"])
    place.get_by_label("Case ID").fill("")
    expect(status(place, "SEND")).to_be_disabled()
    expect(place).to_contain_text("It can be sent once it has a case ID.")
    place.get_by_label("Case ID").fill("S24-77")
    status(place, "SEND").click()
    shown(technician, "1005")
    technician.keyboard.press("p")
    shown(technician, "1010")
    expect(buttons).to_have_count(0)
    expect(place).to_contain_text("To be sent to the CDR, requested")
    backend.simulate("fail-work", why="the CDR answered 422: unknown case")
    technician.clock.fast_forward(6_000)
    expect(place).to_contain_text("Sending failed: the CDR answered 422: unknown case")
    expect(buttons).to_have_text(["Send again S"])
    status(place, "SEND").click()
    shown(technician, "1005")
    technician.keyboard.press("p")
    shown(technician, "1010")
    backend.simulate("finish-work")
    technician.clock.fast_forward(6_000)
    expect(place).to_contain_text(re.compile(r"Sent to the CDR .*, receipt cdr-\d+\."))

    place.get_by_label("Case ID").fill("S24-78")
    place.get_by_label("Case ID").press("Enter")
    expect(place).to_contain_text("Changed after sending")
    expect(card(technician, "1010")).to_contain_text("Changed after sending")
    expect(buttons).to_have_text(["Send again S"])


def test_ids_that_were_not_read_are_confirmed_or_typed(technician: Page, backend: Backend):
    loaded(technician)
    expect(card(technician, "1029")).to_contain_text("Not identified")
    place = review(technician, "1029")
    confirm = place.get_by_role("button", name="Confirm IDs")
    source = place.locator(".review-source")
    expect(source).to_contain_text("These IDs were neither read from the label nor typed.")
    status(place, "GOOD").click()
    shown(technician, "1028")
    technician.keyboard.press("p")
    shown(technician, "1029")
    expect(status(place, "SEND")).to_be_disabled()
    expect(place).to_contain_text("It can be sent once its slide ID is typed or confirmed.")
    # Typed and sent at once.
    place.get_by_label("Slide ID").fill("S24-1029-A1")
    expect(status(place, "SEND")).to_be_enabled()
    place.get_by_label("Slide ID").fill("")
    expect(confirm).to_be_disabled()
    place.get_by_label("Slide ID").fill("1029")
    # Confirmed, although the record has changed in a field that is not shown.
    backend.simulate("touch", ImageID="1029")
    confirm.click()
    expect(source).to_have_text("These IDs were typed or confirmed by a person.")
    expect(confirm).to_be_disabled()
    expect(status(place, "SEND")).to_be_enabled()
    expect(card(technician, "1029")).not_to_contain_text("Not identified")
    place.locator(".history > summary").click()
    entry = place.locator(".history-list > li").first
    expect(entry).to_contain_text("Source of the IDs: from none to typed or confirmed")


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
