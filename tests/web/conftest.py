"""The built pages, the fake backend, and a browser's page that tells what goes wrong on it."""

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.web.backend import Backend

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"
# Long enough for no test to see the end of it unasked.
WORK_S = 3600


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The deployable folder, fresh, and this process's own: others build theirs meanwhile."""
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
    """A fresh page, which must neither throw nor break its own content security policy."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: "Security Policy" in message.text and wrong.append(message.text),
    )
    yield page
    page.close()
    assert wrong == []
