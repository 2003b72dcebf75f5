"""The tile index: where a slide's tiles lie in its file.

The index of a level is cut into blocks of 12 by 12 tiles. A block holds all that it takes to turn
one of them into a JPEG file, so that a function that has never seen the slide needs nothing else,
however large the slide is. Each tile's CRC-32 proves that what is read is what was indexed.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import gcd
from typing import Final, Literal, NamedTuple, Self

from vsv.geometry import Box, Size
from vsv.identifiers import FileVersion
from vsv.slides.damage import DamagedTile, TileNumber
from vsv.slides.jpeg import Color, standalone

__all__ = ["BLOCK_TILES", "TileBlock", "TileEntry", "TiledImage"]

# Tiles along each side of a block: as many as leave a block, with its JPEG tables and a file name,
# within the 4,080 bytes of a symbolic link on EFS.
BLOCK_TILES: Final = 12

# TIFF's numbers of compressions and of photometric interpretations.
_JPEG: Final = 7
_JPEG_2000_YCBCR: Final = 33003
_JPEG_2000_RGB: Final = 33005
_LOSSLESS: Final = frozenset({1, 5, 8, 32946, 32773})  # none, LZW, deflate (two numbers), PackBits
_COLORS: Final[dict[int, Color]] = {2: "RGB", 6: "YCbCr"}
_WHITE_IS_ZERO: Final = 0
_PLAIN: Final = frozenset({0, 1, 2})  # grey, either way round, and RGB
# libjpeg's scaled decoding, to a half, a quarter or an eighth: as good as averaging (53 dB PSNR and
# more), at a quarter of the cost.
_LARGEST_SHRINK: Final = 8
_NO_COLOR: Final = "-"
_COLOR_NAMES: Final[dict[str, Color | None]] = {"RGB": "RGB", "YCbCr": "YCbCr", _NO_COLOR: None}

_FORMAT: Final = "vsv4"
# Of version 0.1: without the size and the colours of a tile.
_FORMAT_WITHOUT_TILE: Final = "vsv3"
# Offset (40 bits: 1 TB) and length (24 bits: 16 MB) in one number, then the CRC-32.
_ENTRY: Final = struct.Struct("<QI")
_LENGTH_BITS: Final = 24
_OFFSET_BITS: Final = 40


class TileEntry(NamedTuple):
    """Where a tile's data lie, in bytes; no ``length`` where the scanner left the tile empty.

    ``crc32`` is that of the data, None where they were not read when the index was built.
    """

    offset: int
    length: int
    crc32: int | None = None

    def matches(self, data: bytes) -> bool:
        """Whether these are the data that were indexed."""
        return len(data) == self.length and (self.crc32 is None or self.crc32 == zlib.crc32(data))


@dataclass(frozen=True)
class TiledImage:
    """How the tiles of one level are cut and coded. Lengths are in pixels.

    ``compression``, ``photometric`` and ``predictor`` are TIFF's numbers (tags 259, 262 and 317),
    ``jpeg_tables`` its tag 347: the tables that the tiles have in common. A pixel has ``samples``
    of 8 bits.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    compression: int
    photometric: int
    jpeg_tables: bytes
    samples: int = 3
    predictor: int = 1

    @property
    def size(self) -> Size:
        """Size of the level."""
        return Size(self.width, self.height)

    @property
    def tile(self) -> Size:
        """Size of a tile."""
        return Size(self.tile_width, self.tile_height)

    @property
    def cols(self) -> int:
        """Columns of tiles."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.height // self.tile_height)

    @property
    def whole_cols(self) -> int:
        """Columns of tiles that the level's right border does not cut."""
        return self.width // self.tile_width

    @property
    def whole_rows(self) -> int:
        """Rows of tiles that the level's bottom border does not cut."""
        return self.height // self.tile_height

    def is_whole(self, col: int, row: int) -> bool:
        """Whether the level's border leaves the tile as it is."""
        return col < self.whole_cols and row < self.whole_rows

    def tile_box(self, col: int, row: int) -> Box:
        """Return the pixels of the level that the tile shows, without what pads it at a border."""
        left, top = col * self.tile_width, row * self.tile_height
        right = min(left + self.tile_width, self.width)
        return Box(left, top, right, min(top + self.tile_height, self.height))

    def largest_shrink(self, factor: int) -> int:
        """Return the largest divisor of ``factor`` by which tiles can be shrunk as they decode."""
        if not self.is_decoded_here:
            return 1
        return gcd(factor, self.tile_width, self.tile_height, _LARGEST_SHRINK)

    @property
    def is_jpeg(self) -> bool:
        """Whether the tiles are JPEG files but for their tables."""
        return self.compression == _JPEG

    @property
    def is_jpeg2000(self) -> bool:
        """Whether the tiles are JPEG 2000 codestreams."""
        return self.compression in (_JPEG_2000_YCBCR, _JPEG_2000_RGB)

    @property
    def jpeg2000_color(self) -> Literal["YCbCr", "RGB"]:
        """What the three components of a JPEG 2000 tile are."""
        return "YCbCr" if self.compression == _JPEG_2000_YCBCR else "RGB"

    @property
    def is_lossless(self) -> bool:
        """Whether the tiles are pixels as they are, or compressed without loss."""
        return self.compression in _LOSSLESS and self.photometric in _PLAIN

    @property
    def is_decoded_here(self) -> bool:
        """Whether the tiles are decoded by this library rather than by OpenSlide."""
        return self.is_jpeg or self.is_jpeg2000 or self.is_lossless

    @property
    def is_inverted(self) -> bool:
        """Whether white is zero, and black is 255."""
        return self.photometric == _WHITE_IS_ZERO

    @property
    def passes_through(self) -> bool:
        """Whether viewers show the tiles' JPEG files as the slide means them."""
        return self.is_jpeg and not self.is_inverted

    @property
    def color(self) -> Color | None:
        """What the three components of a JPEG tile are; None where the TIFF does not say."""
        return _COLORS.get(self.photometric)

    def jpeg(self, data: bytes) -> bytes:
        """Return the JPEG file that holds a tile's data unchanged.

        Raises DamagedTile where the data are not a JPEG stream of the tile's size.
        """
        return standalone(self.jpeg_tables, data, self.tile, self.color)[0]


