"""The laboratory's name, logo and banner, which config.json sets."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card, loaded

NAME = "Pathologie <b>Süd</b>"
BANNER = "Research use only <script>document.title = 1</script>"


def boxes_overlap(page: Page, selector: str) -> bool:
    banner = page.locator("#banner").bounding_box()
    other = page.locator(selector).bounding_box()
    assert banner
    assert other
    return other["y"] < banner["y"] + banner["height"]


def test_the_name_is_in_the_head_and_the_title_as_text(page: Page, backend: Backend):
    backend.simulate("configure", laboratory=NAME)
    page.goto(backend.url)
    expect(page.locator("h1:visible")).to_have_text(NAME)
    expect(page).to_have_title(f"{NAME} · Virtual Slide Viewer")
    sign_in(page)
    expect(page.locator(".brand span.in-list")).to_have_text(NAME)
    expect(page.get_by_role("link", name=f"{NAME}: all slides")).to_be_visible()
    card(page, "1001").locator("a").click()
    expect(page).to_have_title(f"S24-1001-A1 · {NAME} · Virtual Slide Viewer")
    assert page.locator("b").count() == 0


def test_without_a_laboratory_the_pages_have_their_own_name(page: Page, backend: Backend):
    backend.simulate("configure", laboratory="", logo="", banner="")
    page.goto(backend.url)
    expect(page.locator("h1:visible")).to_have_text("Virtual Slide Viewer")
    expect(page).to_have_title("Virtual Slide Viewer")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("svg.emblem")).to_be_visible()


def test_the_logo_has_a_text_in_its_place(page: Page, backend: Backend):
    backend.simulate("configure", laboratory="Süd", logo="icon.svg")
    page.goto(backend.url)
    expect(page.get_by_role("img", name="Logo of Süd")).to_be_visible()
    sign_in(page)
    expect(page.locator(".brand img.logo")).to_be_visible()
    expect(page.locator(".brand svg.in-list")).to_have_count(0)


@pytest.mark.parametrize("logo", ["https://elsewhere.example/logo.svg", "none.svg", "//["])
def test_a_logo_that_cannot_be_shown_leaves_the_icon(page: Page, backend: Backend, logo: str):
    """The content security policy is not asked: nothing is requested from another origin."""
    backend.simulate("configure", logo=logo, banner="Research use only")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    with page.expect_console_message(lambda message: "config.json: the logo" in message.text):
        page.goto(backend.url)
    expect(page.locator("#sign-in")).to_be_visible()
    expect(page.locator("svg.emblem")).to_be_visible()
    expect(page.locator("#banner")).to_be_visible()
    assert all(url.startswith(backend.url) for url in requests)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_banner_is_always_visible_and_covers_nothing(page: Page, backend: Backend, size):
    banner_text = f"{BANNER} {'and not for diagnosis ' * 3}"
    backend.simulate("configure", banner=banner_text, laboratory="Süd " * 20, logo="icon.svg")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(backend.url)
    banner = page.locator("#banner")
    expect(banner).to_contain_text(BANNER)
    sign_in(page, "technician")
    loaded(page)
    assert not boxes_overlap(page, ".bar")
    expect(page.locator("#sign-out")).to_be_in_viewport(ratio=1)
    card(page, "1004").scroll_into_view_if_needed()
    expect(banner).to_be_in_viewport(ratio=1)
    assert not boxes_overlap(page, ".bar")
    card(page, "1001").locator("a").click()
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(banner).to_be_in_viewport(ratio=1)
    assert not boxes_overlap(page, ".bar")
    assert not boxes_overlap(page, ".tools")
    height = "document.documentElement.scrollHeight - innerHeight"
    assert page.evaluate(height) == 0, "the page ends where the window ends"


def test_the_banner_is_visible_in_full_screen(page: Page, backend: Backend):
    backend.simulate("configure", banner=BANNER)
    page.goto(f"{backend.url}/#slide=1001")
    sign_in(page)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    before = page.locator("#banner").screenshot()
    # The page's own listener comes first.
    page.evaluate(
        """() => {
            window.changed = new Promise((resolve) => {
                document.addEventListener("fullscreenchange", resolve, { once: true });
            });
        }"""
    )
    page.click("[data-action=full-screen]")
    page.evaluate("() => window.changed.then(() => {})")
    expect(page.locator("#viewer-page:fullscreen")).to_be_visible()
    clip = page.locator("#banner").bounding_box()
    assert clip
    # Only a picture tells what covers what: hits go to the element in full screen.
    assert page.screenshot(clip=clip) == before
    assert not boxes_overlap(page, ".tools")


def test_the_review_page_ends_above_the_judgements_under_a_banner(page: Page, backend: Backend):
    backend.simulate("configure", banner=BANNER)
    page.goto(f"{backend.url}/#review=1001")
    sign_in(page, "technician")
    page.wait_for_selector('#review-page[data-ready][data-image-id="1001"]')
    expect(page.locator("#banner")).to_be_in_viewport(ratio=1)
    bar = page.locator(".review-bar").bounding_box()
    judgements = page.locator("#judgements").bounding_box()
    assert bar
    assert judgements
    assert bar["y"] + bar["height"] <= judgements["y"] + 1
