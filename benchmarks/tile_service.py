"""Tile service: a viewer's trace through ``lambda_handler`` and through each peer.

One process, one thread. The trace is cut into parts; each peer in turn does a part, so that what
else the machine does meets all alike. Every pass opens each slide again: nothing is served from
what an earlier pass left in memory, but the file is in the page cache.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from math import isfinite
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any, Final

import numpy as np
import openslide
from PIL import Image

from benchmarks.fidelity import Pixels, Reference, encoder_alone, psnr_db, sample
from benchmarks.peers import PEERS, Handler, HandlerOnPyramid, Peer, PyramidFile, Unserved
from benchmarks.report import Cell, Column, Report, Table, percentile, ratio
from benchmarks.slides import SPECS, SlideSpec, bench_slide, make_pyramid, tissue_share
from benchmarks.trace import SCREEN, LevelClass, TileRequest, Trace
from local.settings import ROOT
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

__all__ = ["run"]

# The small slide shows that all works; its figures are rough.
_PASSES: Final = {"small": 1, "cmu1": 3}
_COLD_STARTS: Final = {"small": 1, "cmu1": 7}
_PARTS: Final = 8
# A peer whose first pass takes longer gets no second one: thousands of tiles are enough.
_SLOW_S: Final = 20.0
# Pixels a side, from the origin, that are compared with OpenSlide's on each native level.
_COMPARED: Final = 1024


@dataclass
class _Run:
    """One peer and what was measured of it; times in seconds."""

    make: type[Peer]
    pyramid: DeepZoom
    requests: Sequence[TileRequest]
    screen_megapixels: float
    times: dict[LevelClass, list[float]] = field(default_factory=lambda: defaultdict(list))
    pass_times: list[float] = field(default_factory=list)
    served: int = 0
    wrong_size: int = 0


def run(size: str) -> Report:
    """Measure tile service on a slide of that size (``small``, ``cmu1``)."""
    spec = SPECS[size]
    path = bench_slide(spec)
    _have_equal_pyramid(path, spec)
    runs = [_run_of(make, spec) for make in PEERS]
    _one_pass(runs, path)
    quick = [each for each in runs if each.pass_times[0] < _SLOW_S]
    for _ in range(_PASSES[size] - 1):
        _one_pass(quick, path)
    return Report(
        "tile_service",
        size,
        [
            _trace_table(runs, spec),
            *(_class_table(runs, kind) for kind in LevelClass),
            _cold_table(path, spec, _COLD_STARTS[size]),
            *_fidelity_tables(path, spec),
            _identity_table(path, spec),
        ],
    )


def _run_of(make: type[Peer], spec: SlideSpec) -> _Run:
    pyramid = make.grid(spec.size, spec.tile)
    trace = Trace(pyramid, spec.downsamples)
    return _Run(make, pyramid, trace.requests(), trace.screen_megapixels)


def _have_equal_pyramid(path: Path, spec: SlideSpec) -> None:
    """See that the finished pyramid is what the handler serves today."""
    make_pyramid(path)
    pyramid = Handler.grid(spec.size, spec.tile)
    live, finished = Handler(), PyramidFile()
    live.open(path)
    finished.open(path)
    for level in pyramid.levels:
        for address in sample(pyramid, level):
            if live.tile(*address) != finished.tile(*address):
                # Rendered by an earlier version of the library.
                make_pyramid(path, again=True)
                return


def _one_pass(runs: Sequence[_Run], path: Path) -> None:
    peers = [run.make() for run in runs]
    for run, peer in zip(runs, peers, strict=True):
        peer.open(path)
        run.pass_times.append(0.0)
    for part in range(_PARTS):
        for run, peer in zip(runs, peers, strict=True):
            count = len(run.requests)
            requests = run.requests[part * count // _PARTS : (part + 1) * count // _PARTS]
            answers = [(request, _timed(run, peer, request)) for request in requests]
            if len(run.pass_times) == 1:
                _check(run, peer, answers)


def _timed(run: _Run, peer: Peer, request: TileRequest) -> Any:
    """Ask for the tile and note the time; None for what the peer does not serve."""
    try:
        asked = peer.request(request.address)
    except Unserved:
        return None
    start = perf_counter()
    answer = peer.answer(asked)
    elapsed = perf_counter() - start
    run.times[request.kind].append(elapsed)
    run.pass_times[-1] += elapsed
    return answer


def _check(run: _Run, peer: Peer, answers: Sequence[tuple[TileRequest, Any]]) -> None:
    """Count what was served, and tiles that have not DeepZoom's size."""
    for request, answer in answers:
        if answer is not None:
            size = Image.open(BytesIO(peer.jpeg(answer))).size
            run.served += 1
            run.wrong_size += size != run.pyramid.tile_at(request.address).box.size


