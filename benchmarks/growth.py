"""Growth: what tiles and imports take as the slide grows.

Tiles should not depend on it, imports should be linear. How a time grows is told by the power of
the number of pixels that fits it best: 0 where it does not grow, 1 where it is linear.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import linear_regression, median
from typing import Final

from benchmarks.imports import ELSEWHERE, TILE_ELSEWHERE, imported, in_fresh_process
from benchmarks.peers import Handler
from benchmarks.places import BENCH
from benchmarks.prerender import output_folder
from benchmarks.processes import Command
from benchmarks.report import Column, Report, Table
from benchmarks.slides import SlideSpec, bench_slide
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

__all__ = ["run"]

_SIZES: Final = {
    "small": ((2000, 2000), (4000, 4000), (8000, 8000)),
    "cmu1": ((8000, 8000), (16000, 16000), (32000, 32000), (64000, 64000), (100000, 80000)),
}
# Imports and cold processes a slide, and warm tiles of each class at random places.
_IMPORTS: Final = {"small": 1, "cmu1": 3}
_COLD: Final = {"small": 1, "cmu1": 7}
_WARM: Final = {"small": 20, "cmu1": 500}
# Downsamples: the slide's own, and one that it has not.
_CLASSES: Final = {"native": 1, "between": 2}


def run(size: str) -> Report:
    """Measure slides of growing size."""
    table = Table(
        "Growth: a tile and an import's steps as the slide grows",
        [
            *(Column("slide"), Column("Mpx", ",.0f"), Column("tiles", ",d")),
            *(
                Column(f"{state} {name}, ms", ".3f")
                for state in ("cold", "warm")
                for name in _CLASSES
            ),
            *(Column("import, s", ".3f"), Column("prerender, s", ".2f")),
            Column("tiles/s", ",.0f"),
        ],
        notes=[
            "Cold: a fresh process that has its code loaded opens the slide and answers one tile, "
            f"median of {_COLD[size]}; warm: median of {_WARM[size]} tiles at random places. "
            "The file is in the page cache.",
            "Import: ExtractMetadata reads the whole file for its SHA-256, writes the index and "
            "the associated images; its table is in memory. vsv prerender writes to memory where "
            "there is room.",
            "Growth: the power of the number of pixels that fits best. 0: flat, 1: linear; between "
            "them where what every import costs still counts.",
        ],
    )
    for each in _SIZES[size]:
        table.rows.append(_row(SlideSpec(each), size))
    columns = list(zip(*table.rows, strict=True))
    growth = [f"{_exponent(columns[1], column):+.2f}" for column in columns[3:]]
    table.rows.append(["growth", None, None, *growth])
    return Report("growth", size, [table])


def _row(spec: SlideSpec, size: str) -> list[float | str | None]:
    slide = bench_slide(spec)
    grid = Handler.grid(spec.size, spec.tile)
    elsewhere = bench_slide(ELSEWHERE)
    imports = [imported(slide, BENCH) for _ in range(_IMPORTS[size])]
    path = imports[0][0]
    cold_s, warm_s = [], []
    for downsample in _CLASSES.values():
        tiles = _random_tiles(grid, downsample, _WARM[size])
        first, *answers = in_fresh_process(_answers, elsewhere, path, tiles)
        others = [
            in_fresh_process(_answers, elsewhere, path, [tile])[0]
            for tile in tiles[1 : _COLD[size]]
        ]
        cold_s.append(median([first, *others]))
        warm_s.append(median(answers))
    prerender_s = _prerender(slide)
    width, height = spec.size
    return [
        f"{width:,} × {height:,}",
        width * height / 1e6,
        grid.tile_count,
        *(1000 * seconds for seconds in (*cold_s, *warm_s)),
        median(seconds for _, seconds in imports),
        prerender_s,
        grid.tile_count / prerender_s,
    ]


def _random_tiles(grid: DeepZoom, downsample: int, count: int) -> Sequence[TileAddress]:
    """Tiles inside the level, the same in every run."""
    level = grid.level_count - 1 - (downsample.bit_length() - 1)
    cols, rows = grid.grid(level)
    places = random.Random(204711)  # noqa: S311  no secret: a fixed choice
    return [
        TileAddress(level, places.randrange(cols - 1), places.randrange(rows - 1))
        for _ in range(count)
    ]


def _answers(elsewhere: Path, path: Path, tiles: Sequence[TileAddress]) -> Sequence[float]:
    """Return the handler's time for each tile, in seconds; the slide is opened before."""
    loader = Handler()
    loader.open(elsewhere)
    loader.tile(*TILE_ELSEWHERE)
    handler = Handler()
    handler.open(path)
    times_s = []
    for tile in tiles:
        request = handler.request(tile)
        started = time.perf_counter()
        answer = handler.answer(request)
        times_s.append(time.perf_counter() - started)
        handler.jpeg(answer)
    return times_s


def _prerender(slide: Path) -> float:
    """Seconds of ``vsv prerender`` on all cores."""
    with tempfile.TemporaryDirectory(dir=output_folder(slide)) as folder:
        command: Command = [Path(sys.executable).with_name("vsv"), "prerender", slide, folder]
        started = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started


def _exponent(sizes: Sequence[object], values: Sequence[object]) -> float:
    """Return the power of the sizes that the values follow: the slope of their logarithms."""
    logs = ([log(each) for each in series if isinstance(each, float)] for series in (sizes, values))
    return linear_regression(*logs).slope
