"""Slides for the benchmarks, as large as is wanted, made of the real sample's tissue.

The sample is cropped and mirrored to a pattern that repeats without a seam. Its period is a whole
number of tiles and of pixels on every level, so a slide of any size consists of few distinct tiles:
each is encoded once and written as often as it occurs. Coarser levels are box averages of level 0
to the pixel, with Aperio's sizes (rounded down) and Aperio's white behind the right and the bottom
border.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import imagecodecs
import numpy as np
import openslide
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks.places import IMAGES, pyramid_files, pyramid_twin
from local.samples import real_slide
from local.settings import CACHE

__all__ = ["CODINGS", "SPECS", "SlideSpec", "bench_slide", "make_pyramid", "tissue_share"]


# Aperio's: each level has a quarter of the pixels along each axis. The last one only if needed.
_DOWNSAMPLES: Final = (1, 4, 16, 64)
_MIRRORED: Final = 2
_JPEG_BLOCK: Final = 8
# A scanner adds a level for as long as the last one is too large to be shown at once.
_LARGEST_TOP: Final = 8000
# Classic TIFF has offsets of 32 bits; the rest is for directories and associated images.
_CLASSIC_BYTES: Final = 2**32 - 2**26
_WHITE: Final = 255
# A pixel with a color darker than this, of 255, shows tissue; the sample's glass is at 243.
_GLASS: Final = 225

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class SlideSpec:
    """What to generate: sizes in pixels, ``quality`` as libjpeg counts it (1..95).

    ``coding`` is RGB, or how YCbCr's chroma is subsampled. Aperio's scanners write both, with the
    JPEG tables stored once a level. The real sample's tiles are RGB, by the tables of quality 30.
    """

    size: tuple[int, int]
    tile: int = 256
    coding: Literal["RGB", "4:4:4", "4:2:2", "4:2:0"] = "RGB"
    quality: int = 30

    @property
    def downsamples(self) -> Sequence[int]:
        """Downsamples of the levels, level 0 first."""
        small = max(self.size) // _DOWNSAMPLES[2] <= _LARGEST_TOP
        return _DOWNSAMPLES[:3] if small else _DOWNSAMPLES

    @property
    def name(self) -> str:
        """The file's name without its ending: it tells the parameters."""
        width, height = self.size
        kind = "RGB" if self.coding == "RGB" else f"YCC{self.coding.replace(':', '')}"
        return f"{width}x{height}-{self.tile}-{kind}-q{self.quality}"


