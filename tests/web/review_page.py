"""Finds cards, the review page and its buttons on the technicians' pages."""

from playwright.sync_api import Locator, Page, expect


def card(page: Page, image_id: str) -> Locator:
    return page.locator(f'[data-image-id="{image_id}"].slide-card')


def all_cards(page: Page) -> None:
    page.click("#slide-more")
    expect(page.locator(".slide-card")).to_have_count(30)


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
