"""``vsv serve`` as a browser meets it: a real server process over HTTP."""

import base64
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.serving import VSV_SERVE, accepts, served, wait_for
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.encoding import MEDIA_TYPES
from vsv.standalone.server import OpenSeadragon
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions

# Each of them starts processes.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(real, generated, tmp_path_factory):
    """Slides of all kinds, served by two processes."""
    folder = tmp_path_factory.mktemp("slides")
    shutil.copy(generated, folder / "slide 2.svs")
    shutil.copy(real, folder / "slide 10.svs")
    shutil.copy(real, folder / "Größe & <b>#1?.svs")
    (folder / "broken.svs").write_bytes(real.read_bytes()[:300_000])
    (folder / "notes.txt").write_text("no slide")
    (folder / "folder.svs").mkdir()
    with served(folder, "--workers", "2") as server:
        yield server


@pytest.fixture
def library(server):
    """Return what the server should be no different from."""
    return Images(Storage(server.folder), 90)


def problem(response, status) -> str:
    assert response.status == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    content = json.loads(response.body)
    assert content["status"] == status
    for leak in ("Traceback", "/tmp", ".py", "Error("):
        assert leak not in response.body.decode()
    return content["detail"]


@pytest.mark.parametrize("extension", ["jpeg", "jpg", "png"])
@pytest.mark.parametrize("address", [(12, 1, 1), (12, 9, 6), (11, 1, 0), (5, 0, 0)])
def test_tiles_are_the_library_s(server, library, extension, address):
    level, col, row = address
    response = server.ask(f"/DeepZoom/slide%202_files/{level}/{col}_{row}.{extension}")
    expected = library.tile("slide 2", TileAddress(*address), TileOptions(image_format=extension))
    assert response.status == 200
    assert response.headers["Content-Type"] == MEDIA_TYPES[extension]
    assert response.headers["ETag"] == f'"{expected.tag}"'
    assert response.headers["Cache-Control"].startswith("private")
    assert response.body == expected.load()


def test_descriptor_and_associated_images(server):
    assert b'Overlap="0" TileSize="256"' in server.read("/DeepZoom/slide%202.dzi")
    asked = server.read("/DeepZoom/slide%202.dzi?tilesize=254&overlap=1&fmt=png&v=7")
    assert b'Format="png" Overlap="1" TileSize="254"' in asked
    for name in ("label", "thumbnail", "macro"):
        image = Image.open(io.BytesIO(server.read(f"/DeepZoom/slide%202_files/{name}.png")))
        assert image.format == "PNG"


def test_what_the_browser_has_is_not_sent_again(server):
    for path in ("/DeepZoom/slide%202_files/12/0_0.jpeg", "/slides.json", "/", "/app.js"):
        tag = server.ask(path).headers["ETag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            response = server.ask(path, If_None_Match=known)
            assert (response.status, response.body) == (304, b"")
        assert server.ask(path, If_None_Match='"other"').status == 200


def test_head_tells_what_get_would(server):
    path = "/DeepZoom/slide%202_files/11/0_0.jpeg"
    got, told = server.ask(path), server.ask(path, "HEAD")
    assert told.body == b""
    for name in ("ETag", "Content-Type", "Content-Length", "Cache-Control"):
        assert told.headers[name] == got.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(server, method):
    response = server.ask("/DeepZoom/slide%202.dzi", method)
    assert problem(response, 405)
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/DeepZoom/nobody.dzi", 404, "no slide 'nobody'"),
        ("/DeepZoom/slide%202_files/13/0_0.jpeg", 404, "level 13 of 0..12"),
        ("/DeepZoom/slide%202_files/12/a_0.jpeg", 400, "not a tile address"),
        ("/DeepZoom/slide%202_files/12/0_0.gif", 400, "'gif' is not one of"),
        ("/DeepZoom/slide%202.dzi?tilesize=0", 400, "tilesize is '0'"),
        ("/DeepZoom/broken.dzi", 422, "truncated"),
        ("/slides/broken.json", 422, "truncated"),
        ("/slides/nobody.json", 404, "no slide 'nobody'"),
        ("/slides/folder.json", 422, "directory"),
        ("/nothing", 404, "nothing has this address"),
        # out of the folder, by all roads
        ("/../../etc/passwd", 404, "nothing"),
        ("/page/../index.html", 404, "nothing"),
        ("/DeepZoom/../etc/passwd.dzi", 400, "neither"),
        ("/DeepZoom/..%2f..%2fetc%2fpasswd.dzi", 400, "neither"),
        ("/DeepZoom/..%5cx.dzi", 400, "starts with a dot"),
        ("/DeepZoom/%252e%252e.dzi", 400, "may not have"),
        ("/DeepZoom/..dzi_files/0/0_0.jpeg", 400, "starts with a dot"),
        ("/DeepZoom/a%00b.dzi", 400, "may not have"),
        ("/DeepZoom/a%FFb.dzi", 404, "no slide"),
        ("/slides/..%2f..%2fsecret.json", 404, "nothing"),
        ("/slides/.hidden.json", 400, "starts with a dot"),
        ("/slides/a%00b.json", 400, "may not have"),
    ],
)
def test_errors_say_what_is_wrong_and_nothing_of_the_server(server, path, status, detail):
    assert detail in problem(server.ask(path), status)


