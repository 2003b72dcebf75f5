"""The sound slides that mutants are made of: small, one for each way in which slides are coded."""

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from local.samples import generated_slide
from tests import svs
from tests.svs import APERIO, Page

SIZE = (600, 420)
TILE = 128


def write_all(folder: Path, real: Path) -> list[Path]:
    """Write the slides into the folder. ``real`` is a slide whose tissue they show."""
    tissue = svs.tissue(real, SIZE)
    paths = [
        svs.write(folder / f"{name}.svs", _pages(tissue, make))
        for name, make in {
            "ycbcr": _jpeg_level,
            "subsampled": lambda pixels: _jpeg_level(pixels, subsampling="4:2:0"),
            "progressive": lambda pixels: _jpeg_level(pixels, progressive=True),
            "rgb": lambda pixels: _jpeg_level(pixels, rgb=True),
            "lzw": _lossless(5, imagecodecs.lzw_encode),
            "deflate": _lossless(8, zlib.compress),
            "packbits": _lossless(32773, imagecodecs.packbits_encode),
            "none": _lossless(1, bytes),
            "jp2-rgb": lambda pixels: _jpeg2000_level(pixels, 33005),
            "jp2-ycbcr": lambda pixels: _jpeg2000_level(pixels, 33003),
        }.items()
    ]
    small = {"size": SIZE, "tile": (TILE, TILE), "downsamples": (1, 2, 4)}
    for name, options in {
        "shared-tables": {"shared_tables": True},
        "bigtiff": {"bigtiff": True, "shared_tables": True, "colors": "RGB"},
        "big-endian": {"byteorder": ">", "describe_pages": False},
        "jp2-subsampled": {"jpeg2000": "YCbCr", "subsampling": (2, 1)},
    }.items():
        paths.append(generated_slide(folder / f"{name}.svs", real, **small, **options))
    return sorted(paths)


def _pages(tissue: np.ndarray, level: Callable[[np.ndarray], Page]) -> list[Page]:
    full = level(tissue)
    full.description = APERIO + "600x420 |AppMag = 20|MPP = 0.4990|ImageID = 7"
    strips = np.full((90, 120, 3), 240, np.uint8)
    lzw = Page(
        (120, 90),
        [imagecodecs.lzw_encode(strips[top : top + 30].tobytes()) for top in (0, 30, 60)],
        None,
        APERIO + "label 120x90",
        5,
        2,
        tags={278: (4, 30)},
    )
    return [
        full,
        svs.strip(svs.shrunk(tissue, 4), description=APERIO + "thumbnail"),
        level(svs.shrunk(tissue, 2)),
        level(svs.shrunk(tissue, 4)),
        lzw,
        svs.strip(tissue[:80, :300], description=APERIO + "macro 300x80"),
    ]


def _page(pixels: np.ndarray, chunks: list[bytes], compression: int, photometric: int) -> Page:
    return Page(
        pixels.shape[1::-1],
        chunks,
        (TILE, TILE),
        compression=compression,
        photometric=photometric,
    )


def _jpeg_level(pixels: np.ndarray, *, rgb: bool = False, **options: object) -> Page:
    chunks = [svs.jpeg(part, rgb=rgb, **options) for part in svs.tiles(pixels, TILE)]
    return _page(pixels, chunks, 7, 2 if rgb else 6)


def _lossless(number: int, encode: Callable[[bytes], bytes]) -> Callable[[np.ndarray], Page]:
    def level(pixels: np.ndarray) -> Page:
        chunks = [encode(part.tobytes()) for part in svs.tiles(pixels, TILE)]
        return _page(pixels, chunks, number, 2)

    return level


def _jpeg2000_level(pixels: np.ndarray, compression: int) -> Page:
    chunks = []
    for part in svs.tiles(pixels, TILE):
        file = io.BytesIO()
        image = Image.fromarray(part)
        if compression == 33003:
            image = Image.merge("RGB", image.convert("YCbCr").split())
        image.save(
            file, "JPEG2000", no_jp2=True, mct=0, quality_mode="rates", quality_layers=[20, 8]
        )
        chunks.append(file.getvalue())
    return _page(pixels, chunks, compression, 2)
