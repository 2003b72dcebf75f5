"""The directories of a TIFF file: just what a slide needs, read with few, bounded reads.

Classic and BigTIFF, either byte order. Nothing in the file is trusted: every offset and count is
held against the file's size before it is followed. Sources: TIFF 6.0 (Adobe, 1992), the BigTIFF
extension (Aware Systems), Technical Note 2 on JPEG in TIFF.
"""

import operator
import os
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vsv.errors import UnreadableSlide
from vsv.slides.index import TiledImage

__all__ = ["Directory", "read_directories"]

# Tags, by the number that TIFF 6.0 gives them.
_WIDTH: Final = 256
_HEIGHT: Final = 257
_COMPRESSION: Final = 259
_PHOTOMETRIC: Final = 262
_DESCRIPTION: Final = 270
_STRIP_OFFSETS: Final = 273
_STRIP_BYTE_COUNTS: Final = 279
_TILE_WIDTH: Final = 322
_TILE_HEIGHT: Final = 323
_TILE_OFFSETS: Final = 324
_TILE_BYTE_COUNTS: Final = 325
_JPEG_TABLES: Final = 347
_WANTED = frozenset(
    value for name, value in list(globals().items()) if name.startswith("_") and type(value) is int
)

# Field type → bytes of one value and its array code (None: kept as raw bytes).
_TYPES: Final[dict[int, tuple[int, str | None]]] = {
    1: (1, "B"),
    2: (1, None),  # ASCII
    3: (2, "H"),
    4: (4, "I"),
    7: (1, None),  # UNDEFINED
    13: (4, "I"),  # IFD
    16: (8, "Q"),
    18: (8, "Q"),  # IFD8
}

_NATIVE_ORDER: Final = "<" if sys.byteorder == "little" else ">"

# A slide has fewer than ten images; a cycle of directories has more.
_MAX_DIRECTORIES = 100
_MAX_ENTRIES = 4096
# 32 million tiles of 256 pixels cover a slide of 1.4 million pixels square.
_MAX_VALUE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Directory:
    """One image of the file. Sizes are in pixels, offsets and counts in bytes.

    ``tile_width`` is 0 where the image is in strips; ``offsets`` and ``byte_counts`` then are the
    strips'. ``description`` is decoded as UTF-8, or as Latin-1 where it is not UTF-8.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    compression: int
    photometric: int
    description: str
    offsets: Sequence[int]
    byte_counts: Sequence[int]
    jpeg_tables: bytes

    @property
    def is_tiled(self) -> bool:
        """Whether the image is in tiles: what a level of a slide must be."""
        return self.tile_width > 0

    @property
    def tiled_image(self) -> TiledImage:
        """How a tiled image's tiles are cut and coded."""
        return TiledImage(
            self.width,
            self.height,
            self.tile_width,
            self.tile_height,
            self.compression,
            self.photometric,
            self.jpeg_tables,
        )


def read_directories(descriptor: int) -> list[Directory]:
    """Read all directories of the open file ``descriptor``, in file order.

    Raises UnreadableSlide where the file is no TIFF, its directories lead outside the file, or
    data that they name lie beyond its end (a truncated copy).
    """
    reader = _Reader(descriptor)
    directories: list[Directory] = []
    offset = reader.first_offset
    while offset:
        if len(directories) == _MAX_DIRECTORIES:
            raise UnreadableSlide(f"more than {_MAX_DIRECTORIES} TIFF directories")
        fields, offset = reader.directory(offset)
        directories.append(_directory(fields, reader.file_size))
    if not directories:
        raise UnreadableSlide("a TIFF file without an image")
    return directories


