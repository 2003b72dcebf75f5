"""JPEG tiles and strips of a TIFF file as JPEG files that stand for themselves.

A TIFF keeps what its tiles have in common beside them: their size, their colours (the photometric
interpretation), often their tables. What a tile says itself is believed only where it agrees: a
decoder that trusts another frame size writes past its buffer, and markers that name other colours
than the directory are left over from other files. Sources: ITU-T T.81, Annex B; T.871 (JFIF);
T.872, 6.5.3 (Adobe's APP14); TIFF Technical Note 2.
"""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

from vsv.slides.damage import DamagedTile, UnsupportedTile

__all__ = ["Color", "Frame", "is_jpeg", "standalone"]

# What the components of a frame are. A frame of one component needs no name: it is grey.
Color = Literal["RGB", "YCbCr"]

_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_START_OF_SCAN: Final = 0xDA
_APP0: Final = 0xE0
_APP14: Final = 0xEE
_FILL: Final = 0xFF
# Baseline, extended and progressive, with Huffman codes: what browsers decode as well.
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE: Final = 0xC2
_HUFFMAN_TABLES: Final = 0xC4
# Lossless, hierarchical, with arithmetic codes.
_OTHER_FRAMES: Final = frozenset(range(0xC3, 0xD0)) - {_HUFFMAN_TABLES, 0xC8, 0xCC}
# Markers without a segment behind them (TEM, RSTn, SOI, EOI), and what belongs to other frames.
_REFUSED: Final = frozenset({0x00, 0x01, 0xC8, 0xCC, *range(0xD0, 0xDA)})
# Longer headers have something odd in them, and are read each time.
_MAX_CACHED_HEADER_BYTES: Final = 4096
# Encoders write about ten segments.
_MAX_SEGMENTS: Final = 1000
# Encoders write about ten scans at most. A decoder goes over the whole image for each.
_MAX_SCANS: Final = 64

_JFIF: Final = b"JFIF\0"
_JFIF_LENGTH: Final = 16
_ADOBE: Final = b"Adobe"
_ADOBE_LENGTH: Final = 14
# The last byte of Adobe's segment tells the colours.
_TRANSFORMS: Final[dict[Color, bytes]] = {"RGB": b"\0", "YCbCr": b"\1"}
_RGB_IDS: Final = b"RGB"


class Frame(NamedTuple):
    """The frame header of a JPEG stream, and the markers before its first scan.

    ``width`` and ``height`` are in pixels. ``ids`` are the components' identifiers, ``factors``
    their horizontal and vertical sampling factors in one byte each. ``is_jfif`` is None where the
    JFIF segment is too short: libjpeg does not count that, others may. ``adobe`` is the transform
    of the last APP14 segment, None where there is none.
    """

    marker: int
    precision: int
    width: int
    height: int
    ids: bytes
    factors: bytes
    is_jfif: bool | None
    adobe: int | None

    @classmethod
    def read(cls, data: bytes) -> "Frame":
        """Read the headers of a whole JPEG stream up to its first scan.

        Raises DamagedTile where they are damaged, or of a kind that is not decoded here.
        """
        try:
            return _read(data)
        except IndexError:
            raise DamagedTile("is damaged: the JPEG header is cut off") from None

    @property
    def has_subsampled_chroma(self) -> bool:
        """Whether chroma has fewer samples than luma (4:2:2, 4:2:0).

        libjpeg's scaled decoding then is not what averaging the decoded pixels gives: it scales
        chroma by as much as luma (4:2:2), or takes it as it is where decoding at full size would
        smooth it. Even against the uncompressed scan that loses 0.2 to 3.5 dB.
        """
        return any(factors != self.factors[0] for factors in self.factors)

    def shows(self, color: Color) -> bool:
        """Whether every decoder takes the frame's three components for ``color``.

        The order of libjpeg's guesses: JFIF, Adobe's transform, the components' identifiers.
        """
        if color == "RGB":
            return self.is_jfif is False and self.adobe == 0
        if self.is_jfif:
            return True
        return self.ids != _RGB_IDS if self.adobe is None else self.adobe == 1


def is_jpeg(data: bytes) -> bool:
    """Whether the data begin as a JPEG stream does."""
    return data.startswith(_SOI)


def standalone(
    tables: bytes, data: bytes, size: tuple[int, int] | None, color: Color | None
) -> tuple[bytes, Frame]:
    """Return a tile as a JPEG file, and its frame. The image data are the scanner's, unchanged.

    ``tables`` is what the tiles have in common (TIFF tag 347), ``size`` the width and height that
    the directory gives a tile, ``color`` what it says of the components; None where it says
    nothing. Markers that contradict ``color`` are taken out. Raises DamagedTile where the data
    are not a JPEG stream of that size that can be decoded.
    """
    if not is_jpeg(data):
        raise DamagedTile("is damaged: it is not a JPEG stream")
    stream, frame = _through_cache(tables, data, size, color)
    if frame.marker == _PROGRESSIVE:
        check_scans(stream)
    return stream, frame


def check_scans(stream: bytes) -> None:
    """Raise DamagedTile where there are more scans than any encoder writes.

    That takes half as long as all else of a tile that is shown as it is, so that only those are
    asked which are decoded here, or which viewers decode slowly.
    """
    if stream.count(b"\xff\xda") > _MAX_SCANS:
        raise DamagedTile(f"is damaged: a JPEG stream of more than {_MAX_SCANS} scans")


