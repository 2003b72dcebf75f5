"""The handler of ImageRequest, an imported slide, and a count of file-system calls."""

import io
import math
import os

import pytest

from tests.handlers import load_handler

# What asks the file server. (The attributes of a file that was just opened came with the opening.)
ROUND_TRIPS = ("open", "read", "pread", "readlink", "stat", "lstat", "scandir", "listdir")


@pytest.fixture
def calls(monkeypatch):
    """Return the file-system calls that are made, by name."""
    made = []
    for name in ROUND_TRIPS:
        real_call = getattr(os, name)

        def counted(*arguments, _call=real_call, _name=name, **options):
            made.append(_name)
            return _call(*arguments, **options)

        monkeypatch.setattr(os, name, counted)
    real_open = io.open
    monkeypatch.setattr(io, "open", lambda *a, **k: made.append("open") or real_open(*a, **k))
    return made


@pytest.fixture
def handler(storage, monkeypatch):
    """Return the handler, each time it is asked for in a new execution environment."""
    monkeypatch.setenv("IMAGES_PATH", str(storage.root))
    # Otherwise a slow machine looks at slides more than once in a test.
    monkeypatch.setattr("vsv.viewing.slide_cache._TRUST_S", math.inf)
    return lambda: load_handler("ImageRequest")


@pytest.fixture
def imported(world, generated):
    """Return the ImageID of an imported slide: levels 12, 10 and 8 are its own."""
    world.has_imported(generated, "day 1/scan.svs")
    return "204711"
