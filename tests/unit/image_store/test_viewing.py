"""Slides are imported into either store, and viewed from it."""

import os

import pytest
from botocore.exceptions import ClientError

from tests.aftermath import Aftermath
from tests.handlers import load_handler
from tests.unit.image_store.helpers import BUCKET, Refusing, asked_for_all
from vsv import aws as clients
from vsv.errors import FileChanged
from vsv.identifiers import FileVersion
from vsv.imports.steps import Importer
from vsv.imports.workflow import ImportJob
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.slide_index import SlideIndex
from vsv.settings import ExtractMetadataSettings
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions


@pytest.fixture(params=["efs", "s3"])
def imported(request, storage, catalogue, generated):
    """Return an imported slide, its images in either store.

    Storage and settings of its functions.
    """
    environment = {"IMAGES_PATH": str(storage.root), "PYRAMID_STORE": request.param}
    if request.param == "s3":
        request.getfixturevalue("s3")
        environment["PYRAMID_BUCKET"] = BUCKET
        storage = Storage(storage.root, BUCKET)
    if request.param in _IMPORTED:
        _IMPORTED[request.param].restore(storage)
    else:
        run_import(storage, catalogue, generated)
        _IMPORTED[request.param] = Aftermath.of(storage)
    return storage, environment


_IMPORTED: dict[str, Aftermath] = {}


def run_import(storage, catalogue, slide) -> None:
    path = storage.root / "scan.svs"
    path.write_bytes(slide.read_bytes())
    version = FileVersion.of(path)
    job = ImportJob("204711", path.name, version.size, version.mtime_ns)
    importer = Importer(
        storage,
        catalogue,
        ExtractMetadataSettings.read({"TILES_PER_PIECE": "40", "BARCODE_SEARCH_MS": "0"}),
        90,
    )
    for piece in importer.extract_metadata(job)["pieces"]:
        importer.render_tiles(job, piece["start"], piece["stop"])
    importer.finish_import(job)
    record = catalogue.get("204711")
    assert record["ImportStatus"] == "IMPORTED"
    assert record["TilesRendered"] == record["TilesTotal"]


@pytest.mark.slow
def test_a_slide_that_has_left_efs_stays_viewable(imported):
    storage, _ = imported
    expected = asked_for_all(Images(storage, 90))
    known = Images(storage, 90)
    known.tile("204711", TileAddress(12, 3, 2), TileOptions())
    (storage.root / "scan.svs").unlink()
    assert asked_for_all(Images(storage, 90)) == expected
    assert asked_for_all(known) == expected  # it has the file open still


@pytest.mark.slow
def test_a_file_that_nfs_calls_stale_is_one_that_has_left(imported, monkeypatch):
    """Removed by another machine, it fails where it is open; a local disk would read on."""
    storage, _ = imported
    images = Images(storage, 90)
    address = TileAddress(12, 3, 2)
    expected = images.tile("204711", address, TileOptions()).load()
    monkeypatch.setattr("vsv.slides.file.SlideFile.read", stale)
    assert images.tile("204711", address, TileOptions()).load() == expected
    storage.images("204711").clear()
    with pytest.raises(FileChanged, match="removed"):
        images.tile("204711", address, TileOptions()).load()


def stale(*_):
    raise OSError(116, os.strerror(116))


@pytest.mark.slow
def test_with_s3_nothing_of_the_pyramid_lies_on_efs(imported):
    storage, environment = imported
    on_efs = {path.name for path in storage.root.iterdir()}
    images = {"204711.dzi", "204711_files"}
    assert images & on_efs == (images if environment["PYRAMID_STORE"] == "efs" else set())


@pytest.mark.slow
def test_the_handler_serves_from_either_store(imported, monkeypatch):
    storage, environment = imported
    (storage.root / "scan.svs").unlink()
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    handler = load_handler("ImageRequest")

    def get(path, **headers):
        return handler({"path": f"/DeepZoom/204711{path}", "headers": headers}, None)

    answer = get("_files/12/3_2.jpeg")
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"]
    again = get("_files/12/3_2.jpeg", **{"If-None-Match": answer["headers"]["ETag"]})
    assert again["statusCode"] == 304
    assert get(".dzi")["statusCode"] == get("_files/label.jpeg")["statusCode"] == 200


def test_the_handler_says_try_again_when_s3_is_too_busy(s3, storage, monkeypatch):
    answer = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
    error = ClientError(answer, "GetObject")
    monkeypatch.setattr(clients, "s3", lambda: Refusing(s3, error))
    for variable, value in (
        ("IMAGES_PATH", str(storage.root)),
        ("PYRAMID_STORE", "s3"),
        ("PYRAMID_BUCKET", BUCKET),
    ):
        monkeypatch.setenv(variable, value)
    event = {"path": "/DeepZoom/s1_files/11/0_0.jpeg", "headers": {}}
    response = load_handler("ImageRequest")(event, None)
    assert response["statusCode"] == 503
    assert response["headers"]["Retry-After"]


def test_an_import_of_other_bytes_clears_what_is_there(imported):
    storage, _ = imported
    store = storage.images("204711")
    index = storage.read_index("204711")
    storage.begin_pyramid("204711", index)
    assert store.has_descriptor()
    storage.begin_pyramid("204711", SlideIndex(**{**vars(index), "quality": 50}))
    assert not store.has_descriptor()
    assert store.count_tiles(12) == 0
    assert store.missing(["label"])