class _Reader:
    """Bounded reads and the two dialects: classic TIFF and BigTIFF."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.file_size = os.fstat(descriptor).st_size
        if self.file_size == 0:
            raise UnreadableSlide("the file is empty")
        try:
            header = os.pread(descriptor, 16, 0)
        except IsADirectoryError as error:
            raise UnreadableSlide("a directory, not a file") from error
        self._order = {b"II": "<", b"MM": ">"}.get(header[:2], "")
        magic = header[2:4] if self._order == ">" else header[3:1:-1]
        if not self._order or magic not in (b"\0\x2a", b"\0\x2b") or len(header) < 16:
            raise UnreadableSlide("the file is not a TIFF file")
        self._big = magic == b"\0\x2b"
        if self._big:
            self._count_code, self._entry_code, self._inline = "Q", "HHQ", 8
            offset_size, zero = self._unpack("HH", header[4:8])
            if (offset_size, zero) != (8, 0):
                raise UnreadableSlide("a BigTIFF file with offsets of other than 8 bytes")
            (self.first_offset,) = self._unpack("Q", header[8:16])
        else:
            self._count_code, self._entry_code, self._inline = "H", "HHI", 4
            (self.first_offset,) = self._unpack("I", header[4:8])

    def _unpack(self, code: str, data: bytes) -> tuple[Any, ...]:
        return struct.unpack(self._order + code, data)

    def _read(self, offset: int, length: int) -> bytes:
        if offset + length > self.file_size:
            raise UnreadableSlide(
                f"the file is truncated: it ends at byte {self.file_size}, "
                f"data up to byte {offset + length} are missing"
            )
        data = os.pread(self._descriptor, length, offset)
        if len(data) != length:
            raise UnreadableSlide(f"bytes {offset} to {offset + length} cannot be read")
        return data

    def directory(self, offset: int) -> tuple[dict[int, Any], int]:
        """Return the wanted fields of the directory at ``offset`` and the next one's offset."""
        count_size = struct.calcsize("=" + self._count_code)
        (count,) = self._unpack(self._count_code, self._read(offset, count_size))
        if not 1 <= count <= _MAX_ENTRIES:
            raise UnreadableSlide(f"a TIFF directory with {count} entries")
        entry_size = 4 + 2 * self._inline
        body = self._read(offset + count_size, count * entry_size + self._inline)
        fields = {}
        for start in range(0, count * entry_size, entry_size):
            entry = body[start : start + entry_size]
            head = entry[: -self._inline]
            tag, field_type, value_count = self._unpack(self._entry_code, head)
            if tag in _WANTED and field_type in _TYPES:
                fields[tag] = self._value(field_type, value_count, entry[-self._inline :])
        (next_offset,) = self._unpack("Q" if self._big else "I", body[-self._inline :])
        return fields, next_offset

    def _value(self, field_type: int, count: int, inline: bytes) -> Any:
        size, code = _TYPES[field_type]
        length = size * count
        if length > _MAX_VALUE_BYTES:
            raise UnreadableSlide(f"a TIFF field of {length} bytes")
        if length <= self._inline:
            data = inline[:length]
        else:
            (offset,) = self._unpack("Q" if self._big else "I", inline)
            data = self._read(offset, length)
        if code is None:
            return data
        # An array takes the tile offsets of a large slide in at once, and in an eighth of the
        # memory that numbers of Python's take.
        values = array(code, data)
        if self._order != _NATIVE_ORDER:
            values.byteswap()
        return values


def _directory(fields: dict[int, Any], file_size: int) -> Directory:
    def number(tag: int, default: int | None = None) -> int:
        values = fields.get(tag)
        if isinstance(values, array) and values:
            return int(values[0])
        if default is None:
            raise UnreadableSlide(f"a TIFF directory without tag {tag}")
        return default

    def numbers(tag: int) -> Sequence[int]:
        values = fields.get(tag)
        return values if isinstance(values, array) else ()

    def raw(tag: int) -> bytes:
        value = fields.get(tag, b"")
        return value if isinstance(value, bytes) else bytes(value.tobytes())

    width, height = number(_WIDTH), number(_HEIGHT)
    if width < 1 or height < 1:
        raise UnreadableSlide(f"an image of {width} × {height} pixels")
    tiled = _TILE_WIDTH in fields
    directory = Directory(
        width=width,
        height=height,
        tile_width=number(_TILE_WIDTH) if tiled else 0,
        tile_height=number(_TILE_HEIGHT) if tiled else 0,
        compression=number(_COMPRESSION, 1),
        photometric=number(_PHOTOMETRIC, -1),
        description=_text(raw(_DESCRIPTION)),
        offsets=numbers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS),
        byte_counts=numbers(_TILE_BYTE_COUNTS if tiled else _STRIP_BYTE_COUNTS),
        jpeg_tables=raw(_JPEG_TABLES),
    )
    _check_data(directory, file_size)
    return directory


def _check_data(directory: Directory, file_size: int) -> None:
    """Raise UnreadableSlide where tiles are missing from the index or lie beyond the file's end."""
    offsets, byte_counts = directory.offsets, directory.byte_counts
    if directory.is_tiled:
        if directory.tile_width < 1 or directory.tile_height < 1:
            raise UnreadableSlide("a tiled image with tiles of no size")
        cols = -(-directory.width // directory.tile_width)
        rows = -(-directory.height // directory.tile_height)
        if len(offsets) < cols * rows:
            raise UnreadableSlide(f"{len(offsets)} tile offsets for {cols} × {rows} tiles")
    if len(offsets) != len(byte_counts):
        raise UnreadableSlide(f"{len(offsets)} offsets, but {len(byte_counts)} byte counts")
    end = max(map(operator.add, offsets, byte_counts), default=0)
    if end > file_size:
        raise UnreadableSlide(
            f"the file is truncated: it ends at byte {file_size}, image data at byte {end}"
        )


def _text(raw: bytes) -> str:
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # Scanner software of the Windows-1252 years; Latin-1 maps every byte.
        return raw.decode("latin-1")
