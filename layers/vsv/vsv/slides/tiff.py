"""The directories of a TIFF file: just what a slide needs, read with few, bounded reads.

Classic and BigTIFF, either byte order. Nothing in the file is trusted: every offset and count is
compared with the file's size before it is followed. Sources: TIFF 6.0 (Adobe, 1992), the BigTIFF
extension (Aware Systems), Technical Note 2 on JPEG in TIFF; SGI's ImageDepth (tag 32997).
"""

import operator
import os
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from vsv.errors import UnreadableSlide
from vsv.slides.tile_index import TiledImage

__all__ = ["Chunks", "Directory", "TiffFile"]

# Tags, by the number that TIFF 6.0 gives them.
_NEW_SUBFILE_TYPE: Final = 254
_WIDTH: Final = 256
_HEIGHT: Final = 257
_BITS_PER_SAMPLE: Final = 258
_COMPRESSION: Final = 259
_PHOTOMETRIC: Final = 262
_DESCRIPTION: Final = 270
_STRIP_OFFSETS: Final = 273
_SAMPLES_PER_PIXEL: Final = 277
_ROWS_PER_STRIP: Final = 278
_STRIP_BYTE_COUNTS: Final = 279
_PLANAR_CONFIGURATION: Final = 284
_PREDICTOR: Final = 317
_TILE_WIDTH: Final = 322
_TILE_HEIGHT: Final = 323
_TILE_OFFSETS: Final = 324
_TILE_BYTE_COUNTS: Final = 325
_JPEG_TABLES: Final = 347
_IMAGE_DEPTH: Final = 32997
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

# A stack of a hundred focal planes has a few hundred directories of some twenty entries each.
_MAX_ENTRIES = 4096
_MAX_ENTRIES_OF_ALL = 100_000
# Four million tiles of 240 pixels cover a slide of 480,000 pixels square.
_MAX_VALUE_BYTES = 32 * 2**20
# A field that has a number, or one a sample.
_MAX_SMALL_BYTES = 256
# Offsets of images that are not shown are read only to tell a truncated copy, and not of all of a
# large stack.
_MAX_CHECKED_BYTES = 64 * 2**20
# Scanners write a few hundred bytes.
_MAX_DESCRIPTION_BYTES = 2**16
_MAX_TABLES_BYTES = 2**14
# Text and tables of all directories, which stay in memory.
_MAX_KEPT_BYTES = 8 * 2**20
# A directory and the values near it come with one read. (On EFS each read costs a millisecond.)
_READ_AHEAD_BYTES: Final = 4096


class _Field(NamedTuple):
    """An entry of a directory: its type, how many values it has, and these or where they lie."""

    type: int
    length: int
    inline: bytes


@dataclass(frozen=True)
class Chunks:
    """Where an image's tiles or strips lie in the file, by rows, and how many bytes they have."""

    offsets: "array[int]"
    byte_counts: "array[int]"

    @property
    def memory_bytes(self) -> int:
        """About how much memory they take."""
        return 16 * len(self.offsets)


@dataclass(frozen=True)
class Directory:
    """One image of the file. Sizes are in pixels.

    ``tile_width`` is 0 where the image is in strips of ``tile_height`` rows. ``description`` is
    decoded as UTF-8, or as Latin-1 where it is not UTF-8. ``bits`` has a number a sample. ``depth``
    counts focal planes within the image, of which the first one's tiles come first.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    subfile_type: int
    compression: int
    photometric: int
    bits: tuple[int, ...]
    samples: int
    planar: int
    predictor: int
    depth: int
    description: str
    jpeg_tables: bytes
    offsets: _Field
    byte_counts: _Field

    @property
    def is_tiled(self) -> bool:
        """Whether the image is in tiles: what a level of a slide must be."""
        return self.tile_width > 0

    @property
    def tiled_image(self) -> TiledImage:
        """How the image's tiles are cut and coded. A strip is a tile as wide as the image."""
        return TiledImage(
            self.width,
            self.height,
            self.tile_width or self.width,
            min(self.tile_height, self.height) if not self.is_tiled else self.tile_height,
            self.compression,
            self.photometric,
            self.jpeg_tables,
            self.samples,
            self.predictor,
        )


