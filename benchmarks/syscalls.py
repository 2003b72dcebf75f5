"""Which system calls of the handler's reach the images path, as ``strace`` sees them.

Run as a program, it is what ``strace`` watches: ``python -m benchmarks.syscalls IMAGES_PATH TILE…``
asks the handler for a tile of some other slide, which loads the code, and then for each tile.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.imports import ELSEWHERE, TILE_ELSEWHERE, imported
from benchmarks.peers import Handler, event
from benchmarks.places import BENCH, pyramid_twin
from benchmarks.processes import Command
from benchmarks.report import Column, Table
from benchmarks.slides import SlideSpec, bench_slide, make_pyramid
from benchmarks.trace import LevelClass, Trace
from local.settings import ROOT

__all__ = ["Counts", "table", "traced"]

Counts = Counter[str]

# A path that is nowhere: looking for it marks in the record where a request begins.
_MARK: Final = "/nowhere/next-request"
_CALL: Final = re.compile(r"^(?:\d+ +)?(?P<name>\w+)\((?P<rest>.*)$")
# Closing a file and asking what is open need no answer from the storage.
_LOCAL: Final = ("close", "lseek", "fcntl", "dup", "dup3")
_TRACE_TIMEOUT_S: Final = 120


def table(spec: SlideSpec) -> Table:
    """Return the system calls of a cold process's first native tile, and of the next ones."""
    slide = bench_slide(spec)
    on_efs = imported(slide, BENCH)[0]
    make_pyramid(slide)
    requests = Trace(Handler.grid(spec.size, spec.tile), spec.downsamples).requests()
    native = [each.address for each in requests if each.kind is LevelClass.NATIVE]
    between = [each.address for each in requests if each.kind is LevelClass.BETWEEN]
    asked = {
        "cold: first native tile": native[0],
        "warm: the same tile": native[0],
        "warm: another native tile": native[1],
        "warm: first between-level tile": between[0],
        "warm: another between-level tile": between[1],
    }
    result = Table(
        f"System calls of the handler's that reach the images path (strace), {spec.name}",
        [Column("tile"), Column("calls", "d"), Column("which")],
        notes=["close() and the like, which ask the storage nothing, are left out."],
    )
    for source, path in {"SVS": on_efs, "pyramid": pyramid_twin(slide)}.items():
        files = f"{path.stem}_files"
        names = [f"{files}/{level}/{col}_{row}.jpeg" for level, col, row in asked.values()]
        for what, calls in zip(asked, traced(path.parent, names), strict=True):
            which = ", ".join(f"{count} {name}" for name, count in calls.items())
            result.rows.append([f"{source}, {what}", calls.total(), which])
    return result


def traced(images_path: Path, tiles: Sequence[str]) -> Sequence[Counts]:
    """Have the handler asked for the tiles, and return each one's calls beneath the images path."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record")
        child: Command = [sys.executable, "-m", "benchmarks.syscalls", images_path, *tiles]
        subprocess.run(
            ["strace", "-f", "-y", "-s0", "-e", "trace=%file,%desc", "-o", record, *child],
            check=True,
            timeout=_TRACE_TIMEOUT_S,
            cwd=ROOT,
        )
        _, *parts = re.split(rf"^.*{_MARK}.*$", record.read_text(), flags=re.MULTILINE)
    return [_calls(part, str(images_path)) for part in parts]


def _calls(lines: str, images_path: str) -> Counts:
    found = (_CALL.match(line) for line in lines.splitlines() if images_path in line)
    names = (match["name"] for match in found if match)
    return Counter(name for name in names if name not in _LOCAL)


def _main(images_path: str, *tiles: str) -> None:
    elsewhere = bench_slide(ELSEWHERE)
    loader = Handler()
    loader.open(elsewhere)
    loader.tile(*TILE_ELSEWHERE)
    handler = Handler()
    handler.open(Path(images_path, "any.svs"))
    for tile in tiles:
        with suppress(FileNotFoundError):
            os.stat(_MARK)
        handler.jpeg(handler.answer(event(tile)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
