"""The reference slide of the estimates: its geometry, and how long its tiles and its import take.

Each figure names the table that it was measured in, or is marked as an assumption.
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import yaml

from benchmarks.trace import LevelClass, Trace
from local.settings import ROOT
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.plan import Band, Work

__all__ = [
    "CMU1",
    "COLD_START_S",
    "EFS_READ_S",
    "EFS_WRITE_S",
    "EXTRACT_S",
    "FINISH_S",
    "MAP_CONCURRENCY",
    "PARALLEL_TILES",
    "REFERENCE",
    "RENDER_TILE_S",
    "RUNTIME_S",
    "TILES_PER_PIECE",
    "TILES_PER_REPORT",
    "TILE_BYTES",
    "VIEWED_TILE_BYTES",
    "WRITES_PER_TILE",
    "ReferenceSlide",
    "default_of",
    "memory_mb",
    "state_machine",
    "tile_s",
]


# ─── Settings, from where they are made ──────────────────────────────────────────────────────────


@cache
def state_machine() -> dict[str, Any]:
    """Return the import workflow's definition."""
    text = (ROOT / "statemachines" / "import_slide.asl.yaml").read_text()
    definition: dict[str, Any] = yaml.safe_load(text)
    return definition


def default_of(parameter: str) -> str:
    """Return a parameter's default in ``func.template.yaml``."""
    return _found(rf"^  {parameter}:\n(?:    .*\n)*?    Default: (.*)$", "func.template.yaml")


def memory_mb(function: str) -> int:
    """Return a function's ``MemorySize`` in ``func.template.yaml``."""
    pattern = rf"^  {function}:\n(?:    .*\n|\n)*?      MemorySize: (\d+)$"
    return int(_found(pattern, "func.template.yaml"))


def _found(pattern: str, file: str) -> str:
    match = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    if match is None:
        raise LookupError(f"{file} has no {pattern}")
    return match[1]


TILES_PER_PIECE: Final = int(default_of("TilesPerPiece"))
MAP_CONCURRENCY: Final = int(default_of("ImportConcurrency"))
# Tiles that a viewer asks for at once; CloudFront speaks HTTP/2, so that the browser's six
# connections are no limit.
PARALLEL_TILES: Final = int(_found(r"PARALLEL_TILES = (\d+)", "web/src/viewer/slide-view.js"))
# Rendered tiles after which RenderTiles tells the record.
TILES_PER_REPORT: Final = int(
    _found(r"_TILES_PER_REPORT: Final = (\d+)", "layers/vsv/vsv/imports/steps.py")
)


# ─── The slide ───────────────────────────────────────────────────────────────────────────────────

# What a tile of a scanner's file takes, glass included. CMU-1, a public slide of 46,000 × 32,914
# pixels, is a file of 177,552,579 bytes for 24,735 tiles.
TILE_BYTES: Final = 7_200
# Tiles that are looked at show tissue: 15 KB in docs/speed.md, 17 to 23 elsewhere. An assumption.
VIEWED_TILE_BYTES: Final = 20_000


@dataclass(frozen=True)
class ReferenceSlide:
    """A slide by its geometry: tiles of 256 pixels, Aperio's levels by fours."""

    size: Size
    downsamples: tuple[int, ...] = (1, 4, 16)

    @cached_property
    def pyramid(self) -> DeepZoom:
        """Its DeepZoom pyramid on its own grid."""
        return DeepZoom(self.size, Size(256, 256))

    @property
    def own_levels(self) -> tuple[int, ...]:
        """DeepZoom levels whose tiles are the slide's own."""
        last = self.pyramid.level_count - 1
        return tuple(last - (downsample.bit_length() - 1) for downsample in self.downsamples)

    def levels(self, prerender: str) -> tuple[int, ...]:
        """Return the levels that become files with ``PrerenderLevels`` all, derived or none."""
        own = set(self.own_levels) if prerender == "derived" else set()
        return tuple(each for each in self.pyramid.levels if each not in own) * (
            prerender != "none"
        )

    def tiles(self, prerender: str = "all") -> int:
        """Count the tiles that become files."""
        return self.pyramid.count(self.levels(prerender))

    @property
    def file_bytes(self) -> int:
        """Size of the slide's file."""
        return self.pyramid.count(self.own_levels) * TILE_BYTES

    def work(self, prerender: str = "all") -> Work:
        """Return the work that ExtractMetadata plans."""
        finest = sorted(self.own_levels)
        coarsest = (0, *(level + 1 for level in finest[:-1]))
        bands = tuple(Band(*ends, True) for ends in zip(coarsest, finest, strict=True))
        levels = self.levels(prerender)
        return Work(self.pyramid, levels, bands if levels else ())

    def pieces(self, prerender: str = "all") -> int:
        """Count the calls of RenderTiles."""
        return sum(1 for _ in self.work(prerender).pieces(TILES_PER_PIECE))

    def new_tiles(self) -> list[int]:
        """Count each view's tiles that no earlier view had: the browser keeps those."""
        trace = Trace(self.pyramid, self.downsamples)
        seen: set[TileAddress] = set()
        counts = []
        for view in trace.views:
            shown = set(trace._tiles(view, trace._level(view)))
            counts.append(len(shown - seen))
            seen |= shown
        return counts


CMU1: Final = ReferenceSlide(Size(46_000, 32_914))
# 25 × 20 mm at 0.25 µm a pixel: a large section, the largest slide that the benchmarks measure.
REFERENCE: Final = ReferenceSlide(Size(100_000, 80_000))


# ─── A tile ──────────────────────────────────────────────────────────────────────────────────────

# `make bench BENCH=efs`, "Lambda, SVS on EFS" in docs/speed.md: tiles that nobody has read yet.
_TILE_S: Final = {LevelClass.NATIVE: 0.00112, LevelClass.BETWEEN: 0.0037}
# Lambda's runtime and Powertools around the handler; billed time is rounded up to 1 ms. Assumption.
RUNTIME_S: Final = 0.004
# A new environment: Lambda's own part, the mount, and the imports (`make bench BENCH=tile_service`:
# 0.07 s on a whole core). Assumption.
COLD_START_S: Final = 1.0


@cache
def tile_s() -> float:
    """Return the handler's mean seconds for a tile of the trace."""
    requests = Trace(REFERENCE.pyramid, REFERENCE.downsamples).requests()
    own = sum(each.kind is LevelClass.NATIVE for each in requests) / len(requests)
    return own * _TILE_S[LevelClass.NATIVE] + (1 - own) * _TILE_S[LevelClass.BETWEEN]


# ─── An import ───────────────────────────────────────────────────────────────────────────────────

# What AWS names for one operation on a Regional file system with elastic throughput:
# "Amazon EFS performance specifications".
EFS_READ_S: Final = 0.001
EFS_WRITE_S: Final = 0.0027
# A tile's file is created under another name, written, and renamed (vsv.storage.atomic_files).
WRITES_PER_TILE: Final = 3
# docs/speed.md: 5.3 s of one core for 31,106 tiles. To that come writes, and of 5 tiles of a unit
# two questions whether they are there and two reads.
RENDER_TILE_S: Final = 5.3 / 31_106 + WRITES_PER_TILE * EFS_WRITE_S + 4 / 5 * EFS_READ_S
# docs/speed.md: 2.4 s for the pass over a file in the page cache. From EFS at 200 MB/s (assumption)
# 5 s more; the writes of its index are few.
EXTRACT_S: Final = 2.4 + REFERENCE.file_bytes / 200e6
# Counting the tiles: a listing of 163,547 names. Assumption.
FINISH_S: Final = 10.0
