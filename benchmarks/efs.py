"""On EFS-like storage: what a tile costs where every call to the file system takes a millisecond.

Each way to a tile runs in a fresh process that has its code loaded, on a fresh mount: nothing of
the slide is in any cache. Counted are the calls that somebody waits for; nobody waits for a file to
be closed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median, median_low
from typing import Final

from benchmarks import syscalls
from benchmarks.imports import ELSEWHERE, TILE_ELSEWHERE, imported, in_fresh_process
from benchmarks.peers import DeepZoomGenerator256, Handler, Peer, TiffSlide, Unserved, Vips
from benchmarks.places import BENCH, pyramid_twin
from benchmarks.report import Cell, Column, Report, Table, percentile
from benchmarks.slides import SPECS, SlideSpec, bench_slide, make_pyramid
from benchmarks.slow_fs import DELAY_US, SlowFolder, slow_folder
from benchmarks.trace import LevelClass, TileRequest, Trace

__all__ = [
    "EVERY",
    "Cost",
    "Run",
    "Way",
    "finished",
    "first",
    "measure",
    "run",
    "trace_of",
    "ways",
]

# One tile in this number of the trace is asked for: all would take OpenSlide a quarter of an hour.
EVERY: Final = {"small": 7, "cmu1": 3}
# The number of processes in which first tiles are measured.
_REPEATS: Final = {"small": 1, "cmu1": 5}
_UNAWAITED: Final = ("release",)


@dataclass(frozen=True)
class Way:
    """One way to a tile: ``path`` is the file that ``peer`` opens."""

    name: str
    peer: type[Peer]
    path: Path


@dataclass(frozen=True)
class Cost:
    """What something took: calls that somebody waited for, by kind, and milliseconds."""

    calls: Mapping[str, int]
    ms: float

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.calls.values())

    def __str__(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in self.calls.items())


Costs = Mapping[LevelClass, list[Cost]]


@dataclass(frozen=True)
class Run:
    """What one process did on one mount: open the slide, then ask for the tiles, and once more."""

    opened: Cost
    cold: Costs
    warm: Costs


def run(size: str) -> Report:
    """Measure all ways. Raises NotMeasured where the machine allows no such file system."""
    spec = SPECS[size]
    cold = Table(
        f"A cold process on storage with {DELAY_US / 1000:g} ms a call, {spec.name}",
        [
            Column("way"),
            *(Column("open: calls", "d"), Column("open: ms", ".1f")),
            *(Column("to a native tile: calls", "d"), Column("to a native tile: ms", ".1f")),
            *(Column("to one between: calls", "d"), Column("to one between: ms", ".1f")),
            Column("the native tile's calls"),
        ],
        notes=[
            "Medians. Reading goes through a pass-through file system in user space (slow_fs.c).",
            "Attributes are cached for 3 s, directories and missing names for 30 s, pages until "
            "open() finds another file: an NFS client's defaults.",
            "NFS 4 opens a file by name in one call, where this file system needs lookup and open.",
            "To a tile: to open the slide and to read its first native tile, or its first one of a "
            "level between the slide's own. The handler opens the slide with its first tile.",
        ],
    )
    trace = Table(
        f"The viewer's trace on the same storage, {spec.name}",
        [
            *(Column("way"), Column("cache")),
            *(Column("native: calls", ".2f"), Column("native: ms", ".2f")),
            *(Column("native: p95 ms", ".2f"), Column("between: calls", ".2f")),
            *(Column("between: ms", ".2f"), Column("between: p95 ms", ".2f")),
            Column("tiles/s", ".0f"),
        ],
        notes=[
            f"One tile in {EVERY[size]} of the trace; calls are means, times medians and 95th "
            "percentiles. Cold: no tile was read before; warm: the same process asks once more.",
            "tiles/s is of all tiles, those at borders and above the slide's coarsest level too.",
        ],
    )
    for way in ways(spec):
        requests = trace_of(way.peer, spec, size)
        firsts = {
            kind: [measure(way, [first(requests, kind)]) for _ in range(_REPEATS[size])]
            for kind in (LevelClass.NATIVE, LevelClass.BETWEEN)
        }
        cold.rows.append(_first_row(way, firsts))
        passes = measure(way, requests, twice=True)
        for name, costs in (("cold", passes.cold), ("warm", passes.warm)):
            trace.rows.append(_trace_row(way, name, costs))
    return Report("efs", size, [cold, trace, syscalls.table(spec)])


def ways(spec: SlideSpec) -> Sequence[Way]:
    """Return the ways to a tile of this slide: what each opens is there when they are returned."""
    slide = bench_slide(spec)
    return [
        Way("vsv lambda_handler, SVS", Handler, imported(slide, BENCH)[0]),
        Way("vsv lambda_handler, finished pyramid", Handler, finished(slide)),
        Way(DeepZoomGenerator256.name, DeepZoomGenerator256, slide),
        Way(TiffSlide.name, TiffSlide, slide),
        Way(Vips.name, Vips, slide),
    ]


def finished(slide: Path) -> Path:
    """Return the slide under the name that has a finished pyramid beside it."""
    make_pyramid(slide)
    return pyramid_twin(slide)


def trace_of(peer: type[Peer], spec: SlideSpec, size: str) -> Sequence[TileRequest]:
    """Return a part of the viewer's trace over the tile grid that the peer serves."""
    trace = Trace(peer.grid(spec.size, spec.tile), spec.downsamples)
    return trace.requests()[:: EVERY[size]]


