"""The pages of the deployed stack in a real browser: from sign-in to tissue on the screen."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def slides(new_slide, bring_in):
    """Import two slides: one with a label and levels, one without a label."""
    labelled, path = new_slide(size=(4105, 3081))
    assert bring_in(path)["status"] == "IMPORTED"
    bare, path = new_slide(label_text=None)
    assert bring_in(path)["status"] == "IMPORTED"
    return labelled, bare


@pytest.fixture
def page(browser, stack):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    page.goto(stack.viewer_url)
    page.click("#sign-in")
    page.fill("[name=username]", stack.pathologist_username)
    page.fill("[name=password]", stack.pathologist_password)
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-state", "list")
    yield page
    page.close()


def shown(page: Page) -> np.ndarray:
    """Return what the viewer shows, once no tile is waited for any more."""
    page.wait_for_function(
        """() => {
            const osd = document.querySelector('#viewer').osd;
            const item = osd && osd.world.getItemAt(0);
            return item && item.getFullyLoaded() && !osd.isAnimating?.();
        }"""
    )
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")
    picture = Image.open(io.BytesIO(page.locator("#viewer canvas").first.screenshot()))
    return np.asarray(picture.convert("RGB"), float)


def tissue(pixels: np.ndarray) -> float:
    """Return the share of pixels with the pink and violet of H&E."""
    red, green, blue = np.moveaxis(pixels, 2, 0)
    return float(np.mean((red - green > 15) & (blue - green > 5)))


def card_of(page: Page, image_id: str):
    """Return the slide's card, wherever in the list it is."""
    page.evaluate("(at) => { location.hash = new URLSearchParams({ at }) }", image_id)
    return page.locator(f'.slide-card[data-image-id="{image_id}"]')


def test_a_pathologist_signs_in_and_sees_tissue_at_lowest_and_at_full_zoom(page, slides, stack):
    labelled, bare = slides
    card = card_of(page, labelled)
    expect(card).to_contain_text("S26-04711-A1")
    card.scroll_into_view_if_needed()
    expect(card.locator("img")).to_have_count(2)
    expect(card_of(page, bare)).to_be_visible()

    card_of(page, labelled).click()  # another search
    expect(page.locator("#viewer")).to_have_attribute("data-viewer-ready", "true")
    lowest = tissue(shown(page))
    page.evaluate(
        """() => {
            const osd = document.querySelector('#viewer').osd;
            osd.viewport.zoomTo(osd.world.getItemAt(0).imageToViewportZoom(1), null, true);
        }"""
    )
    full = tissue(shown(page))
    assert lowest > 0.2
    assert full > 0.05
    expect(page.locator("#scale-bar")).to_have_text(re.compile(r"\d+ (µm|mm)"))
    expect(page.locator("#magnification")).to_contain_text("40")


def test_a_shared_link_shows_the_slide_and_a_wrong_one_says_so(page, slides, stack):
    page.goto(f"{stack.viewer_url}#slide={slides[0]}")
    expect(page.locator("body")).to_have_attribute("data-state", "viewer")
    assert tissue(shown(page)) > 0.2
    page.goto(f"{stack.viewer_url}#slide=nobody")
    expect(page.locator("body")).to_contain_text("nobody")