# What the benchmarks' ``--size`` names. CMU-1, the slide that the sample was cut from, measures
# 46,000 × 32,914.
SPECS = {"small": SlideSpec((8111, 6037)), "cmu1": SlideSpec((46000, 32914))}
# How tiles are coded, and how many pixels a sample of chroma then is wide and high.
CODINGS: Final = {"RGB": (1, 1), "4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}


def bench_slide(spec: SlideSpec) -> Path:
    """Return the slide's path, generated beneath ``.local/bench`` the first time."""
    path = IMAGES / f"{spec.name}.svs"
    if not path.exists():
        IMAGES.mkdir(parents=True, exist_ok=True)
        # One run's own name: two runs may generate the same slide at once.
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            _write(partial, spec)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def make_pyramid(slide: Path, *, again: bool = False) -> None:
    """Have ``vsv prerender`` make the slide's finished pyramid, if it is not there or ``again``."""
    twin = pyramid_twin(slide)
    descriptor = twin.with_suffix(".dzi")
    if again:
        descriptor.unlink(missing_ok=True)
        shutil.rmtree(pyramid_files(slide), ignore_errors=True)
    if not descriptor.exists():
        if not twin.exists():
            os.link(slide, twin)
        command = [
            sys.executable,
            "-m",
            "vsv.standalone.cli",
            "prerender",
            str(twin),
            str(twin.parent),
        ]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def tissue_share(spec: SlideSpec) -> float:
    """Return the share of level-0 tiles (0..1) of which at least a tenth shows tissue."""
    dark = _pattern(spec.tile).min(axis=2) < _GLASS
    rows, cols = (length // spec.tile for length in dark.shape)
    tiles = dark.reshape(rows, spec.tile, cols, spec.tile).mean(axis=(1, 3))
    return float((tiles >= 0.1).mean())


def _write(path: Path, spec: SlideSpec) -> None:
    pattern = _pattern(spec.tile)
    levels = [_Level(pattern, downsample, spec) for downsample in spec.downsamples]
    width, height = spec.size
    head = f"Aperio Image Library v12.0.16 \r\n{width}x{height}"
    facts = (
        f"({spec.tile}x{spec.tile}) JPEG/{_colors(spec)} Q={spec.quality}"
        "|AppMag = 40|MPP = 0.2520|Date = 03/14/2026|Time = 09:26:53|Time Zone = GMT-05:00"
        "|ScanScope ID = SS1302|ImageID = 204711"
    )
    common: dict[str, Any] = {"metadata": None, "software": False}
    bigtiff = sum(level.data_bytes for level in levels) > _CLASSIC_BYTES
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        for level in levels:
            cols, rows = level.size
            of = f"[0,0 {width}x{height}]" + ("" if level is levels[0] else f" -> {cols}x{rows}")
            writer.write(
                level.tiles(),
                shape=(rows, cols, 3),
                dtype=np.uint8,
                tile=(spec.tile, spec.tile),
                photometric="rgb",
                subsampling=CODINGS[spec.coding],
                compression="jpeg",
                compressionargs={"outcolorspace": "YCBCR" if _colors(spec) == "YCC" else "RGB"},
                jpegtables=level.tables,
                iccprofile=_profile(),
                description=f"{head} {of} {facts}".encode(),
                **common,
            )
            if level is levels[0]:
                overview = levels[-1].overview(1024)
                rows, cols = overview.shape[:2]
                text = f"{head} -> {cols}x{rows} - "
                _write_strip(writer, overview, 0, text, common)
        _write_strip(writer, levels[-1].overview(1280), 9, f"{head}\r\nmacro 1280x431", common)


def _colors(spec: SlideSpec) -> str:
    """Return the colours as Aperio's description names them."""
    return "RGB" if spec.coding == "RGB" else "YCC"


def _write_strip(
    writer: tifffile.TiffWriter, pixels: Pixels, kind: int, text: str, common: dict[str, Any]
) -> None:
    writer.write(
        pixels,
        photometric="rgb",
        rowsperstrip=pixels.shape[0],
        subfiletype=kind,
        description=text.encode(),
        **common,
    )


class _Level:
    """One level of the slide: its distinct tiles, and in which order they are written."""

    def __init__(self, pattern: Pixels, downsample: int, spec: SlideSpec) -> None:
        self.size = (spec.size[0] // downsample, spec.size[1] // downsample)
        self._spec = spec
        self._pattern = _box_averaged(pattern, downsample)
        self._encoded: dict[tuple[int, int, int, int], bytes] = {}
        self.tables = self._jpeg(Image.new("RGB", (8, 8)), streamtype=1)
        self.data_bytes = sum(map(len, self.tiles()))

    def tiles(self) -> Iterator[bytes]:
        """Yield the encoded tiles, by rows."""
        tile = self._spec.tile
        width, height = self.size
        rows, cols = self._pattern.shape[:2]
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                inside = (min(tile, width - left), min(tile, height - top))
                key = (left % cols, top % rows, *inside)
                if key not in self._encoded:
                    self._encoded[key] = self._jpeg(Image.fromarray(self._part(*key)), streamtype=2)
                yield self._encoded[key]

    def overview(self, width: int) -> Pixels:
        """Return the level in small: at most half its size, and at most ``width`` pixels wide."""
        cols, rows = self.size
        step = max(-(-cols // width), 2)
        xs = np.arange(0, cols, step) % self._pattern.shape[1]
        ys = np.arange(0, rows, step) % self._pattern.shape[0]
        return self._pattern[np.ix_(ys, xs)]

    def _part(self, left: int, top: int, width: int, height: int) -> Pixels:
        tile = self._spec.tile
        part = np.full((tile, tile, 3), _WHITE, np.uint8)
        xs = np.arange(left, left + width) % self._pattern.shape[1]
        ys = np.arange(top, top + height) % self._pattern.shape[0]
        part[:height, :width] = self._pattern[np.ix_(ys, xs)]
        return part

    def _jpeg(self, image: Image.Image, streamtype: int) -> bytes:
        """Return a JPEG stream: 1 only the tables, 2 all but the tables."""
        rgb = self._spec.coding == "RGB"
        buffer = BytesIO()
        image.save(
            buffer,
            "JPEG",
            quality=self._spec.quality,
            subsampling="4:4:4" if rgb else self._spec.coding,
            keep_rgb=rgb,
            streamtype=streamtype,
        )
        return buffer.getvalue()


def _pattern(tile: int) -> Pixels:
    """Return the sample's tissue, cropped and mirrored: one period of the slides of this tile size.

    A period is a whole number of tiles at downsample 4, and so of pixels at downsample 64.
    """
    with openslide.OpenSlide(real_slide(CACHE)) as slide:
        unit = tile * _DOWNSAMPLES[1] // _MIRRORED
        width, height = (length // unit * unit for length in slide.dimensions)
        # From the lower left: less empty glass there. On the grid of JPEG's blocks, so that the
        # sample's quality gives back the scanner's own coefficients.
        corner = (0, (slide.dimensions[1] - height) // _JPEG_BLOCK * _JPEG_BLOCK)
        scan = np.asarray(slide.read_region(corner, 0, (width, height)).convert("RGB"))
    scan = np.concatenate([scan, scan[:, ::-1]], axis=1)
    return np.concatenate([scan, scan[::-1]], axis=0)


def _box_averaged(pixels: Pixels, factor: int) -> Pixels:
    if factor == 1:
        return pixels
    rows, cols = (length // factor for length in pixels.shape[:2])
    averaged = np.empty((rows, cols, 3), np.uint8)
    # By rows of blocks: as floating point, the whole pattern would take a quarter of a gigabyte.
    for row, strip in enumerate(pixels.reshape(rows, factor, cols, factor, 3)):
        averaged[row] = np.rint(strip.mean(axis=(0, 2), dtype=np.float32))
    return averaged


def _profile() -> bytes:
    """Return an ICC profile, as Aperio writes one with each level: here, sRGB."""
    return bytes(imagecodecs.cms_profile("srgb"))
