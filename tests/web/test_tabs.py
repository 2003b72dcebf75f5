"""Several tabs of one browser: they share the sign-in."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card


@pytest.mark.parametrize("click", [{"modifiers": ["Control"]}, {"button": "middle"}])
def test_a_slide_opens_in_a_tab_that_is_signed_in(technician: Page, backend: Backend, click):
    link = card(technician, "1001").locator("a")
    with technician.context.expect_page() as opened:
        link.click(**click)
    tab = opened.value
    tab.wait_for_selector('#viewer[data-viewer-ready="true"]')
    assert "#slide=1001" in tab.url
    expect(technician.locator("body")).to_have_attribute("data-state", "list")
    assert backend.counts()["sign_in"] == 1

    tab.click("#sign-out")
    expect(technician.locator("body")).to_have_attribute("data-state", "signed-out")
    expect(technician.locator("#sign-in-notice")).to_contain_text("signed out in another tab")
    expect(technician.locator(".slide-card")).to_have_count(0)
    assert technician.evaluate("sessionStorage.getItem('vsv.tokens')") is None


def test_a_sign_in_reaches_tabs_that_wait_for_one(browser: Browser, backend: Backend):
    context = browser.new_context()
    page, other = context.new_page(), context.new_page()
    page.goto(backend.url)
    other.goto(f"{backend.url}/#slide=1001")
    expect(other.locator("body")).to_have_attribute("data-state", "signed-out")
    sign_in(page)
    other.wait_for_selector('#viewer[data-viewer-ready="true"]')
    other.reload()
    other.wait_for_selector('#viewer[data-viewer-ready="true"]')
    context.close()
