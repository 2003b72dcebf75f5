"""What the layers ship is what the tests run with, and the pins name no machine of ours."""

import re

import pytest

from local.settings import ROOT

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)", re.MULTILINE)
LAYERS = sorted(ROOT.glob("layers/*/*requirements.txt"))


def pins(text: str) -> dict[str, str]:
    return {each["name"]: each["version"] for each in PIN.finditer(text)}


def test_there_are_layers():
    assert len(LAYERS) >= 5


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_layer_s_pins_are_those_of_the_tests(path):
    tested = pins((ROOT / "requirements" / "dev.txt").read_text())
    shipped = pins(path.read_text())
    assert shipped
    assert {name: tested.get(name, version) for name, version in shipped.items()} == shipped


@pytest.mark.parametrize(
    "path",
    [*LAYERS, *(ROOT / "requirements" / f"{name}.txt" for name in ("dev", "bench", "docs"))],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_pins_have_hashes_and_name_no_host(path):
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--(?:index-url|extra-index-url|find-links|trusted-host)", text, re.M)
    for pin in re.split(r"\n(?=\S)", text):
        if PIN.match(pin):
            assert "--hash=sha256:" in pin
