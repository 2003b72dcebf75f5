"""Damages a slide, or what the library keeps about it, as a seed has it: always the same way.

A mutation knows where the file's parts lie, so that most mutants get past the first check and are
wrong in one place only.
"""

import os
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

Span = tuple[int, int]

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 13: 4, 16: 8, 18: 8}
_TABLES, _OFFSETS, _COUNTS = 347, (273, 324), (279, 325)
# What may stand where a file should: a FIFO, a folder, a link in a circle.
_NO_FILES: tuple[Callable[[Path], None], ...] = (
    os.mkfifo,
    os.mkdir,
    lambda path: path.symlink_to(path.name),
)
_BOUNDARIES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


class Entry(NamedTuple):
    """An entry of a directory: its own bytes, and where its value lies."""

    at: int
    tag: int
    value: Span


@dataclass
class Layout:
    """Where the parts of a sound TIFF file lie, as spans of bytes."""

    order: str
    is_big: bool
    entries: list[Entry] = field(default_factory=list)
    links: list[Span] = field(default_factory=list)
    chunks: list[Span] = field(default_factory=list)

    @classmethod
    def of(cls, data: bytes) -> "Layout":
        order = "<" if data[:2] == b"II" else ">"
        layout = cls(order, struct.unpack_from(order + "H", data, 2)[0] == 43)
        word, code = (8, "Q") if layout.is_big else (4, "I")
        link = 8 if layout.is_big else 4
        while at := struct.unpack_from(order + code, data, link)[0]:
            layout.links.append((link, link + word))
            size = 8 if layout.is_big else 2
            (count,) = struct.unpack_from(order + ("Q" if layout.is_big else "H"), data, at)
            layout.links.append((at, at + size))
            values = {}
            for start in range(at + size, at + size + count * (4 + 2 * word), 4 + 2 * word):
                tag, kind = struct.unpack_from(order + "HH", data, start)
                (number,) = struct.unpack_from(order + code, data, start + 4)
                length = _TYPE_SIZES.get(kind, 1) * number
                where = start + 4 + word
                if length > word:
                    (where,) = struct.unpack_from(order + code, data, where)
                layout.entries.append(Entry(start, tag, (where, where + length)))
                if tag in (*_OFFSETS, *_COUNTS):
                    number_code = {3: "H", 4: "I", 16: "Q"}[kind]
                    values[tag in _OFFSETS] = struct.unpack_from(
                        f"{order}{number}{number_code}", data, where
                    )
            for offset, length in zip(values[True], values[False], strict=True):
                layout.chunks.append((offset, offset + length))
            link = at + size + count * (4 + 2 * word)
        return layout


def segments(data: bytes, span: Span) -> Iterator[tuple[int, Span]]:
    """Marker and span of each segment of a JPEG stream or a JPEG 2000 codestream, the scan last."""
    start, end = span
    is_jpeg2000 = data[start : start + 2] == b"\xff\x4f"
    at = start + 2
    while at + 4 <= end and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if is_jpeg2000 and marker == 0x93:
            yield marker, (at, end)
            return
        stop = min(at + 2 + length, end)
        yield marker, (at, stop)
        at = stop
        if not is_jpeg2000 and marker == 0xDA:
            yield 0, (at, end)
            return


