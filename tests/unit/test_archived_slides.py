"""What stays of an archived slide, and what viewers are told."""

import io
import os
import shutil
from contextlib import suppress
from dataclasses import replace

import pytest
from PIL import Image

from tests import archives
from tests.archives import dying_at, names, spare
from tests.handlers import load_handler
from tests.s3 import PYRAMIDS, Killed
from vsv import errors
from vsv.errors import (
    FileChanged,
    NotFound,
)
from vsv.identifiers import FileVersion
from vsv.imports.workflow import ImportJob
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.slide_index import SlideIndex
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions
from vsv.viewing.slide_cache import SlideCache

s3 = archives.s3


# Freeing the file system


@pytest.fixture(params=["efs", "s3"])
def images_in(request, s3):
    """Where pyramids lie."""
    return request.param


@pytest.fixture
def storage(images_in, tmp_path) -> Storage:
    root = tmp_path / "efs"
    root.mkdir()
    return Storage(root, PYRAMIDS if images_in == "s3" else None)


@pytest.fixture
def imported(world, generated):
    """Return an imported slide's file name and version."""
    world.has_imported(generated, "day 1/scan.svs")
    path = world.storage.root / "day 1" / "scan.svs"
    return "day 1/scan.svs", FileVersion.of(path)


def in_bucket(s3) -> set[str]:
    pages = s3.client.get_paginator("list_objects_v2").paginate(Bucket=PYRAMIDS)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


ASSOCIATED = {f"204711_files/{name}.jpeg" for name in ("label", "thumbnail", "macro")}

VIEWED = [TileAddress(12, 3, 2), TileAddress(11, 1, 1), TileAddress(0, 0, 0)]


def archive_all(storage, imported):
    filename, version = imported
    storage.archive_images("204711", version)
    storage.remove_slide(filename, version)


def test_of_an_archived_slide_the_associated_images_and_the_index_stay(
    s3, storage, images_in, imported
):
    before = in_bucket(s3)
    for _ in range(2):
        archive_all(storage, imported)
    if images_in == "efs":
        assert names(storage) == {"204711.index", *ASSOCIATED}
    else:
        # The pyramid is complete, and takes no room on EFS.
        assert names(storage) == {"204711.index"}
        assert in_bucket(s3) == before
    assert storage.read_index("204711").archived


@pytest.mark.parametrize("lacking", ["a level", "the descriptor"])
@pytest.mark.slow
def test_an_incomplete_pyramid_leaves_the_bucket(s3, storage, imported, lacking):
    index = storage.read_index("204711")
    if lacking == "a level":
        storage.write_index("204711", replace(index, levels=index.levels[:-1]))
    elif storage._bucket:
        s3.client.delete_object(Bucket=PYRAMIDS, Key="204711.dzi")
    archive_all(storage, imported)
    assert storage.read_index("204711").levels == ()
    assert names(storage) | in_bucket(s3) == {"204711.index", *ASSOCIATED}


def test_viewers_are_told_that_the_slide_is_archived(storage, images_in, imported, generated):
    images = Images(storage, 90)
    now = [0.0]
    images._slides = SlideCache(storage, now=lambda: now[0])
    kept = {each: images.associated("204711", each, "jpeg").load() for each in ("label", "macro")}
    tiles = [images.tile("204711", each, TileOptions()).load() for each in VIEWED]
    descriptor = images.descriptor("204711", TileOptions()).load()
    archive_all(storage, imported)
    now[0] += 1.1
    odd, png = TileOptions(tile_size=200), TileOptions(image_format="png")
    for one in (images, Images(storage, 90)):
        for name, data in kept.items():
            assert one.associated("204711", name, "jpeg").load() == data
        with Image.open(io.BytesIO(one.associated("204711", "label", "png").load())) as image:
            assert image.format == "PNG"
        refused = [odd, png]
        if images_in == "efs":
            refused.append(TileOptions())
        else:
            assert one.descriptor("204711", TileOptions()).load() == descriptor
            assert [one.tile("204711", each, TileOptions()).load() for each in VIEWED] == tiles
            assert one.descriptor("204711", TileOptions(tile_size=256)).load() == descriptor
        for options in refused:
            with pytest.raises(errors.Archived, match="a technician can restore it"):
                one.descriptor("204711", options)
            for each in VIEWED:
                with pytest.raises(errors.Archived):
                    one.tile("204711", each, options)


