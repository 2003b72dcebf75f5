"""Slide files that are replaced, overwritten or removed: nothing stale is shown."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.tile_index.helpers import get, shown
from vsv.errors import NotFound
from vsv.identifiers import FileVersion
from vsv.pyramid.deepzoom import TileAddress
from vsv.slides.file import SlideFile
from vsv.slides.slide import Slide
from vsv.viewing.images import Images, TileOptions
from vsv.viewing.slide_cache import CachedSlide, SlideCache


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
