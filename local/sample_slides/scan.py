"""Scans of much glass and little tissue: written fast, since equal tiles are encoded once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from PIL import Image

from local.sample_slides.encoding import Pixels, encoding, write_strip
from local.sample_slides.pictures import MACRO_UM, macro
from local.sample_slides.tissue import GLASS

__all__ = ["TILE", "Scan", "write"]

TILE: Final = 256
_STEP: Final = 4  # from one level to the next, as Aperio's
_QUALITY: Final = 80
_THUMBNAIL: Final = 1024
_SOFTWARE: Final = "Aperio Image Library v12.0.16 \r\n"

Encode = Callable[[Pixels], bytes]


@dataclass(frozen=True)
class Scan:
    """The pixels of a slide: glass, and blocks with tissue in some places.

    A block is any number of whole tiles wide and high. ``places`` maps the column and row of a
    block's first tile to the block's number. Blocks do not overlap.
    """

    width: int
    height: int
    blocks: Sequence[Pixels]
    places: Mapping[tuple[int, int], int]

    @cached_property
    def coarse(self) -> list[Pixels]:
        """Return the pixels of the second and the third level."""
        second = _glass(self.width // _STEP, self.height // _STEP)
        reduced = [np.asarray(Image.fromarray(block).reduce(_STEP)) for block in self.blocks]
        for (col, row), number in self.places.items():
            part = second[row * TILE // _STEP :, col * TILE // _STEP :]
            block = reduced[number][: part.shape[0], : part.shape[1]]
            part[: block.shape[0], : block.shape[1]] = block
        third = np.asarray(Image.fromarray(second).reduce(_STEP))
        return [second, third[: self.height // _STEP**2, : self.width // _STEP**2]]

    def tiles(self, encode: Encode) -> Iterator[bytes]:
        """Yield the first level's encoded tiles, row by row."""
        empty = _glass(TILE, TILE)
        glass = encode(empty)
        found = {}
        encoded = [dict(_encoded(block, encode, empty, glass)) for block in self.blocks]
        for (col, row), number in self.places.items():
            for (x, y), tile in encoded[number].items():
                found[col + x, row + y] = tile
        for row in range(-(-self.height // TILE)):
            for col in range(-(-self.width // TILE)):
                yield found.get((col, row), glass)


def write(
    path: Path, scan: Scan, label: Image.Image, mpp_um: float, properties: Mapping[str, str]
) -> None:
    """Write a scan as an Aperio-like SVS with label, thumbnail and macro."""
    encode, tags = encoding("YCBCR", False, (2, 1), True, _QUALITY)
    levels: list[tuple[int, int, Iterator[bytes]]] = [
        (scan.width, scan.height, scan.tiles(encode)),
        *((level.shape[1], level.shape[0], _dense(level, encode)) for level in scan.coarse),
    ]
    text = "".join(f"|{key} = {value}" for key, value in properties.items())
    full = f"{_SOFTWARE}{scan.width}x{scan.height}"
    with tifffile.TiffWriter(path) as writer:
        for number, (width, height, tiles) in enumerate(levels):
            of = f" -> {width}x{height}" if number else ""
            description = f"{full}{of} ({TILE}x{TILE}) JPEG/YCC Q={_QUALITY}{text}"
            _write_level(writer, (width, height), tiles, description, tags)
            if number == 0:
                write_strip(writer, scan.coarse[1], _THUMBNAIL, f"{full} -> thumbnail -", 0)
        write_strip(
            writer, np.asarray(label), 0, f"{_SOFTWARE}label {label.width}x{label.height}", 1
        )
        scale = mpp_um / MACRO_UM * _STEP**2
        small = Image.fromarray(scan.coarse[1])
        size = (round(small.width * scale), round(small.height * scale))
        picture = macro(label, small.resize(size), GLASS)
        write_strip(
            writer, picture, 0, f"{_SOFTWARE}macro {picture.shape[1]}x{picture.shape[0]}", 9
        )


def _write_level(
    writer: tifffile.TiffWriter,
    size: tuple[int, int],
    tiles: Iterator[bytes],
    description: str,
    tags: Mapping[str, Any],
) -> None:
    writer.write(
        tiles,
        shape=(size[1], size[0], 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        **tags,
        description=description.encode(),
        metadata=None,
        software=False,
    )


def _glass(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), GLASS, np.uint8)


def _encoded(
    block: Pixels, encode: Encode, empty: Pixels, glass: bytes
) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield a block's columns and rows with their encoded tiles."""
    for y in range(block.shape[0] // TILE):
        for x in range(block.shape[1] // TILE):
            tile = block[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
            yield (x, y), glass if np.array_equal(tile, empty) else encode(tile)


def _dense(level: Pixels, encode: Encode) -> Iterator[bytes]:
    """Yield a coarse level's encoded tiles, row by row."""
    rows, cols = level.shape[:2]
    padding = ((0, -rows % TILE), (0, -cols % TILE), (0, 0))
    padded = np.pad(level, padding, mode="edge")
    empty = _glass(TILE, TILE)
    for _, tile in _encoded(padded, encode, empty, encode(empty)):
        yield tile