class Mutator:
    """Damages one slide's bytes."""

    def __init__(self, data: bytes, seed: int) -> None:
        self.data = bytearray(data)
        self.rng = random.Random(seed)
        self.layout = Layout.of(data)
        self.whole = (0, len(data))

    def mutate(self) -> str:
        """Damage the slide; return how."""
        kinds: dict[str, Callable[[], None]] = {
            "header": self.header,
            "entry": self.entry,
            "value": self.value,
            "link": self.link,
            "frame": self.frame,
            "tables": self.tables,
            "segment": self.segment,
            "scan": self.scan,
            "pieces": self.pieces,
            "truncated": self.truncated,
        }
        weights = (1, 4, 6, 1, 8, 5, 6, 8, 3, 1)
        (kind,) = self.rng.choices(list(kinds), weights)
        for _ in range(self.rng.choice((1, 1, 1, 2, 4))):
            kinds[kind]()
        return kind

    # How bytes change.

    def number(self, span: Span, order: str) -> None:
        """Set a number of 1, 2, 4 or 8 bytes to what it is next to, or to a boundary."""
        start, end = span
        little = "little" if order == "<" else "big"
        old = int.from_bytes(self.data[start:end], little)
        new = self.rng.choice(
            (
                *_BOUNDARIES,
                *(old - 1, old + 1, 2 * old, old // 2, 3 * old, old ^ 1 << self.rng.randrange(32)),
                *(old + 16, 1 << self.rng.randrange(40), len(self.data), len(self.data) - 1),
            )
        )
        size = end - start
        self.data[start:end] = (new % (1 << 8 * size)).to_bytes(size, little)

    def bits(self, span: Span, most: int = 8) -> None:
        for _ in range(self.rng.randint(1, most)):
            self.data[self.rng.randrange(*span)] ^= 1 << self.rng.randrange(8)

    def bytes_(self, span: Span) -> None:
        """Overwrite some bytes in a row."""
        start = self.rng.randrange(*span)
        length = min(self.rng.choice((1, 2, 4, 16, 64, 512)), span[1] - start)
        filling = self.rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", None))
        self.data[start : start + length] = (
            filling * length if filling else self.rng.randbytes(length)
        )

    def any_way(self, span: Span) -> None:
        if span[0] < span[1]:
            self.rng.choice((self.bits, self.bytes_))(span)

    # Where.

    def header(self) -> None:
        self.any_way((0, 16 if self.layout.is_big else 8))

    def entry(self) -> None:
        """Another tag, type, count or value, of a directory's entry."""
        entry = self.rng.choice(self.layout.entries)
        word = 8 if self.layout.is_big else 4
        start, size = self.rng.choice(((0, 2), (2, 2), (4, word), (4 + word, word)))
        self.number((entry.at + start, entry.at + start + size), self.layout.order)

    def value(self) -> None:
        """Another number among an entry's values, or two of them swapped."""
        entry = self.rng.choice(self.layout.entries)
        start, end = entry.value
        if entry.tag in (270, _TABLES) or end - start < 2:
            self.any_way(entry.value)
            return
        size = 2 if (end - start) % 4 else 4
        count = (end - start) // size
        one, other = (start + size * self.rng.randrange(count) for _ in "12")
        if count > 1 and self.rng.random() < 0.3:
            kept = self.data[one : one + size]
            self.data[one : one + size] = self.data[other : other + size]
            self.data[other : other + size] = kept
        else:
            self.number((one, one + size), self.layout.order)

    def link(self) -> None:
        """Where a directory lies, or how many entries it has."""
        self.number(self.rng.choice(self.layout.links), self.layout.order)

    def chunk(self) -> Span:
        return self.rng.choice(self.layout.chunks)

    def coded(self) -> tuple[Span, list[tuple[int, Span]]]:
        """Return a tile, a strip or a level's tables, and its segments if it is a JPEG or JPEG 2000
        stream."""
        tables = [entry.value for entry in self.layout.entries if entry.tag == _TABLES]
        shared = tables and self.rng.random() < 0.2
        span = self.rng.choice(tables) if shared else self.chunk()
        return span, list(segments(bytes(self.data), span))

    def frame(self) -> None:
        """Change a number in a frame header (SOFn), or in SIZ."""
        span, parts = self.coded()
        frames = [part for marker, part in parts if marker in (0xC0, 0xC1, 0xC2, 0x51)]
        if not frames:
            return self.any_way(span)
        start, end = self.rng.choice(frames)
        size = self.rng.choice((1, 2, 4) if self.data[start + 1] == 0x51 else (1, 1, 2))
        at = self.rng.randrange(start + 2, max(end - size, start + 3))
        return self.number((at, at + size), ">")

    def tables(self) -> None:
        """Change a byte in DQT, DHT, DRI, in the scan's header; or in COD, QCD, SOT."""
        span, parts = self.coded()
        wanted = (0xDB, 0xC4, 0xDD, 0xDA, 0x52, 0x53, 0x5C, 0x5D, 0x90)
        tables = [part for marker, part in parts if marker in wanted]
        if not tables:
            return self.any_way(span)
        start, end = self.rng.choice(tables)
        if self.rng.random() < 0.5:
            return self.any_way((start + 2, end))
        at = self.rng.randrange(start + 2, end)
        return self.number((at, min(at + self.rng.choice((1, 2)), end)), ">")

    def segment(self) -> None:
        """Double a segment, leave it out, move or rename it, or put one in from elsewhere."""
        span, parts = self.coded()
        parts = [part for marker, part in parts if marker]
        if not parts:
            return self.any_way(span)
        start, end = self.rng.choice(parts)
        own, before, after = (
            bytes(self.data[start:end]),
            bytes(self.data[span[0] : start]),
            bytes(self.data[end : span[1]]),
        )
        other = bytes(self.data[slice(*self.rng.choice(parts))])
        inserted = self.rng.choice(
            (
                b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0",
                b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0" + bytes([self.rng.randrange(4)]),
                b"\xff\xdd\x00\x04\x00\x01",
                bytes([0xFF, self.rng.randrange(256), 0, self.rng.choice((0, 1, 2, 8))]) + bytes(6),
                b"\xff" * self.rng.choice((1, 3, 500)),
                other,
            )
        )
        changed = self.rng.choice(
            (
                before + own + own + after,
                before + after,
                before + other + after,
                before + inserted + own + after,
                before + own + inserted + after,
                before + bytes([0xFF, self.rng.randrange(0xC0, 0x100)]) + own[2:] + after,
                before + own[:2] + self.rng.randbytes(2) + own[4:] + after,
            )
        )
        length = span[1] - span[0]
        self.data[slice(*span)] = changed[:length].ljust(length, b"\0")
        return None

    def scan(self) -> None:
        """Change the coded pixels themselves."""
        span, parts = self.coded()
        scans = [part for marker, part in parts if marker in (0, 0x93)]
        start, end = scans[0] if scans else span
        if start >= end:
            return
        if self.rng.random() < 0.2:
            at = self.rng.randrange(start, end)
            marker = bytes([0xFF, self.rng.choice((0xD9, 0xD0, 0xDA, 0xC4, 0xFF, 0x93, 0x52))])
            self.data[at : min(at + 2, end)] = marker[: min(2, end - at)]
            return
        self.any_way((start, end))

    def pieces(self) -> None:
        """One tile's data in another's place, or a part of the file in that of another."""
        one, other = self.chunk(), self.chunk()
        if self.rng.random() < 0.3:
            one, other = ((at, at + 4096) for at in self.rng.choices(range(len(self.data)), k=2))
        length = min(one[1] - one[0], other[1] - other[0], len(self.data) - max(one[0], other[0]))
        self.data[one[0] : one[0] + length] = self.data[other[0] : other[0] + length]

    def truncated(self) -> None:
        del self.data[self.rng.randrange(len(self.data)) :]
        self.data += b"\0" * (8 - len(self.data))


def damage_index(root: Path, image_id: str, seed: int) -> str:
    """Damage what the library keeps about a slide beneath the images path; return how."""
    rng = random.Random(seed)
    files = [root / f"{image_id}.index", *sorted((root / f"{image_id}_index").iterdir())]
    targets = files if rng.random() < 0.2 else rng.sample(files, rng.choice((1, 1, 2)))
    for path in targets:
        good = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        path.unlink()
        if rng.random() < 0.15:
            rng.choice(_NO_FILES)(path)
            continue
        bad = _damaged(good, rng)
        if path.suffix == ".index" or rng.random() < 0.4 or not bad or b"\0" in bad:
            path.write_bytes(bad)
        else:
            os.symlink(bad[:4000], os.fsencode(path))
    return "index"


def _damaged(good: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(good))
    data = bytearray(good)
    match rng.randrange(8):
        case 0:
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at] = rng.choice((0x80, 0xC3, 0xFF))
        case 2:
            data[at : at + rng.choice((1, 8, 100))] = rng.randbytes(rng.choice((1, 8, 100)))
        case 3:
            del data[at:]
        case 4:
            data = bytearray(rng.randbytes(rng.choice((1, 50, 3000))))
        case 5:
            del data[at : at + rng.choice((1, 8, 100))]
        case 6:
            # Another format's number, or any number.
            digits = [where for where, byte in enumerate(data) if 48 <= byte <= 57]
            data[rng.choice(digits)] = rng.choice(b"0123456789")
        case _:
            data = data[:at] * 2
    return bytes(data)
