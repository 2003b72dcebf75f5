"""Writes TIFF files tag by tag, as scanners and other people's tools do and tifffile would not."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import openslide
from PIL import Image

APERIO = "Aperio Image Library v12.0.15 \r\n"
_SHORT, _LONG, _ASCII, _UNDEFINED = 3, 4, 2, 7


@dataclass
class Page:
    """An image: its chunks by rows, and its tags beyond the necessary; None leaves one out."""

    size: tuple[int, int]
    chunks: list[bytes]
    tile: tuple[int, int] | None = (256, 256)
    description: str | None = APERIO
    compression: int = 7
    photometric: int = 6
    samples: int = 3
    tags: dict[int, tuple[int, object] | None] = field(default_factory=dict)

    def fields(self) -> dict[int, tuple[int, object]]:
        width, height = self.size
        fields: dict[int, tuple[int, object] | None] = {
            254: (_LONG, 0),
            256: (_LONG, width),
            257: (_LONG, height),
            258: (_SHORT, [8] * self.samples),
            259: (_SHORT, self.compression),
            262: (_SHORT, self.photometric),
            277: (_SHORT, self.samples),
        }
        if self.tile:
            fields |= {322: (_LONG, self.tile[0]), 323: (_LONG, self.tile[1])}
        else:
            fields[278] = (_LONG, height)
        if self.description is not None:
            fields[270] = (_ASCII, self.description.encode() + b"\0")
        fields |= self.tags
        return {tag: value for tag, value in fields.items() if value is not None}


def write(path: Path, pages: list[Page]) -> Path:
    """Write a classic, little-endian TIFF file, and return its path."""
    out = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    link = 4
    for page in pages:
        fields = page.fields()
        offsets = []
        for chunk in page.chunks:
            offsets.append(len(out) if chunk else 0)
            out += chunk
        where, lengths = (324, 325) if page.tile else (273, 279)
        fields.setdefault(where, (_LONG, offsets))
        fields.setdefault(lengths, (_LONG, [len(chunk) for chunk in page.chunks]))
        entries = b""
        for tag, (kind, value) in sorted(fields.items()):
            if isinstance(value, bytes):
                count, data = len(value), value
            else:
                values = value if isinstance(value, list) else [value]
                count = len(values)
                data = struct.pack(f"<{count}{'H' if kind == _SHORT else 'I'}", *values)
            if len(data) > 4:
                out += data
                data = struct.pack("<I", len(out) - len(data))
            entries += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
        struct.pack_into("<I", out, link, len(out))
        out += struct.pack("<H", len(entries) // 12) + entries
        link = len(out)
        out += bytes(4)
    path.write_bytes(out)
    return path


def tissue(slide: Path, size: tuple[int, int], offset: int = 0) -> np.ndarray:
    """Pixels of the slide, mirrored as often as it takes."""
    pixels = _scan(slide)
    height, width = pixels.shape[:2]
    cols = _mirrored(np.arange(size[0]) + offset, width)
    rows = _mirrored(np.arange(size[1]), height)
    return np.ascontiguousarray(pixels[rows[:, None], cols])


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    places = places % (2 * length)
    return np.minimum(places, 2 * length - 1 - places)


@cache
def _scan(slide: Path) -> np.ndarray:
    with openslide.OpenSlide(slide) as scan:
        return np.asarray(scan.read_region((0, 0), 0, scan.dimensions).convert("RGB"))


def tiles(pixels: np.ndarray, tile: int = 256) -> list[np.ndarray]:
    """Return the pixels in tiles, by rows; the border is repeated to fill the last ones."""
    height, width = pixels.shape[:2]
    padding = [(0, -height % tile), (0, -width % tile)] + [(0, 0)] * (pixels.ndim - 2)
    padded = np.pad(pixels, padding, mode="edge")
    return [
        np.ascontiguousarray(padded[top : top + tile, left : left + tile])
        for top in range(0, height, tile)
        for left in range(0, width, tile)
    ]


def jpeg(pixels: np.ndarray, *, rgb: bool = False, **options: object) -> bytes:
    """Return a JPEG stream as scanners write it: without any application's markers."""
    file = io.BytesIO()
    options = {"keep_rgb": True} if rgb else {"subsampling": "4:4:4", **options}
    Image.fromarray(pixels).save(file, "JPEG", quality=90, **options)
    data, kept, at = file.getvalue(), bytearray(b"\xff\xd8"), 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if not 0xE0 <= data[at + 1] <= 0xEF:
            kept += data[at:end]
        at = end
    return bytes(kept) + data[at:]


def level(pixels: np.ndarray, **options: object) -> Page:
    """Return a level of JPEG tiles; options are Page's."""
    rgb = options.get("photometric") == 2
    chunks = [jpeg(part, rgb=rgb) for part in tiles(pixels)]
    samples = 1 if pixels.ndim == 2 else 3
    return Page(pixels.shape[1::-1], chunks, **{"samples": samples, **options})


def strip(pixels: np.ndarray, **options: object) -> Page:
    """Return an image in one JPEG strip: a label, a thumbnail, a macro."""
    return Page(pixels.shape[1::-1], [jpeg(pixels)], tile=None, **options)


def shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of blocks of ``factor`` pixels along each side."""
    return np.asarray(Image.fromarray(pixels).reduce(factor))


def cut_off(slide: Path, path: Path) -> np.ndarray:
    """Write a slide of 1x, 4x and 16x whose pixels are returned.

    A tile of the 4x level ends half-way, as only a decoder sees; the 16x level shows black there.
    """
    full = tissue(slide, (2048, 2048))
    quarter, sixteenth = shrunk(full, 4), shrunk(full, 16).copy()
    sixteenth[:64, 64:128] = 0
    pages = [level(full), level(quarter), level(sixteenth)]
    pages[1].chunks[1] = pages[1].chunks[1][: len(pages[1].chunks[1]) // 2]
    write(path, pages)
    return full


def _differences(part: np.ndarray) -> np.ndarray:
    return np.concatenate([part[:, :1], np.diff(part, axis=1)], 1).astype(np.uint8)


# TIFF's compressions without loss: number, further tags, encoder.
ENCODINGS = {
    "none": (1, {}, lambda part: part.tobytes()),
    "LZW": (5, {}, lambda part: imagecodecs.lzw_encode(part.tobytes())),
    "LZW of differences": (
        5,
        {317: (3, 2)},
        lambda part: imagecodecs.lzw_encode(_differences(part).tobytes()),
    ),
    "deflate": (8, {}, lambda part: zlib.compress(part.tobytes())),
    "deflate by its old number": (32946, {}, lambda part: zlib.compress(part.tobytes())),
    "PackBits": (32773, {}, lambda part: imagecodecs.packbits_encode(part)),
}
