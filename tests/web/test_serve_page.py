"""The page of ``vsv serve`` in a real browser."""

import io
import shutil

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.serving import served


@pytest.fixture
def server(generated, tmp_path):
    with served(tmp_path, "--workers", "2") as server:
        yield server


def colours(page: Page) -> int:
    """Count the colours in the middle of the window: tissue has many."""
    clip = {"x": 490, "y": 300, "width": 300, "height": 200}
    image = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    return len(image.getcolors(60_000))


def test_from_an_empty_folder_to_a_slide_at_full_size(page: Page, server, real, generated):
    page.goto(f"http://{server.address}/")
    expect(page.locator("#list-notice")).to_contain_text("no slides")
    expect(page.locator("#count")).to_have_text("0 slides")

    shutil.copy(generated, server.folder / "slide.svs")
    shutil.copy(real, server.folder / "näme & 'odd' #1.svs")
    (server.folder / "broken.svs").write_bytes(real.read_bytes()[:300_000])
    page.reload()
    cards = page.locator(".card")
    expect(cards).to_have_count(3)
    expect(page.locator("#list-notice")).to_be_hidden()
    card = page.locator('[data-name="slide"]')
    expect(card).to_contain_text("2,309 × 1,543 · 40× · 0.252\u00a0µm/px")
    expect(card.locator("img")).to_have_js_property("complete", True)
    broken = page.locator('[data-name="broken"]')
    expect(broken).to_contain_text("the file is truncated")
    expect(broken.locator("a")).to_have_count(0)
    page.fill("#filter", "SLI")
    expect(page.locator(".card:visible")).to_have_count(1)
    expect(page.locator("#count")).to_have_text("1 of 3 slides")

    # by keyboard alone
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector('#viewer[data-drawn="slide"]')
    assert page.url.endswith("/#slide")
    assert colours(page) > 100
    expect(page.locator(".navigator canvas").first).to_be_visible()
    with page.expect_request("**/slide_files/12/*_*.jpeg?v=*"):
        page.keyboard.press("1")
    expect(page.locator("#magnification")).to_have_text("40.0×")
    expect(page.locator("#scale-bar")).to_have_text("20 µm")
    assert page.locator("#scale-bar").bounding_box()["width"] == pytest.approx(20 / 0.252, abs=1)
    page.keyboard.press("Escape")
    expect(card.locator("a")).to_be_focused()

    page.fill("#filter", "")
    page.locator(".card a", has_text="näme & 'odd' #1").click()
    expect(page.locator("#name")).to_have_text("näme & 'odd' #1")
    page.reload()
    page.wait_for_selector("#viewer[data-drawn]")
    assert page.title() == "näme & 'odd' #1 · Slides"

    page.goto(f"http://{server.address}/#broken")
    expect(page.locator("#slide-notice")).to_contain_text("the file is truncated")
