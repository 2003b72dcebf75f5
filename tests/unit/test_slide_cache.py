"""The cache of open slides: its budget of file descriptors and memory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vsv.storage.layout import Storage
from vsv.viewing.slide_cache import SlideCache


def opened(cache):
    """Return the slides that are open, the one used last at the end."""
    return list(cache._slides)


def open_files(storage: Storage) -> int:
    """How many files beneath the images path this process has open."""
    numbers = Path("/proc/self/fd").iterdir()
    return sum(str(storage.root) in os.readlink(each) for each in numbers if each.is_symlink())


def put(count: int, slide: Path, storage: Storage) -> None:
    """Store the slide as s0, s1, …: links to one copy, as the slide may be on another disk."""
    first = shutil.copy(slide, storage.root / "s0.svs")
    for number in range(1, count):
        os.link(first, storage.root / f"s{number}.svs")


@pytest.fixture
def twelve(storage, real):
    """Twelve slides; the memory in bytes that each takes once it is open."""
    put(12, real, storage)
    return SlideCache(storage).get("s0").memory_bytes


@pytest.mark.parametrize("limit", ["handles", "bytes"])
def test_as_many_slides_are_open_as_the_budget_allows_and_no_more(storage, twelve, limit):
    budget = {"max_handles": 5} if limit == "handles" else {"max_bytes": 5 * twelve}
    cache = SlideCache(storage, **budget)
    for number in range(5):
        cache.get(f"s{number}")
    assert opened(cache) == ["s0", "s1", "s2", "s3", "s4"], "within the budget none is closed"
    for number in range(5, 12):
        cache.get(f"s{number}")
    assert opened(cache) == ["s7", "s8", "s9", "s10", "s11"]
    assert open_files(storage) == 5


def test_the_slide_that_was_used_longest_ago_is_closed_first(storage, twelve):
    cache = SlideCache(storage, max_handles=3)
    for number in (0, 1, 2, 0, 3, 2, 4):
        cache.get(f"s{number}")
    assert opened(cache) == ["s3", "s2", "s4"]


@pytest.mark.parametrize("limit", ["handles", "bytes"])
def test_what_openslide_takes_counts_toward_the_budget(storage, twelve, limit):
    assert twelve < 2**20, "a slide that OpenSlide has not open takes little"
    cache = SlideCache(storage, **{f"max_{limit}": {"handles": 3, "bytes": 2**21}[limit]})
    cache.get("s0").slide.openslide()
    cache.get("s1")
    cache.get("s2")
    assert opened(cache) == ["s1", "s2"]


@pytest.mark.parametrize("budget", [{"max_handles": 0}, {"max_bytes": 0}])
def test_a_slide_that_is_larger_than_the_budget_is_open_alone(storage, twelve, budget):
    cache = SlideCache(storage, **budget)
    cache.get("s0")
    assert opened(cache) == ["s0"]
    cache.get("s1")
    assert opened(cache) == ["s1"]


MANY_SLIDES = """
import os, random, sys
sys.path.insert(0, sys.argv[1])
import app

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

rng = random.Random(1)
measured = []
for number in range(8_000):
    slide = f"s{rng.randrange(200)}"
    level = rng.choice((12, 12, 12, 11, 10))
    span = 9 >> (12 - level), 12 >> (12 - level)
    tile = f"{level}/{rng.randrange(span[0])}_{rng.randrange(span[1])}"
    query = {"tilesize": "200"} if number % 500 == 0 else None
    event = {"path": f"/DeepZoom/{slide}_files/{tile}.jpeg", "queryStringParameters": query}
    assert app.lambda_handler(event, None)["statusCode"] == 200
    if number % 1000 == 999:
        measured.append(resident())
print(*measured)
"""


@pytest.mark.slow
def test_memory_stays_flat_over_eight_thousand_tiles_of_two_hundred_slides(storage, real):
    put(200, real, storage)
    done = subprocess.run(
        [sys.executable, "-c", MANY_SLIDES, ROOT / "functions" / "ImageRequest"],
        capture_output=True,
        text=True,
        env={**os.environ, "IMAGES_PATH": str(storage.root)},
        check=True,
    )
    measured = [int(number) for number in done.stdout.split()]
    assert len(measured) == 8
    # Until all slides that are kept open have been seen it grows; not after that.
    assert measured[-1] - measured[5] < 2**20, measured
