"""``vsv serve``: the slides of one folder in a browser, on one machine and without AWS.

The API's own routes, and a page at ``/`` that lists the slides and shows them:

::

    /DeepZoom/…             as on AWS: descriptors, tiles, associated images
    /slides.json            which slides are there
    /slides/<name>.json     what one of them says of itself, or a problem
    /                       the page, with what it needs

Every request reads the folder again: slides may come, go and be replaced. Granian runs
``Application`` in one process a core, each with its own open slides.
"""

import hashlib
import html
import ipaddress
import json
import os
import re
import signal
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from math import inf
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from vsv.api.answers import Answer, problem, problem_of, show
from vsv.errors import Forbidden, InvalidRequest, NotFound, UnreadableSlide
from vsv.identifiers import FileVersion, parse_image_id
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, Resource
from vsv.viewing.request import ImageRequest

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["Application", "OpenSeadragon", "ServeSettings", "serve"]

_PAGE: Final = Path(__file__).with_name("page")
_PAGE_TYPES: Final = {
    "app.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
_OPENSEADRAGON: Final = "openseadragon.min.js"
_OPENSEADRAGON_BUILD: Final = f"openseadragon/build/openseadragon/{_OPENSEADRAGON}"
# The page is requested again each time: what it lists may have changed.
_NO_CACHE: Final = "no-cache"
_SLIDE_FACTS: Final = re.compile(r"/slides/([^/]+)\.json", re.DOTALL)
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")

# While one thread reads from disk or decodes (both without Python's lock), the other answers.
_THREADS: Final = 2
# Time for answers that are under way, once the server is told to stop.
_GRACE_S: Final = 1
# Between two looks at whether the workers listen.
_POLL_S: Final = 0.02


class OpenSeadragon(NamedTuple):
    """Where the page's viewer comes from: a file that is served, or somebody else's address.

    ``integrity`` is the hash that a browser checks (W3C Subresource Integrity).
    """

    url: str
    file: Path | None = None
    integrity: str | None = None

    @classmethod
    def find(cls, given: str | None = None) -> "OpenSeadragon":
        """Return what the caller names, else a checkout's copy in ``web/``, else the public one.

        Raises OSError for a path where no file is.
        """
        if given and urlsplit(given).scheme in ("http", "https"):
            return cls(given)
        checkout = Path(__file__).parents[4] / "web" / "node_modules" / _OPENSEADRAGON_BUILD
        file = Path(given) if given else checkout
        if given or file.is_file():
            with file.open("rb"):
                return cls(_OPENSEADRAGON, file)
        return _PUBLISHED


# The release that web/package.json names.
_PUBLISHED: Final = OpenSeadragon(
    "https://cdn.jsdelivr.net/npm/openseadragon@6.1.1/build/openseadragon/openseadragon.min.js",
    integrity="sha384-KKly+4vqqBHitr2XfNKWa3+0asIVpzYs2HijkM/zz0X6rgnyLuQEVERX9HqkM5/P",
)


@dataclass(frozen=True)
class ServeSettings:
    """What to serve, and where.

    ``quality`` is the JPEG quality (1..95) of tiles that are rendered; ``workers`` is a number of
    processes; port 0 stands for any that is free.
    """

    folder: Path
    host: str
    port: int
    workers: int
    quality: int
    openseadragon: OpenSeadragon


def serve(settings: ServeSettings) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Raises OSError where the folder cannot be read or the address cannot be had.
    """
    slides = list_slides(settings.folder)
    address, port = _reserve(settings.host, settings.port)
    is_public = not ipaddress.ip_address(address).is_loopback
    server = Granian(
        "vsv",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=settings.workers,
        blocking_threads=_THREADS,
        # An import or a decoder that crashes takes one process along, not the server.
        respawn_failed_workers=True,
        workers_kill_timeout=_GRACE_S,
        log_level=LogLevels.error,
    )

    def announce() -> None:
        _wait_until_accepted(address, port)
        number = f"{len(slides)} slide{'' if len(slides) == 1 else 's'}"
        print(f"Serving {number} at {_url(address, port)} (Ctrl-C stops)", flush=True)
        if is_public:
            print(
                "Warning: there is no authentication. Everybody who can reach "
                f"{_url(address, port)} can see these slides.",
                file=sys.stderr,
            )
        if settings.openseadragon.file is None:
            print(
                f"OpenSeadragon comes from {settings.openseadragon.url}; "
                "--openseadragon names a copy of your own.",
                file=sys.stderr,
            )

    def on_startup() -> None:
        # To Granian a hang-up means to restart; here it means that the terminal was closed.
        signal.signal(signal.SIGHUP, server.signal_handler_interrupt)
        # Granian calls this before its workers listen.
        Thread(target=announce, daemon=True).start()

    server.on_startup(on_startup)
    worker = partial(_load_in_worker, settings, is_public=is_public)
    server.serve(target_loader=worker, wrap_loader=False)


def _load_in_worker(settings: ServeSettings, *, is_public: bool) -> "Application":
    # A terminal sends Ctrl-C to the whole process group. It is for the parent, which stops its
    # workers then; one that has stopped by itself looks like a crash.
    os.setpgrp()
    return Application(settings, is_public=is_public)


def _reserve(host: str, port: int) -> tuple[str, int]:
    """Return the address and port to use. Raises OSError if nothing can listen there.

    Worker processes share a port in a way that would let a second server join in unnoticed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            # As the workers do: a port is free although old connections to it are still closing.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            bound = probe.getsockname()
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
    return str(bound[0]), int(bound[1])


def _wait_until_accepted(address: str, port: int) -> None:
    """Return once a worker accepts connections."""
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(_POLL_S)
        else:
            return


def _url(address: str, port: int) -> str:
    return f"http://{f'[{address}]' if ':' in address else address}:{port}/"


def list_slides(folder: Path) -> list[dict[str, Any]]:
    """Return the folder's slides by name, each with its size in bytes and its version.

    One whose name cannot be an ImageID has an ``error`` instead: it cannot be asked for.
    """
    slides = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".svs") and entry.is_file():
                name = entry.name.removesuffix(".svs")
                try:
                    parse_image_id(name)
                    version = FileVersion.of(Path(entry.path))
                    slides.append({"name": name, "bytes": version.size, "version": str(version)})
                except InvalidRequest as error:
                    shown = name.encode(errors="replace").decode()
                    slides.append({"name": shown, "error": str(error)})
                except FileNotFoundError:
                    continue  # gone since
    return sorted(slides, key=lambda slide: _in_human_order(slide["name"]))


