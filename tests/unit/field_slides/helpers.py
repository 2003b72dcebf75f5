"""JPEG streams with other markers and frames, levels with lost tiles, and a slide's pixels."""

import struct

import numpy as np
import openslide

from tests import svs
from vsv.geometry import Box
from vsv.slides.regions import RegionReader

JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0" + bytes([transform])


def inserted(data: bytes, marker: bytes) -> bytes:
    return data[:2] + marker + data[2:]


def renamed(data: bytes, ids: bytes) -> bytes:
    """Return the stream with other component identifiers, in its frame and in its scan."""
    changed = bytearray(data)
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for number, name in enumerate(ids):
        changed[frame + 10 + 3 * number] = name
        changed[scan + 5 + 2 * number] = name
    return bytes(changed)


def oracle(path):
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"), int)


def level_pixels(slide, index):
    level = slide.levels[index]
    return np.asarray(RegionReader(slide).read(level, Box(0, 0, *level.image.size)), int)


def frame_patched(data: bytes, offset: int, code: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(code, changed, data.index(b"\xff\xc0") + offset, value)
    return bytes(changed)


LIES = {
    "wider": lambda tile: frame_patched(tile, 7, ">H", 272),
    "narrower": lambda tile: frame_patched(tile, 7, ">H", 240),
    "higher": lambda tile: frame_patched(tile, 5, ">H", 65_535),
    "of no height": lambda tile: frame_patched(tile, 5, ">H", 0),
    "of 12 bits": lambda tile: frame_patched(tile, 4, ">B", 12),
    "of four components": lambda tile: frame_patched(tile, 9, ">B", 4),
    "lossless": lambda tile: frame_patched(tile, 1, ">B", 0xC3),
    "two frames": lambda tile: (
        tile[: tile.index(b"\xff\xc0")] + tile[tile.index(b"\xff\xc0") :][:19] + tile[2:]
    ),
    "another tile's start": lambda tile: tile[:2] + tile,
    "no frame": lambda tile: tile.replace(b"\xff\xc0", b"\xff\xe1", 1),
    "cut off": lambda tile: tile[: tile.index(b"\xff\xda")],
    "a segment of no length": lambda tile: tile[:2] + b"\xff\xe1\0\0" + tile[2:],
    "no marker": lambda tile: tile[:2] + b"\0\0\0\0" + tile[2:],
    "only fill bytes": lambda tile: tile[:2] + b"\xff" * 10_000 + tile[2:],
    "a thousand scans": lambda tile: (
        tile.replace(b"\xff\xc0", b"\xff\xc2", 1) + tile[tile.index(b"\xff\xda") :][:14] * 1000
    ),
}


def spoilt(real, break_tile):
    """Return a slide whose 4x level lacks a tile; the 16x level shows black where it was."""
    full = svs.tissue(real, (2048, 2048))
    quarter, sixteenth = svs.shrunk(full, 4), svs.shrunk(full, 16).copy()
    sixteenth[:64, 64:128] = 0
    pages = [svs.level(full), svs.level(quarter), svs.level(sixteenth)]
    pages[1].chunks[1] = break_tile(pages[1].chunks[1])
    return full, pages
