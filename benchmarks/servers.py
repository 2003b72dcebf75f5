"""Tile servers, started for a measurement and ended with it.

Each listens on 127.0.0.1 on a free port, keeps its files in a temporary folder, and uses all cores.
One whose parent is killed before it can stop it ends too.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.processes import Command, ServerError, free_port, get, running, wait_for

__all__ = ["Server", "deepzoom_server", "iipimage", "nginx_files", "vsv_serve"]

CORES: Final = len(os.sched_getaffinity(0))

_IIPSRV: Final = "/usr/lib/iipimage-server/iipsrv.fcgi"
# Threads of each worker: OpenSlide lets go of Python's lock while it reads.
_THREADS: Final = 4
# openslide-python's examples are in its source distribution only.
_OPENSLIDE_SHA256: Final = {
    "1.4.7": "730fed798de683b00c8ef4d956f3d429cc02f2c449eb0d58944e1769ba7983cc"
}


@dataclass(frozen=True)
class Server:
    """A running server. A tile's URL is ``prefix``, ``level/col_row``, ``suffix``."""

    port: int
    prefix: str
    suffix: str

    def path(self, level: int, col: int, row: int) -> str:
        """Return the path of a tile's URL."""
        return f"{self.prefix}{level}/{col}_{row}{self.suffix}"

    def get(self, level: int, col: int, row: int) -> bytes:
        """One tile. Raises ServerError where there is none."""
        try:
            return get(self.port, self.path(level, col, row))
        except OSError as error:
            raise ServerError(f"no tile {level}/{col}_{row}: {error}") from error


@contextmanager
def vsv_serve(slide: Path) -> Iterator[Server]:
    """``vsv serve`` on the slide's folder."""
    port = free_port()
    command: Command = [
        Path(sys.executable).with_name("vsv"),
        "serve",
        slide.parent,
        "--port",
        str(port),
    ]
    with running(command) as process:
        wait_for(process, port, f"/DeepZoom/{slide.stem}.dzi")
        yield Server(port, f"/DeepZoom/{slide.stem}_files/", ".jpeg")


@contextmanager
def deepzoom_server(slide: Path) -> Iterator[Server]:
    """openslide-python's ``deepzoom_server.py`` with granian, tiles of 256 pixels.

    Its colors are the slide's, as with the others: correcting them by ICC profile takes it longer.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        _openslide_example(Path(folder))
        settings = Path(folder, "settings.py")
        settings.write_text(
            f"DEEPZOOM_SLIDE = {str(slide)!r}\nDEEPZOOM_TILE_SIZE = 256\nDEEPZOOM_OVERLAP = 0\n"
            "DEEPZOOM_LIMIT_BOUNDS = False\nDEEPZOOM_TILE_QUALITY = 90\n"
            "DEEPZOOM_COLOR_MODE = 'ignore'\n"
        )
        command: Command = [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory"),
            *("--host", "127.0.0.1", "--port", str(port), "--working-dir", folder),
            *("--workers", str(CORES), "--blocking-threads", str(_THREADS)),
            *("--log-level", "error", "deepzoom_server:create_app"),
        ]
        with running(command, {"DEEPZOOM_TILER_SETTINGS": str(settings)}) as process:
            wait_for(process, port, "/slide.dzi")
            yield Server(port, "/slide_files/", ".jpeg")


@contextmanager
def iipimage(pyramid: Path) -> Iterator[Server]:
    """IIPImage on a tiled pyramidal TIFF: a FastCGI process a core behind nginx."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sockets = [Path(folder, f"iipsrv-{number}") for number in range(CORES)]
        for path in sockets:
            stack.enter_context(
                running(
                    [_IIPSRV, "--bind", path, "--backlog", "1024"],
                    {
                        "FILESYSTEM_PREFIX": f"{pyramid.parent}/",
                        "JPEG_QUALITY": "90",
                        "LOGFILE": "/dev/null",
                        "VERBOSITY": "0",
                        "OMP_NUM_THREADS": "1",
                    },
                )
            )
        upstream = "".join(f"server unix:{path};\n" for path in sockets)
        location = (
            "location = /iipsrv {\nfastcgi_pass iipsrv;\n"
            "fastcgi_param QUERY_STRING $query_string;\n"
            "fastcgi_param REQUEST_METHOD $request_method;\n}\n"
        )
        tiles = f"/iipsrv?Deepzoom={pyramid.name}"
        # A process answers one connection at a time, so none is kept: another worker would wait.
        balanced = f"upstream iipsrv {{\nzone iipsrv 64k;\nleast_conn;\n{upstream}}}\n"
        with _nginx(balanced, location, f"{tiles}.dzi") as port:
            yield Server(port, f"{tiles}_files/", ".jpg")


@contextmanager
def nginx_files(slide: Path) -> Iterator[Server]:
    """Nginx on the finished pyramid that lies beside the slide."""
    location = f"location / {{\nroot {slide.parent};\n}}\n"
    with _nginx("", location, f"/{slide.stem}.dzi") as port:
        yield Server(port, f"/{slide.stem}_files/", ".jpeg")


@contextmanager
def _nginx(http: str, server: str, ready_path: str) -> Iterator[int]:
    """Run an nginx of our own with these sections; yield its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # As root, workers would become a user who may not read the slides.
        user = "user root;\n" if os.geteuid() == 0 else ""
        config = Path(folder, "nginx.conf")
        config.write_text(
            f"{user}daemon off;\nworker_processes {CORES};\npid {folder}/pid;\n"
            "error_log stderr crit;\nevents {\nworker_connections 512;\n}\nhttp {\n"
            f"access_log off;\nsendfile on;\ntcp_nopush on;\nkeepalive_requests 1000000000;\n"
            f"types {{\nimage/jpeg jpeg;\n}}\n{temporary}{http}"
            f"server {{\nlisten 127.0.0.1:{port};\n{server}}}\n}}\n"
        )
        with running([_program("nginx"), "-e", "stderr", "-p", folder, "-c", config]) as process:
            wait_for(process, port, ready_path)
            yield port


def _program(name: str) -> str:
    """Where a program is: Debian keeps some outside of a user's PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise ServerError(f"{name} is not installed: `make bench` installs it")
    return found


def _openslide_example(folder: Path) -> None:
    """Put the server of the openslide-python that is installed there; its SHA-256 is checked."""
    release = version("openslide-python")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "-d", folder),
            *("--no-build-isolation", "--no-binary", "openslide-python"),
            f"openslide-python=={release}",
        ],
        check=True,
    )
    name = f"openslide_python-{release}"
    data = (folder / f"{name}.tar.gz").read_bytes()
    if hashlib.sha256(data).hexdigest() != _OPENSLIDE_SHA256.get(release):
        raise ServerError(f"{name}.tar.gz has not the SHA-256 that is expected")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.extractfile(f"{name}/examples/deepzoom/deepzoom_server.py")
        code = member.read() if member else b""
    # It opens a profile when it is imported, for colors that are not corrected here: the layers'
    # Pillow has no color management.
    profile = b"ImageCms.getOpenProfile(BytesIO(SRGB_PROFILE_BYTES))"
    code = code.replace(profile, b"None").replace(b"image.color_profile is None", b"True")
    (folder / "deepzoom_server.py").write_bytes(code)
