"""Pre-rendering: plan the work, render a piece of it, and say whether all is there.

A pyramid's tiles are numbered (``DeepZoom.tiles``), and a piece of work is a range of numbers. A
tile that is on disk is whole and is left alone, so a piece can be repeated and resumes where it was
killed.
"""

import os
from collections.abc import Callable, Iterator

from vsv.deepzoom import DeepZoom
from vsv.errors import IncompletePyramid
from vsv.slides import Slide
from vsv.storage import Storage, write_whole
from vsv.tiles import render_tile

__all__ = ["check_complete", "plan", "render"]


def plan(pyramid: DeepZoom, tiles_per_piece: int) -> Iterator[tuple[int, int]]:
    """Split the pyramid's tiles into ranges ``start, stop`` of at most ``tiles_per_piece``."""
    for start in range(0, pyramid.tile_count, tiles_per_piece):
        yield start, min(start + tiles_per_piece, pyramid.tile_count)


def render(
    slide: Slide,
    pyramid: DeepZoom,
    storage: Storage,
    image_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    quality: int,
    on_tile: Callable[[bool], None] = lambda _: None,
) -> None:
    """Render the tiles ``start`` to ``stop`` that are not there yet.

    ``on_tile`` is told of each tile whether it was rendered now (or was there already). Raises
    UnreadableSlide where the slide is damaged; what was rendered until then stays.
    """
    for address in pyramid.tiles(start, stop):
        path = storage.tile(image_id, address)
        missing = not os.path.exists(path)
        if missing:
            write_whole(path, render_tile(slide, pyramid, address, "jpeg", quality))
        on_tile(missing)


def check_complete(pyramid: DeepZoom, storage: Storage, image_id: str) -> None:
    """Raise IncompletePyramid, naming the levels, where tiles are missing."""
    found = storage.complete_levels(image_id, pyramid)
    missing = []
    for level in range(pyramid.level_count):
        cols, rows = pyramid.grid(level)
        if found[level] < cols * rows:
            missing.append(f"level {level} has {found[level]} of {cols * rows} tiles")
    if missing:
        raise IncompletePyramid("the pyramid is incomplete: " + ", ".join(missing))
