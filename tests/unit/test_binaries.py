"""Tests run on the layers' own builds, and notice another one."""

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import openslide
import PIL
import pytest

from tests import binaries
from tests.conftest import ROOT
from vsv.pyramid import encoding

LIBRARIES = {"libturbojpeg.so.0", "libopenjp2.so.7", "libdmtx.so.0", "_halving.abi3.so"}
LOAD_ALL = """
from PIL import Image, ImageMath, ImageMorph
from pylibdmtx import pylibdmtx
from vsv.pyramid import encoding
encoding._library()
"""
WAIT = """
print(flush=True)
input()
"""


@pytest.fixture
def child():
    """Start Python with these lines; it waits after them."""
    children = []

    def start(lines, **environment) -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", lines + WAIT],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        children.append(process)
        assert process.stdout.readline()
        return process.pid

    yield start
    for process in children:
        process.communicate()


def test_what_processes_load_is_in_the_layers_wheels(child):
    loaded = binaries.loaded(child(LOAD_ALL))
    names = {path.name for path in loaded}
    assert names >= LIBRARIES
    assert {name.partition(".")[0] for name in names} >= {"_imaging", "_imagingmath"}
    assert all(map(binaries.is_ours, loaded))


def test_pillow_is_the_only_one_and_says_what_it_is():
    assert importlib.metadata.version("pillow") == f"{PIL.__version__}+simd"
    assert importlib.metadata.version("pylibdmtx").endswith("+libdmtx")
    assert {each.name for each in importlib.metadata.distributions()}.isdisjoint({"pillow-simd"})


def altered(library: Path, folder: Path) -> Path:
    """Return a copy of the library that works and is another file."""
    copy = Path(shutil.copy(library, folder))
    with copy.open("ab") as file:
        file.write(b"another build")
    return copy


def test_another_libjpeg_is_noticed(child, tmp_path):
    copy = altered(Path(encoding._library()._name), tmp_path)
    pid = child(f"import ctypes; ctypes.CDLL({str(copy)!r})")
    assert binaries.foreign() == {pid: {copy}}
    os.kill(pid, signal.SIGTERM)


def test_another_pillow_is_noticed(child, tmp_path):
    installed = Path(PIL.__file__).parent
    shutil.copytree(installed, tmp_path / "PIL")
    (library,) = installed.glob("_imaging.*.so")
    copy = altered(library, tmp_path / "PIL")
    libraries = str(installed.parent / "pillow_simd.libs")
    pid = child("from PIL import Image", PYTHONPATH=str(tmp_path), LD_LIBRARY_PATH=libraries)
    assert copy in binaries.foreign()[pid]
    os.kill(pid, signal.SIGTERM)


def test_openslide_is_of_the_version_that_its_layer_pins():
    pins = (ROOT / "layers" / "openslide" / "requirements.txt").read_text()
    for name in ("openslide-bin", "openslide-python"):
        assert f"{name}=={importlib.metadata.version(name)} " in pins
    assert importlib.metadata.version("openslide-bin").startswith(openslide.__library_version__)


def test_no_other_libjpeg_stands_in_for_one_that_is_missing_from_pillow_simd(monkeypatch, tmp_path):
    (tmp_path / "pillow_simd.libs").mkdir()
    monkeypatch.setattr(PIL, "__file__", str(tmp_path / "PIL" / "__init__.py"))
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        encoding._library()
