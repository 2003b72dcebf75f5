"""ImageRequest through its handler: what a viewer gets, and what it gets told."""

import base64
import io
import json
import os
import shutil

import pytest
from PIL import Image

from tests.handlers import load_handler
from tests.pixels import decoded, psnr
from vsv.errors import NotRendered
from vsv.imports.workflow import ImportJob
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.tile import source_pixels
from vsv.slides.slide import Slide
from vsv.viewing.images import Images, TileOptions


@pytest.fixture
def get(storage, monkeypatch):
    """GET a path of the API from the handler in a fresh execution environment."""
    monkeypatch.setenv("IMAGES_PATH", str(storage.root))
    handler = load_handler("ImageRequest")

    def get(path, query=None, **headers):
        event = {
            "httpMethod": "GET",
            "path": path,
            "queryStringParameters": query,
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "requestContext": {"requestId": "r-1"},
        }
        return handler(event, None)

    return get


@pytest.fixture
def slide(storage, real):
    """Return a slide that lies on EFS under its ID, not imported."""
    shutil.copy(real, storage.root / "s1.svs")


def body(response) -> bytes:
    assert response["statusCode"] == 200, response
    if response["isBase64Encoded"]:
        return base64.b64decode(response["body"])
    return response["body"].encode()


def image(response) -> Image.Image:
    opened = Image.open(io.BytesIO(body(response)))
    opened.load()
    return opened


def problem(response, status) -> str:
    assert response["statusCode"] == status, response
    assert response["headers"]["Content-Type"] == "application/problem+json"
    content = json.loads(response["body"])
    assert set(content) == {"type", "title", "status", "detail", "instance"}
    assert content["status"] == status
    assert content["instance"] == "urn:request:r-1"
    for leak in ("Traceback", "/tmp", "/mnt", ".py", "Error("):
        assert leak not in response["body"]
    return content["detail"]


@pytest.mark.usefixtures("slide")
def test_descriptor_on_the_slides_own_grid_and_on_the_viewers(get):
    default = get("/DeepZoom/s1.dzi")
    assert default["headers"]["Content-Type"] == "application/xml"
    assert b'Format="jpeg" Overlap="0" TileSize="240"' in body(default)
    asked = body(get("/DeepZoom/s1.dzi", {"tilesize": "254", "overlap": "1", "fmt": "png"}))
    assert b'Format="png" Overlap="1" TileSize="254"' in asked
    assert b'Width="2220" Height="2967"' in asked


@pytest.mark.usefixtures("slide")
@pytest.mark.parametrize(
    ("path", "query", "kind", "size"),
    [
        ("12/0_0.jpeg", None, "JPEG", (240, 240)),
        ("12/9_12.jpg", None, "JPEG", (60, 87)),
        ("11/4_6.png", None, "PNG", (150, 44)),
        ("0/0_0.jpeg", None, "JPEG", (1, 1)),
        ("12/1_1.jpeg", {"tilesize": "254", "overlap": "1"}, "JPEG", (256, 256)),
        ("label.jpeg", None, "JPEG", (387, 463)),
        ("thumbnail.jpg", None, "JPEG", (574, 768)),
        ("macro.png", None, "PNG", (1280, 431)),
    ],
)
def test_tiles_and_associated_images(get, path, query, kind, size):
    response = get(f"/DeepZoom/s1_files/{path}", query)
    shown = image(response)
    assert (shown.format, shown.size) == (kind, size)
    assert response["headers"]["Content-Type"] == f"image/{kind.lower()}"
    assert response["headers"]["Cache-Control"].startswith("private")


@pytest.mark.usefixtures("slide")
def test_what_the_viewer_has_is_not_read_again(get, monkeypatch):
    path = "/DeepZoom/s1_files/10/1_1.jpeg"
    tag = get(path)["headers"]["ETag"]
    assert not tag.startswith("W/")
    monkeypatch.setattr(Slide, "tile_data", None)
    for header in (tag, f'"other", W/{tag}', "*"):
        response = get(path, If_None_Match=header)
        assert (response["statusCode"], response["body"]) == (304, "")
        assert response["headers"]["ETag"] == tag


