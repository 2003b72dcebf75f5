"""The peers of ``vsv prerender`` that are Python: ``python -m benchmarks.prerender_peers …``.

``dzsave SLIDE OUT`` is libvips, ``deepzoom SLIDE OUT STEP`` openslide-python, rendering one tile in
STEP only. Both write beneath ``OUT_files``.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

__all__ = ["DEEPZOOM_TILE", "QUALITY", "RUN"]

# The quality of vsv prerender. From 90 on, libvips too leaves chroma alone.
QUALITY: Final = 90
# Tile size and overlap in pixels: the defaults of openslide-python's deepzoom_tile.py.
DEEPZOOM_TILE: Final = (254, 1)
# A part of the tiles is made of runs as long as this: neighbours share what OpenSlide has decoded.
RUN: Final = 64

_state: dict[str, Any] = {}


def _dzsave(slide: str, out: str) -> None:
    """libvips' tiffload, which reads JPEG tiles itself, and dzsave."""
    import pyvips

    pyvips.Image.tiffload(slide, access="sequential").dzsave(
        out,
        tile_size=256,
        overlap=0,
        depth="onepixel",
        suffix=f".jpeg[Q={QUALITY}]",
        keep="none",
    )


def _deepzoom(slide: str, out: str, step: int) -> None:
    """DeepZoomGenerator in a pool of processes, as deepzoom_tile.py has it."""
    workers = len(os.sched_getaffinity(0))
    _open(slide)
    tiles = _state["tiles"]
    work = [
        (level, col, row)
        for level in range(tiles.level_count)
        for row in range(tiles.level_tiles[level][1])
        for col in range(tiles.level_tiles[level][0])
    ]
    for level in range(tiles.level_count):
        Path(f"{out}_files", str(level)).mkdir(parents=True)
    jobs = [(out, *each) for number, each in enumerate(work) if number // RUN % step == 0]
    with ProcessPoolExecutor(workers, initializer=_open, initargs=(slide,)) as pool:
        for _ in pool.map(_save, jobs, chunksize=16):
            pass


def _open(slide: str) -> None:
    import openslide
    from openslide.deepzoom import DeepZoomGenerator

    _state["tiles"] = DeepZoomGenerator(openslide.OpenSlide(slide), *DEEPZOOM_TILE)


def _save(job: tuple[str, int, int, int]) -> None:
    out, level, col, row = job
    tile = _state["tiles"].get_tile(level, (col, row))
    tile.save(Path(f"{out}_files", str(level), f"{col}_{row}.jpeg"), quality=QUALITY)


if __name__ == "__main__":
    how, slide, out, *step = sys.argv[1:]
    if how == "deepzoom":
        _deepzoom(slide, out, *map(int, step))
    else:
        _dzsave(slide, out)