class TiffFile:
    """A TIFF file that is open as ``descriptor``. All reads are bounded."""

    def __init__(self, descriptor: int) -> None:
        """Read the header. Raises UnreadableSlide where the file is not a TIFF file."""
        self._descriptor = descriptor
        self._buffer = (0, b"")
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
            (self._first_offset,) = self._unpack("Q", header[8:16])
        else:
            self._count_code, self._entry_code, self._inline = "H", "HHI", 4
            (self._first_offset,) = self._unpack("I", header[4:8])

    @cached_property
    def directories(self) -> tuple[Directory, ...]:
        """All directories, in file order.

        Raises UnreadableSlide where there are none, or they lead outside the file (a truncated
        copy) or in a circle.
        """
        found: list[Directory] = []
        seen: set[int] = set()
        offset, entries, kept = self._first_offset, 0, 0
        while offset:
            if offset in seen:
                raise UnreadableSlide("the TIFF directories lead in a circle")
            seen.add(offset)
            fields, offset, count = self._directory(offset)
            entries += count
            if entries > _MAX_ENTRIES_OF_ALL:
                raise UnreadableSlide(
                    f"TIFF directories of more than {_MAX_ENTRIES_OF_ALL} entries"
                )
            directory = self._parse(fields)
            kept += len(directory.description) + len(directory.jpeg_tables)
            if kept > _MAX_KEPT_BYTES:
                raise UnreadableSlide(f"TIFF descriptions of more than {_MAX_KEPT_BYTES} bytes")
            found.append(directory)
        if not found:
            raise UnreadableSlide("a TIFF file without an image")
        return tuple(found)

    def chunks(self, directory: Directory) -> Chunks:
        """Read where the image's tiles or strips lie.

        Raises UnreadableSlide where some are missing, or lie beyond the file's end (a truncated
        copy).
        """
        image = directory.tiled_image
        if min(image.width, image.height, image.tile_width, image.tile_height) < 1:
            raise UnreadableSlide("a TIFF image, or its tiles or strips, of no size")
        chunks = Chunks(self._numbers(directory.offsets), self._numbers(directory.byte_counts))
        if len(chunks.offsets) != len(chunks.byte_counts):
            raise UnreadableSlide(
                f"{len(chunks.offsets)} offsets, but {len(chunks.byte_counts)} byte counts"
            )
        end = max(map(operator.add, chunks.offsets, chunks.byte_counts), default=0)
        if end > self.file_size:
            raise UnreadableSlide(
                f"the file is truncated: it ends at byte {self.file_size}, image data at byte {end}"
            )
        if len(chunks.offsets) < image.cols * image.rows:
            raise UnreadableSlide(
                f"{len(chunks.offsets)} offsets for {image.cols} × {image.rows} tiles or strips"
            )
        return chunks

    def check_whole(self, directories: Sequence[Directory]) -> None:
        """Raise UnreadableSlide where data of these images lie beyond the file's end.

        Of large stacks only the first ones are looked at.
        """
        left = _MAX_CHECKED_BYTES
        for directory in directories:
            left -= 16 * directory.offsets.length
            if left < 0:
                return
            offsets, counts = map(self._numbers, (directory.offsets, directory.byte_counts))
            end = max(map(operator.add, offsets, counts), default=0)
            if end > self.file_size:
                raise UnreadableSlide(
                    f"the file is truncated: it ends at byte {self.file_size}, "
                    f"image data at byte {end}"
                )

    def _unpack(self, code: str, data: bytes) -> tuple[Any, ...]:
        return struct.unpack(self._order + code, data)

    def _read(self, offset: int, length: int) -> bytes:
        if offset + length > self.file_size:
            raise UnreadableSlide(
                f"the file is truncated: it ends at byte {self.file_size}, "
                f"data up to byte {offset + length} are missing"
            )
        start, buffer = self._buffer
        if not start <= offset <= offset + length <= start + len(buffer):
            wanted = min(max(length, _READ_AHEAD_BYTES), self.file_size - offset)
            start, buffer = offset, os.pread(self._descriptor, wanted, offset)
            if len(buffer) <= 2 * _READ_AHEAD_BYTES:
                self._buffer = (start, buffer)
        data = buffer[offset - start : offset - start + length]
        if len(data) != length:
            raise UnreadableSlide(f"bytes {offset} to {offset + length} cannot be read")
        return data

    def _directory(self, offset: int) -> tuple[dict[int, _Field], int, int]:
        """Return the wanted fields of the directory at ``offset``, the next one's offset, and the
        number of entries."""
        count_size = struct.calcsize("=" + self._count_code)
        (count,) = self._unpack(self._count_code, self._read(offset, count_size))
        if not 1 <= count <= _MAX_ENTRIES:
            raise UnreadableSlide(f"a TIFF directory with {count} entries")
        entry_size = 4 + 2 * self._inline
        body = self._read(offset + count_size, count * entry_size + self._inline)
        fields = {}
        for start in range(0, count * entry_size, entry_size):
            entry = body[start : start + entry_size]
            tag, field_type, value_count = self._unpack(self._entry_code, entry[: -self._inline])
            if tag in _WANTED and field_type in _TYPES:
                fields[tag] = _Field(field_type, value_count, entry[-self._inline :])
        (next_offset,) = self._unpack("Q" if self._big else "I", body[-self._inline :])
        return fields, next_offset, count

    def _value(self, field: _Field, most: int = _MAX_VALUE_BYTES) -> Any:
        """Return the field's values: an array of numbers, or bytes (of text, at most ``most``)."""
        size, code = _TYPES[field.type]
        length = size * field.length
        if code is None:
            length = min(length, most)
        if length > most:
            raise UnreadableSlide(f"a TIFF field of {length} bytes")
        if size * field.length <= self._inline:
            data = field.inline[:length]
        else:
            (offset,) = self._unpack("Q" if self._big else "I", field.inline)
            data = self._read(offset, length)
        if code is None:
            return data
        # An array takes the tile offsets of a large slide in at once, and in an eighth of the
        # memory that numbers of Python's take.
        values = array(code, data)
        if self._order != _NATIVE_ORDER:
            values.byteswap()
        return values

    def _numbers(self, field: _Field, most: int = _MAX_VALUE_BYTES) -> "array[int]":
        values = self._value(field, most)
        return values if isinstance(values, array) else array("B")

    def _parse(self, fields: dict[int, _Field]) -> Directory:
        none = _Field(3, 0, b"")

        def numbers(tag: int) -> "array[int]":
            return self._numbers(fields.get(tag, none), _MAX_SMALL_BYTES)

        def number(tag: int, default: int) -> int:
            values = numbers(tag)
            return int(values[0]) if values else default

        def raw(tag: int, most: int) -> bytes:
            if tag not in fields:
                return b""
            value = self._value(fields[tag], most)
            return value if isinstance(value, bytes) else bytes(value.tobytes())

        tiled = _TILE_WIDTH in fields
        photometric = number(_PHOTOMETRIC, -1)
        samples = number(_SAMPLES_PER_PIXEL, 3 if photometric in (2, 6) else 1)
        height = number(_HEIGHT, 0)
        return Directory(
            width=number(_WIDTH, 0),
            height=height,
            tile_width=number(_TILE_WIDTH, 0) if tiled else 0,
            tile_height=number(_TILE_HEIGHT, 0) if tiled else number(_ROWS_PER_STRIP, height),
            subfile_type=number(_NEW_SUBFILE_TYPE, 0),
            compression=number(_COMPRESSION, 1),
            photometric=photometric,
            bits=tuple(numbers(_BITS_PER_SAMPLE)),
            samples=samples,
            planar=number(_PLANAR_CONFIGURATION, 1),
            predictor=number(_PREDICTOR, 1),
            depth=number(_IMAGE_DEPTH, 1),
            description=_text(raw(_DESCRIPTION, _MAX_DESCRIPTION_BYTES)),
            jpeg_tables=raw(_JPEG_TABLES, _MAX_TABLES_BYTES),
            offsets=fields.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, none),
            byte_counts=fields.get(_TILE_BYTE_COUNTS if tiled else _STRIP_BYTE_COUNTS, none),
        )


def _text(raw: bytes) -> str:
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # Scanner software of the Windows-1252 years; Latin-1 maps every byte.
        return raw.decode("latin-1")
