"""Pre-rendering that is killed, repeated and watched."""

import io
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import cycle

import numpy as np
import pytest
from PIL import Image

from local.samples import generated_slide
from tests.pixels import block_means, decoded, psnr
from tests.unit.pyramid.helpers import index_of, path_of, rendered
from vsv.errors import IncompletePyramid
from vsv.geometry import Box, Size
from vsv.pyramid import encoding, render
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.encoding import Pixels
from vsv.pyramid.image_store import name
from vsv.pyramid.plan import Work, check_complete
from vsv.pyramid.render import Renderer
from vsv.pyramid.tile import render_tile
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage

# Renders into a folder, and kills itself at the 20th tile: half written, not yet shown, or shown.
RENDER = """
import os, signal, sys
from itertools import count
from pathlib import Path
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.render import Renderer
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage

numbers, replace = count(1), os.replace

def replace_or_die(partial, path):
    last = next(numbers) == 20
    if last and sys.argv[3] == "half written":
        os.truncate(partial, os.path.getsize(partial) // 2)
    if not last or sys.argv[3] == "shown":
        replace(partial, path)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace_or_die
with Slide(Path(sys.argv[1])) as slide:
    pyramid = default_pyramid(slide)
    index = SlideIndex.of(slide, "x.svs", pyramid, quality=90, levels=pyramid.levels)
    Renderer(slide, index, Storage(Path(sys.argv[2])).images("s1")).render()
"""


# Bands of one level to seven, the native ones' ratios 2, 4 and 8, no native tile grid at all.
BANDS = {
    "1, 4, 16": ({}, None, [(0, 8), (9, 10), (11, 12)]),
    "1, 2, 16": ({"downsamples": (1, 2, 16)}, None, [(0, 8), (9, 11), (12, 12)]),
    "1, 8": ({"downsamples": (1, 8)}, None, [(0, 9), (10, 12)]),
    "one level": ({"downsamples": (1,)}, None, [(0, 12)]),
    "JPEG 2000": ({"jpeg2000": True}, None, [(0, 8), (9, 10), (11, 12)]),
    "tiles not square": ({"tile": (256, 128)}, None, [(level, level) for level in range(13)]),
    "overlap": ({}, (254, 1), [(level, level) for level in range(13)]),
}


@pytest.fixture(scope="module", params=BANDS)
def banded(request, real, tmp_path_factory):
    """Yield a slide, the index of its pyramid, and the bands that it should have."""
    options, grid, bands = BANDS[request.param]
    path = tmp_path_factory.mktemp("banded") / "slide.svs"
    generated_slide(path, real, **{"size": (2309, 1543), "label_text": None, **options})
    with Slide(path) as slide:
        size = Size(slide.width, slide.height)
        pyramid = DeepZoom(size, Size(grid[0], grid[0]), grid[1]) if grid else None
        yield slide, index_of(slide, pyramid=pyramid), bands


@pytest.fixture(scope="module")
def whole(banded, tmp_path_factory):
    """Return the folder of its pyramid, which no test changes."""
    slide, index, _ = banded
    return rendered(slide, index, tmp_path_factory.mktemp("whole"))


@pytest.mark.slow
def test_units_are_all_tiles_once_and_pieces_all_units_once(banded):
    slide, index, bands = banded
    work = Work.of(slide, index.pyramid, index.levels)
    assert [(band.coarsest, band.finest) for band in work.bands] == bands
    tiles = [tile for band, root in work.units() for tile in work.beneath(band, root)]
    assert sorted(tiles) == sorted(index.pyramid.tiles())
    for size in (1, 7, 10_000):
        pieces = list(work.pieces(size))
        in_pieces = [unit for start, stop in pieces for unit in work.units(start, stop)]
        assert in_pieces == list(work.units())


