"""The built pages, the fake backend, and a browser page that reports errors."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.web.backend import Backend, sign_in
from tests.web.review_page import loaded

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"
# So long that no test reaches the end without asking for it.
WORK_S = 3600


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """Build the deployable folder. Each process has its own: processes run in parallel."""
    pages = tmp_path_factory.mktemp("pages")
    subprocess.run(["node", "build.mjs", pages], cwd=WEB, check=True)
    return pages


@pytest.fixture
def backend(built):
    script = HERE / "fake_backend.py"
    command = [sys.executable, script, "--pages", built, "--work-seconds", str(WORK_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield Backend(process.stdout.readline().strip())
        process.terminate()


@pytest.fixture
def page(browser: Browser):
    """Open a page that must neither throw an error nor violate its content security policy."""
    with watched_page(browser) as page:
        yield page


@pytest.fixture
def dense_page(browser: Browser):
    """Open such a page on a screen with twice the pixels."""
    with watched_page(browser, device_scale_factor=2) as page:
        yield page


@contextmanager
def watched_page(browser: Browser, **options: float) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
    page.set_default_timeout(120_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: "Security Policy" in message.text and errors.append(message.text),
    )
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def technician(page: Page, backend: Backend) -> Page:
    """Sign in as a technician, and show the list."""
    page.goto(backend.url)
    sign_in(page, "technician")
    loaded(page)
    return page
