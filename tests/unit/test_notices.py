"""Licences: the notices name all that layers and pages contain, in the versions that they have."""

import hashlib
import json
import re
from importlib.metadata import distribution

import pytest

from tests.conftest import ROOT

NOTICES = (ROOT / "THIRD_PARTY_NOTICES.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in NOTICES.splitlines()
    if re.match(r"\| `(vsv|openslide|pillow-simd|libdmtx)` \|", line)
]
# Compiled into a layer's wheel; the file that says which version.
COMPILED = {
    "libjpeg-turbo": ("pillow-simd/Makefile", r"libjpeg-turbo-([\d.]+\d)"),
    "OpenJPEG": ("pillow-simd/Makefile", r"openjpeg-([\d.]+\d)"),
    "libdmtx": ("libdmtx/fetch.sh", r"^version=(.+)$"),
}
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def bundled() -> set[tuple[str, str, str]]:
    """Return layer, component and version of all that the layers' sources pin."""
    found = set()
    for layer in ("vsv", "openslide", "pillow-simd", "libdmtx"):
        text = (ROOT / "layers" / layer / "requirements.txt").read_text()
        if layer == "libdmtx":  # made into a wheel with libdmtx in it
            text += (ROOT / "layers" / layer / "source-requirements.txt").read_text()
        found |= {(layer, *pin) for pin in re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE)}
    for name, (file, pattern) in COMPILED.items():
        version = re.search(pattern, (ROOT / "layers" / file).read_text(), re.MULTILINE)[1]
        found.add((file.partition("/")[0], name, version))
    return found


def test_all_that_layers_contain_is_listed_with_its_version():
    listed = {
        (layer.strip("`"), name.partition(",")[0].strip("`"), version)
        for layer, name, version, *_ in ROWS
    }
    assert listed == bundled()


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_each_licence_text_is_where_the_notices_say(row):
    (*_, package) = re.findall(r"`([^`]+)`", row[1])
    installed = distribution(package)
    files = {
        path.as_posix().partition(".dist-info/")[2]
        for path in installed.files
        if ".dist-info/" in path.as_posix()
    }
    assert set(re.findall(r"`([^`]+)`", row[4])) <= files


def test_the_libraries_inside_openslide_are_listed():
    folders = {
        path.parts[path.parts.index("licenses") + 2]
        for path in distribution("openslide-bin").files
        if path.as_posix().count("/licenses/licenses/") and len(path.parts) > 4
    }
    text = re.search(r"\(?`licenses/licenses/`: (.*?)\. Python", NOTICES, re.DOTALL)[1]
    assert set(re.split(r",\s+|\s+and\s+", text)) == folders


def test_the_pages_libraries_are_listed():
    pinned = json.loads((ROOT / "web/package.json").read_text())["dependencies"]
    listed = re.findall(r"^\| (\S+) \| (\S+) \| .* beside the pages", NOTICES, re.MULTILINE)
    assert {name.lower(): version for name, version in listed} == pinned


def test_the_licence_is_apache_2_word_for_word():
    text = (ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(text).hexdigest() == APACHE_2
