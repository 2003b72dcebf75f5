"""Pre-rendering: a slide's whole pyramid by ``vsv prerender`` and by its peers.

Each tool is a process, and its processor time that of all its processes. They take turns. Files go
to memory (tmpfs) where there is room: a disk's ways with 30,000 new files would be noise.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.fidelity import Reference, encoder_alone, psnr_db, sample
from benchmarks.places import BENCH
from benchmarks.prerender_peers import DEEPZOOM_TILE, QUALITY, RUN
from benchmarks.report import Column, Report, Table, ratio
from benchmarks.slides import SPECS, SlideSpec, bench_slide
from local.settings import ROOT
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

__all__ = ["output_folder", "run"]

# The small slide shows that all works; its figures are rough.
_ROUNDS: Final = {"small": 1, "cmu1": 3}
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  not for secrets: it is tmpfs on every Linux
# A pyramid takes up to about three times the slide's bytes, and blocks of 4 KiB besides.
_ROOM: Final = 6
# openslide-python renders some 50 tiles a second: of more than this, only a part.
_TILES_IN_FULL: Final = 6000
_STEP: Final = 8
_MB: Final = 1e6

# Of tiles, and of the reference encoded alike, in dB; None where sizes differ.
_Psnr = tuple[float | None, float | None]


@dataclass
class _Tool:
    """One way to the pyramid: its command for a slide and an output folder."""

    name: str
    command: Callable[[Path, Path], Sequence[str]]
    pyramid: DeepZoom
    # Where in the output folder the levels are.
    files: str
    # One tile in this number is rendered; times and bytes are extrapolated.
    step: int = 1
    usages: list["_Usage"] = field(default_factory=list)
    # Of the first round, by downsample.
    psnr: Mapping[int, _Psnr] = field(default_factory=dict)
    # Over all files: one where all rounds wrote the same.
    digests: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Usage:
    """What a run took. Times in seconds; ``peak_bytes`` of the largest of its processes."""

    wall_s: float
    user_s: float
    system_s: float
    peak_bytes: int
    files: int
    file_bytes: int


def run(size: str) -> Report:
    """Pre-render a slide of that size (``small``, ``cmu1``)."""
    spec = SPECS[size]
    path = bench_slide(spec)
    tools = _tools(path, spec)
    where = output_folder(path)
    for number in range(_ROUNDS[size]):
        for tool in tools:
            # What is extrapolated is rough in any case.
            if number == 0 or tool.step == 1:
                _run_once(tool, path, where)
    return Report(
        "prerender", size, [_cost_table(tools, spec, where), _fidelity_table(tools, spec)]
    )


def _tools(path: Path, spec: SlideSpec) -> Sequence[_Tool]:
    own_grid = DeepZoom(Size(*spec.size), Size(spec.tile, spec.tile))
    tile, overlap = DEEPZOOM_TILE
    stock_grid = DeepZoom(Size(*spec.size), Size(tile, tile), overlap)
    step = _STEP if stock_grid.tile_count > _TILES_IN_FULL else 1
    cores = len(os.sched_getaffinity(0))

    def ours(workers: int) -> _Tool:
        def command(slide: Path, out: Path) -> Sequence[str]:
            prerender = (
                "vsv.standalone.cli",
                "prerender",
                f"{slide}",
                f"{out}",
                f"--workers={workers}",
            )
            return (sys.executable, "-m", *prerender)

        name = f"vsv prerender, {workers} worker{'s' if workers > 1 else ''}"
        return _Tool(name, command, own_grid, f"{path.stem}_files")

    def peer(slide: Path, out: Path, how: str, *more: str) -> Sequence[str]:
        module = "benchmarks.prerender_peers"
        return (sys.executable, "-m", module, how, f"{slide}", f"{out / 'peer'}", *more)

    def openslideload(slide: Path, out: Path) -> Sequence[str]:
        # Debian's libvips: the Python package's is built without OpenSlide.
        options = ("--tile-size=256", "--overlap=0", f"--suffix=.jpeg[Q={QUALITY}]")
        return ("vips", "dzsave", f"{slide}[access=sequential,rgb]", f"{out / 'peer'}", *options)

    return [
        ours(1),
        ours(2),
        _Tool(
            f"libvips tiffload + dzsave, {cores} threads",
            lambda slide, out: peer(slide, out, "dzsave"),
            own_grid,
            "peer_files",
        ),
        _Tool(
            f"libvips openslideload + dzsave, {cores} threads",
            openslideload,
            own_grid,
            "peer_files",
        ),
        _Tool(
            f"openslide-python, {cores} processes" + (f", 1 tile in {step}" if step > 1 else ""),
            lambda slide, out: peer(slide, out, "deepzoom", str(step)),
            stock_grid,
            "peer_files",
            step,
        ),
    ]


def output_folder(path: Path) -> Path:
    """Where to write the slide's pyramid: to memory, if there is room for it."""
    room = shutil.disk_usage(_MEMORY).free if _MEMORY.is_dir() else 0
    return _MEMORY if room > _ROOM * path.stat().st_size else BENCH


