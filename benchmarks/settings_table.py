"""The first version's settings: where a slide lies and what serves it, and what a tile then takes.

This system's first version came with a table of settings, and the words "fast" and "not fast". Here
are its rows with figures, and beside them the project's own: tiles from the slide itself.
"""

import http.client
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import mean, median

from benchmarks import efs
from benchmarks.imports import imported, in_fresh_process
from benchmarks.peers import Handler, Original
from benchmarks.places import BENCH
from benchmarks.report import Cell, Column, NotMeasured, Report, Table
from benchmarks.servers import Server, deepzoom_server, nginx_files, vsv_serve
from benchmarks.slides import SPECS, bench_slide
from benchmarks.slow_fs import DELAY_US, slow_folder
from benchmarks.slow_s3 import DELAY_MS, slow_bucket
from benchmarks.trace import LevelClass, TileRequest

__all__ = ["run"]

Times = dict[LevelClass, list[float]]


def run(size: str) -> Report:
    """Measure every row. What cannot be had here is said in the notes."""
    spec = SPECS[size]
    slide = bench_slide(spec)
    on_efs = imported(slide, BENCH)[0]
    twin = efs.finished(slide)
    requests = efs.trace_of(Handler, spec, size)

    def in_lambda(peer: type[Handler] | type[Original], path: Path) -> Times:
        return _in_lambda(efs.Way(peer.name, peer, path), efs.trace_of(peer, spec, size))

    table = Table(
        f"The first version's settings: milliseconds a tile over the trace, {spec.name}",
        [
            Column("setting"),
            *(Column("native: median", ".2f"), Column("native: mean", ".2f")),
            *(Column("between: median", ".2f"), Column("between: mean", ".2f")),
            Column("all: mean", ".2f"),
        ],
        notes=[
            f"One viewer asks for one tile after the other, one in {efs.EVERY[size]} of the trace; "
            "no tile was read before.",
            "Lambda: the function's handler in one process, with API Gateway's event and an answer "
            "in base64; neither Lambda's nor the gateway's own time.",
            "EC2: a server on this machine and all its cores, over HTTP on 127.0.0.1.",
            f"EFS: a pass-through file system that adds {DELAY_US / 1000:g} ms to each call. "
            "EBS: this machine's disk, in the page cache.",
            f"S3: moto on this machine, which waits {DELAY_MS} ms before it answers a GET.",
            "First version: OpenSlide and Pillow, tiles of 254 pixels with an overlap of 1. "
            "Elsewhere tiles are the slide's own, 256 pixels.",
        ],
    )
    rows: dict[str, Callable[[], Times]] = {
        "Lambda, SVS on EFS (first version)": lambda: in_lambda(Original, slide),
        "Lambda, SVS on EFS (vsv)": lambda: in_lambda(Handler, on_efs),
        "Lambda, pyramid on S3 (vsv)": lambda: _from_s3(twin, requests),
        "Lambda, pyramid on EFS (vsv)": lambda: in_lambda(Handler, twin),
        "EC2, SVS on EFS (openslide-python)": lambda: _served(
            _on_efs(slide, deepzoom_server), requests
        ),
        "EC2, SVS on EFS (vsv serve)": lambda: _served(_on_efs(on_efs, vsv_serve), requests),
        "EC2, pyramid on EFS (nginx)": lambda: _served(_on_efs(twin, nginx_files), requests),
        "EC2, SVS on EBS (openslide-python)": lambda: _served(deepzoom_server(slide), requests),
        "EC2, SVS on EBS (vsv serve)": lambda: _served(vsv_serve(on_efs), requests),
    }
    for name, times_of in rows.items():
        try:
            table.rows.append(_row(name, times_of()))
        except NotMeasured as reason:
            table.rows.append([name, *[None] * 5])
            table.notes.append(f"{name}: not measured: {reason}.")
    return Report("settings_table", size, [table])


def _in_lambda(way: efs.Way, requests: Sequence[TileRequest]) -> Times:
    """From EFS, in a fresh process."""
    costs = efs.measure(way, requests).cold
    return {kind: [cost.ms for cost in each] for kind, each in costs.items()}


@contextmanager
def _on_efs(
    path: Path, serve: Callable[[Path], AbstractContextManager[Server]]
) -> Iterator[Server]:
    """Run a server that sees the file on EFS."""
    with slow_folder(path.parent, BENCH) as folder, serve(folder.path / path.name) as server:
        yield server


def _served(starting: AbstractContextManager[Server], requests: Sequence[TileRequest]) -> Times:
    """Over one connection to a server that is started for it."""
    with starting as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)

        def get(request: TileRequest) -> None:
            connection.request("GET", server.path(*request.address))
            response = connection.getresponse()
            response.read()
            if response.status != http.HTTPStatus.OK:
                raise RuntimeError(f"{request.address}: status {response.status}")

        times = _timed(get, requests)
        connection.close()
    return times


def _timed(get: Callable[[TileRequest], None], requests: Sequence[TileRequest]) -> Times:
    times: Times = {kind: [] for kind in LevelClass}
    for request in requests:
        started = time.perf_counter()
        get(request)
        times[request.kind].append((time.perf_counter() - started) * 1000)
    return times


def _row(name: str, times: Times) -> Sequence[Cell]:
    row: list[Cell] = [name]
    for kind in (LevelClass.NATIVE, LevelClass.BETWEEN):
        row += [median(times[kind]), mean(times[kind])]
    return [*row, mean(ms for each in times.values() for ms in each)]


def _from_s3(twin: Path, requests: Sequence[TileRequest]) -> Times:
    """From the pyramid on S3, in a fresh process; nothing of the slide is on EFS.

    Raises NotMeasured where the handler does not know S3.
    """
    names = [
        f"{twin.stem}.dzi",
        *(
            f"{twin.stem}_files/{level}/{col}_{row}.jpeg"
            for level, col, row in (request.address for request in requests)
        ),
    ]
    objects = {name: twin.parent / name for name in names}
    with tempfile.TemporaryDirectory() as folder, slow_bucket(objects) as environment:
        return in_fresh_process(_handled, environment, Path(folder, twin.name), requests)


def _handled(environment: dict[str, str], path: Path, requests: Sequence[TileRequest]) -> Times:
    os.environ.update(environment)
    handler = Handler()
    handler.open(path)

    def get(request: TileRequest) -> None:
        handler.jpeg(handler.answer(handler.request(request.address)))

    try:
        get(requests[0])  # loads the code, too
    except RuntimeError as error:
        raise NotMeasured("the handler does not find it there") from error
    return _timed(get, requests)
