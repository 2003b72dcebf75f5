"""The tile index: what a tile costs on a slow file system, and that nothing stale is ever shown."""

import base64
import errno
import io
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import ROOT
from tests.handlers import load_handler
from vsv.errors import NotFound
from vsv.identifiers import FileVersion
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.tile_blocks import blocks
from vsv.settings import ExtractMetadataSettings
from vsv.slides.damage import TileNumber
from vsv.slides.file import SlideFile
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.slide import Slide
from vsv.slides.tile_index import BLOCK_TILES, TileBlock, TiledImage, TileEntry
from vsv.storage.atomic_files import read_note, write_note
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions
from vsv.viewing.slide_cache import CachedSlide, SlideCache

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


def get(handler, path):
    response = handler({"httpMethod": "GET", "path": f"/DeepZoom/{path}", "headers": {}}, None)
    assert response["statusCode"] == 200, response
    return base64.b64decode(response["body"])


def shown(handler, path):
    """Return what a viewer gets, be it text or not."""
    response = handler({"httpMethod": "GET", "path": f"/DeepZoom/{path}", "headers": {}}, None)
    return response["statusCode"], response["body"]


@pytest.fixture
def imported(world, generated):
    """Return the ImageID of an imported slide: levels 12, 10 and 8 are its own."""
    world.has_imported(generated, "day 1/scan.svs")
    return "204711"


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


@given(
    filename=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    offset=st.integers(0, 2**40 - 1),
    length=st.integers(0, 2**24 - 1),
    crc32=st.integers(0, 2**32 - 1),
)
def test_a_block_survives_its_way_through_text(filename, offset, length, crc32):
    image = TiledImage(2309, 1543, 256, 256, 7, 2, b"\xff\xd8tables\xff\xd9")
    block = TileBlock.of(
        image,
        lambda col, row: TileEntry(offset, length, crc32),
        (0, 0),
        filename=filename,
        version=FileVersion(123, 456),
        passes_through=True,
        imported=True,
    )
    again = TileBlock.from_text(block.to_text())
    assert again == block
    assert again.entry(3, 2) == ((offset, length, crc32) if length else (0, 0, 0))
    assert again.passes_through(8, 5) == (length > 0)
    assert not again.passes_through(9, 5)
    assert not again.passes_through(8, 6)


def test_a_tile_taken_out_of_a_block_leaves_all_others_where_they_are():
    image = TiledImage(2309, 1543, 256, 256, 7, 2, b"")
    facts = {"filename": "x.svs", "version": FileVersion(1, 2), "passes_through": True}
    block = TileBlock.of(
        image, lambda col, row: TileEntry(100 * row + col, 7), (0, 0), imported=False, **facts
    )
    without = block.without([TileNumber(0, 3, 2)])
    for row in range(7):
        for col in range(10):
            expected = TileEntry(0, 0) if (col, row) == (3, 2) else TileEntry(100 * row + col, 7)
            assert without.entry(col, row) == expected, (col, row)
    assert not without.passes_through(3, 2)


@pytest.mark.parametrize(
    ("compression", "kinds", "color"),
    [
        (7, ("is_jpeg",), None),
        (33003, ("is_jpeg2000",), "YCbCr"),
        (33005, ("is_jpeg2000",), "RGB"),
        *[(each, ("is_lossless",), None) for each in (1, 5, 8, 32773, 32946)],
        (6, (), None),
    ],
)
def test_a_compressions_number_tells_what_decodes_it(compression, kinds, color):
    """Aperio's two numbers for JPEG 2000 tell its colours."""
    image = TiledImage(512, 512, 256, 256, compression, 2, b"")
    every = ("is_jpeg", "is_jpeg2000", "is_lossless")
    assert tuple(kind for kind in every if getattr(image, kind)) == kinds
    assert image.is_decoded_here is bool(kinds)
    if color:
        assert image.jpeg2000_color == color


def test_what_does_not_fit_a_block_is_not_indexed():
    image = TiledImage(100, 100, 256, 256, 7, 2, b"")
    for entry in (TileEntry(2**40, 1), TileEntry(0, 2**24)):
        facts = {"filename": "x", "version": FileVersion(1, 1), "passes_through": True}
        assert TileBlock.of(image, lambda *_, e=entry: e, (0, 0), imported=True, **facts) is None


def test_the_index_is_compact(real, generated):
    """A block is what one call reads: it fits a symbolic link on EFS (4,080 bytes)."""
    with Slide(generated) as slide:
        fingerprint = Fingerprint.of(slide)
        images = [level.image for level in slide.levels]
        tiles = sum(image.cols * image.rows for image in images)
        found = list(blocks(slide, "day 1/" + "x" * 200 + ".svs", fingerprint))
        assert {address.level for address, _ in found} == {12, 10, 8}
        assert all(len(block.to_text()) < 4000 for _, block in found)
        assert len(found) <= len(images) + tiles / 30
        assert len(found[0][1].entries) == 12 * BLOCK_TILES**2


