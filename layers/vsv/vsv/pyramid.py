"""Pre-rendering: choose the levels, plan the work, render a piece, say whether all is there.

The tiles of the chosen levels are numbered (``DeepZoom.tiles``), and a piece of work is a range of
numbers. A tile that is on disk is whole and is left alone, so a piece can be repeated and resumes
where it was killed.
"""

import os
from collections.abc import Callable, Iterator

from vsv.deepzoom import DeepZoom
from vsv.errors import IncompletePyramid
from vsv.index import SlideIndex
from vsv.slides import Slide
from vsv.storage import Storage, write_whole
from vsv.tiles import is_native, render_tile

__all__ = ["check_complete", "levels_to_render", "plan", "render"]


def levels_to_render(slide: Slide, pyramid: DeepZoom, which: str) -> tuple[int, ...]:
    """The levels that are pre-rendered, the finest first.

    ``all``: a complete DeepZoom pyramid, which any web server can serve. ``derived``: not those
    whose tiles are the slide's own, which cost no rendering when they are asked for (about a
    quarter of the files are left). ``none``: everything is made when it is asked for.
    """
    if which == "all":
        return pyramid.levels
    if which == "none":
        return ()
    return tuple(
        level
        for level in pyramid.levels
        if not is_native(slide, pyramid.tile, pyramid.downsample(level))
    )


def plan(tile_count: int, tiles_per_piece: int) -> Iterator[tuple[int, int]]:
    """Split the tiles into ranges ``start, stop`` of at most ``tiles_per_piece``."""
    for start in range(0, tile_count, tiles_per_piece):
        yield start, min(start + tiles_per_piece, tile_count)


def render(
    slide: Slide,
    index: SlideIndex,
    storage: Storage,
    image_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    on_tile: Callable[[bool], None] = lambda _: None,
) -> None:
    """Render the tiles ``start`` to ``stop`` of the index's levels that are not there yet.

    ``on_tile`` is told of each tile whether it was rendered now (or was there already). Raises
    UnreadableSlide where the slide is damaged; what was rendered until then stays.
    """
    pyramid = index.pyramid
    for address in pyramid.tiles(start, stop, index.levels):
        path = storage.tile(image_id, address)
        missing = not os.path.exists(path)
        if missing:
            write_whole(path, render_tile(slide, pyramid, address, "jpeg", index.quality))
        on_tile(missing)


def check_complete(index: SlideIndex, storage: Storage, image_id: str) -> None:
    """Raise IncompletePyramid, naming the levels, where tiles of the index's levels are missing."""
    missing = []
    for level in index.levels:
        found, expected = storage.count_tiles(image_id, level), index.pyramid.count([level])
        if found < expected:
            missing.append(f"level {level} has {found} of {expected} tiles")
    if missing:
        raise IncompletePyramid("the pyramid is incomplete: " + ", ".join(missing))
