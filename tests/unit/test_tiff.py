"""What is read of a TIFF file has bounds: a file says what it likes."""

import os
import struct

import pytest

from vsv.errors import UnreadableSlide
from vsv.slides import tiff as tiff_module
from vsv.slides.slide import Slide
from vsv.slides.tiff import TiffFile

SHORT, LONG, ASCII, UNDEFINED = 3, 4, 2, 7
WIDTH, HEIGHT, DESCRIPTION, TABLES = 256, 257, 270, 347
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS = 322, 323, 324, 325
UNKNOWN = 65_000
# Where values lie that do not fit an entry: behind all directories.
VALUES = 2**21

ONE_TILE = {
    **{WIDTH: (SHORT, 1, 240), HEIGHT: (SHORT, 1, 200)},
    **{TILE_WIDTH: (SHORT, 1, 256), TILE_HEIGHT: (SHORT, 1, 256)},
    **{TILE_OFFSETS: (LONG, 1, VALUES), TILE_BYTE_COUNTS: (LONG, 1, 9)},
}


def directory(entries, follows=0):
    """Entries are (tag, type, number of values, value or offset)."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", follows)


@pytest.fixture
def tiff(tmp_path):
    """Write a file of these directories, with as many zeros behind them as it needs; open it."""
    opened = []

    def made(*directories, content=b"", size=VALUES + 2**27):
        path = tmp_path / "x.svs"
        at, data = 8, struct.pack("<2sHI", b"II", 42, 8)
        for number, entries in enumerate(directories):
            length = len(directory(entries))
            data += directory(entries, at + length if number + 1 < len(directories) else 0)
            at += length
        assert len(data) <= VALUES
        with path.open("wb") as file:
            file.write(data)
            file.seek(VALUES)
            file.write(content)
            file.truncate(max(size, VALUES + len(content)))  # a hole: it takes no room
        opened.append(os.open(path, os.O_RDONLY))
        return TiffFile(opened[-1])

    yield made
    for each in opened:
        os.close(each)


def entries(others=()):
    """Return the entries of an image of one tile, with others in their place."""
    return [(tag, *value) for tag, value in sorted({**ONE_TILE, **dict(others)}.items())]


def test_a_directory_has_at_most_4096_entries(tiff):
    one = (UNKNOWN, SHORT, 1, 0)
    assert len(tiff([one] * 4096).directories) == 1
    for count in (0, 4097):
        with pytest.raises(UnreadableSlide, match=f"a TIFF directory with {count} entries"):
            assert tiff([one] * count).directories


def test_all_directories_together_have_no_more_entries_than_a_large_stack(tiff, monkeypatch):
    monkeypatch.setattr(tiff_module, "_MAX_ENTRIES_OF_ALL", 10)
    one = (UNKNOWN, SHORT, 1, 0)
    assert len(tiff([one] * 4, [one] * 6).directories) == 2
    with pytest.raises(UnreadableSlide, match="more than 10 entries"):
        assert tiff([one] * 4, [one] * 7).directories


def test_all_descriptions_together_have_a_bound(tiff, monkeypatch):
    """Thousands of directories can share one text, which each has in memory."""
    monkeypatch.setattr(tiff_module, "_MAX_KEPT_BYTES", 30)
    shared = entries({DESCRIPTION: (ASCII, 11, VALUES)})
    content = b"0123456789\0"
    assert len(tiff(shared, shared, shared, content=content).directories) == 3
    with pytest.raises(UnreadableSlide, match="more than 30 bytes"):
        assert tiff(shared, shared, shared, shared, content=content).directories


@pytest.mark.parametrize("tag", [TILE_OFFSETS, TILE_BYTE_COUNTS])
def test_no_list_of_tiles_takes_more_than_32_mb(tiff, tag):
    file = tiff(entries({tag: (LONG, 8 * 2**20 + 1, VALUES)}))
    with pytest.raises(UnreadableSlide, match="a TIFF field of 33554436 bytes"):
        file.chunks(file.directories[0])


def test_a_number_is_not_a_list(tiff):
    many = entries({WIDTH: (SHORT, 128, VALUES)})
    assert tiff(many, content=struct.pack("<H", 300)).directories[0].width == 300
    with pytest.raises(UnreadableSlide, match="a TIFF field of 258 bytes"):
        assert tiff(entries({WIDTH: (SHORT, 129, VALUES)})).directories


def test_of_endless_texts_the_beginning_is_read(tiff):
    file = tiff(
        entries({DESCRIPTION: (ASCII, 2**20, VALUES), TABLES: (UNDEFINED, 2**20, VALUES)}),
        content=b"x" * 2**20,
    )
    assert file.directories[0].description == "x" * 2**16
    assert file.directories[0].jpeg_tables == b"x" * 2**14


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("µm ä".encode(), "µm ä"),
        ("µm ä".encode("latin-1"), "µm ä"),
        (b"scanned\0later", "scanned"),
        (b"\0", ""),
    ],
)
def test_a_description_is_utf_8_or_latin_1_and_ends_with_a_zero(tiff, content, text):
    file = tiff(entries({DESCRIPTION: (ASCII, 100, VALUES)}), content=content + b"\0")
    assert file.directories[0].description == text


def test_a_tile_ends_within_the_file(tiff):
    for end in (VALUES + 9, VALUES + 8):
        file = tiff(entries(), size=end)
        if end == VALUES + 9:
            chunks = file.chunks(file.directories[0])
            assert (list(chunks.offsets), list(chunks.byte_counts)) == ([VALUES], [9])
            assert chunks.memory_bytes == 16
            file.check_whole(file.directories)
            continue
        for check in (lambda one: one.chunks(one.directories[0]), whole):
            with pytest.raises(UnreadableSlide, match=f"ends at byte {end}, .* byte {end + 1}"):
                check(file)


def test_of_a_large_stack_only_the_first_images_are_looked_at(tiff, monkeypatch):
    monkeypatch.setattr(tiff_module, "_MAX_CHECKED_BYTES", 64)
    content = struct.pack("<6I", VALUES, VALUES, 1, 1, 1, 2**30)
    sound, beyond = (
        entries({TILE_OFFSETS: (LONG, 2, VALUES), TILE_BYTE_COUNTS: (LONG, 2, VALUES + at)})
        for at in (8, 16)
    )
    with pytest.raises(UnreadableSlide, match="is truncated"):
        whole(tiff(sound, beyond, content=content))
    whole(tiff(sound, sound, beyond, content=content))


def test_an_image_may_be_a_pixel_wide(tiff):
    file = tiff(entries({WIDTH: (SHORT, 1, 1), HEIGHT: (SHORT, 1, 1)}))
    assert len(file.chunks(file.directories[0]).offsets) == 1


def whole(file):
    file.check_whole(file.directories)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({WIDTH: (SHORT, 1, 257)}, "1 offsets for 2 × 1 tiles"),
        ({HEIGHT: (SHORT, 1, 257)}, "1 offsets for 1 × 2 tiles"),
        ({WIDTH: (SHORT, 1, 0)}, "of no size"),
        ({TILE_HEIGHT: (SHORT, 1, 0)}, "of no size"),
        ({TILE_OFFSETS: (LONG, 2, VALUES)}, "2 offsets, but 1 byte counts"),
        ({TILE_OFFSETS: (ASCII, 1, 0)}, "0 offsets, but 1 byte counts"),
    ],
)
def test_each_tile_has_its_place(tiff, tags, reason):
    file = tiff(entries(tags))
    with pytest.raises(UnreadableSlide, match=reason):
        file.chunks(file.directories[0])


def test_a_slide_has_at_most_six_million_tiles(tiff, tmp_path):
    count = 6 * 2**20 + 1
    lists = {TILE_OFFSETS: (LONG, count, VALUES), TILE_BYTE_COUNTS: (LONG, count, VALUES)}
    tiff(entries(lists))
    with pytest.raises(UnreadableSlide, match=f"{count} tiles are too many"):
        Slide(tmp_path / "x.svs")
