"""Removing and renaming a slide's file, whatever is killed or comes in between."""

import os
from contextlib import suppress

import pytest

from tests.archives import DATA, MTIME_NS, dying_at, names, spare
from tests.s3 import Killed
from vsv.errors import FileChanged
from vsv.identifiers import FileVersion
from vsv.storage.atomic_files import give_name
from vsv.storage.layout import Storage

# Removing the slide file


@pytest.fixture
def plain(tmp_path) -> Storage:
    root = tmp_path / "plain"
    (root / "day 1").mkdir(parents=True)
    return Storage(root)


def put(path, data=DATA, mtime_ns=MTIME_NS) -> FileVersion:
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return FileVersion.of(path)


@pytest.mark.parametrize("aside", [False, True])
def test_a_slide_file_goes_wherever_it_lies(plain, aside):
    name = "day 1/scan.svs"
    version = put(plain.root / name)
    if aside:
        plain.set_aside(name, version)
        put(plain.root / name, b"a rescan")
    put(plain.root / "day 1" / "other.svs")
    for _ in range(2):
        plain.remove_slide(name, version)
    assert names(plain) == {"day 1/other.svs", *([name] if aside else [])}
    with pytest.raises(FileChanged):
        plain.locate(name, version)
    plain.remove_slide("no such folder/scan.svs", version)


@pytest.mark.parametrize("name_taken", [False, True])
def test_a_file_that_gets_the_name_at_that_moment_stays(plain, monkeypatch, name_taken):
    name = "day 1/scan.svs"
    path = plain.root / name
    version = put(path)
    rename = os.rename

    def just_before(source, target):
        monkeypatch.undo()
        rescan = path.with_name("new")
        newer = put(rescan, b"a rescan", MTIME_NS + 1)
        rename(rescan, path)
        rename(source, target)
        if name_taken:
            put(path, b"another rescan", MTIME_NS + 2)
        found.append(newer)

    found = []
    monkeypatch.setattr(os, "rename", just_before)
    plain.remove_slide(name, version)
    if name_taken:
        assert path.read_bytes() == b"another rescan"
    assert plain.locate(name, found[0]).read_bytes() == b"a rescan"
    assert len(names(plain)) == 1 + name_taken


def test_killed_while_it_removes_the_next_call_ends_it(plain, monkeypatch):
    name = "day 1/" + "x" * 200 + ".svs"
    for number in range(10):
        version = put(plain.root / name)
        left = dying_at(monkeypatch, number)
        with suppress(Killed):
            plain.remove_slide(name, version)
        spare(monkeypatch)
        plain.remove_slide(name, version)
        assert names(plain) == set()
        if left[0] >= 0:
            break
    assert number == 2


def test_two_that_remove_one_slide_get_along(plain, monkeypatch):
    name = "day 1/scan.svs"
    for called in ("rename", "unlink"):
        version = put(plain.root / name)
        call = getattr(os, called)

        def in_between(*arguments, _call=call, _version=version):
            monkeypatch.undo()
            plain.remove_slide(name, _version)
            return _call(*arguments)

        monkeypatch.setattr(os, called, in_between)
        plain.remove_slide(name, version)
        assert names(plain) == set()


@pytest.mark.parametrize("links", [True, False])
def test_a_name_is_given_once(tmp_path, monkeypatch, links):
    first, second, name = (tmp_path / each for each in ("first", "second", "name"))
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    if not links:

        def no_links(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    give_name(first, name)
    with pytest.raises(FileExistsError):
        give_name(second, name)
    with pytest.raises(FileNotFoundError):
        give_name(first, tmp_path / "other")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "second": b"2",
        "name": b"1",
    }


@pytest.mark.parametrize("name", ["day 1/scan.svs", "day 1/" + "é" * 125 + ".svs"])
def test_a_slide_that_comes_back_takes_nobodys_place(plain, name):
    version = put(plain.root / name)
    assert plain.place(name, version) == plain.root / name
    plain.remove_slide(name, version)
    assert plain.place(name, version) == plain.root / name
    put(plain.root / name, b"a rescan")
    put(plain.place(name, version))
    assert plain.locate(name, version).read_bytes() == DATA
    assert (plain.root / name).read_bytes() == b"a rescan"
    plain.remove_slide(name, version)
    assert names(plain) == {name}