def _trace_table(runs: Sequence[_Run], spec: SlideSpec) -> Table:
    ours = runs[0]
    width, height = spec.size
    table = Table(
        f"Tile service: the whole trace, {width} × {height}",
        [
            Column("peer"),
            Column("grid"),
            Column("quality", "d"),
            Column("tiles", "d"),
            Column("not served", "d"),
            Column("wrong size", "d"),
            Column("tiles/s", ",.0f"),
            Column("screen Mpx/s", ",.1f"),
            Column("ours is × as fast", ",.2f"),
        ],
        notes=[
            f"{len(Trace(ours.pyramid, spec.downsamples).views)} views of "
            f"{SCREEN.width} × {SCREEN.height}; "
            f"medians of {len(ours.pass_times)} passes (1 for slow peers), one thread, "
            "file in the page cache.",
            f"{tissue_share(spec):.0%} of the slide's tiles show tissue. "
            "The ICC profile is sRGB; a scanner's own costs no less to apply.",
            "Wrong size: the tile is not as large as DeepZoom says. "
            "The last column compares screen Mpx/s, whatever the grid.",
        ],
    )
    speed = ours.screen_megapixels / median(ours.pass_times)
    for run in runs:
        seconds = median(run.pass_times)
        megapixels = run.screen_megapixels / seconds
        table.rows.append(
            (
                run.make.name,
                f"{run.pyramid.tile.width}/{run.pyramid.overlap}",
                run.make.quality,
                run.served,
                len(run.requests) - run.served,
                run.wrong_size,
                run.served / seconds,
                megapixels,
                ratio(speed, megapixels),
            )
        )
    return table


_CLASSES: Final[Mapping[LevelClass, str]] = {
    LevelClass.NATIVE: "native levels, whole tiles",
    LevelClass.EDGE: "native levels, right and bottom edge",
    LevelClass.BETWEEN: "between native levels",
    LevelClass.TOP: "above the coarsest native level",
}


