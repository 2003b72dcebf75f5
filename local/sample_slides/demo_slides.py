"""The slides of the demonstration: three cases, made of the real slide's tissue.

| case | what one sees |
| --- | --- |
| S26-05102 | skin in serial sections: H&E twice, keratin, and a scan that is out of focus |
| S26-05118 | a tissue microarray of 61 cores, 40,960 pixels wide; the same in keratin at 10× |
| S26-05133 | a shave biopsy: one slide whose label has no barcode, one whose file is cut off |

The real slide has a handwritten label, and no case until a technician types one.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from local.sample_slides import scan, tissue
from local.sample_slides.encoding import Pixels
from local.sample_slides.pictures import paper_label
from local.sample_slides.scan import TILE, Scan
from local.sample_slides.tissue import Piece

__all__ = ["SLIDES", "VERSION", "DemoSlide", "make"]

# Part of the names in the cache: change it when the slides change.
VERSION: Final = 1

_MPP_UM: Final = 0.499
_AROUND_A_PIECE_PX: Final = 2 * TILE
# Of a microarray: cells with a core each, and the cells whose core is lost.
_ARRAY: Final = (16, 4)
_CELL_TILES: Final = 10
_LOST: Final = frozenset({(3, 0), (12, 2), (15, 3)})
_CORES: Final = ((1130, 2380), (1050, 2250), (1250, 2400), (980, 2400), (1340, 2340), (1080, 2120))
# A truncated file ends amid the first level.
_KEPT_OF_A_TRUNCATED_FILE: Final = 0.4


class Stock:
    """The real slide's tissue, and what is made of it for more than one slide."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels

    @cached_property
    def section(self) -> Piece:
        """Return the tissue as a section, in H&E."""
        return tissue.section(self._pixels)

    @cached_property
    def keratin_section(self) -> Piece:
        """Return the tissue as a section, stained for keratin."""
        return tissue.section(self._keratin)

    @cached_property
    def _keratin(self) -> Pixels:
        return tissue.keratin(self._pixels)

    def cores(self, *, keratin: bool) -> list[Piece]:
        """Return twelve cores of a microarray."""
        pixels = self._keratin if keratin else self._pixels
        return [
            tissue.core(pixels, center, number).turned(90 * number + 37 * mirrored, bool(mirrored))
            for mirrored in range(2)
            for number, center in enumerate(_CORES)
        ]


@dataclass(frozen=True)
class DemoSlide:
    """A slide of the demonstration, by its file's name in the scanner's folder.

    ``slide_id`` is printed on the label, and is in its Data Matrix if it ``has_barcode``. A slide
    that ``fails`` cannot be imported.
    """

    filename: str
    slide_id: str
    stain: str
    subject: str
    scanned: str
    pixels: Callable[[Stock], Scan]
    mpp_um: float = _MPP_UM
    has_barcode: bool = True
    fails: bool = False

    @property
    def image_id(self) -> str:
        """Return the scanner's number of the scan."""
        return str(510_000 + SLIDES.index(self))

    def label(self) -> Image.Image:
        """Return the label's picture."""
        case, _, part = self.slide_id.rpartition("-")
        lines = (case, f"{part}  {self.stain}", self.subject)
        return paper_label(lines, self.slide_id if self.has_barcode else None)

    def properties(self) -> dict[str, str]:
        """Return the properties in the ImageDescription."""
        date, time = self.scanned.split()
        return {
            "AppMag": f"{10 / self.mpp_um:.0f}",
            "MPP": f"{self.mpp_um:.4f}",
            "Date": date,
            "Time": time,
            "Time Zone": "GMT+01:00",
            "ScanScope ID": "SS1302",
            "ImageID": self.image_id,
            "Stain": self.stain,
        }


def make(slide: DemoSlide, stock: Stock, path: Path) -> Path:
    """Write the slide's file and return its path."""
    partial = path.with_name(path.name + ".partial")
    scan.write(partial, slide.pixels(stock), slide.label(), slide.mpp_um, slide.properties())
    if slide.fails:
        os.truncate(partial, int(partial.stat().st_size * _KEPT_OF_A_TRUNCATED_FILE))
    return partial.replace(path)