def first(requests: Sequence[TileRequest], kind: LevelClass) -> TileRequest:
    """Return the first request for a tile of that class."""
    return next(request for request in requests if request.kind is kind)


def measure(way: Way, requests: Sequence[TileRequest], *, twice: bool = False) -> Run:
    """Open the slide in a fresh process on a fresh mount and ask for the tiles, in order.

    Raises NotMeasured.
    """
    with slow_folder(way.path.parent, BENCH) as folder:
        return in_fresh_process(_run, way, folder, bench_slide(ELSEWHERE), requests, twice)


def _run(
    way: Way, folder: SlowFolder, elsewhere: Path, requests: Sequence[TileRequest], twice: bool
) -> Run:
    loader = way.peer()
    loader.open(elsewhere)
    loader.tile(*TILE_ELSEWHERE)

    peer = way.peer()
    opened = _cost_of(folder, partial(peer.open, folder.path / way.path.name))
    passes = [_costs(folder, peer, requests) for _ in range(1 + twice)]
    return Run(opened, passes[0], passes[-1])


def _costs(folder: SlowFolder, peer: Peer, requests: Sequence[TileRequest]) -> Costs:
    costs: Costs = {kind: [] for kind in LevelClass}
    for each in requests:
        with suppress(Unserved):
            request = peer.request(each.address)
            costs[each.kind].append(_cost_of(folder, partial(peer.answer, request)))
    return costs


def _cost_of(folder: SlowFolder, action: Callable[[], object]) -> Cost:
    before = folder.counts()
    started = time.perf_counter()
    action()
    elapsed_s = time.perf_counter() - started
    calls = folder.counts() - before
    awaited = {kind: count for kind, count in calls.items() if kind not in _UNAWAITED}
    return Cost(awaited, elapsed_s * 1000)


def _first_row(way: Way, firsts: Mapping[LevelClass, Sequence[Run]]) -> Sequence[Cell]:
    opened = [each.opened for runs in firsts.values() for each in runs]
    row: list[Cell] = [
        way.name,
        median_low(cost.total for cost in opened),
        median(cost.ms for cost in opened),
    ]
    for kind, runs in firsts.items():
        row += [
            median_low(each.opened.total + each.cold[kind][0].total for each in runs),
            median(each.opened.ms + each.cold[kind][0].ms for each in runs),
        ]
    return [*row, str(firsts[LevelClass.NATIVE][0].cold[LevelClass.NATIVE][0])]


def _trace_row(way: Way, cache: str, costs: Costs) -> Sequence[Cell]:
    row: list[Cell] = [way.name, cache]
    for kind in (LevelClass.NATIVE, LevelClass.BETWEEN):
        times_ms = [cost.ms for cost in costs[kind]]
        row += [
            mean(cost.total for cost in costs[kind]),
            median(times_ms),
            percentile(times_ms, 0.95),
        ]
    every_ms = [cost.ms for each in costs.values() for cost in each]
    return [*row, 1000 * len(every_ms) / sum(every_ms)]
