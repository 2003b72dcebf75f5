"""The pages in a real browser, against the fake backend."""

import io
import re
import time

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card, loaded

ODD_ID = 'odd/näme #1?&<img src=x onerror="document.title=1">'


def open_slide(page: Page, backend: Backend, image_id: str) -> None:
    page.goto(f"{backend.url}/#slide={image_id}")
    sign_in(page)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')


def set_magnification(page: Page, text: str, readout: str) -> None:
    page.click(f"#magnifications >> text={text!r}")
    expect(page.locator("#magnification")).to_have_text(readout)


def wait_until_drawn(page: Page) -> None:
    # not wait_for_function: the content security policy forbids the eval that it needs
    script = "document.querySelector('#viewer').osd.world.getItemAt(0).getFullyLoaded()"
    deadline = time.monotonic() + 120
    while not page.evaluate(script):
        assert time.monotonic() < deadline, "tiles are still missing"
        page.wait_for_timeout(50)


def colours_at_centre(page: Page) -> set[tuple[int, ...]]:
    stage = page.locator("#viewer").bounding_box()
    clip = {"x": stage["x"] + stage["width"] / 2 - 150, "y": 300, "width": 300, "height": 200}
    image = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    return {pixel for _, pixel in image.getcolors(60_000)}


def assert_scale_bar_is_true(page: Page, mpp_um: float, text: str) -> None:
    """Check that its two ends, as positions on the slide, are as far apart as its text says."""
    expect(page.locator("#scale-bar")).to_have_text(text)
    box = page.locator("#scale-bar-line").bounding_box()
    slide_px = page.evaluate(
        """([x0, x1, y]) => {
            const image = document.querySelector("#viewer").osd.world.getItemAt(0);
            const at = (x) => image.windowToImageCoordinates(new OpenSeadragon.Point(x, y));
            return at(x1).x - at(x0).x;
        }""",
        [box["x"], box["x"] + box["width"], box["y"]],
    )
    value, unit = text.split()
    assert slide_px * mpp_um == pytest.approx(float(value) * {"µm": 1, "mm": 1000}[unit], rel=0.01)


def test_the_content_security_policy_allows_the_import_map(page: Page, backend: Backend):
    page.goto(backend.url)
    html = "import('lit-html').then(({ html }) => html`a ${1}`.values)"
    assert page.evaluate(html) == [1]
    repeat = "import('lit-html/directives/repeat.js').then(({ repeat }) => typeof repeat)"
    assert page.evaluate(repeat) == "function"


def test_from_sign_in_to_full_zoom_and_sign_out(page: Page, backend: Backend):
    page.goto(backend.url)
    body = page.locator("body")
    expect(body).to_have_attribute("data-state", "signed-out")
    sign_in(page)

    cards = page.locator(".slide-card")
    loaded(page)
    expect(body).to_have_attribute("data-state", "list")
    assert page.url == f"{backend.url}/", "neither code nor state stays in the URL"
    expect(cards.first.locator("img")).to_have_count(2)
    assert cards.count() < 20, "cards far from the screen are not in the document"
    expect(card(page, "1003")).to_contain_text("Importing 36%")
    expect(card(page, "1004")).to_contain_text("level 0 ends after 1,204")
    expect(card(page, "1004").locator("a")).to_have_count(0)
    expect(card(page, "1005")).to_contain_text("No label")
    page.fill("#slide-search", "s24-1002")
    expect(cards).to_have_count(1)
    page.fill("#slide-search", "")
    loaded(page)
    first = card(page, "1001")
    place = page.url

    first.locator("a").click()
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(body).to_have_attribute("data-state", "viewer")
    assert len(colours_at_centre(page)) > 100
    set_magnification(page, "5×", "5.0×")
    assert_scale_bar_is_true(page, 0.25, "200 µm")
    # CloudFront's log then leads to the request that returned the cookies.
    with page.expect_request(re.compile(r"/1001_files/16/\d+_\d+\.jpeg\?session=request-1$")):
        set_magnification(page, "40×", "40.0×")
    assert_scale_bar_is_true(page, 0.25, "20 µm")
    wait_until_drawn(page)
    assert len(colours_at_centre(page)) > 100
    page.keyboard.press("2")
    expect(page.locator("#magnification")).to_have_text("2.5×")
    page.click("#macro summary")
    expect(page.locator("#slide-macro img")).to_be_visible()

    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Strict"
    assert backend.counts()["image_cookies"] == 1, "one request for all images"

    page.go_back()
    expect(first).to_be_visible()
    expect(first.locator("a")).to_be_focused()
    assert page.url == place, "the list is as it was left"
    # The page changes its address before it leaves for the hosted sign-out, which a
    # browser counts as a navigation. A document is loaded only on the way back.
    with page.expect_event("load"):
        page.click("#sign-out")
    expect(body).to_have_attribute("data-state", "signed-out")
    assert page.context.cookies() == []
    assert page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    assert cards.count() == 0


