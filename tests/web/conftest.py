"""A browser's page that tells what goes wrong on it."""

import pytest
from playwright.sync_api import Browser


@pytest.fixture
def page(browser: Browser):
    """A fresh page, which must neither throw nor break its own content security policy."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(30_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: "Security Policy" in message.text and wrong.append(message.text),
    )
    yield page
    page.close()
    assert wrong == []
