"""``vsv-admin backfill``: files that were copied to EFS by other means are imported."""

import json
import os
import re
from functools import partial

import pytest

from local.samples import generated_slide
from tests.unit.admin.helpers import ID, add, set_fields, sleeping
from vsv.errors import InvalidRequest
from vsv.identifiers import FileVersion
from vsv.imports import listing


@pytest.fixture(scope="module")
def small_bytes(real, tmp_path_factory):
    """Return a small slide's bytes."""
    path = tmp_path_factory.mktemp("small") / "x.svs"
    return generated_slide(path, real, size=(300, 200), downsamples=(1,)).read_bytes()


@pytest.fixture
def put(world, small_bytes):
    """Copy a slide with an ImageID of six digits to EFS, by other means than the scanner's."""

    def put(name, image_id):
        path = world.storage.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            small_bytes.replace(f"ImageID = {ID}".encode(), f"ImageID = {image_id}".encode())
        )
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return path

    return put


def test_copied_files_are_taken_in_once_and_nothing_else_is(
    admin, world, function, executions, imported, put
):
    path = put("day 1/y.svs", "700007")
    path.with_name(".y.svs").write_text("hidden")
    path.with_name(f"z.{FileVersion.of(path)}.svs").hardlink_to(path)  # set aside
    (world.storage.root / f"{ID}_files" / "a.svs").write_text("no slide in a pyramid")
    assert admin("backfill", "--dry-run", "--min-age", "0") == (
        0,
        ["day 1/y.svs: new"],
        ["vsv-admin: 2 slide files: 1 new, 1 known"],
    )
    assert len(world.workflow.started) == 1
    code, out, err = admin("backfill", "--min-age", "0")
    tiles = world.catalogue.get("700007")["TilesTotal"]
    assert (code, out) == (0, [f"day 1/y.svs: imported as 700007, {tiles} tiles"])
    assert err == ["vsv-admin: 2 slide files: 1 known, 1 imported"]
    assert admin("backfill") == (0, [], ["vsv-admin: 2 slide files: 2 known"])
    assert len(world.workflow.started) == 2


def test_what_changed_a_moment_ago_is_left_out(admin, world, function, executions, put):
    put("x.svs", "700007")
    code, out, (line, summary) = admin("backfill")
    assert (code, out) == (0, [])
    assert re.fullmatch(r"vsv-admin: x.svs: changing: it changed \d s ago", line)
    assert summary == "vsv-admin: 1 slide files: 1 changing"
    assert not world.workflow.started


def test_what_cannot_be_taken_in_is_told_and_the_others_are(
    admin, world, function, executions, imported, put
):
    put("a:b.svs", "700006")
    put("copied without its time.svs", "700007")
    put("failed.svs", "700008")
    put("same id.svs", ID)
    put("y.svs", "700009")
    size = FileVersion.of(world.storage.root / "y.svs").size
    add(world, "700007", Filename="copied without its time.svs", FileVersion="1-1", FileSize=size)
    version = str(FileVersion.of(world.storage.root / "failed.svs"))
    fields = {"Filename": "failed.svs", "FileVersion": version, "FileSize": size}
    add(world, "700008", **fields, ImportStatus="FAILED", ImportError="no disk")
    before = world.catalogue.get(ID)
    code, out, err = admin("backfill", "--min-age", "0", "--json")
    assert (code, err) == (
        1,
        ["vsv-admin: 6 slide files: 3 refused, 1 known, 2 imported"],
    )
    told = {row["Filename"]: row for row in map(json.loads, out)}
    assert told["y.svs"]["ImageID"] == "700009"
    assert told["same id.svs"]["ImageID"].startswith(f"{ID}-")
    assert {name: (row["state"], row["detail"]) for name, row in told.items()} == {
        "a:b.svs": (
            "refused",
            "filename 'a:b.svs' holds a character that file names may not have",
        ),
        "copied without its time.svs": (
            "refused",
            "its record has another modification time: it was copied without",
        ),
        "failed.svs": ("refused", "its import failed, see 700008: no disk"),
        "same id.svs": ("imported", None),
        "y.svs": ("imported", None),
    }
    # The other slide's record says that two slides have its SlideID, and is as it was otherwise.
    after = world.catalogue.get(ID)
    news = {name for name in before | after if before.get(name) != after.get(name)}
    assert news == {"ImportWarnings", "Version", "lastModified"}


