"""What a tile costs on a slow file system: opening, reading, and nothing else."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

from tests.conftest import ROOT
from tests.unit.tile_index.helpers import get
from vsv.pyramid.deepzoom import TileAddress
from vsv.slides.slide import Slide
from vsv.slides.tile_index import BLOCK_TILES
from vsv.viewing.slide_cache import SlideCache


def test_a_cold_native_tile_costs_three_calls_and_a_warm_one_one(handler, calls, imported):
    fresh = handler()
    calls.clear()
    get(fresh, f"{imported}_files/12/3_2.jpeg")
    assert calls == ["readlink", "open", "pread"]
    for address in ("12/3_3", "12/0_0", "12/8_5", "12/3_2"):
        calls.clear()
        get(fresh, f"{imported}_files/{address}.jpeg")
        assert calls == ["pread"]
    # The first tile of another level needs another block of the index; then it is known as well.
    get(fresh, f"{imported}_files/10/0_0.jpeg")
    calls.clear()
    get(fresh, f"{imported}_files/10/1_0.jpeg")
    assert calls == ["pread"]


def test_a_pre_rendered_tile_costs_an_open_and_a_read(handler, calls, imported):
    fresh = handler()
    calls.clear()
    get(fresh, f"{imported}_files/11/1_1.jpeg")
    assert calls == ["readlink", "open", "pread"]  # the index has no block for this level
    get(fresh, f"{imported}_files/12/1_1.jpeg")
    calls.clear()
    get(fresh, f"{imported}_files/11/2_1.jpeg")
    assert calls == ["readlink", "open", "pread"]
    calls.clear()
    get(fresh, f"{imported}_files/11/1_1.jpeg")
    assert calls == ["open", "pread"]


TWO_TILES = """
import math, sys
sys.path.insert(0, sys.argv[1])
import app
import vsv.viewing.slide_cache
vsv.viewing.slide_cache._TRUST_S = math.inf  # however slow the machine
for address in ("12/3_2", "12/4_2"):
    path = f"/DeepZoom/204711_files/{address}.jpeg"
    assert app.lambda_handler({"path": path, "headers": {}}, None)["statusCode"] == 200
"""


def test_the_kernel_counts_the_same(imported, storage):
    """What a new process asks of the images path after its imports, for two tiles."""
    handler = ROOT / "functions" / "ImageRequest"
    trace = ["strace", "-f", "-y", "-e", "trace=%file,%desc", sys.executable, "-c", TWO_TILES]
    done = subprocess.run(
        [*trace, handler],
        capture_output=True,
        text=True,
        env={**os.environ, "IMAGES_PATH": str(storage.root)},
        check=True,
    )
    asked = [line for line in done.stderr.splitlines() if str(storage.root) in line]
    names = [line.partition("(")[0].split()[-1] for line in asked]
    assert names == ["readlink", "openat", "pread64", "pread64", "close"]


def test_a_slide_that_was_not_imported_is_walked_through_once(handler, calls, storage, generated):
    shutil.copy(generated, storage.root / "seen.svs")
    get(handler(), "seen_files/12/3_2.jpeg")
    fresh = handler()
    calls.clear()
    expected = get(fresh, "seen_files/12/3_2.jpeg")
    # One call more: without an import's checksums, the file's version is looked at.
    assert calls == ["readlink", "open", "stat", "pread"]
    calls.clear()
    get(fresh, "seen_files/12/4_2.jpeg")
    assert calls == ["pread"]
    with Slide(generated) as slide:
        assert expected == slide.jpeg_tile(0, 3, 2)


def test_where_nothing_may_be_written_the_slide_is_shown_all_the_same(
    handler, storage, generated, monkeypatch
):
    shutil.copy(generated, storage.root / "seen.svs")

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "symlink", read_only)
    monkeypatch.setattr("vsv.storage.atomic_files._write", read_only)
    assert get(handler(), "seen_files/12/3_2.jpeg")
    assert get(handler(), "seen_files/11/1_1.jpeg")
    assert {path.name for path in storage.root.iterdir()} == {"seen.svs"}


def test_an_imported_slide_is_shown_without_its_directories(handler, imported, monkeypatch):
    """The index and its blocks tell all that they say: reading them is what makes others wait."""
    paths = [f"{imported}_files/{tile}.png" for tile in ("12/3_2", "11/1_1", "0/0_0")]
    expected = [get(handler(), path) for path in paths]
    monkeypatch.setattr("vsv.slides.slide.TiffFile", None)
    fresh = handler()
    get(fresh, f"{imported}_files/12/3_2.jpeg")  # opens the slide by a block
    assert [get(fresh, path) for path in paths] == expected


def test_a_block_that_is_missing_is_not_looked_for_again_for_a_second():
    """Tiles may lie in the pyramid alone: each would cost a call that finds nothing."""
    asked, now = [], [0.0]
    storage = SimpleNamespace(read_block=lambda image_id, where: asked.append((image_id, *where)))
    cache = SlideCache(storage, now=lambda: now[0])

    def look(*address, image_id="s1"):
        assert cache.get_if_open(image_id, TileAddress(*address)) is None
        return len(asked)

    assert [look(12, 3, 2), look(12, 3, 2), look(12, 0, 0)] == [1, 1, 1]
    assert [look(12, 3 + BLOCK_TILES, 2), look(11, 3, 2), look(12, 3, 2, image_id="s2")] == [
        2,
        3,
        4,
    ]
    now[0] = 1.0
    assert look(12, 3, 2) == 4
    now[0] = 1.1
    assert [look(12, 3, 2), look(12, 3, 2)] == [5, 5]
