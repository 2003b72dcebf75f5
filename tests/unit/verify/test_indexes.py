"""Damage to the slide index and to the tile index is found."""

from dataclasses import replace

import pytest

from tests.unit.verify.helpers import ID
from vsv.pyramid.tile_blocks import BlockAddress
from vsv.storage.atomic_files import read_note, write_note


def test_a_slide_index_that_is_missing_is_found(subject):
    (subject.storage.root / f"{ID}.index").unlink()
    assert subject.findings == ["the slide index is missing or damaged"]


@pytest.mark.parametrize("fields", [{"filename": "y.svs"}, {"mtime_ns": 1}])
def test_a_foreign_index_is_found(subject, fields):
    subject.change_index(**fields)
    assert subject.findings == ["the slide index is another file's"]


def test_an_index_that_no_slide_has_is_found(subject):
    subject.change_index(width=2310)
    assert subject.findings[0] == "the slide index is missing or damaged"


def test_an_index_that_no_import_wrote_is_found(subject):
    subject.change_index(imported=False, quality=0)
    assert "not the import's" in subject.findings[0]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"sha256": "0" * 64}, "sha256"),
        ({"overlap": 1}, "overlap"),
        ({"levels": (12, 3)}, "levels"),
        ({"archived": True}, "archived"),
        ({"images": ()}, "images"),
        ({"sha256": "0" * 64, "tile_width": 512}, "sha256, tile_width"),
    ],
)
@pytest.mark.slow
def test_an_index_that_is_wrong_about_the_file_is_found(subject, fields, wrong):
    subject.change_index(**fields)
    assert subject.findings == [f"the slide index is wrong about {wrong}"]


def test_blocks_of_the_tile_index_that_are_missing_or_cut_are_found(subject):
    subject.block(10).unlink()
    text = read_note(subject.block(8))
    subject.block(8).unlink()
    write_note(subject.block(8), text[:200])
    assert subject.findings == [
        "block 10_0_0 of the tile index is missing or damaged",
        "block 8_0_0 of the tile index is missing or damaged",
    ]


def change_entry(subject, level, col, row, **fields):
    address = BlockAddress.holding(level, col, row)
    block = subject.storage.read_block(ID, address)
    entry = block.entry(col, row)._replace(**fields)
    number = (row % 12) * 12 + col % 12
    packed = (entry.offset << 24 | entry.length).to_bytes(8, "little")
    entries = bytearray(block.entries)
    entries[12 * number : 12 * number + 12] = packed + entry.crc32.to_bytes(4, "little")
    subject.storage.write_block(ID, address, replace(block, entries=bytes(entries)))


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"crc32": 7}, "is not what the tile index says"),
        ({"offset": 7}, "is not where the tile index says"),
        ({"length": 7}, "is not where the tile index says"),
        ({"offset": 0, "length": 0, "crc32": 0}, "is not where the tile index says"),
    ],
)
@pytest.mark.slow
def test_an_entry_of_the_tile_index_that_is_wrong_is_found(subject, fields, finding):
    change_entry(subject, 10, 1, 1, **fields)
    assert subject.findings == [f"tile 1_1 of level 1 {finding}"]


def test_blocks_of_another_file_or_another_level_are_found(subject):
    address = BlockAddress(12, 0, 0)
    block = subject.storage.read_block(ID, address)
    subject.storage.write_block(ID, address, replace(block, filename="y.svs"))
    subject.storage.write_block(ID, BlockAddress(10, 0, 0), replace(block, whole_cols=3))
    assert subject.findings == [
        "block 12_0_0 of the tile index is another file's",
        "block 10_0_0 of the tile index is wrong about the level's tiles",
    ]