def _through_cache(
    tables: bytes, data: bytes, size: tuple[int, int] | None, color: Color | None
) -> tuple[bytes, Frame]:
    """Do what ``_checked`` does. Tiles of a level mostly have the same header, read only once."""
    end = data.find(b"\xff\xda") + 2
    if 2 < end <= _MAX_CACHED_HEADER_BYTES:
        try:
            header, frame = _checked_header(tables, data[:end], size, color)
        except DamagedTile:
            pass  # or these two bytes are part of a table: the whole tile tells
        else:
            return header + data[end:], frame
    return _checked(tables, data, size, color)


def _checked(
    tables: bytes, data: bytes, size: tuple[int, int] | None, color: Color | None
) -> tuple[bytes, Frame]:
    """Return the stream, or as much of it as there is in ``data``, and its frame."""
    segments = _segments(tables)
    stream = _SOI + (_adobe(color) if color == "RGB" else b"") + segments + data[2:]
    frame = Frame.read(stream)
    if size is not None and size != (frame.width, frame.height):
        raise DamagedTile(
            f"is damaged: its JPEG frame has {frame.width} × {frame.height} pixels "
            f"instead of {size[0]} × {size[1]}"
        )
    if color is None or len(frame.ids) == 1 or frame.shows(color):
        return stream, frame
    return _SOI + _adobe(color) + _without_color_markers(_SOI + segments + data[2:])[2:], frame


_checked_header = lru_cache(maxsize=256)(_checked)


def _segments(tables: bytes) -> bytes:
    """Return the segments between the markers of start and end. Some pad what comes after it."""
    at = 2
    while tables[at : at + 1] == b"\xff" and tables[at : at + 2] != _EOI:
        at += 2 + int.from_bytes(tables[at + 2 : at + 4], "big")
    return tables[2:at] if tables[at : at + 2] == _EOI else tables.removeprefix(_SOI)


def _read(data: bytes) -> Frame:
    """Read the headers. Raises IndexError where the data end within them."""
    at, adobe, frame = 2, None, 0
    is_jfif: bool | None = False
    for _ in range(_MAX_SEGMENTS):
        marker = data[at + 1]
        if data[at] != _FILL:
            raise DamagedTile("is damaged: the JPEG header is damaged")
        if marker == _START_OF_SCAN and frame:
            return _frame(data, frame, is_jfif, adobe)
        if marker == _FILL:
            at += 1
            continue
        if marker in _OTHER_FRAMES and not frame:
            raise UnsupportedTile("lossless, hierarchical or arithmetic JPEG is not supported")
        if marker in _REFUSED or marker in _OTHER_FRAMES or marker == _START_OF_SCAN:
            raise DamagedTile("is damaged: a JPEG stream of a kind that is not decoded")
        start, length = at + 4, data[at + 2] << 8 | data[at + 3]
        if length < 2:
            raise DamagedTile("is damaged: the JPEG header is damaged")
        if marker in _FRAMES:
            if frame:
                raise DamagedTile("is damaged: a JPEG stream with two frames")
            frame = start
        elif marker == _APP0 and data.startswith(_JFIF, start):
            is_jfif = is_jfif or (length >= _JFIF_LENGTH or None)
        elif marker == _APP14 and length >= _ADOBE_LENGTH and data.startswith(_ADOBE, start):
            adobe = data[start + 11]
        at += 2 + length
    raise DamagedTile("is damaged: the JPEG header has too many segments")


def _frame(data: bytes, at: int, is_jfif: bool | None, adobe: int | None) -> Frame:
    count = data[at + 5]
    end = at + 6 + 3 * count
    length = data[at - 2] << 8 | data[at - 1]
    factors = data[at + 7 : end : 3]
    if length != 8 + 3 * count:
        raise DamagedTile(f"is damaged: a JPEG stream with {count} components")
    if data[at] != 8:
        raise UnsupportedTile(f"{data[at]} bits per sample are not supported, only 8")
    if count not in (1, 3):
        raise UnsupportedTile(f"JPEG data with {count} samples per pixel are not supported")
    return Frame(
        data[at - 3],
        data[at],
        data[at + 3] << 8 | data[at + 4],
        data[at + 1] << 8 | data[at + 2],
        data[at + 6 : end : 3],
        factors,
        is_jfif,
        adobe,
    )


def _adobe(color: Color) -> bytes:
    """Return Adobe's segment that names the colours.

    A TIFF of RGB says so in its directory only, and most decoders take three components for YCbCr.
    """
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + _TRANSFORMS[color]


def _without_color_markers(stream: bytes) -> bytes:
    """Return the stream without the segments by which decoders guess its colours."""
    kept, at = bytearray(stream[:2]), 2
    while stream[at + 1] != _START_OF_SCAN:
        if stream[at + 1] == _FILL:
            at += 1
            continue
        end = at + 2 + (stream[at + 2] << 8 | stream[at + 3])
        if stream[at + 1] not in (_APP0, _APP14):
            kept += stream[at:end]
        at = end
    return bytes(kept) + stream[at:]
