"""How sample slides' tiles are encoded: JPEG, and the kinds of JPEG 2000 that scanners write."""

import functools
import io
import struct
from collections.abc import Callable
from typing import Any, Final

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Pixels", "encoding", "write_strip"]

Pixels = NDArray[np.uint8]

# Pillow's names of subsamplings, and its numbers of JPEG streams with a part of what is in a file.
_SUBSAMPLINGS: Final = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}
_TABLES_ONLY: Final = 1
_NO_TABLES: Final = 2


def encoding(
    colors: str,
    jpeg2000: bool | str,
    subsampling: tuple[int, int],
    shared_tables: bool,
    quality: int = 90,
) -> tuple[Callable[[Pixels], bytes], dict[str, Any]]:
    """Return what encodes a tile, and what tifffile writes about it into the TIFF's tags."""
    if jpeg2000 == "YCbCr":
        return lambda tile: _ycbcr_codestream(tile, subsampling), {"compression": 33003}
    if jpeg2000:
        return lambda tile: _codestream(tile, mct=True), {"compression": 33005}
    jpeg = functools.partial(_jpeg, colors=colors, subsampling=subsampling, quality=quality)
    tags = {
        "compression": "jpeg",
        "subsampling": subsampling,
        "compressionargs": {"outcolorspace": colors},
    }
    if not shared_tables:
        return jpeg, tags
    tables = jpeg(np.zeros((16, 16, 3), np.uint8), streamtype=_TABLES_ONLY)
    return functools.partial(jpeg, streamtype=_NO_TABLES), {**tags, "jpegtables": tables}


def _jpeg(
    tile: Pixels, colors: str, subsampling: tuple[int, int], quality: int, streamtype: int = 0
) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(tile).save(
        buffer,
        "JPEG",
        quality=quality,
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


def write_strip(
    writer: tifffile.TiffWriter, pixels: Pixels, width: int, description: str, subfile_type: int
) -> None:
    """Write an associated image as one strip, no wider and no higher than ``width`` if not 0."""
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