@pytest.mark.slow
def test_every_tile_has_its_size_and_shows_the_box_filtered_slide(banded, whole):
    slide, index, _ = banded
    pyramid = index.pyramid
    full = np.asarray(
        RegionReader(slide).read(slide.levels[0], Box(0, 0, slide.width, slide.height)), float
    )
    for level in pyramid.levels:
        reference = block_means(full, pyramid.downsample(level))
        for address in pyramid.tiles(levels=[level]):
            box = pyramid.tile_at(address).box
            tile = decoded(whole / f"{name(address)}.jpeg")
            assert tile.shape == (box.size.height, box.size.width, 3), address
            part = reference[box.top : box.bottom, box.left : box.right]
            assert psnr(tile, part) > 27, address


@pytest.mark.slow
def test_pieces_in_any_order_and_repeated_write_the_same_bytes(banded, whole, tmp_path):
    slide, index, _ = banded
    store = Storage(tmp_path / "pieces").images("s1")
    renderer = Renderer(slide, index, store)
    pieces = list(renderer.work.pieces(5))
    for start, stop in [*reversed(pieces), *pieces]:
        renderer.render(start, stop)
    for path in whole.rglob("*.jpeg"):
        twin = tmp_path / "pieces" / "s1_files" / path.relative_to(whole)
        assert twin.read_bytes() == path.read_bytes()


def test_native_tiles_are_copied_and_each_source_tile_is_decoded_once(real, tmp_path, monkeypatch):
    """Here no level was rounded, so that no border needs pixels of another level."""
    path = generated_slide(tmp_path / "even.svs", real, size=(4096, 4096), label_text=None)
    decodes, encodes = Counter(), Counter()
    halved = render.halved

    def count(encode):
        return lambda *arguments: encodes.update(["x"]) or encode(*arguments)

    monkeypatch.setattr(
        render, "halved", lambda tiles, *a: decodes.update(tiles) or halved(tiles, *a)
    )
    monkeypatch.setattr(encoding._Planes, "encode", count(encoding._Planes.encode))
    monkeypatch.setattr(Pixels, "encode", count(Pixels.encode))
    monkeypatch.setattr("vsv.slides.regions.decode", None)
    with Slide(path) as slide:
        index = index_of(slide)
        folder = rendered(slide, index, tmp_path / "out")
        native = {12: 0, 10: 1, 8: 2}
        for address in index.pyramid.tiles(levels=list(native)):
            data = slide.jpeg_tile(native[address.level], address.col, address.row)
            assert (folder / f"{name(address)}.jpeg").read_bytes() == data
            decodes.subtract([data])
        assert set(decodes.values()) == {0}
        copied = index.pyramid.count(list(native))
        assert encodes["x"] == index.pyramid.tile_count - copied


