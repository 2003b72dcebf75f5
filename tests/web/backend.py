"""The fake backend's process, and how people sign in to it."""

import json
import urllib.request

from playwright.sync_api import Page


class Backend:
    """The fake backend's process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def mishap(self, name: str, **body: object) -> None:
        """Let something happen: see the fake backend's method of this name."""
        data = json.dumps(body).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/fake/{name}", data))

    def counts(self) -> dict[str, int]:
        """How often what was asked for."""
        return json.load(urllib.request.urlopen(f"{self.url}/fake/counts"))


def sign_in(page: Page, username: str = "pathologist") -> None:
    page.click("#sign-in")
    page.fill("[name=username]", username)
    page.fill("[name=password]", "secret")
    page.click("button")
