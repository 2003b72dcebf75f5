"""Accessibility of each page, by axe-core, in light and dark and on small screens."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.backend import sign_in

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"1280x800": (1280, 800), "1024x768": (1024, 768), "390x844": (390, 844)}
# WCAG 2.2, levels A and AA, and what axe-core recommends besides.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def signed_out(page: Page, url: str) -> None:
    page.goto(url)


def slides(page: Page, url: str) -> None:
    page.goto(url)
    sign_in(page, "technician")
    expect(page.locator(".slide-card").first).to_be_visible()
    expect(page.locator(".slide-card img").first).to_be_visible()


def selection(page: Page, url: str) -> None:
    slides(page, url)
    page.locator(".slide-select input").first.check()


def viewer(page: Page, url: str) -> None:
    page.goto(f"{url}/#slide=1001")
    sign_in(page, "technician")
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')


def adjustments(page: Page, url: str) -> None:
    viewer(page, url)
    page.keyboard.press("c")
    page.keyboard.press(".")


def keys(page: Page, url: str) -> None:
    viewer(page, url)
    page.keyboard.press("?")


def unknown_slide(page: Page, url: str) -> None:
    page.goto(f"{url}/#slide=nobody")
    sign_in(page, "technician")
    expect(page.locator("#viewer-message .message")).to_be_visible()


PAGES = [signed_out, slides, selection, viewer, adjustments, keys, unknown_slide]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("show", PAGES, ids=lambda show: show.__name__)
def test_axe_finds_nothing(browser: Browser, backend, show, scheme):
    """Run axe-core on one page in all sizes."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    show(page, backend.url)
    page.evaluate(AXE.read_text())
    found = {}
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        result = page.evaluate(
            "(tags) => axe.run({ runOnly: tags, resultTypes: ['violations'] })", TAGS
        )
        assert result["passes"], "axe has looked at nothing"
        for each in result["violations"]:
            where = [node["target"][0] for node in each["nodes"]]
            found[f"{name} {each['id']}"] = f"{each['help']}: {where}"
    page.close()
    assert found == {}