@pytest.mark.parametrize("images_in", ["efs"], indirect=True)
@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_an_archived_slide_without_a_macro_has_none(storage, imported, image_format):
    (storage.root / "204711_files" / "macro.jpeg").unlink()
    archive_all(storage, imported)
    with pytest.raises(NotFound, match="no macro"):
        Images(storage, 90).associated("204711", "macro", image_format)


def test_the_handler_says_409_for_tiles_and_200_for_the_label(
    storage, images_in, imported, monkeypatch
):
    archive_all(storage, imported)
    monkeypatch.setenv("IMAGES_PATH", str(storage.root))
    monkeypatch.setenv("PYRAMID_STORE", images_in)
    monkeypatch.setenv("PYRAMID_BUCKET", PYRAMIDS)
    handler = load_handler("ImageRequest")
    query = {"tilesize": "200"}
    for path, expected in (
        (".dzi", 409),
        ("_files/12/3_2.jpeg", 409),
        ("_files/label.jpeg", 200),
        ("_files/label.png", 200),
    ):
        event = {"path": f"/DeepZoom/204711{path}", "queryStringParameters": query}
        answer = handler(event, None)
        assert answer["statusCode"] == expected
        assert expected == 200 or "archived" in answer["body"]


def test_a_tile_that_is_wanted_while_the_slide_leaves_is_archived_too(
    storage, images_in, imported, monkeypatch
):
    """The slide is open here, and its file is removed by another machine: NFS calls it stale."""
    images = Images(storage, 90)
    known = images.tile("204711", VIEWED[0], TileOptions())
    expected = known.load()
    archive_all(storage, imported)

    def stale(*_):
        raise OSError(116, os.strerror(116))

    monkeypatch.setattr("vsv.slides.file.SlideFile.read", stale)
    if images_in == "s3":
        assert known.load() == expected
    else:
        with pytest.raises(errors.Archived):
            known.load()


def test_nothing_is_promised_that_is_gone_wherever_it_is_killed(
    storage, images_in, imported, monkeypatch
):
    _, version = imported
    index = storage.read_index("204711")
    few = replace(index, levels=index.levels[:-1])
    store = storage.images("204711")
    tiles = {f"{level}/0_0" for level in few.levels[:3]}
    for number in range(100):
        storage.remove_pyramid("204711")
        storage.write_index("204711", few)
        for name in (*tiles, "label"):
            store.write(name, b"x")
        store.write_descriptor(b"<Image/>")
        left = dying_at(monkeypatch, number)
        with suppress(Killed):
            storage.archive_images("204711", version)
        spare(monkeypatch)
        assert not (store.has_descriptor() and store.missing(tiles))
        # Viewers have been told before anything is missing.
        assert storage.read_index("204711").archived or not store.missing(tiles)
        storage.archive_images("204711", version)
        assert store.missing(tiles) == tiles
        assert not store.missing(["label"])
        assert not store.has_descriptor()
        if left[0] >= 0:
            break
    assert number > 3


@pytest.mark.slow
def test_images_of_other_bytes_stay(storage, imported):
    _, version = imported
    for wrong in (FileVersion(version.size + 1, version.mtime_ns), FileVersion(1, 1)):
        with pytest.raises(FileChanged, match="another file"):
            storage.archive_images("204711", wrong)
    assert storage.images("204711").has_descriptor()
    storage.remove_pyramid("204711")
    with pytest.raises(FileChanged, match="missing"):
        storage.archive_images("204711", version)


@pytest.mark.slow
def test_an_archived_slide_is_imported_anew_once_it_is_back(world, storage, imported, generated):
    index = storage.read_index("204711")
    expected = shown(storage)
    filename, version = imported
    archive_all(storage, imported)
    path = storage.place(filename, version)
    shutil.copy(generated, path)
    os.utime(path, ns=(version.mtime_ns, version.mtime_ns))
    world.workflow.run(ImportJob("204711", filename, version.size, version.mtime_ns))
    assert storage.read_index("204711") == index
    assert storage.images("204711").has_descriptor()
    assert shown(storage) == expected


def shown(storage) -> list[bytes]:
    images = Images(storage, 90)
    return [
        images.descriptor("204711", TileOptions()).load(),
        *(images.tile("204711", each, TileOptions()).load() for each in VIEWED),
        *(images.associated("204711", each, "jpeg").load() for each in ("label", "macro")),
    ]


def test_an_index_says_whether_the_slide_is_archived(storage, imported):
    index = storage.read_index("204711")
    assert not index.archived
    assert SlideIndex.from_bytes(index.to_bytes()) == index
    archived = replace(index, archived=True)
    assert SlideIndex.from_bytes(archived.to_bytes()) == archived != index
