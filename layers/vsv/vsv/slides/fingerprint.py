"""Checksums of a slide file and of each of its tiles."""

import hashlib
import zlib
from array import array
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Self

from vsv.errors import UnreadableSlide
from vsv.slides.damage import DamagedTile, TileNumber
from vsv.slides.tile_index import TileEntry

if TYPE_CHECKING:
    from vsv.slides.slide import Slide

__all__ = ["Fingerprint"]

_CHUNK_BYTES: Final = 8 * 2**20


# Of a JPEG tile, up to its scan, where it has tables of its own.
_HEADER_BYTES: Final = 2048


# The index names those of coarser levels, one by one.
_MAX_DAMAGED: Final = 10_000


@dataclass(frozen=True)
class Fingerprint:
    """What an import knows its bytes by: the file's SHA-256, and each tile's CRC-32.

    ``crc32s`` has an array a level, its tiles by rows. ``damaged`` are tiles that no decoder would
    take, by their headers.
    """

    slide: "Slide"
    sha256: str
    crc32s: tuple["array[int]", ...]
    damaged: tuple[TileNumber, ...]

    def locate(self, level: int, col: int, row: int) -> TileEntry:
        """Return where the tile of a level, at a column and row, lies, with its CRC-32."""
        number = row * self.slide.levels[level].image.cols + col
        return self.slide.locate(level, col, row)._replace(crc32=self.crc32s[level][number])

    @classmethod
    def of(cls, slide: "Slide") -> Self:
        """Read the whole file, once; damaged tiles are lost to the slide.

        Raises UnreadableSlide where more are than an index names, or OSError.
        """
        sha256 = hashlib.sha256()
        images = [level.image for level in slide.levels]
        crc32s = tuple(array("I", bytes(4 * image.cols * image.rows)) for image in images)
        tiles = sorted(
            (*slide.locate(level, *reversed(divmod(number, image.cols)))[:2], level, number)
            for level, image in enumerate(images)
            for number in range(image.cols * image.rows)
            if slide.locate(level, *reversed(divmod(number, image.cols))).length
        )
        following = iter([*tiles, (inf, 0, 0, 0)])
        offset, length, level, number = next(following)
        # Tiles of which the next chunk may hold a part.
        begun: list[tuple[float, int, int, int]] = []
        damaged: list[TileNumber] = []
        start = 0
        for chunk in slide.file.chunks(_CHUNK_BYTES):
            sha256.update(chunk)
            end, view = start + len(chunk), memoryview(chunk)
            while offset < end:
                begun.append((offset, length, level, number))
                head = view[int(offset) - start :][: min(length, _HEADER_BYTES)]
                tile = TileNumber(level, *reversed(divmod(number, images[level].cols)))
                if not _is_sound(slide, tile, bytes(head)):
                    damaged.append(tile)
                    if len(damaged) > _MAX_DAMAGED:
                        raise UnreadableSlide(f"more than {_MAX_DAMAGED} tiles are damaged")
                offset, length, level, number = next(following)
            for first, size, where, which in begun:
                part = view[max(int(first) - start, 0) : int(first) + size - start]
                crc32s[where][which] = zlib.crc32(part, crc32s[where][which])
            begun = [tile for tile in begun if tile[0] + tile[1] > end]
            start = end
        slide.lose(damaged)
        return cls(slide, sha256.hexdigest(), crc32s, tuple(damaged))


def _is_sound(slide: "Slide", tile: TileNumber, head: bytes) -> bool:
    """Whether a tile that begins with ``head`` is what its directory says, or empty.

    Only headers of JPEG tiles are looked at. Where they are longer, the tile is read once more.
    """
    image, entry = slide.levels[tile.level].image, slide.locate(*tile)
    if not image.is_jpeg or entry.length == 0:
        return True
    for data in (head, None):
        try:
            image.jpeg(slide.file.read(entry.offset, entry.length) if data is None else data)
            return True
        except DamagedTile:
            continue
    return False
