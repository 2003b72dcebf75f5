"""Finds cards, the review page and its buttons on the technicians' pages."""

from playwright.sync_api import Locator, Page, expect


def loaded(page: Page) -> None:
    """Wait for the list."""
    expect(page.locator("#slide-count")).to_have_text("30 slides")


def card(page: Page, image_id: str) -> Locator:
    """Find a slide's card; bring it near the screen, unless a dialog is open."""
    found = page.locator(f'[data-image-id="{image_id}"].slide-card')
    if found.count() == 0 and page.locator("dialog").count() == 0:
        page.evaluate(
            """(at) => {
                const query = new URLSearchParams(location.hash.slice(1));
                query.set("at", at);
                location.hash = query;
            }""",
            image_id,
        )
    return found


def shown(page: Page, image_id: str) -> Locator:
    """Wait until the review page shows a slide and accepts judgements; return the page."""
    review_page = page.locator(f'#review-page[data-ready][data-image-id="{image_id}"]')
    expect(review_page).to_be_visible()
    return page.locator("#review-page")


def review(page: Page, image_id: str) -> Locator:
    """Open the review page from the list."""
    card(page, image_id).locator(".slide-actions button").click()
    return shown(page, image_id)


def leave(page: Page) -> None:
    """Return to the list."""
    page.keyboard.press("Escape")
    expect(page.locator("#list-page")).to_be_visible()


def judgement(page: Page, image_id: str) -> Locator:
    """Return a slide's item in the bar of the last judgements."""
    return page.locator(f'#judgements li[data-image-id="{image_id}"]')


def operation(place: Locator, name: str) -> Locator:
    return place.locator(f"[data-operation={name}]")


def status(place: Locator, name: str) -> Locator:
    return place.locator(f"[data-status={name}]")