@dataclass(frozen=True)
class TileBlock:
    """A block of a level's tile index.

    ``filename`` and ``version`` name the slide file. ``whole_cols`` and ``whole_rows`` count the
    level's tiles that show as many pixels as a viewer's on the same grid: those can be passed
    through. ``tile`` (width and height in pixels) and ``color`` are what such a tile has to be,
    ``jpeg_tables`` what it has in common with the others; a block of version 0.1 does not know the
    former. ``imported`` tells an import's index, which another must not replace.
    """

    filename: str
    version: FileVersion
    whole_cols: int
    whole_rows: int
    jpeg_tables: bytes
    entries: bytes
    imported: bool
    tile: tuple[int, int] | None
    color: Color | None

    @classmethod
    def of(
        cls,
        image: TiledImage,
        locate: Callable[[int, int], TileEntry],
        block: tuple[int, int],
        *,
        filename: str,
        version: FileVersion,
        passes_through: bool,
        imported: bool,
    ) -> Self | None:
        """Return the block at this column and row, or None if an offset or length is too big.

        ``locate`` tells where the tile at a column and row lies.
        """
        packed = bytearray()
        left, top = (number * BLOCK_TILES for number in block)
        for row in range(top, top + BLOCK_TILES):
            for col in range(left, left + BLOCK_TILES):
                inside = col < image.cols and row < image.rows
                offset, length, crc32 = locate(col, row) if inside else TileEntry(0, 0)
                if offset >> _OFFSET_BITS or length >> _LENGTH_BITS:
                    return None
                if length == 0:
                    offset = crc32 = 0
                packed += _ENTRY.pack(offset << _LENGTH_BITS | length, crc32 or 0)
        return cls(
            filename,
            version,
            image.whole_cols if passes_through else 0,
            image.whole_rows if passes_through else 0,
            image.jpeg_tables if image.is_jpeg else b"",
            bytes(packed),
            imported,
            image.tile,
            image.color,
        )

    def entry(self, col: int, row: int) -> TileEntry:
        """Return where the level's tile at this column and row lies. It is one of the block's."""
        packed, crc32 = _ENTRY.unpack_from(self.entries, _place(col, row))
        length = packed & ((1 << _LENGTH_BITS) - 1)
        return TileEntry(packed >> _LENGTH_BITS, length, crc32 if self.imported else None)

    def without(self, tiles: Iterable[TileNumber]) -> Self:
        """Return the block with these tiles of its own empty."""
        entries = bytearray(self.entries)
        for tile in tiles:
            _ENTRY.pack_into(entries, _place(tile.col, tile.row), 0, 0)
        return replace(self, entries=bytes(entries))

    def passes_through(self, col: int, row: int) -> bool:
        """Whether this tile of the level is, as it stands, the viewer's tile."""
        return col < self.whole_cols and row < self.whole_rows and self.entry(col, row).length > 0

    def jpeg(self, data: bytes) -> bytes | None:
        """Return the JPEG file that holds a tile's data unchanged; None where it is damaged."""
        try:
            return standalone(self.jpeg_tables, data, self.tile, self.color)[0]
        except DamagedTile:
            return None

    def to_text(self) -> str:
        """Return the block in one line of text, the file name last."""
        width, height = self.tile or (0, 0)
        content = " ".join(
            (
                str(self.version),
                "imported" if self.imported else "seen",
                f"{self.whole_cols}x{self.whole_rows}",
                f"{width}x{height}",
                self.color or _NO_COLOR,
                base64.b64encode(self.jpeg_tables).decode(),
                base64.b64encode(self.entries).decode(),
                self.filename,
            )
        )
        # A symbolic link points to the text. A program that follows it finds no such file at its
        # first slash, rather than a name that is too long for the file system.
        return f"{_FORMAT}/ {_checksum(content)} {content}"

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Read a block; None where the text is of another format, or damaged: rebuild it then."""
        try:
            form, content = text.split(" ", 1)
            if form == f"{_FORMAT}/":
                checksum, content = content.split(" ", 1)
                if checksum != _checksum(content):
                    return None
                version, origin, whole, size, color, rest = content.split(" ", 5)
            elif form == _FORMAT_WITHOUT_TILE:
                version, origin, whole, rest = content.split(" ", 3)
                size, color = "0x0", _NO_COLOR
            else:
                return None
            tables, entries, filename = rest.split(" ", 2)
            cols, rows = map(int, whole.split("x"))
            width, height = map(int, size.split("x"))
            block = cls(
                filename,
                FileVersion.parse(version),
                cols,
                rows,
                base64.b64decode(tables),
                base64.b64decode(entries),
                origin == "imported",
                (width, height) if width else None,
                _COLOR_NAMES[color],
            )
        except (ValueError, KeyError, binascii.Error):
            return None
        return block if len(block.entries) == BLOCK_TILES**2 * _ENTRY.size else None


def _place(col: int, row: int) -> int:
    """Return where in a block's entries the tile's begins, in bytes."""
    return (row % BLOCK_TILES * BLOCK_TILES + col % BLOCK_TILES) * _ENTRY.size


def _checksum(content: str) -> str:
    """Return the checksum. Raises UnicodeEncodeError for content that is not text."""
    return f"{zlib.crc32(content.encode()):08x}"