def _run_once(tool: _Tool, path: Path, where: Path) -> None:
    with (
        tempfile.TemporaryDirectory(dir=where, prefix="vsv-bench-") as name,
        tempfile.TemporaryFile("w+") as errors,
    ):
        out = Path(name)
        # Isolated and without site packages: a small process, see there.
        launcher = (sys.executable, "-I", "-S", str(ROOT / "benchmarks" / "usage.py"))
        done = subprocess.run(
            [*launcher, *tool.command(path, out)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        if done.returncode:
            errors.seek(0)
            raise RuntimeError(f"{tool.name} failed:\n{errors.read()}")
        taken = json.loads(done.stdout)
        files = out / tool.files
        sizes = [file.stat().st_size for file in files.rglob("*.jpeg")]
        tool.usages.append(
            _Usage(
                taken["wall_s"] * tool.step,
                taken["user_s"] * tool.step,
                taken["system_s"] * tool.step,
                taken["peak_bytes"],
                len(sizes) * tool.step,
                sum(sizes) * tool.step,
            )
        )
        tool.digests.add(_digest(out))
        tool.psnr = tool.psnr or dict(_psnr(tool, path, files))


def _digest(folder: Path) -> str:
    """Return a hash over the names and bytes of all files."""
    total = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        total.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _psnr(tool: _Tool, path: Path, files: Path) -> Iterator[tuple[int, _Psnr]]:
    """For each level: PSNR of a sample of tiles, and what their encoder alone costs."""
    reference = Reference(path, tool.pyramid)
    for level in tool.pyramid.levels:
        tiles, alone = [], []
        for address in _present(tool, level, files):
            data = _file(files, address).read_bytes()
            pixels = reference.tile(address)
            tiles.append((data, pixels))
            alone.append((encoder_alone(data, pixels), pixels))
        if tiles:
            yield tool.pyramid.downsample(level), (psnr_db(tiles), psnr_db(alone))


def _present(tool: _Tool, level: int, files: Path) -> Sequence[TileAddress]:
    """Return a sample of the level's tiles; where only a part was rendered, what there is of it."""
    cols = tool.pyramid.grid(level).width
    chosen = []
    for address in sample(tool.pyramid, level):
        # The next one that is there.
        first = address.row * cols + address.col
        for number in range(first, first + RUN * tool.step):
            following = TileAddress(level, number % cols, number // cols)
            if _file(files, following).exists():
                chosen.append(following)
                break
    return chosen


def _file(files: Path, address: TileAddress) -> Path:
    return files / f"{address.level}" / f"{address.col}_{address.row}.jpeg"


def _cost_table(tools: Sequence[_Tool], spec: SlideSpec, where: Path) -> Table:
    width, height = spec.size
    one, two = tools[:2]
    is_same = len(one.digests | two.digests) == 1
    table = Table(
        f"Pre-rendering: all levels of {width} × {height}",
        [
            Column("tool"),
            Column("grid"),
            Column("wall s", ".1f"),
            Column("user CPU s", ".1f"),
            Column("system CPU s", ".1f"),
            Column("peak MB a process", ",.0f"),
            Column("files", ",d"),
            Column("MB", ",.1f"),
            Column("user CPU: × ours", ",.2f"),
        ],
        notes=[
            f"JPEG quality {QUALITY}, chroma not subsampled; native tiles of vsv prerender are the "
            f"scanner's. Medians of {len(one.usages)} rounds; files on "
            + ("tmpfs." if where == _MEMORY else "disk."),
            f"1 and 2 workers wrote {'the same' if is_same else 'DIFFERENT'} bytes in all files.",
        ],
    )
    base = median(usage.user_s for usage in one.usages)
    for tool in tools:
        middle = {
            name: median(getattr(usage, name) for usage in tool.usages)
            for name in _Usage.__dataclass_fields__
        }
        table.rows.append(
            (
                tool.name,
                f"{tool.pyramid.tile.width}/{tool.pyramid.overlap}",
                middle["wall_s"],
                middle["user_s"],
                middle["system_s"],
                middle["peak_bytes"] / _MB,
                int(middle["files"]),
                middle["file_bytes"] / _MB,
                ratio(middle["user_s"], base),
            )
        )
        if tool.step > 1:
            table.notes.append(
                f"{tool.name}: one round; all but its memory is extrapolated from that part."
            )
    return table


def _fidelity_table(tools: Sequence[_Tool], spec: SlideSpec) -> Table:
    ours, _, *others = tools
    table = Table(
        "Pre-rendering: PSNR in dB of derived levels against box averages of level 0",
        [
            Column("downsample"),
            Column("vsv prerender", ".1f"),
            Column("encoder alone", ".1f"),
            *(Column(tool.name.split(",")[0], ".1f") for tool in others),
        ],
        notes=["A dash: tiles that have not DeepZoom's size, or none in the part rendered."],
    )
    for downsample, (psnr, alone) in ours.psnr.items():
        if downsample not in spec.downsamples:
            theirs = (tool.psnr.get(downsample, (None, None))[0] for tool in others)
            table.rows.append((f"{downsample}", psnr, alone, *theirs))
    return table
