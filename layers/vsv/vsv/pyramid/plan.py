"""Pre-rendering: choose the levels, plan the work, check that the result is complete.

The work is cut into *units* that share no pixel, so that any number of workers renders the same
bytes. Where the pyramid lies on the slide's own tile grid, its levels form *bands*: a native level
and the levels that are derived from it, up to the next native one. A unit is then one tile of the
band's coarsest level with all finer tiles of the band beneath it: every source tile belongs to one
unit, and is decoded once. On any other grid each tile is a unit of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vsv.errors import IncompletePyramid
from vsv.pyramid.deepzoom import DeepZoom, TileAddress
from vsv.pyramid.image_store import ImageStore
from vsv.pyramid.native import default_pyramid, native_level, slide_levels
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile import MAX_PIXELS_ON_REQUEST, source_pixels
from vsv.slides.damage import TileNumber
from vsv.slides.slide import Slide

__all__ = ["Band", "Work", "check_complete", "levels_to_render", "tiles_over"]


def levels_to_render(slide: Slide, which: str) -> tuple[int, ...]:
    """Return the levels of the slide's own grid that are pre-rendered, the finest first.

    ``all``: a complete DeepZoom pyramid, which any web server can serve. ``derived``: not those
    whose tiles are the slide's own, which cost no rendering when they are asked for (about a
    quarter of the files are left). ``none``: everything is made when it is asked for, but for
    levels that would keep viewers waiting.
    """
    pyramid = default_pyramid(slide)
    if which == "all":
        return pyramid.levels
    if which == "none":
        return tuple(
            level
            for level in pyramid.levels
            if source_pixels(slide, pyramid, level) > MAX_PIXELS_ON_REQUEST
        )
    native = {band.finest for band in _bands(slide, pyramid) if band.is_native}
    return tuple(level for level in pyramid.levels if level not in native)


def tiles_over(
    pyramid: DeepZoom, levels: Iterable[int], slide: Slide, tiles: Iterable[TileNumber]
) -> set[TileAddress]:
    """Return the tiles of the pyramid's levels that show a part of these tiles of the slide.

    Levels that are finer than a tile's show nothing of it.
    """
    found: set[TileAddress] = set()
    for tile in tiles:
        source = slide.levels[tile.level]
        for level in levels:
            downsample = pyramid.downsample(level)
            if downsample < source.downsample:
                continue
            cols, rows = (
                _span(number, length * source.downsample, downsample, pyramid, axis, level)
                for axis, number, length in (
                    (0, tile.col, source.image.tile_width),
                    (1, tile.row, source.image.tile_height),
                )
            )
            found.update(TileAddress(level, col, row) for row in rows for col in cols)
    return found


def _span(
    number: int, l0_length: int, downsample: int, pyramid: DeepZoom, axis: int, level: int
) -> range:
    """Return, along one axis, the tiles of the level that show a part of the slide's tile."""
    z_start = number * l0_length // downsample - pyramid.overlap
    z_stop = -(-(number + 1) * l0_length // downsample) + pyramid.overlap
    length, count = pyramid.tile[axis], pyramid.grid(level)[axis]
    return range(max(z_start, 0) // length, min(-(-z_stop // length), count))


@dataclass(frozen=True)
class Band:
    """DeepZoom levels that are rendered together, from ``coarsest`` to ``finest``.

    ``is_native``: the finest one's tiles are the slide's own, and can be copied.
    """

    coarsest: int
    finest: int
    is_native: bool


@dataclass(frozen=True)
class Work:
    """All units of a pyramid, numbered: the coarsest band first, within a band by rows.

    (The coarsest band has one unit, the largest of all, so workers begin with it.)
    """

    pyramid: DeepZoom
    levels: tuple[int, ...]
    bands: tuple[Band, ...]

    @classmethod
    def of(cls, slide: Slide, pyramid: DeepZoom, levels: Sequence[int]) -> "Work":
        """Return the work of rendering these levels of the pyramid."""
        wanted = set(levels)
        bands = tuple(
            band
            for band in _bands(slide, pyramid)
            if wanted.intersection(range(band.coarsest, band.finest + 1))
        )
        return cls(pyramid, tuple(levels), bands)

    def pieces(self, tiles_per_piece: int) -> Iterator[tuple[int, int]]:
        """Yield ranges ``start, stop`` of units with about that many tiles; at least one unit."""
        first = 0
        for band in self.bands:
            cols, rows = self.pyramid.grid(band.coarsest)
            tiles = self.pyramid.count([*range(band.coarsest, band.finest + 1)])
            step = max(1, tiles_per_piece * cols * rows // tiles)
            for start in range(0, cols * rows, step):
                yield first + start, first + min(start + step, cols * rows)
            first += cols * rows

    def units(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[Band, TileAddress]]:
        """Yield the units ``start`` to ``stop`` (default: all) by band and coarsest tile."""
        first = 0
        for band in self.bands:
            cols, rows = self.pyramid.grid(band.coarsest)
            last = cols * rows if stop is None else min(stop - first, cols * rows)
            for number in range(max(start - first, 0), last):
                row, col = divmod(number, cols)
                yield band, TileAddress(band.coarsest, col, row)
            first += cols * rows

    def beneath(self, band: Band, root: TileAddress) -> Iterator[TileAddress]:
        """Yield the unit's tiles that are to be rendered, the coarsest first."""
        for level in range(band.coarsest, band.finest + 1):
            if level in self.levels:
                cols, rows = self.pyramid.grid(level)
                span = 1 << level - root.level
                for row in range(root.row * span, min((root.row + 1) * span, rows)):
                    for col in range(root.col * span, min((root.col + 1) * span, cols)):
                        yield TileAddress(level, col, row)


def check_complete(index: SlideIndex, store: ImageStore) -> None:
    """Raise IncompletePyramid, naming the levels, where tiles of the index's levels are missing."""
    missing = []
    for level in index.levels:
        found, expected = store.count_tiles(level), index.pyramid.count([level])
        if found < expected:
            missing.append(f"level {level} has {found} of {expected} tiles")
    if missing:
        raise IncompletePyramid("the pyramid is incomplete: " + ", ".join(missing))


def _bands(slide: Slide, pyramid: DeepZoom) -> list[Band]:
    """Return all levels of the pyramid in bands, the coarsest first."""
    own = default_pyramid(slide)
    # A tile has four beneath it only if it can be halved.
    if pyramid != own or own.tile.width % 2 or own.tile != slide.levels[0].image.tile:
        return [Band(level, level, False) for level in reversed(pyramid.levels)]
    native = {
        number: native_level(slide, pyramid, number) is not None
        for number, level in slide_levels(slide).items()
        if level.image.tile == own.tile
    }
    coarsest = [0, *(finest + 1 for finest in sorted(native)[:-1])]
    return [
        Band(first, finest, native[finest])
        for first, finest in zip(coarsest, sorted(native), strict=True)
    ]