def test_an_import_is_followed_to_its_end(page: Page, backend: Backend):
    page.clock.install()
    page.goto(backend.url)
    sign_in(page)
    loaded(page)
    expect(card(page, "1003")).to_contain_text("Importing 36%")
    backend.simulate("finish-imports")
    page.clock.fast_forward(6_000)
    expect(card(page, "1003")).to_contain_text("Imported")
    expect(card(page, "1003").locator("img")).to_have_count(2)


def test_a_token_that_expires_while_panning_is_not_noticed(page: Page, backend: Backend):
    open_slide(page, backend, "1001")
    backend.simulate("expire-tokens")
    set_magnification(page, "20×", "20.0×")
    wait_until_drawn(page)
    assert len(colours_at_centre(page)) > 100
    assert backend.counts()["refresh"] == 1
    expect(page.locator("#tile-notice")).to_be_hidden()


def test_a_new_sign_in_leads_back_to_the_same_view(page: Page, backend: Backend):
    open_slide(page, backend, "1001")
    set_magnification(page, "10×", "10.0×")
    page.wait_for_url("**zoom=0.25")
    place = page.url
    wait_until_drawn(page)
    backend.simulate("end-sign-ins")
    page.keyboard.press("5")
    page.wait_for_selector('body[data-state="signed-out"]')
    expect(page.locator("#sign-in-notice")).to_contain_text("Your sign-in has expired")
    sign_in(page)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    assert page.url.partition("&zoom")[0] == place.partition("&zoom")[0]
    assert page.locator("#magnification").text_content() in {"10.0×", "20.0×"}


def test_failed_tiles_are_counted_and_loaded_again(page: Page, backend: Backend):
    open_slide(page, backend, "1001")
    backend.simulate("break-tiles")
    set_magnification(page, "10×", "10.0×")
    expect(page.locator("#tile-notice")).to_be_visible()
    expect(page.locator("#tile-count")).to_have_text(re.compile(r"^\d+ tiles? could not be loaded"))
    # A tile that fails after the retry of the others would be counted again.
    loading = "document.querySelector('#viewer').osd.imageLoader.jobsInProgress"
    while page.evaluate(loading):
        page.wait_for_timeout(50)
    backend.simulate("repair-tiles")
    page.click("[data-action=retry-tiles]")
    expect(page.locator("#tile-notice")).to_be_hidden()
    wait_until_drawn(page)
    drawn = "document.querySelector('#viewer').osd.world.getItemAt(0).lastDrawn.map(t => t.level)"
    assert 14 in page.evaluate(drawn)


def test_tiles_that_a_busy_server_refused_are_loaded_later(page: Page, backend: Backend):
    open_slide(page, backend, "1001")
    asked = backend.counts()["tiles"]
    backend.simulate("be-busy", requests=80)
    set_magnification(page, "10×", "10.0×")
    wait_until_drawn(page)
    expect(page.locator("#tile-notice")).to_be_hidden()
    assert backend.counts()["tiles"] > asked + 80
    drawn = "document.querySelector('#viewer').osd.world.getItemAt(0).lastDrawn.map(t => t.level)"
    assert 14 in page.evaluate(drawn)


def test_names_are_text_and_unknown_values_are_reported(page: Page, backend: Backend):
    page.goto(backend.url)
    sign_in(page)
    page.locator(".slide-card a", has_text=ODD_ID).click()
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    assert page.locator("#slide-name").text_content() == ODD_ID
    assert page.title().startswith(ODD_ID)

    page.goto(f"{backend.url}/#slide=1005")
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(page.locator("#scale-bar")).to_be_hidden()
    expect(page.locator("#scale-unknown")).to_be_visible()

    page.goto(f"{backend.url}/#slide=nowhere")
    expect(page.locator("#viewer-message")).to_contain_text("No slide has the image ID “nowhere”.")


def test_the_response_to_another_sign_in_is_refused(page: Page, backend: Backend):
    page.goto(f"{backend.url}/?code=stolen&state=guessed")
    expect(page.locator("#sign-in-notice")).to_contain_text("not started in this tab")
    assert page.url == f"{backend.url}/"
    assert backend.counts()["sign_in"] == 0
