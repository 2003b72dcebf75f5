"""Over HTTP: the viewer's trace from ``vsv serve``, and from what one would take instead.

All servers run on this machine, one after the other, each on all its cores, which it shares with
the client (``wrk``).
"""

import random
import subprocess
import sys
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from benchmarks.efs import finished
from benchmarks.imports import imported
from benchmarks.peers import Handler
from benchmarks.places import BENCH
from benchmarks.processes import ServerError
from benchmarks.report import Column, Report, Table, ratio
from benchmarks.servers import Server, deepzoom_server, iipimage, nginx_files, vsv_serve
from benchmarks.slides import SPECS, bench_slide
from benchmarks.trace import LevelClass, Trace
from benchmarks.wrk import CONNECTIONS, Load, replay
from vsv.pyramid.deepzoom import TileAddress

__all__ = ["run"]

# The number of seconds for which each server is loaded.
_SECONDS: Final = {"small": 1, "cmu1": 15}

_TIFFSAVE: Final = """
import sys, pyvips
image = pyvips.Image.tiffload(sys.argv[1])
image.tiffsave(sys.argv[2], tile=True, pyramid=True, tile_width=256, tile_height=256,
               compression="jpeg", Q=90, bigtiff=True, keep="none")
"""


def run(size: str) -> Report:
    """Load each server with the trace."""
    spec = SPECS[size]
    slide = bench_slide(spec)
    requests = Trace(Handler.grid(spec.size, spec.tile), spec.downsamples).requests()
    trace = [request.address for request in requests]
    # A server that gets through a part only has then had its share of every class of level.
    random.Random(204711).shuffle(trace)  # noqa: S311  no secret: a fixed order
    inner = next(each.address for each in requests if each.kind is LevelClass.NATIVE)
    servers: dict[str, AbstractContextManager[Server]] = {
        "vsv serve, SVS": vsv_serve(imported(slide, BENCH)[0]),
        "openslide-python's deepzoom_server, SVS": deepzoom_server(slide),
        "IIPImage and nginx, converted TIFF": iipimage(_converted(slide)),
        "nginx, finished pyramid": nginx_files(finished(slide)),
    }
    table = Table(
        f"The viewer's trace over HTTP, {CONNECTIONS} connections, {spec.name}",
        [
            *(Column("server"), Column("tiles/s", ".0f"), Column("× vsv", ".2f")),
            *(Column("p50 ms", ".2f"), Column("p99 ms", ".2f"), Column("MB/s", ".1f")),
            *(Column("KB a tile", ".1f"), Column("failed", "d")),
        ],
        notes=[
            f"wrk asks for the trace's {len(trace)} tiles in a fixed shuffled order, over and "
            f"over, for {_SECONDS[size]} s a server after {_warm_up_s(size)} s to warm up, and "
            "takes its share of the cores.",
            "openslide-python's example server runs under granian, as vsv serve does. Its tiles "
            "are as large as the slide's, in JPEG of quality 90, without color management.",
            "IIPImage: a FastCGI process a core, its tile cache as it comes (10 MB), on a tiled "
            "pyramidal TIFF that libvips made (JPEG, quality 90).",
        ],
    )
    base: Load | None = None
    for name, starting in servers.items():
        with starting as server:
            _check(server, inner, spec.tile)
            replay(server, trace, _warm_up_s(size))
            load = replay(server, trace, _SECONDS[size])
        base = base or load
        table.rows.append(
            [
                name,
                load.tiles_per_s,
                ratio(load.tiles_per_s, base.tiles_per_s),
                load.p50_ms,
                load.p99_ms,
                load.mb_per_s,
                1000 * load.mb_per_s / load.tiles_per_s,
                load.failed,
            ]
        )
    return Report("http_servers", size, [table])


def _warm_up_s(size: str) -> int:
    return max(_SECONDS[size] // 3, 1)


def _converted(slide: Path) -> Path:
    """Return the slide as IIPImage wants it.

    A tiled pyramidal TIFF, as its documentation makes it.
    """
    path = BENCH / "converted" / f"{slide.stem}.tif"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        subprocess.run([sys.executable, "-c", _TIFFSAVE, slide, partial], check=True)
        partial.replace(path)
    return path


def _check(server: Server, address: TileAddress, tile_px: int) -> None:
    """Raise ServerError where the answer is not a whole tile."""
    try:
        size = Image.open(BytesIO(server.get(*address))).size
    except OSError as error:
        raise ServerError(f"tile {address} is not an image: {error}") from error
    if size != (tile_px, tile_px):
        raise ServerError(f"tile {address} measures {size}, not {tile_px}")