def _row(pieces: Iterable[Piece], offsets: Iterable[tuple[int, int]]) -> Scan:
    """Return a scan of pieces side by side, each moved from its place's middle by its offset."""
    blocks = []
    places: dict[tuple[int, int], int] = {}
    col = 1
    rows = 0
    for piece, offset in zip(pieces, offsets, strict=True):
        width, height = (_whole_tiles(side + _AROUND_A_PIECE_PX) for side in piece.image.size)
        blocks.append(piece.on_glass((width, height), offset))
        places[col, 1] = len(places)
        col += width // TILE
        rows = max(rows, height // TILE)
    # Scanners cut a scan at any pixel.
    return Scan((col + 1) * TILE - 77, (rows + 2) * TILE - 41, blocks, places)


def _whole_tiles(length: int) -> int:
    return -(-length // TILE) * TILE


def _sections(*degrees: float, keratin: bool = False) -> Callable[[Stock], Scan]:
    """Return what makes a ribbon of serial sections, each turned a little."""

    def pixels(stock: Stock) -> Scan:
        section = stock.keratin_section if keratin else stock.section
        offsets = [(0, round(18 * angle) % 180 - 90) for angle in degrees]
        return _row([section.turned(angle) for angle in degrees], offsets)

    return pixels


def _out_of_focus(stock: Stock) -> Scan:
    return _row([tissue.blurred(stock.section.turned(angle)) for angle in (-3, 5)], [(0, 0)] * 2)


def _shave(degrees: float) -> Callable[[Stock], Scan]:
    """Return what makes a single section that lies on its side."""
    return lambda stock: _row([stock.section.turned(degrees, mirror=True)], [(0, 0)])


def _microarray(*, keratin: bool, shrink: int) -> Callable[[Stock], Scan]:
    """Return what makes a microarray; ``shrink`` is how many pixels of the tissue make one."""

    def pixels(stock: Stock) -> Scan:
        side = _CELL_TILES * TILE
        cells = [
            core.on_glass((side, side), (37 * number % 160 - 80, 53 * number % 140 - 70))
            for number, core in enumerate(stock.cores(keratin=keratin))
        ]
        if shrink > 1:
            cells = [np.asarray(Image.fromarray(cell).reduce(shrink)) for cell in cells]
        tiles = _CELL_TILES // shrink
        cols, rows = _ARRAY
        places = {
            (col * tiles, row * tiles): (7 * col + 5 * row) % len(cells)
            for col in range(cols)
            for row in range(rows)
            if (col, row) not in _LOST
        }
        return Scan(cols * tiles * TILE, rows * tiles * TILE, cells, places)

    return pixels


SLIDES: Final = (
    DemoSlide(
        filename="skin_1.svs",
        slide_id="S26-05102-A1",
        stain="H&E",
        subject="SKIN",
        scanned="03/10/2026 08:14:09",
        pixels=_sections(-4, 3, 8),
    ),
    DemoSlide(
        filename="skin_2.svs",
        slide_id="S26-05102-A2",
        stain="H&E",
        subject="SKIN",
        scanned="03/10/2026 08:17:41",
        pixels=_sections(-1, 5, 11),
    ),
    DemoSlide(
        filename="skin_keratin.svs",
        slide_id="S26-05102-A3",
        stain="AE1/AE3",
        subject="SKIN",
        scanned="03/11/2026 15:32:50",
        pixels=_sections(2, 6, keratin=True),
    ),
    DemoSlide(
        filename="skin_out_of_focus.svs",
        slide_id="S26-05102-A4",
        stain="H&E",
        subject="SKIN",
        scanned="03/10/2026 08:21:16",
        pixels=_out_of_focus,
    ),
    DemoSlide(
        filename="microarray.svs",
        slide_id="S26-05118-T1",
        stain="H&E",
        subject="TMA",
        scanned="03/12/2026 10:02:27",
        pixels=_microarray(keratin=False, shrink=1),
    ),
    DemoSlide(
        filename="microarray_keratin.svs",
        slide_id="S26-05118-T2",
        stain="AE1/AE3",
        subject="TMA",
        scanned="03/12/2026 10:19:03",
        pixels=_microarray(keratin=True, shrink=2),
        mpp_um=2 * _MPP_UM,
    ),
    DemoSlide(
        filename="shave_1.svs",
        slide_id="S26-05133-B1",
        stain="H&E",
        subject="SHAVE",
        scanned="03/13/2026 09:40:55",
        pixels=_shave(84),
    ),
    DemoSlide(
        filename="shave_without_barcode.svs",
        slide_id="S26-05133-B2",
        stain="H&E",
        subject="SHAVE",
        scanned="03/13/2026 09:43:38",
        pixels=_shave(96),
        has_barcode=False,
    ),
    DemoSlide(
        filename="shave_cut_off.svs",
        slide_id="S26-05133-B3",
        stain="H&E",
        subject="SHAVE",
        scanned="03/13/2026 09:46:12",
        pixels=_shave(79),
        fails=True,
    ),
)
