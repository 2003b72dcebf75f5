"""Pre-rendering that is killed, repeated and watched."""

import io
import signal
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from vsv.deepzoom import Size
from vsv.errors import IncompletePyramid
from vsv.index import SlideIndex, default_pyramid
from vsv.pyramid import check_complete, levels_to_render, plan, render
from vsv.slides import Slide
from vsv.storage import Storage
from vsv.tiles import is_native

RENDER = """
import sys
from pathlib import Path
from vsv.pyramid import render
from vsv.slides import Slide
from vsv.index import SlideIndex, default_pyramid
from vsv.storage import Storage

with Slide(Path(sys.argv[1])) as slide:
    pyramid = default_pyramid(slide)
    index = SlideIndex.of(slide, "x.svs", pyramid, quality=90, levels=pyramid.levels)
    render(slide, index, Storage(Path(sys.argv[2])), "s1")
"""


def index_of(slide, which="all"):
    pyramid = default_pyramid(slide)
    levels = levels_to_render(slide, pyramid, which)
    return SlideIndex.of(slide, "x.svs", pyramid, quality=90, levels=levels)


def test_pieces_are_all_tiles_once(generated):
    with Slide(generated) as slide:
        pyramid = default_pyramid(slide)
    pieces = list(plan(pyramid.tile_count, 7))
    assert [number for start, stop in pieces for number in range(start, stop)] == list(
        range(pyramid.tile_count)
    )


def test_a_render_killed_at_any_moment_never_shows_half_a_tile_and_resumes(generated, storage):
    """kill -9, again and again, while a viewer polls; in the end the same bytes as undisturbed."""
    with Slide(generated) as slide:
        index = index_of(slide)
        pyramid = index.pyramid
        undisturbed = Storage(storage.root / "undisturbed")
        render(slide, index, undisturbed, "s1")
    tiles = [storage.tile("s1", address) for address in pyramid.tiles()]
    done, seen, broken = threading.Event(), set(), []

    def poll():
        while not done.is_set():
            for path in tiles:
                try:
                    Image.open(io.BytesIO(path.read_bytes())).load()
                    seen.add(path)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    broken.append((path, error))
            time.sleep(0.001)

    reader = threading.Thread(target=poll)
    reader.start()
    kills = 0
    try:
        while True:
            renderer = subprocess.Popen([sys.executable, "-c", RENDER, generated, storage.root])
            before = sum(path.exists() for path in tiles)
            while renderer.poll() is None and sum(path.exists() for path in tiles) < before + 20:
                time.sleep(0.002)
            if renderer.poll() is not None:
                assert renderer.returncode == 0
                break
            renderer.send_signal(signal.SIGKILL)
            renderer.wait()
            kills += 1
    finally:
        done.set()
        reader.join()

    assert kills >= 2
    assert not broken
    check_complete(index, storage, "s1")
    for address in pyramid.tiles():
        path, expected = storage.tile("s1", address), undisturbed.tile("s1", address)
        assert path.read_bytes() == expected.read_bytes()
    assert not list(storage.root.glob("s1_files/**/.*")), "left-overs of killed writers"


def test_what_is_missing_is_named(generated, storage):
    with Slide(generated) as slide:
        index = index_of(slide)
        render(slide, index, storage, "s1", start=1)
    with pytest.raises(IncompletePyramid, match=r"level 12 has 69 of 70 tiles$"):
        check_complete(index, storage, "s1")


@pytest.mark.parametrize(
    ("which", "levels"),
    [("all", {*range(13)}), ("derived", {*range(13)} - {12, 10, 8}), ("none", set())],
)
def test_which_levels_are_rendered(generated, storage, which, levels):
    """Levels 12, 10 and 8 are the slide's own 1x, 4x and 16x."""
    with Slide(generated) as slide:
        index = index_of(slide, which)
        render(slide, index, storage, "s1")
    check_complete(index, storage, "s1")
    assert set(index.levels) == levels
    assert {int(folder.name) for folder in storage.files("s1").glob("*")} == levels


def test_levels_of_another_tile_size_are_nobodys_own(generated):
    with Slide(generated) as slide:
        assert not is_native(slide, Size(240, 240), 1)
        assert is_native(slide, Size(256, 256), 4)
        assert not is_native(slide, Size(256, 256), 2)
