"""``vsv-admin rerender`` and ``rebuild-index``: what is made again, and what stays."""

import pytest

from tests.unit.admin.helpers import ID, set_fields
from vsv.imports.verify import RecordedSlide, verify


def tiles(world):
    root = world.storage.root
    return {path: path.lstat().st_mtime_ns for path in root.glob(f"{ID}_files/*/*.jpeg")}


def test_rerender_makes_all_anew_and_keeps_edits(admin, world, executions, imported):
    set_fields(world, imported, SlideID="S-EDITED-1", Status="GOOD")
    label = world.storage.root / f"{ID}_files/label.jpeg"
    label.write_bytes(b"text")
    (world.storage.root / f"{ID}_files/12/3_2.jpeg").write_bytes(b"text")
    assert admin("rerender", imported) == (0, [f"{ID}: imported, 107 tiles"], [])
    recorded = RecordedSlide.of(world.catalogue.get(imported)).to_dict()
    plan = verify(world.storage, {"slide": recorded})
    for piece in plan["pieces"]:
        assert not verify(world.storage, {"slide": recorded, "piece": piece})["findings"]
    record = world.catalogue.get(imported)
    assert (record["SlideID"], record["Status"]) == ("S-EDITED-1", "GOOD")


def test_rebuild_index_writes_blocks_anew_and_keeps_tiles(admin, world, executions, imported):
    before = tiles(world)
    for block in (world.storage.root / f"{ID}_index").iterdir():
        block.unlink()
    assert admin("rebuild-index", imported)[0] == 0
    assert tiles(world) == before
    assert len(list((world.storage.root / f"{ID}_index").iterdir())) == 3
    # Without the slide's index nothing tells whose tiles they are.
    (world.storage.root / f"{ID}.index").unlink()
    assert admin("rebuild-index", imported)[0] == 0
    assert not set(tiles(world).items()) & set(before.items())


@pytest.mark.parametrize("command", ["rerender", "rebuild-index"])
def test_what_is_being_imported_is_not_disturbed(admin, world, executions, imported, command):
    set_fields(world, imported, ImportStatus="IMPORTING")
    code, _, err = admin(command, imported)
    assert (code, err) == (1, [f"vsv-admin: {ID}: the slide is being imported"])


def test_a_file_that_is_gone_costs_no_pyramid(admin, world, executions, imported):
    (world.storage.root / "x.svs").unlink()
    before = tiles(world)
    code, _, err = admin("rerender", imported)
    assert code == 1
    assert "replaced or removed" in err[0]
    assert tiles(world) == before
