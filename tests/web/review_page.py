"""Finds cards, dialogs and buttons of the technicians' page."""

from playwright.sync_api import Locator, Page, expect


def card(page: Page, image_id: str) -> Locator:
    return page.locator(f'[data-image-id="{image_id}"].slide-card')


def all_cards(page: Page) -> None:
    page.click("#slide-more")
    expect(page.locator(".slide-card")).to_have_count(30)


def review(page: Page, image_id: str) -> Locator:
    """Open the dialog, and wait until it has loaded the current record."""
    with page.expect_response(lambda answer: "getSlide(" in (answer.request.post_data or "")):
        card(page, image_id).locator(".slide-actions button").click()
    dialog = page.locator("dialog.review")
    expect(dialog).to_be_visible()
    return dialog


def operation(place: Locator, name: str) -> Locator:
    return place.locator(f"[data-operation={name}]")


def status(dialog: Locator, name: str) -> Locator:
    return dialog.locator(f"[data-status={name}]")
