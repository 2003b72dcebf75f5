"""The fake backend's process, and the sign-in to it."""

import json
import urllib.request

from playwright.sync_api import Page


class Backend:
    """The fake backend's process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def simulate(self, event: str, **body: object) -> None:
        """Simulate an event: see ``FakeBackend.simulate``."""
        data = json.dumps(body).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/fake/{event}", data))

    def counts(self) -> dict[str, int]:
        """Return how many requests of each kind there have been."""
        return json.load(urllib.request.urlopen(f"{self.url}/fake/counts"))


def sign_in(page: Page, username: str = "pathologist") -> None:
    page.click("#sign-in")
    page.fill("[name=username]", username)
    page.fill("[name=password]", "secret")
    page.click("button")