def test_another_site_s_name_is_not_answered(server):
    port = server.address.rpartition(":")[2]
    for host in ("localhost", f"localhost:{port}", "127.0.0.1:9", "[::1]:80"):
        assert server.ask("/slides.json", Host=host).status == 200
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", ""):
        assert "own name only" in problem(server.ask("/slides.json", Host=host), 403)


def test_the_page_lists_the_slides_and_tells_of_each(server):
    listed = server.read_json("/slides.json")
    assert [slide["name"] for slide in listed] == [
        "broken",
        "Größe & <b>#1?",
        "slide 2",
        "slide 10",
    ]
    assert "may not have" in listed[1]["error"]
    assert listed[3]["bytes"] == (server.folder / "slide 10.svs").stat().st_size
    facts = server.read_json("/slides/slide%202.json")
    assert (facts["width"], facts["height"]) == (2309, 1543)
    assert (facts["mppUm"], facts["appMag"]) == (0.252, 40)
    page = server.ask("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cache-Control"] == "no-cache"
    assert b"{{" not in page.body
    assert server.read("/openseadragon.min.js").startswith(b"//! openseadragon")


def test_requests_at_once(server, library):
    """Many threads on two slides, native tiles and rendered ones, every answer right."""
    tiles = [TileAddress(level, col, 0) for level in (12, 11, 10) for col in range(3)] * 8

    def matches(item):
        number, address = item
        name = ("slide 2", "slide 10")[number % 2]
        level, col, row = address
        body = server.read(f"/DeepZoom/{name.replace(' ', '%20')}_files/{level}/{col}_{row}.jpeg")
        return body == library.tile(name, address, TileOptions()).load()

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(matches, enumerate(tiles)))


def test_slides_come_change_and_go(server, real, generated):
    path, url = server.folder / "new.svs", "/DeepZoom/new.dzi"

    def names():
        return [slide["name"] for slide in server.read_json("/slides.json")]

    assert "new" not in names()
    shutil.copy(real, path)
    assert "new" in names()
    assert b'Width="2220"' in server.read(url)
    tag = server.ask(url).headers["ETag"]
    shutil.copy(generated, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)
    # within a second, by each of the processes
    wait_for(lambda: all(b'Width="2309"' in server.read(url) for _ in range(8)))
    wait_for(lambda: all(server.ask(url, If_None_Match=tag).status == 200 for _ in range(8)))
    path.unlink()
    assert "new" not in names()
    wait_for(lambda: all(server.ask(url).status == 404 for _ in range(8)))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_processes_at_once(real, tmp_path, stop):
    """Ctrl-C, which a terminal sends to all of them; a service manager; a terminal that closes."""
    shutil.copy(real, tmp_path / "s.svs")
    with served(tmp_path, "--workers", "2") as server:
        server.read("/slides.json")
        # an idle connection is not waited for
        host, _, port = server.address.rpartition(":")
        with socket.create_connection((host, int(port))):
            os.killpg(server.process.pid, stop)
            assert server.process.wait(120) == 0
        assert not accepts(server.address)
        assert server.process.stderr.read() == ""


def test_an_address_in_use_is_not_shared(server):
    port = server.address.rpartition(":")[2]
    done = subprocess.run(
        [*VSV_SERVE, str(server.folder), "--port", port],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == f"vsv: 127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("/nowhere",), 1, "vsv: /nowhere: No such file or directory"),
        ((__file__,), 1, f"vsv: {__file__}: Not a directory"),
        ((".", "--host", "192.0.2.1"), 1, "vsv: 192.0.2.1:8080: Cannot assign requested address"),
        ((".", "--openseadragon", "/no.js"), 1, "vsv: /no.js: No such file or directory"),
        ((".", "--port", "70000"), 2, "'70000' is not a number in 0..65535"),
        ((), 2, "DIR"),
    ],
)
def test_mistakes_get_one_clear_line_and_an_exit_code(arguments, code, message):
    done = subprocess.run([*VSV_SERVE, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_listening_to_others_is_warned_of(tmp_path):
    with served(tmp_path, "--host", "0.0.0.0") as server:
        assert "no authentication" in server.process.stderr.readline()
        server.address = f"127.0.0.1:{server.address.rpartition(':')[2]}"
        assert server.ask("/slides.json", Host="workstation.example").body == b"[]"


def test_without_a_checkout_openseadragon_is_the_published_release(monkeypatch):
    """The page names exactly the bytes that the web pages' package has."""
    mine = OpenSeadragon.find()
    assert mine.file
    monkeypatch.setattr(
        "vsv.standalone.server.__file__", "/usr/lib/python3/site-packages/vsv/standalone/server.py"
    )
    published = OpenSeadragon.find()
    version = json.loads((ROOT / "web" / "package.json").read_text())["dependencies"]
    assert f"openseadragon@{version['openseadragon']}/" in published.url
    digest = base64.b64encode(hashlib.sha384(mine.file.read_bytes()).digest()).decode()
    assert published.integrity == f"sha384-{digest}"
    assert OpenSeadragon.find("https://example.org/osd.js").url == "https://example.org/osd.js"