def _class_table(runs: Sequence[_Run], kind: LevelClass) -> Table:
    table = Table(
        f"Tile service: {_CLASSES[kind]}",
        [
            Column("peer"),
            Column("tiles", "d"),
            Column("median ms", ".4f"),
            Column("median: × ours", ",.2f"),
            Column("mean ms", ".4f"),
            Column("mean: × ours", ",.2f"),
            Column("p95 ms", ".4f"),
        ],
    )
    ours = runs[0].times[kind]
    for run in runs:
        times = run.times[kind]
        row: list[Cell] = [run.make.name, len(times) // len(run.pass_times)]
        for average in (median, mean):
            if times and ours:
                row += [average(times) * 1e3, average(times) / average(ours)]
            else:
                row += [None, None]
        row.append(percentile(times, 0.95) * 1e3 if times else None)
        table.rows.append(row)
    return table


# Cold


def _cold_table(path: Path, spec: SlideSpec, starts: int) -> Table:
    table = Table(
        "Tile service: cold, a new process with the file in the page cache",
        [
            Column("peer"),
            Column("import ms", ".1f"),
            Column("open + first native tile ms", ".3f"),
            Column("next native tile ms", ".4f"),
            Column("first: × ours", ",.2f"),
        ],
        notes=[f"Medians of {starts} processes."],
    )
    base = None
    # A round of all peers at a time, as above.
    measured: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(starts):
        for make in PEERS:
            measured[make.name].append(_cold_start(make, path, spec))
    for make in PEERS:
        first, following, imported = (
            median(each[what] for each in measured[make.name]) * 1e3
            for what in ("first", "next", "import")
        )
        base = base or first
        table.rows.append((make.name, imported, first, following, ratio(first, base)))
    return table


def _cold_start(make: type[Peer], path: Path, spec: SlideSpec) -> dict[str, float]:
    pyramid = make.grid(spec.size, spec.tile)
    level = pyramid.level_count - 1
    col, row = (count // 2 for count in pyramid.grid(level))
    command = [sys.executable, "-m", "benchmarks.cold", make.__name__, str(path)]
    places = [str(number) for number in (level, col, row)]
    done = subprocess.run(
        [*command, *places], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    times: dict[str, float] = json.loads(done.stdout)
    return times


# Fidelity


def _fidelity_tables(path: Path, spec: SlideSpec) -> Iterator[Table]:
    pyramid = Handler.grid(spec.size, spec.tile)
    trace = Trace(pyramid, spec.downsamples)
    references = {source: Reference(path, pyramid, source) for source in spec.downsamples}
    ours, *others = _on_same_grid(path, spec)
    losses = Table(
        "Fidelity: PSNR in dB of our tiles against box averages",
        [
            Column("downsample"),
            Column("class"),
            Column("level 0: ours", ".1f"),
            Column("level 0: encoder alone", ".1f"),
            Column("level 0: lost", ".2f"),
            Column("source"),
            Column("source: ours", ".1f"),
            Column("source: encoder alone", ".1f"),
            Column("source: lost", ".2f"),
        ],
        notes=[
            "Encoder alone: the box average itself, encoded with our tiles' own tables and "
            "subsampling; on a native level that is the scanner's encoder. inf: identical.",
            "The averages are of level 0, and of the source: the coarsest level of the slide that "
            "is fine enough. What the scanner's encoder did to that level cannot be undone.",
        ],
    )
    beside = Table(
        "Fidelity: PSNR in dB against box averages of level 0, beside the peers",
        [
            Column("downsample"),
            Column("class"),
            Column("ours, Q90", ".1f"),
            *(Column(f"{peer.name}, Q{peer.quality}", ".1f") for peer in others),
        ],
        notes=[
            "A dash: no such level there, or tiles that have not DeepZoom's size. On levels of a "
            "few pixels all differences are of rounding.",
        ],
    )
    for level in pyramid.levels:
        downsample = pyramid.downsample(level)
        source = max(each for each in spec.downsamples if each <= downsample)
        by_kind: dict[LevelClass, list[TileAddress]] = defaultdict(list)
        for address in sample(pyramid, level):
            by_kind[trace.kind(address)].append(address)
        for kind, addresses in by_kind.items():
            tiles = [ours.tile(*address) for address in addresses]
            of_full, of_source = (
                [reference.tile(address) for address in addresses]
                for reference in (references[1], references[source])
            )
            losses.rows.append(
                (
                    f"{downsample}",
                    kind.value,
                    *_loss(tiles, of_full),
                    f"{source}",
                    *_loss(tiles, of_source),
                )
            )
            theirs = [_peer_psnr(peer, addresses, of_full) for peer in others]
            row = (f"{downsample}", kind.value, losses.rows[-1][2], *theirs)
            beside.rows.append(row)
    yield losses
    yield beside


def _on_same_grid(path: Path, spec: SlideSpec) -> Iterator[Peer]:
    """Yield the peers, ours first, that render tiles of our grid; open."""
    grid = Handler.grid(spec.size, spec.tile)
    for make in PEERS:
        if make.grid(spec.size, spec.tile) == grid and make not in (HandlerOnPyramid, PyramidFile):
            peer = make()
            peer.open(path)
            yield peer


def _loss(
    tiles: Sequence[bytes], references: Sequence[Pixels]
) -> tuple[float | None, float | None, float | None]:
    """PSNR of the tiles, PSNR of the references encoded alike, and the difference."""
    psnr = psnr_db(list(zip(tiles, references, strict=True)))
    alone = [encoder_alone(*pair) for pair in zip(tiles, references, strict=True)]
    limit = psnr_db(list(zip(alone, references, strict=True)))
    if psnr is None or limit is None or not isfinite(psnr):
        return psnr, limit, None
    return psnr, limit, limit - psnr


def _peer_psnr(
    peer: Peer, addresses: Sequence[TileAddress], references: Sequence[Pixels]
) -> float | None:
    try:
        tiles = [peer.tile(*address) for address in addresses]
    except Unserved:
        return None
    return psnr_db(list(zip(tiles, references, strict=True)))


def _identity_table(path: Path, spec: SlideSpec) -> Table:
    """Native tiles from the left top corner: OpenSlide reads those without resampling."""
    table = Table(
        "Fidelity: native tiles against OpenSlide's pixels",
        [
            Column("downsample"),
            Column("tiles", "d"),
            Column("identical", "d"),
            Column("largest difference (of 255)", "d"),
        ],
    )
    pyramid = Handler.grid(spec.size, spec.tile)
    ours = Handler()
    ours.open(path)
    with openslide.OpenSlide(path) as slide:
        for index, downsample in enumerate(spec.downsamples):
            level = pyramid.level_count - downsample.bit_length()
            size = min(_COMPARED, *slide.level_dimensions[index])
            count = size // spec.tile
            image = slide.read_region((0, 0), index, (size, size)).convert("RGB")
            pixels = np.asarray(image, np.int16)
            identical, largest = 0, 0
            for row in range(count):
                for col in range(count):
                    tile = Image.open(BytesIO(ours.tile(level, col, row))).convert("RGB")
                    left, top = col * spec.tile, row * spec.tile
                    theirs = pixels[top : top + spec.tile, left : left + spec.tile]
                    difference = int(np.abs(np.asarray(tile, np.int16) - theirs).max())
                    identical += difference == 0
                    largest = max(largest, difference)
            table.rows.append((f"{downsample}", count * count, identical, largest))
    return table