@pytest.mark.usefixtures("slide")
def test_different_answers_have_different_tags(get):
    paths = [
        ("/DeepZoom/s1.dzi", None),
        ("/DeepZoom/s1.dzi", {"overlap": "1"}),
        ("/DeepZoom/s1_files/10/1_1.jpeg", None),
        ("/DeepZoom/s1_files/10/1_2.jpeg", None),
        ("/DeepZoom/s1_files/10/1_1.png", None),
        ("/DeepZoom/s1_files/10/1_1.jpeg", {"tilesize": "200"}),
        ("/DeepZoom/s1_files/label.jpeg", None),
        ("/DeepZoom/s1_files/macro.jpeg", None),
    ]
    tags = [get(path, query)["headers"]["ETag"] for path, query in paths]
    assert len(set(tags)) == len(tags)


@pytest.mark.usefixtures("slide")
@pytest.mark.parametrize(
    ("path", "query", "status", "detail"),
    [
        ("/DeepZoom/nobody.dzi", None, 404, "no slide 'nobody'"),
        ("/DeepZoom/nobody_files/0/0_0.jpeg", None, 404, "no slide"),
        ("/DeepZoom/s1_files/13/0_0.jpeg", None, 404, "level 13 of 0..12"),
        ("/DeepZoom/s1_files/12/10_0.jpeg", None, 404, "columns 0..9, rows 0..12"),
        ("/DeepZoom/s1_files/barcode.jpeg", None, 404, "label, thumbnail, macro"),
        ("/DeepZoom/s1_files/12/a_0.jpeg", None, 400, "not a tile address"),
        ("/DeepZoom/s1_files/12/0_0.gif", None, 400, "'gif' is not one of"),
        ("/DeepZoom/s1_files/12/0_0.jpeg", {"tilesize": "0"}, 400, "tilesize is '0'"),
        ("/DeepZoom/s1_files/12/0_0.jpeg", {"tilesize": "9999"}, 400, "not a number in 1..1024"),
        ("/DeepZoom/s1_files/12/0_0.jpeg", {"overlap": "x"}, 400, "overlap is 'x'"),
        ("/DeepZoom/s1.dzi", {"fmt": "bmp"}, 400, "'bmp'"),
        ("/DeepZoom/", None, 400, "neither a descriptor's nor an image's"),
        ("/DeepZoom/../etc/passwd.dzi", None, 400, "neither"),
        ("/DeepZoom/..%2f..%2fetc%2fpasswd.dzi", None, 400, "neither"),
        ("/DeepZoom/a\0b.dzi", None, 400, "may not have"),
        ("/DeepZoom/..dzi_files/0/0_0.jpeg", None, 400, "starts with a dot"),
        ("/DeepZoom/" + "x" * 300 + ".dzi", None, 400, "more than 255 bytes"),
        ("/DeepZoom/Größe.dzi", None, 404, "no slide 'Größe'"),
    ],
)
def test_errors_say_what_is_wrong_and_nothing_of_the_server(get, path, query, status, detail):
    assert detail in problem(get(path, query), status)


def test_a_file_that_is_no_slide_is_unprocessable(get, storage):
    (storage.root / "text.svs").write_text("not a slide")
    assert "not a TIFF" in problem(get("/DeepZoom/text.dzi"), 422)
    (storage.root / "empty.svs").touch()
    assert "empty" in problem(get("/DeepZoom/empty_files/0/0_0.jpeg"), 422)
    (storage.root / "folder.svs").mkdir()
    assert "directory" in problem(get("/DeepZoom/folder.dzi"), 422)


@pytest.mark.usefixtures("slide")
def test_a_machines_token_opens_no_image(get, storage, monkeypatch):
    handler = load_handler("ImageRequest")

    def status(claims):
        context = {"requestId": "r-1", "authorizer": {"claims": claims}}
        return handler({"path": "/DeepZoom/s1.dzi", "requestContext": context}, None)["statusCode"]

    assert status({"token_use": "access", "client_id": "viewer", "scope": "vsv/import"}) == 403
    assert status({"token_use": "id", "aud": "viewer", "cognito:username": "ada"}) == 200


