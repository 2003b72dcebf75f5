"""The edge passes requests and answers on as they are, and shows images by cookies alone."""

import asyncio
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from local.standins.edge import Edge
from local.standins.server import SecurityHeaders

API_URL = "http://api/restapis/1/local/_user_request_"
IMAGES_URL = "http://api/_aws/lambda-url/1"

MAY = {"Cookie": "ours=yes"}

Ask = Callable[..., httpx.Response]


class Cookies:
    """Lets pass who has the cookie ``ours``."""

    def allows(self, cookies: Mapping[str, str], url: str) -> bool:
        assert url.startswith("https://edge/DeepZoom/")
        return cookies.get("ours") == "yes"


class Api:
    """Stands behind the edge: keeps the requests, answers as set."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"tile"

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return httpx.Response(self.status, headers=self.headers, stream=httpx.ByteStream(self.body))


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def ask(api: Api, tmp_path: Path) -> Ask:
    pages = tmp_path / "dist"
    pages.mkdir()
    (pages / "index.html").write_text("<title>Viewer</title>")
    (tmp_path / "secret.txt").write_text("secret")
    edge = Edge(
        pages,
        API_URL,
        IMAGES_URL,
        Cookies(),
        {"apiUrl": ""},
        transport=httpx.MockTransport(api),
    )
    transport = httpx.ASGITransport(SecurityHeaders(Starlette(routes=edge.routes())))

    def ask(method: str, path: str, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                return await client.request(method, path, **request)

        return asyncio.run(send())

    return ask


def test_images_are_for_those_with_cookies(ask, api):
    path = "/DeepZoom/a%2Fb%20c_files/1/0_0.jpeg?x=%2F&y="
    for headers in ({}, {"Cookie": "ours=no"}, {"Authorization": "Bearer t"}):
        assert ask("GET", path, headers=headers).status_code == 403
    assert api.requests == []
    ask("GET", path, headers=MAY | {"Authorization": "Bearer t"})
    (request,) = api.requests
    assert str(request.url) == IMAGES_URL + path
    assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert "Cookie" not in request.headers


def test_headers_stay(ask, api):
    ask("POST", "/Session", headers={"Authorization": "t"})
    (request,) = api.requests
    assert request.headers["Authorization"] == "t"
    assert request.headers["Host"] == "api"


def test_bodies_and_methods_pass(ask, api):
    ask("POST", "/ImportSlide", content=b"\x00\xff", headers={"Content-Type": "application/json"})
    ask("DELETE", "/RemoveImages", content=b"{}")
    assert [(each.method, each.content) for each in api.requests] == [
        ("POST", b"\x00\xff"),
        ("DELETE", b"{}"),
    ]


def test_answers_pass_with_status_and_tag(ask, api):
    api.status, api.body, api.headers = 304, b"", {"ETag": '"x"', "Connection": "close"}
    answer = ask("GET", "/DeepZoom/1_files/0/0_0.jpeg", headers=MAY | {"If-None-Match": '"x"'})
    assert (answer.status_code, answer.headers["ETag"]) == (304, '"x"')
    assert "Connection" not in answer.headers
    assert api.requests[0].headers["If-None-Match"] == '"x"'


def test_compressed_answers_stay_compressed(ask, api):
    api.body = gzip.compress(b"<Image/>")
    api.headers = {"Content-Encoding": "gzip", "Content-Length": str(len(api.body))}
    answer = ask("GET", "/DeepZoom/1.dzi", headers=MAY)
    assert answer.headers["Content-Length"] == str(len(api.body))
    assert answer.content == b"<Image/>"


def test_pages_and_their_configuration(ask):
    assert "Viewer" in ask("GET", "/").text
    assert ask("GET", "/config.json").json() == {"apiUrl": ""}
    assert ask("GET", "/%2e%2e/secret.txt").status_code == 404


def test_every_answer_has_the_security_headers(ask):
    for path in ("/", "/config.json", "/DeepZoom/1.dzi", "/missing"):
        headers = ask("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
