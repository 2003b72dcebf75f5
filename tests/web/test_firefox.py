"""The main paths in Firefox, driven by WebDriver BiDi."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIREFOX = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")


@pytest.mark.parametrize("path", ["view", "signOut"])
def test_main_paths_in_firefox(backend, path):
    assert FIREFOX, "the pages' tests need Firefox: local/packages.sh installs it"
    done = subprocess.run(
        ["node", HERE / "firefox.mjs", backend.url, path],
        env={**os.environ, "FIREFOX": FIREFOX},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