@pytest.mark.slow
@pytest.mark.parametrize("library", [True, False], ids=["libturbojpeg", "Pillow"])
@pytest.mark.parametrize(
    "jpeg",
    [
        {},
        {"colors": "RGB"},
        {"subsampling": (2, 1), "shared_tables": True},
        {"subsampling": (2, 2)},
        {"subsampling": (2, 2), "tile": (240, 240)},
    ],
    ids=str,
)
def test_rendered_levels_lose_next_to_nothing_but_to_the_encoder(
    real, tmp_path, jpeg, library, monkeypatch
):
    """However chroma is subsampled, between the native levels and above the smallest of them."""
    if not library:
        monkeypatch.setattr(encoding, "_library", lambda: None)
    path = generated_slide(
        tmp_path / "s.svs", real, size=(4100, 3300), label_text=None, downsamples=(1, 4), **jpeg
    )
    with Slide(path) as slide:
        index = index_of(slide)
        folder = rendered(slide, index, tmp_path / "out")
        native = {
            level.downsample: np.asarray(
                RegionReader(slide).read(level, Box(0, 0, *level.image.size)), float
            )
            for level in slide.levels
        }
        for downsample in (2, 8, 16, 32):
            source = 1 if downsample == 2 else 4
            reference = block_means(native[source], downsample // source)
            level = index.pyramid.level_count - downsample.bit_length()
            tile = decoded(folder / str(level) / "0_0.jpeg")
            # Without the last column and row of the level, which have a part of a block.
            rows, cols = (min(tile.shape[axis], reference.shape[axis] - 1) for axis in (0, 1))
            expected = reference[:rows, :cols]
            buffer = io.BytesIO()
            image = Image.fromarray(expected.round().astype(np.uint8))
            image.save(buffer, "JPEG", quality=90, subsampling="4:4:4")
            alone = psnr(decoded(buffer), expected)
            assert psnr(tile[:rows, :cols], expected) > alone - 0.5, downsample


@pytest.mark.slow
def test_a_tile_on_request_is_the_rendered_one(banded, whole):
    """To the byte where it is the slide's own or made of four of those."""
    slide, index, _ = banded
    for address in index.pyramid.tiles():
        live = render_tile(slide, index.pyramid, address, "jpeg", 90)
        stored = whole / f"{name(address)}.jpeg"
        assert live == stored.read_bytes() or psnr(decoded(live), decoded(stored)) > 26
    png = decoded(render_tile(slide, index.pyramid, TileAddress(9, 0, 0), "png"))
    assert psnr(png, decoded(whole / "9" / "0_0.jpeg")) > 28


def test_a_damaged_tile_is_rendered_and_its_neighbours_are_copied(real, tmp_path, generated):
    target = tmp_path / "damaged.svs"
    shutil.copy(generated, target)
    with Slide(generated) as slide:
        offset, length, _ = slide.locate(1, 1, 0)
    with target.open("r+b") as file:
        file.seek(offset + 2)
        file.write(bytes(length - 2))
    damages = []
    with Slide(generated) as good, Slide(target, damages.append) as slide:
        expected = rendered(good, index_of(good), tmp_path / "good")
        folder = rendered(slide, index_of(slide), tmp_path / "bad")
    assert [(damage.level, damage.col, damage.row) for damage in damages] == [(1, 1, 0)]
    changed = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.jpeg")
        if path.read_bytes() != (expected / path.relative_to(folder)).read_bytes()
    }
    assert changed == {"10/1_0.jpeg", *(f"{level}/0_0.jpeg" for level in (9,))}
    for path in changed:
        assert psnr(decoded(folder / path), decoded(expected / path)) > 30


@pytest.mark.slow
def test_a_render_killed_at_any_moment_never_shows_half_a_tile_and_resumes(generated, storage):
    """kill -9, again and again, while a viewer polls; in the end the same bytes as undisturbed."""
    with Slide(generated) as slide:
        index = index_of(slide)
        pyramid = index.pyramid
        rendered(slide, index, storage.root / "undisturbed")
    tiles = [path_of(storage.root, address) for address in pyramid.tiles()]
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
    ends = []
    try:
        for moment in cycle(["half written", "not yet shown", "shown"]):
            command = [sys.executable, "-c", RENDER, generated, storage.root, moment]
            ends.append(subprocess.run(command).returncode)
            if ends[-1] != -signal.SIGKILL:
                break
    finally:
        done.set()
        reader.join()

    assert ends[-1] == 0
    assert len(ends) > 3, "killed at each of the moments"
    assert not broken
    check_complete(index, storage.images("s1"))
    for address in pyramid.tiles():
        path = path_of(storage.root, address)
        assert path.read_bytes() == path_of(storage.root / "undisturbed", address).read_bytes()
    assert not list(storage.root.glob("s1_files/**/.*")), "left-overs of killed writers"


def test_what_is_missing_is_named_and_only_that_is_rendered(generated, storage):
    with Slide(generated) as slide:
        index = index_of(slide)
        rendered(slide, index, storage.root)
        victim = path_of(storage.root, TileAddress(12, 3, 2))
        expected = victim.read_bytes()
        victim.unlink()
        with pytest.raises(IncompletePyramid, match=r"level 12 has 69 of 70 tiles$"):
            check_complete(index, storage.images("s1"))
        seen = []
        rendered(slide, index, storage.root, on_tile=seen.append)
    assert victim.read_bytes() == expected
    assert Counter(seen) == {True: 1, False: index.pyramid.tile_count - 1}
