"""Blocks of the tile index as they are stored: round trips, sizes, limits."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsv.identifiers import FileVersion
from vsv.pyramid.tile_blocks import blocks
from vsv.slides.damage import TileNumber
from vsv.slides.fingerprint import Fingerprint
from vsv.slides.slide import Slide
from vsv.slides.tile_index import BLOCK_TILES, TileBlock, TiledImage, TileEntry
from vsv.storage.atomic_files import read_note, write_note


@given(
    filename=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    offset=st.integers(0, 2**40 - 1),
    length=st.integers(0, 2**24 - 1),
    crc32=st.integers(0, 2**32 - 1),
)
def test_a_block_survives_its_way_through_text(filename, offset, length, crc32):
    image = TiledImage(2309, 1543, 256, 256, 7, 2, b"\xff\xd8tables\xff\xd9")
    block = TileBlock.of(
        image,
        lambda col, row: TileEntry(offset, length, crc32),
        (0, 0),
        filename=filename,
        version=FileVersion(123, 456),
        passes_through=True,
        imported=True,
    )
    again = TileBlock.from_text(block.to_text())
    assert again == block
    assert again.entry(3, 2) == ((offset, length, crc32) if length else (0, 0, 0))
    assert again.passes_through(8, 5) == (length > 0)
    assert not again.passes_through(9, 5)
    assert not again.passes_through(8, 6)


def test_a_tile_taken_out_of_a_block_leaves_all_others_where_they_are():
    image = TiledImage(2309, 1543, 256, 256, 7, 2, b"")
    facts = {"filename": "x.svs", "version": FileVersion(1, 2), "passes_through": True}
    block = TileBlock.of(
        image, lambda col, row: TileEntry(100 * row + col, 7), (0, 0), imported=False, **facts
    )
    without = block.without([TileNumber(0, 3, 2)])
    for row in range(7):
        for col in range(10):
            expected = TileEntry(0, 0) if (col, row) == (3, 2) else TileEntry(100 * row + col, 7)
            assert without.entry(col, row) == expected, (col, row)
    assert not without.passes_through(3, 2)


@pytest.mark.parametrize(
    ("compression", "kinds", "color"),
    [
        (7, ("is_jpeg",), None),
        (33003, ("is_jpeg2000",), "YCbCr"),
        (33005, ("is_jpeg2000",), "RGB"),
        *[(each, ("is_lossless",), None) for each in (1, 5, 8, 32773, 32946)],
        (6, (), None),
    ],
)
def test_a_compressions_number_tells_what_decodes_it(compression, kinds, color):
    """Aperio's two numbers for JPEG 2000 tell its colours."""
    image = TiledImage(512, 512, 256, 256, compression, 2, b"")
    every = ("is_jpeg", "is_jpeg2000", "is_lossless")
    assert tuple(kind for kind in every if getattr(image, kind)) == kinds
    assert image.is_decoded_here is bool(kinds)
    if color:
        assert image.jpeg2000_color == color


def test_what_does_not_fit_a_block_is_not_indexed():
    image = TiledImage(100, 100, 256, 256, 7, 2, b"")
    for entry in (TileEntry(2**40, 1), TileEntry(0, 2**24)):
        facts = {"filename": "x", "version": FileVersion(1, 1), "passes_through": True}
        assert TileBlock.of(image, lambda *_, e=entry: e, (0, 0), imported=True, **facts) is None


def test_the_index_is_compact(real, generated):
    """A block is what one call reads: it fits a symbolic link on EFS (4,080 bytes)."""
    with Slide(generated) as slide:
        fingerprint = Fingerprint.of(slide)
        images = [level.image for level in slide.levels]
        tiles = sum(image.cols * image.rows for image in images)
        found = list(blocks(slide, "day 1/" + "x" * 200 + ".svs", fingerprint))
        assert {address.level for address, _ in found} == {12, 10, 8}
        assert all(len(block.to_text()) < 4000 for _, block in found)
        assert len(found) <= len(images) + tiles / 30
        assert len(found[0][1].entries) == 12 * BLOCK_TILES**2


@pytest.mark.parametrize("long", [False, True])
def test_a_note_is_read_as_it_was_written_link_or_file(tmp_path, long, monkeypatch):
    text = "né" * (3000 if long else 3)
    path = tmp_path / "new folder" / "note"
    assert read_note(path) is None
    for _ in range(2):
        write_note(path, text)
        assert path.is_symlink() != long
        assert read_note(path) == text

    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", no_links)
    write_note(path, text)
    assert not path.is_symlink()
    assert read_note(path) == text
    assert [entry.name for entry in path.parent.iterdir()] == ["note"]