@pytest.mark.usefixtures("slide")
def test_cloudfront_asks_by_the_functions_own_url(get):
    """Its events have another form (version 2.0); the answer is the same."""
    path, query = "/DeepZoom/s1_files/9/0_0.jpeg", {"tilesize": "200"}
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "tilesize=200",
        "queryStringParameters": query,
        "headers": {},
        "requestContext": {
            "requestId": "r-1",
            "http": {"method": "GET", "path": path},
            "authorizer": {"iam": {"userArn": "cloudfront.amazonaws.com"}},
        },
    }
    assert load_handler("ImageRequest")(event, None) == get(path, query)


def test_what_nobody_foresaw_tells_nothing(get, storage, monkeypatch):
    monkeypatch.setattr("vsv.viewing.images.Images.descriptor", lambda *_: 1 / 0)
    assert problem(get("/DeepZoom/x.dzi"), 500) == "the request failed here"


@pytest.fixture
def imported(world, real):
    """Return the slide, imported under another file name than its ID."""
    world.has_imported(real, "day 1/scan.svs")
    return world


@pytest.mark.usefixtures("imported")
def test_an_imported_slide_is_served_from_its_pyramid_without_the_slide(get, storage, monkeypatch):
    expected = (storage.root / "1004486_files/9/0_0.jpeg").read_bytes()
    monkeypatch.setattr("vsv.viewing.slide_cache.Slide", None)
    assert body(get("/DeepZoom/1004486_files/9/0_0.jpeg")) == expected
    assert b"2220" in body(get("/DeepZoom/1004486.dzi"))
    assert image(get("/DeepZoom/1004486_files/label.jpeg")).size == (387, 463)


def test_open_files_do_not_pile_up(get, imported):
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        get(f"/DeepZoom/1004486_files/12/{number % 9}_{number % 12}.jpeg", If_None_Match="*")
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_tile_that_is_missing_from_the_pyramid_is_rendered_alike(get, imported):
    path = imported.storage.root / "1004486_files/9/0_0.jpeg"
    expected = decoded(path)
    path.unlink()
    assert psnr(decoded(body(get("/DeepZoom/1004486_files/9/0_0.jpeg"))), expected) > 38


def test_another_file_under_the_old_name_is_never_shown_under_the_old_id(get, imported, generated):
    shutil.copy(generated, imported.storage.root / "day 1" / "scan.svs")
    detail = problem(get("/DeepZoom/1004486_files/9/0_0.png"), 409)
    assert "replaced or removed" in detail


def test_a_slide_that_was_set_aside_is_still_shown(get, imported):
    file = imported.files.check("day 1/scan.svs")
    job = ImportJob(file.image_id, "day 1/scan.svs", file.size, file.mtime_ns)
    imported.storage.set_aside(job.filename, job.version)
    assert image(get("/DeepZoom/1004486_files/12/0_0.png")).size == (240, 240)


def test_the_pyramid_is_shown_to_viewers_that_ask_for_what_it_is(get, imported):
    """By the tile size, the overlap and the format that it has; others get what they ask for."""
    path = imported.storage.root / "1004486_files/9/0_0.jpeg"
    Image.new("RGB", (7, 7)).save(path)
    tile = "/DeepZoom/1004486_files/9/0_0"
    for query in ({"tilesize": "240"}, {"tilesize": "240", "overlap": "0"}, {"overlap": "0"}):
        assert image(get(f"{tile}.jpeg", query)).size == (7, 7)
        assert image(get(f"{tile}.jpg", query)).size == (7, 7)
    for other in ({"overlap": "1"}, {"tilesize": "241"}):
        assert image(get(f"{tile}.jpeg", other)).size == (241, 241)
    assert image(get(f"{tile}.png")).size == (240, 240)
    for name, size in (("label", (387, 463)), ("macro", (1280, 431))):
        shown = image(get(f"/DeepZoom/1004486_files/{name}.png"))
        assert (shown.format, shown.size) == ("PNG", size)


@pytest.mark.usefixtures("slide")
def test_a_tile_that_takes_too_many_pixels_is_left_to_the_import(storage, real):
    with Slide(real) as slide:
        pixels = source_pixels(slide, default_pyramid(slide), 9)
    address = TileAddress(9, 0, 0)
    assert Images(storage, 90, max_pixels=pixels).tile("s1", address, TileOptions()).load()
    with pytest.raises(NotRendered, match="the import renders it as a JPEG tile"):
        Images(storage, 90, max_pixels=pixels - 1).tile("s1", address, TileOptions())