@pytest.mark.parametrize("long", [False, True])
def test_a_note_is_read_as_it_was_written_link_or_file(tmp_path, long, monkeypatch):
    text = "né" * (3000 if long else 3)
    path = tmp_path / "new folder" / "note"
    assert read_note(path) is None
    for _ in range(2):
        write_note(path, text)
        assert path.is_symlink() != long
        assert read_note(path) == text

    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", no_links)
    write_note(path, text)
    assert not path.is_symlink()
    assert read_note(path) == text
    assert [entry.name for entry in path.parent.iterdir()] == ["note"]


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


def test_a_replaced_file_is_noticed_within_a_second(storage, real, generated, monkeypatch):
    now = [0.0]
    images = Images(storage, 90, keeps_index=True)
    images._slides = SlideCache(storage, keeps_index=True, now=lambda: now[0])
    path = storage.root / "seen.svs"
    shutil.copy(generated, path)
    with Slide(generated) as slide:
        first = slide.jpeg_tile(0, 3, 2)
    assert images.tile("seen", TileAddress(12, 3, 2), TileOptions()).load() == first

    shutil.copy(real, storage.root / "new.svs")
    (storage.root / "new.svs").rename(path)
    now[0] += 1.1
    with Slide(real) as slide:
        second = slide.jpeg_tile(0, 3, 2)
    resource = images.tile("seen", TileAddress(12, 3, 2), TileOptions())
    assert resource.load() == second
    # And another process, which finds the first one's index, is not led astray either.
    assert Images(storage, 90).tile("seen", TileAddress(12, 3, 2), TileOptions()).load() == second

    path.unlink()
    now[0] += 1.1
    with pytest.raises(NotFound):
        images.tile("seen", TileAddress(12, 3, 2), TileOptions())


def test_a_file_that_was_overwritten_in_place_shows_no_wrong_pixel(world, handler, imported, real):
    """The index knows each tile's checksum: other bytes are refused, though nothing looks first."""
    fresh = handler()
    get(fresh, f"{imported}_files/12/3_2.jpeg")
    path = world.storage.root / "day 1" / "scan.svs"
    path.write_bytes(real.read_bytes() + bytes(path.stat().st_size))
    event = {"path": f"/DeepZoom/{imported}_files/12/4_2.jpeg", "headers": {}}
    for one in (fresh, handler()):
        assert one(event, None)["statusCode"] == 409


def test_an_imported_slide_that_was_set_aside_is_found(world, handler, imported, real):
    expected = get(handler(), f"{imported}_files/12/3_2.jpeg")
    file = world.files.check("day 1/scan.svs")
    world.storage.set_aside("day 1/scan.svs", FileVersion(file.size, file.mtime_ns))
    shutil.rmtree(world.storage.root / f"{imported}_files")
    assert get(handler(), f"{imported}_files/12/3_2.jpeg") == expected
    shutil.copy(real, world.storage.root / "day 1" / "scan.svs")
    assert get(handler(), f"{imported}_files/12/3_2.jpeg") == expected


def test_an_imported_slide_is_shown_without_its_directories(handler, imported, monkeypatch):
    """The index and its blocks tell all that they say: reading them is what makes others wait."""
    paths = [f"{imported}_files/{tile}.png" for tile in ("12/3_2", "11/1_1", "0/0_0")]
    expected = [get(handler(), path) for path in paths]
    monkeypatch.setattr("vsv.slides.slide.TiffFile", None)
    fresh = handler()
    get(fresh, f"{imported}_files/12/3_2.jpeg")  # opens the slide by a block
    assert [get(fresh, path) for path in paths] == expected


def test_a_file_that_was_removed_on_another_machine_is_told_as_that(
    handler, storage, imported, monkeypatch
):
    """NFS finds out when the open file is read."""
    fresh = handler()
    tile = f"{imported}_files/12/3_2.jpeg"
    expected = get(fresh, tile)
    problem = errno.ESTALE

    def fails(*_):
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(SlideFile, "read", fails)
    assert get(fresh, tile) == expected, "the pyramid's tile"
    Path(storage.images(imported).path("12/3_2")).unlink()
    assert shown(fresh, tile)[0] == 409
    problem = errno.EIO
    assert shown(fresh, tile)[0] >= 500


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


VERSION, OTHER = FileVersion(7, 1), FileVersion(7, 2)


@pytest.mark.parametrize(
    ("imported", "index", "file", "current"),
    [
        # Of an imported slide the index counts, whatever its file is called by now.
        (True, {"imported": True, "version": VERSION}, None, True),
        (True, {"imported": True, "version": OTHER}, VERSION, False),
        (True, {"imported": True, "version": VERSION, "archived": True}, VERSION, False),
        (True, None, VERSION, False),
        # Of another the file does, until there is an import.
        (False, None, VERSION, True),
        (False, None, OTHER, False),
        (False, None, None, False),
        (False, {"imported": False, "version": OTHER}, VERSION, True),
        (False, {"imported": True, "version": VERSION}, VERSION, False),
    ],
)
def test_a_slide_stays_open_while_its_image_id_stands_for_it(
    imported, index, file, current, tmp_path
):
    path = tmp_path / "x.svs"
    if file:
        path.write_bytes(b"a slide")
        os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
    found = SimpleNamespace(**{"archived": False, **index}) if index else None
    storage = SimpleNamespace(read_index=lambda image_id: found)
    identity = ("x.svs", VERSION, imported)
    slide = CachedSlide(storage, "s1", SimpleNamespace(path=path), identity)
    assert slide.is_current() is current
