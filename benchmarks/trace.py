"""A fixed viewer trace: what a pathologist's screen shows, and the tiles that it takes.

The path is the same for every tile grid: the slide opens as a whole, then places spread evenly
over it are zoomed in on, panned at full and at intermediate resolutions, and left again. A viewer
draws from the coarsest level that has at least the screen's resolution; while it opens a slide it
asks for the coarser levels too, down to the one that is a single tile. What it has it does not ask
for again.

Coordinate planes as in ``vsv.pyramid.deepzoom``: ``l0_`` pixels of the slide at full resolution.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor, log2
from typing import Final

from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

__all__ = ["SCREEN", "LevelClass", "TileRequest", "Trace", "View"]

# The viewport in pixels.
SCREEN: Final = Size(1920, 1080)

# Powers of the plastic number's inverse: their multiples, modulo one, spread over the plane evenly.
_SPREAD: Final = (0.7548776662466927, 0.5698402909980532)
# From one view to the next when zooming in.
_ZOOM_STEP: Final = 2.0
# Slide pixels to a screen pixel at which one pans.
_PAN_SCALES: Final = (1.0, 1.0, 2.0, 3.0)
_PANS: Final = 6
# A pan moves the view by this share of the screen.
_PAN_SHARE: Final = (0.6, 0.45)
# One place to this number of pixels of the slide; but a few on a small one.
_PIXELS_PER_PLACE: Final = 190_000_000
_FEWEST_PLACES: Final = 2


class LevelClass(StrEnum):
    """What a tile costs a server that reads the slide itself."""

    NATIVE = "native"  # whole tiles of one of the slide's own levels
    EDGE = "edge"  # tiles of those levels that the right or the bottom border cuts
    BETWEEN = "between"  # levels between the slide's own
    TOP = "top"  # levels above the slide's coarsest


@dataclass(frozen=True)
class View:
    """One state of the screen: its left top corner, and slide pixels to a screen pixel."""

    l0_left: float
    l0_top: float
    scale: float


@dataclass(frozen=True)
class TileRequest:
    """One tile that the viewer asks for, in DeepZoom's numbers."""

    address: TileAddress
    kind: LevelClass


@dataclass(frozen=True)
class Trace:
    """The views and tiles over one tile grid. ``downsamples`` are those of the slide's levels."""

    pyramid: DeepZoom
    downsamples: Sequence[int]

    @property
    def views(self) -> Sequence[View]:
        """All states of the screen, in order."""
        return list(_views(self.pyramid.size))

    @property
    def screen_megapixels(self) -> float:
        """What the screen shows in the course of the trace, in millions of pixels."""
        return len(self.views) * SCREEN.width * SCREEN.height / 1e6

    def requests(self) -> Sequence[TileRequest]:
        """Return the tiles that the viewer asks for, in order, none twice."""
        addresses: dict[TileAddress, None] = {}
        first, *rest = self.views
        finest = self._level(first)
        for level in range(finest + 1):
            if max(self.pyramid.level_size(level)) > max(self.pyramid.tile) // 2:
                addresses.update(dict.fromkeys(self._tiles(first, level)))
        for view in rest:
            addresses.update(dict.fromkeys(self._tiles(view, self._level(view))))
        return [TileRequest(address, self.kind(address)) for address in addresses]

    def kind(self, address: TileAddress) -> LevelClass:
        """Which class of level the tile is of."""
        downsample = self.pyramid.downsample(address.level)
        if downsample > max(self.downsamples):
            return LevelClass.TOP
        if downsample not in self.downsamples:
            return LevelClass.BETWEEN
        last = self.pyramid.grid(address.level)
        is_edge = address.col == last.width - 1 or address.row == last.height - 1
        return LevelClass.EDGE if is_edge else LevelClass.NATIVE

    def _level(self, view: View) -> int:
        """Return the coarsest level that has at least the screen's resolution."""
        return max(self.pyramid.level_count - 1 - max(floor(log2(view.scale)), 0), 0)

    def _tiles(self, view: View, level: int) -> Iterator[TileAddress]:
        downsample = self.pyramid.downsample(level)
        cols, rows = self.pyramid.grid(level)
        l0_tile = Size(*(length * downsample for length in self.pyramid.tile))
        l0_right = view.l0_left + SCREEN.width * view.scale
        l0_bottom = view.l0_top + SCREEN.height * view.scale
        first_col, last_col = _span(view.l0_left, l0_right, l0_tile.width, cols)
        first_row, last_row = _span(view.l0_top, l0_bottom, l0_tile.height, rows)
        for row in range(first_row, last_row):
            for col in range(first_col, last_col):
                yield TileAddress(level, col, row)


def _span(start: float, stop: float, length: int, count: int) -> tuple[int, int]:
    """Return the first tile that the range touches, and the one after the last."""
    return max(floor(start / length), 0), min(floor((stop - 1) / length) + 1, count)


def _views(size: Size) -> Iterator[View]:
    home = max(size.width / SCREEN.width, size.height / SCREEN.height)
    yield _centred(size, size.width / 2, size.height / 2, home)
    places = max(size.width * size.height // _PIXELS_PER_PLACE, _FEWEST_PLACES)
    for number in range(1, places + 1):
        l0_x, l0_y = (
            length * (number * spread % 1) for length, spread in zip(size, _SPREAD, strict=True)
        )
        target = _PAN_SCALES[number % len(_PAN_SCALES)]
        scale = home
        while scale / _ZOOM_STEP > target:
            scale /= _ZOOM_STEP
            yield _centred(size, l0_x, l0_y, scale)
        # To and fro, as one reads: a row of views, one down, a row back.
        for step in range(_PANS):
            direction = 1 if number % 2 else -1
            yield _centred(size, l0_x, l0_y, target)
            if step % 3 == 2:
                l0_y += _PAN_SHARE[1] * SCREEN.height * target
            else:
                l0_x += direction * _PAN_SHARE[0] * SCREEN.width * target
    # A corner is looked at too: borders are where scanners and viewers disagree.
    for target in (1.0, 4.0):
        yield _centred(size, size.width, size.height, target)


def _centred(size: Size, l0_x: float, l0_y: float, scale: float) -> View:
    """Return the view with that centre, moved so that it shows no more outside than it must."""

    def start(centre: float, length: int, screen: int) -> float:
        extent = screen * scale
        if extent >= length:
            return (length - extent) / 2
        return min(max(centre - extent / 2, 0), length - extent)

    return View(
        start(l0_x, size.width, SCREEN.width), start(l0_y, size.height, SCREEN.height), scale
    )