def _in_human_order(name: str) -> list[tuple[bool, int, str]]:
    """Sort key by which "slide 9" comes before "slide 10"."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


class Application:
    """The WSGI application. Safe to be called by several threads at once."""

    def __init__(self, settings: ServeSettings, *, is_public: bool = False) -> None:
        self._storage = Storage(settings.folder)
        # Nobody imports these slides: what takes long is made all the same.
        self._images = Images(self._storage, settings.quality, max_pixels=inf)
        # A site that a viewer visits may point its own name at this machine (DNS rebinding) and
        # read slides as if it were one of ours: on the loopback, other names are not answered.
        self._hosts = None if is_public else {*_LOOPBACK_NAMES, settings.host}
        self._page = _page(settings.openseadragon)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        """Answer one request."""
        try:
            status, headers, body = self._answer(environ)
        except Exception as error:  # noqa: BLE001  the last line of defence: nothing may leak
            status, headers, body = problem_of(error, _request_id(), _log)
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [body]

    def _answer(self, environ: "WSGIEnvironment") -> Answer:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refused = problem(HTTPStatus.METHOD_NOT_ALLOWED, "slides are read only", _request_id())
            refused.headers["Allow"] = "GET, HEAD"
            return refused
        if self._hosts is not None and _host_name(environ) not in self._hosts:
            raise Forbidden("this server answers to this machine's own name only")
        # WSGI has bytes in the guise of Latin-1.
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        if_none_match = environ.get("HTTP_IF_NONE_MATCH")
        if path.startswith("/DeepZoom/"):
            request = ImageRequest.parse(path, _query(environ["QUERY_STRING"]))
            return show(request.resource(self._images), if_none_match)
        return show(self._page_resource(path), if_none_match, _NO_CACHE)

    def _page_resource(self, path: str) -> Resource:
        if path == "/slides.json":
            return _json(list_slides(self._storage.root))
        match = _SLIDE_FACTS.fullmatch(path)
        if match:
            return _json(_facts(self._storage.slide_named_like(match[1])))
        try:
            return self._page[path]
        except KeyError:
            raise NotFound("nothing has this address") from None


@lru_cache(maxsize=256)
def _query(text: str) -> Mapping[str, str]:
    """Return the query's values; the last one counts, as on AWS.

    All tiles of a viewer have the same query.
    """
    return MappingProxyType(dict(parse_qsl(text, keep_blank_values=True)))


def _host_name(environ: Mapping[str, Any]) -> str:
    """Return the name that the client knows this server by, without its port."""
    host = str(environ.get("HTTP_HOST", "")).lower()
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host


def _request_id() -> str:
    return uuid.uuid4().urn


def _log(error: Exception) -> None:
    traceback.print_exception(error)


def _facts(path: Path) -> dict[str, Any]:
    """Return what the slide says of itself, in pixels and (``mppUm``) microns per pixel."""
    try:
        with Slide(path) as slide:
            metadata = slide.metadata()
            return {
                "version": str(slide.version),
                "width": slide.width,
                "height": slide.height,
                "mppUm": metadata.mpp_um and float(metadata.mpp_um),
                "appMag": metadata.app_mag and float(metadata.app_mag),
                "scanDate": metadata.scan_date and metadata.scan_date.isoformat(),
            }
    except FileNotFoundError:
        raise NotFound(f"no slide {path.stem!r}") from None
    except OSError as error:
        raise UnreadableSlide(error.strerror or "the file cannot be read") from error


def _page(openseadragon: OpenSeadragon) -> dict[str, Resource]:
    """Return the page and what it needs, by path."""
    origin = urlsplit(openseadragon.url)
    values = {
        "openseadragon": openseadragon.url,
        "integrity": openseadragon.integrity or "",
        "scripts": f"{origin.scheme}://{origin.netloc}" if origin.netloc else "",
    }
    text = (_PAGE / "index.html").read_text()
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    page = {"/": _fixed(text.encode(), "text/html; charset=utf-8")}
    for name, media_type in _PAGE_TYPES.items():
        page[f"/{name}"] = _fixed((_PAGE / name).read_bytes(), media_type)
    if openseadragon.file:
        page[f"/{_OPENSEADRAGON}"] = _fixed(openseadragon.file.read_bytes(), "text/javascript")
    return page


def _json(content: Mapping[str, Any] | Iterable[Any]) -> Resource:
    return _fixed(json.dumps(content).encode(), "application/json")


def _fixed(body: bytes, media_type: str) -> Resource:
    return Resource(hashlib.sha256(body).hexdigest()[:32], media_type, lambda: body)
