"""What is not a file, or says what no index of a slide does: it counts as damaged or missing."""

import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import svs
from tests.handlers import load_handler
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile_blocks import BlockAddress, blocks
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.slide import Slide
from vsv.storage.atomic_files import read_note, remove, remove_all, write_note, write_whole
from vsv.storage.layout import Storage

# Rather than to wait at a FIFO for ever.
pytestmark = pytest.mark.timeout(60)

FILENAME = "day 1/scan.svs"
BLOCK = "9_0_0"
PATHS = (".dzi", "_files/9/0_0.jpeg", "_files/9/1_1.png", "_files/8/0_0.jpeg", "_files/label.jpeg")


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Return what an import leaves of a slide of 2 × 2 tiles; its label is not among it."""
    storage = Storage(tmp_path_factory.mktemp("sound"))
    pixels = np.add.outer(np.arange(512), np.arange(512))[..., None] // [4, 5, 6]
    path = storage.root / FILENAME
    path.parent.mkdir()
    label = svs.strip(pixels[:60, :50].astype(np.uint8), tags={254: (4, 1)})
    svs.write(path, [svs.level(pixels.astype(np.uint8)), label])
    with Slide(path) as slide:
        fingerprint = Fingerprint.of(slide)
        index = SlideIndex.of(slide, FILENAME, default_pyramid(slide), quality=90, levels=(9,))
        storage.write_index("204711", index)
        for address, block in blocks(slide, FILENAME, fingerprint):
            storage.write_block("204711", address, block)
    return storage.root


@pytest.fixture(params=["imported", "seen"])
def root(request, sound, tmp_path, monkeypatch) -> Path:
    """Return the slide as an import left it, or without an import.

    Then its name tells its ImageID.
    """
    folder = tmp_path / "images"
    shutil.copytree(sound, folder, symlinks=True)
    monkeypatch.setenv("IMAGES_PATH", str(folder))
    if request.param == "seen":
        shutil.move(folder / FILENAME, folder / "204711.svs")
        shutil.rmtree(folder / "204711_index")
        (folder / "204711.index").unlink()
        shown()
    return folder


def shown() -> list[tuple[int, str]]:
    """Return what viewers get, each from a function that has just started."""
    answers = []
    for path in PATHS:
        event = {"httpMethod": "GET", "path": f"/DeepZoom/204711{path}", "headers": {}}
        answer = load_handler("ImageRequest")(event, None)
        answers.append((answer["statusCode"], answer["body"]))
    return answers


KINDS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "folder with a file": lambda path: (path.mkdir(), (path / "x").touch()),
    "link in a circle": lambda path: path.symlink_to(path.name),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "FIFO": os.mkfifo,
    "too long": lambda path: path.write_bytes(b" " * (16 * 2**20 + 1)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", ["204711.index", f"204711_index/{BLOCK}", "204711_index"])
@pytest.mark.slow
def test_what_is_not_a_file_counts_as_damaged(root, piece, kind):
    expected = shown()
    assert [status for status, _ in expected] == [200] * len(PATHS)
    remove_all(root / piece)
    KINDS[kind](root / piece)
    assert shown() == expected
    if kind != "folder with a file":
        assert Storage(root).read_index("204711"), "it is rebuilt"


@pytest.mark.parametrize("kind", KINDS.keys() - {"too long"})
@pytest.mark.parametrize("piece", ["204711_files/8/0_0.jpeg", "204711_files/8", "204711_files"])
def test_what_is_not_a_tile_is_made_anew(sound, tmp_path, monkeypatch, piece, kind):
    monkeypatch.setenv("IMAGES_PATH", str(tmp_path))
    shutil.copytree(sound, tmp_path, symlinks=True, dirs_exist_ok=True)
    expected = shown()
    (tmp_path / piece).parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](tmp_path / piece)
    assert shown() == expected


@pytest.mark.parametrize("kind", KINDS.keys() - {"too long"})
def test_what_is_not_a_slide_file_is_told(root, kind):
    path = next(path for path in (root / FILENAME, root / "204711.svs") if path.exists())
    path.unlink()
    KINDS[kind](path)
    assert {status for status, _ in shown()} <= {200, 404, 409, 422}


@pytest.mark.parametrize("kind", KINDS.keys() - {"folder with a file"})
def test_an_import_replaces_what_is_not_a_file(sound, tmp_path, kind):
    good, storage = Storage(sound), Storage(tmp_path)
    index, address = good.read_index("204711"), BlockAddress(9, 0, 0)
    block = good.read_block("204711", address)
    for piece in ("204711.index", "204711_index"):
        KINDS[kind](tmp_path / piece)
    storage.begin_pyramid("204711", index)
    for again in (False, True):
        if again:
            for piece in ("204711.index", f"204711_index/{BLOCK}"):
                remove(tmp_path / piece)
                KINDS[kind](tmp_path / piece)
        storage.write_index("204711", index)
        storage.write_block("204711", address, block)
        assert (storage.read_index("204711"), storage.read_block("204711", address)) == (
            index,
            block,
        )


FULL = {
    **{"width": 512, "height": 512, "tile_width": 256, "tile_height": 256, "compression": 7},
    **{"photometric": 6, "jpeg_tables": "", "samples": 3, "predictor": 1},
}
COARSER = {**FULL, "width": 256, "height": 256}


@pytest.mark.parametrize(
    "changes",
    [
        *({"filename": name} for name in ("a\0.svs", "", ".", "../x.svs", "/x.svs", "x", 7, ["x"])),
        *({"filename": name} for name in ("x" * 5000 + ".svs", "\ud800.svs", None)),
        *({"sha256": value} for value in (None, 7, [])),
        *({name: value} for name in ("width", "height") for value in (0, -1, 1.5, "512", 2**40)),
        *({name: 10**400} for name in ("width", "tile_width", "size", "mtime_ns", "quality")),
        *({name: value} for name in ("tile_width", "overlap") for value in (-1, "256", None, True)),
        *({"levels": value} for value in ([10], [-1], ["9"], 9, None, [[9]], "9", [9.0])),
        *({name: value} for name in ("imported", "archived") for value in (None, 1, "yes", [])),
        *({"images": value} for value in (None, [7], [[]], [{}], "x", [{**FULL, "x": 1}])),
        *({"images": [{**FULL, "width": value}]} for value in (0, -512, "512", 256, 2**40)),
        *({"images": [{**FULL, "tile_width": value}]} for value in (0, -1, "256", 2.0, 10**6)),
        *({"images": [{**FULL, "samples": value}]} for value in (0, 2, 5, "3", None, 10**9)),
        *({"images": [{**FULL, "jpeg_tables": value}]} for value in (7, None, "x", "é", [])),
        *({"images": [{**FULL, name: None}]} for name in ("compression", "photometric")),
        *({"images": [FULL, {**COARSER, "width": value}]} for value in (0, 200, 1024, "256")),
        *({"lost": value} for value in (7, None, [7], [[]], [[0, 0]], [["0", "0", "0"]], ["abc"])),
        *({"lost": [value]} for value in ([1, 0, 0], [0, 2, 0], [0, 0, 2], [0, -1, 0], [-1, 0, 0])),
    ],
)
@pytest.mark.slow
def test_an_index_that_no_slide_has_counts_as_damaged(sound, changes):
    """Its checksum is right: it was written so."""
    good = Storage(sound).read_index("204711")
    fields = json.loads(good.to_bytes())
    del fields["format"], fields["crc32"]
    fields |= {"images": [FULL]}
    for changed, is_usable in (({}, True), (changes, False)):
        content = {**fields, **changed}
        crc32 = zlib.crc32(json.dumps(content).encode())
        data = json.dumps({"format": 4, "crc32": crc32, **content}).encode()
        storage = Storage(sound.parent / "changed")
        write_whole(storage.root / "204711.index", data)
        assert (storage.read_index("204711") is not None) is is_usable


@pytest.mark.parametrize("field", ["", "-1x-1", "../x.svs"])
@pytest.mark.parametrize("number", range(8))
@pytest.mark.slow
def test_a_block_that_no_slide_has_harms_nobody(root, number, field):
    """Its checksum is right: it was written so."""
    block = root / "204711_index" / BLOCK
    form, _, content = read_note(block).split(" ", 2)
    fields = content.split(" ")
    fields[number] = field
    content = " ".join(fields)
    write_note(block, f"{form} {zlib.crc32(content.encode()):08x} {content}")
    assert {status for status, _ in shown()} == {200}
    if (root / "204711.svs").exists():
        return
    # Without the index, any sound block tells what was imported.
    (root / "204711.index").unlink()
    assert {status for status, _ in shown()} <= {200, 404, 409}