def test_an_interrupted_intake_goes_on(admin, world, function, executions, put, monkeypatch):
    """With imports that still run, and with those that were aborted."""
    for number in range(3):
        put(f"{number}.svs", f"70000{number}")

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        sleeping(patch, interrupt)
        assert admin("backfill", "--min-age", "0", "--at-once", "2")[0] == 130
    stopped, running = world.workflow.running.values()
    world.importer.extract_metadata(stopped)
    del world.workflow.running[stopped.name]
    code, out, _ = admin("backfill", "--min-age", "0")
    assert code == 0
    assert [line.partition(",")[0] for line in sorted(out)] == [
        f"{number}.svs: imported as 70000{number}" for number in range(3)
    ]
    assert world.workflow.started.count(running.name) == 1


def test_a_slide_that_was_deleted_is_taken_in_anew(admin, world, function, executions, put):
    put("x.svs", "700007")
    assert admin("backfill", "--min-age", "0")[0] == 0
    set_fields(world, "700007", Status="DELETED")
    put("x.svs", "700007")
    assert admin("backfill", "--min-age", "0")[0] == 0
    assert len(set(world.workflow.started)) == 2
    assert world.catalogue.get("700007")["Status"] == "NEW"


def test_so_many_imports_a_minute_and_so_many_in_all(admin, world, executions, put, monkeypatch):
    """From a folder of this machine, without functions."""
    for number in range(4):
        put(f"day 1/{number}.svs", "700007")
    put("0.svs", "700007")
    waits = []
    sleeping(monkeypatch, waits.append)
    where = ("--images-path", world.storage.root, "--folder", "day 1", "--min-age", "0")
    code, out, _ = admin("backfill", *where, "--no-wait", "--limit", "3", "--per-minute", "30")
    assert (code, waits) == (0, [2.0, 2.0])
    assert out == [f"day 1/{number}.svs: started as 700007" for number in range(3)]
    assert len(world.workflow.running) == 3
    assert "there is no folder 'nowhere'" in admin("backfill", *where, "--folder", "nowhere")[2][0]


@pytest.fixture
def put_file(storage):
    def put_file(name):
        path = storage.root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    return put_file


def test_all_files_are_listed_page_by_page_in_the_order_of_their_names(
    storage, put_file, monkeypatch
):
    names = ["B.SVS", "a.svs", "a/b.svs", "a/c/d.svs", "a/z.svs", "a0.svs", "ä.svs"]
    for name in names:
        put_file(name)
    put_file(b"\xff.svs")
    put_file("a/77.index")
    put_file("a/77_files/9/0_0.svs")
    put_file("a/78_files/e.svs")  # just a folder of that name
    (storage.root / "link.svs").symlink_to("a.svs")
    expected = sorted([*names, "a/78_files/e.svs", "\\xff.svs"], key=lambda name: name.split("/"))
    ask = partial(listing.list_slides, storage)
    for limit, value in (("_PAGE_FILES", 1), ("_PAGE_FILES", 4), ("_PAGE_BYTES", 150)):
        with monkeypatch.context() as patch:
            patch.setattr(listing, limit, value)
            assert [file.filename for file in listing.all_slides(ask)] == expected
            assert [file.filename for file in listing.all_slides(ask, "a/c")] == ["a/c/d.svs"]
    for folder in ("..", "a//b", "a/", "/", ".hidden"):
        with pytest.raises(InvalidRequest):
            ask({"folder": folder})
