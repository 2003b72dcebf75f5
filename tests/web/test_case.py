"""The open slide's case: its strip, and how its slides are opened."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in

CASE = "S24-0100"
SLIDES = ["1010", "1011", "1012", "1013"]
READY = '#viewer[data-viewer-ready="true"]'


@pytest.fixture
def case(backend: Backend) -> Backend:
    """Give four slides one case."""
    for image_id in SLIDES:
        backend.simulate("edit", ImageID=image_id, CaseID=CASE)
    return backend


def open_slide(page: Page, case: Backend, image_id: str = "1011", more: str = "") -> None:
    page.goto(f"{case.url}/#slide={image_id}{more}")
    sign_in(page)
    page.wait_for_selector(READY)


def expect_open(page: Page, image_id: str) -> None:
    item = page.locator(f'#case-slides li[data-image-id="{image_id}"] a')
    expect(item).to_have_attribute("aria-current", "page")
    expect(page.locator("#case-slides [aria-current]")).to_have_count(1)
    expect(page.locator("#slide-name")).to_have_text(f"S24-{image_id}-A1")
    page.wait_for_selector(READY)


def test_the_slides_of_a_case_are_opened_by_keys_buttons_and_links(page: Page, case: Backend):
    open_slide(page, case)
    expect(page.locator("#case-name")).to_have_text(f"Case {CASE}")
    expect(page.locator("#case-slides li")).to_have_count(4)
    expect_open(page, "1011")
    expect(page.locator("#case-place")).to_have_text("2 of 4")

    page.keyboard.press("PageDown")
    expect_open(page, "1012")
    page.keyboard.press("PageUp")
    expect_open(page, "1011")
    page.get_by_role("button", name="Previous slide of the case").click()
    expect_open(page, "1010")
    expect(page.get_by_role("button", name="Previous slide of the case")).to_be_disabled()
    page.keyboard.press("PageUp")  # there is none
    page.locator('#case-slides li[data-image-id="1013"] a').click()
    expect_open(page, "1013")
    expect(page.get_by_role("button", name="Next slide of the case")).to_be_disabled()
    assert page.url.endswith("#slide=1013") or "slide=1013&" in page.url


def test_thumbnails_are_loaded_when_the_strip_shows_them(page: Page, backend: Backend):
    many = [str(number) for number in range(1010, 1029)]
    for image_id in many:
        backend.simulate("edit", ImageID=image_id, CaseID=CASE)
    loaded = []
    page.on("request", lambda request: "thumbnail" in request.url and loaded.append(request.url))
    open_slide(page, backend, "1010")
    expect(page.locator("#case-slides li")).to_have_count(len(many))
    expect(page.locator("#case-slides img").first).to_be_visible()
    assert 0 < len(loaded) < len(many) / 2
    with page.expect_request(re.compile("1028_files/thumbnail")):
        page.locator("#case-slides li").last.scroll_into_view_if_needed()


def test_a_hidden_strip_stays_hidden(page: Page, case: Backend):
    open_slide(page, case)
    strip = page.locator("#case-strip")
    expect(strip).to_be_visible()
    page.click("[data-action=case-strip]")
    expect(strip).to_be_hidden()
    page.keyboard.press("PageDown")
    page.wait_for_url(re.compile("slide=1012"))
    page.reload()
    page.wait_for_selector(READY)
    expect(page.locator("[data-action=case-strip]")).to_have_attribute("aria-expanded", "false")
    expect(strip).to_be_hidden()
    page.click("[data-action=case-strip]")
    expect(strip).to_be_visible()
    expect_open(page, "1012")


def test_a_case_of_one_slide_has_no_strip(page: Page, backend: Backend):
    open_slide(page, backend, "1001")
    expect(page.locator("#slide-label img")).to_be_visible()
    expect(page.locator("#case-strip")).to_be_hidden()
    expect(page.locator("[data-action=case-strip]")).to_be_hidden()


def test_keys_in_a_text_field_stay_there(page: Page, case: Backend):
    open_slide(page, case)
    expect_open(page, "1011")
    page.evaluate("document.querySelector('#slide-info').append(document.createElement('input'))")
    page.locator("#slide-info input").focus()
    page.keyboard.press("PageDown")
    page.locator("#viewer canvas").first.focus()
    expect_open(page, "1011")
