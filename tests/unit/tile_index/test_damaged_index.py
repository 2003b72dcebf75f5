"""Indexes that are damaged, of another version or of another file are rebuilt."""

import json
import multiprocessing
import os
import shutil
from random import Random

import pytest
from PIL import Image

from tests.unit.tile_index.helpers import get, shown
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import default_pyramid
from vsv.settings import ExtractMetadataSettings
from vsv.slides.slide import Slide
from vsv.storage.atomic_files import read_note
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions


@pytest.mark.parametrize("imports", [True, False])
@pytest.mark.slow
def test_every_tile_is_the_same_by_index_and_by_walking(
    imports, world, storage, generated, tmp_path
):
    bare = Storage(tmp_path / "bare")
    bare.root.mkdir()
    shutil.copy(generated, bare.root / "204711.svs")
    if imports:
        world.importer._settings = ExtractMetadataSettings.read(
            {"PRERENDER_LEVELS": "none", "BARCODE_SEARCH_MS": "0"}
        )
        world.bring_in(world.scan(generated, "scan.svs"))
    else:
        shutil.copy(generated, storage.root / "204711.svs")
    walking = Images(bare, 90)
    # Twice: what the first pass writes, the second reads.
    for indexed in (Images(storage, 90, keeps_index=True), Images(storage, 90)):
        with Slide(generated) as slide:
            for address in default_pyramid(slide).tiles():
                expected = walking.tile("204711", address, TileOptions()).load()
                assert indexed.tile("204711", address, TileOptions()).load() == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an index",
        b'{"format": 1}',
        b'{"format": 4, "filename": "x.svs"}',
        b'{"format": 3, "filename": "x.svs"}',
        b'{"format": 3, "images": [1], "levels": []}',
    ],
)
def test_an_index_that_is_damaged_or_of_another_version_is_rebuilt(
    handler, storage, generated, content
):
    shutil.copy(generated, storage.root / "seen.svs")
    expected = get(handler(), "seen_files/12/3_2.jpeg")
    index = storage.root / "seen.index"
    good = index.read_bytes()
    index.write_bytes(content)
    (block,) = (storage.root / "seen_index").iterdir()
    block.unlink()
    block.symlink_to(content.decode() or "-")
    assert get(handler(), "seen_files/12/3_2.jpeg") == expected
    assert index.read_bytes() == good


def flipped(data: bytes, random: Random) -> bytes:
    """Return the data with one bit the other way round."""
    changed = bytearray(data)
    changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def damaged(data: bytes, seed: int) -> list[bytes]:
    """Ways in which a file system may spoil a piece of index: bits, bytes that are no text."""
    random = Random(seed)
    spot = random.randrange(len(data))
    return [
        *(flipped(data, random) for _ in range(12)),
        *(data[:spot] + byte + data[spot + 1 :] for byte in (b"\x80", b"\xff", b"\xc3", b"\n")),
        *(data[:spot], data[spot:], data + b"\xed\xa0\x80", b"\xff" * len(data)),
    ]


@pytest.mark.parametrize("by_import", [True, False])
@pytest.mark.parametrize("as_link", [True, False])
@pytest.mark.slow
def test_spoilt_pieces_of_an_index_are_rebuilt_and_no_tile_is_another(
    handler, storage, generated, world, by_import, as_link
):
    """A block is a symbolic link, or a file where it is too long for one."""
    if by_import:
        world.bring_in(world.scan(generated, "day 1/scan.svs"))
    else:
        shutil.copy(generated, storage.root / "204711.svs")
    paths = [f"204711{end}" for end in ("_files/12/3_2.jpeg", "_files/12/0_0.jpeg", ".dzi")]
    expected = [shown(handler(), path) for path in paths]
    assert [status for status, _ in expected] == [200, 200, 200]
    index = storage.root / "204711.index"
    block = storage.root / "204711_index" / "12_0_0"
    for piece in (index, block):
        good = read_note(piece).encode()
        for number, bad in enumerate(damaged(good, seed=len(good))):
            piece.unlink()
            if as_link and piece is block and b"\0" not in bad and bad:
                os.symlink(bad, os.fsencode(piece))
            else:
                piece.write_bytes(bad)
            assert [shown(handler(), path) for path in paths] == expected, (number, bad)
        if not by_import:
            assert read_note(piece).encode() == good


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x80"])
def test_the_index_of_an_imported_slide_is_rebuilt_from_its_blocks(
    handler, storage, imported, content
):
    """Nothing is named like the ImageID. What was rendered is shown, not made again."""
    derived = storage.images(imported).path("11/1_1")
    Image.new("RGB", (9, 9)).save(derived)
    paths = [f"{imported}{end}" for end in (".dzi", "_files/12/3_2.jpeg", "_files/11/1_1.jpeg")]
    expected = [shown(handler(), path) for path in paths]
    sound = storage.read_index(imported)
    index = storage.root / f"{imported}.index"
    index.unlink() if content is None else index.write_bytes(content)
    assert [shown(handler(), path) for path in paths] == expected
    rebuilt = storage.read_index(imported)
    assert rebuilt.imported
    assert (rebuilt.filename, rebuilt.version) == (sound.filename, sound.version)
    assert (rebuilt.images, rebuilt.levels) == (sound.images, sound.levels)
    assert [shown(handler(), path) for path in paths] == expected


def test_an_index_that_no_import_wrote_stands_for_no_other_file(handler, storage, imported):
    """Blocks that were damaged are no word of an import."""
    (storage.root / f"{imported}.index").unlink()
    for block in (storage.root / f"{imported}_index").iterdir():
        block.unlink()
        block.symlink_to("not a block")
    fresh = handler()
    response = fresh({"path": f"/DeepZoom/{imported}.dzi", "headers": {}}, None)
    assert response["statusCode"] == 404


def test_a_slide_that_an_older_version_imported_is_shown(handler, storage, imported):
    """Its index had no levels, and no blocks beside it. Its file is not named like its ID."""
    expected = get(handler(), f"{imported}_files/12/3_2.jpeg")
    index = storage.root / f"{imported}.index"
    fields = json.loads(index.read_bytes())
    del fields["images"], fields["imported"], fields["lost"], fields["archived"], fields["crc32"]
    index.write_text(json.dumps({**fields, "format": 2}))
    shutil.rmtree(storage.root / f"{imported}_index")
    shutil.rmtree(storage.root / f"{imported}_files")
    fresh = handler()
    response = fresh({"path": f"/DeepZoom/{imported}.dzi", "headers": {}}, None)
    assert 'Width="2309"' in response["body"]
    for one in (fresh, handler()):
        assert get(one, f"{imported}_files/12/3_2.jpeg") == expected
        assert get(one, f"{imported}_files/11/1_1.jpeg")


def _look(root, barrier, results):
    barrier.wait()
    images = Images(Storage(root), 90, keeps_index=True)
    tiles = [TileAddress(12, col, row) for col in range(9) for row in range(6)]
    results.put([images.tile("seen", tile, TileOptions()).load() for tile in tiles])


def test_many_processes_may_build_it_at_once(storage, generated):
    shutil.copy(generated, storage.root / "seen.svs")
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(6), context.Queue()
    workers = [
        context.Process(target=_look, args=(storage.root, barrier, results)) for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert all(answer == answers[0] for answer in answers)
    names = {path.name for path in (storage.root / "seen_index").iterdir()}
    assert names == {"12_0_0"}
