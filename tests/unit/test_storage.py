"""Where files lie beneath the images path: they appear whole, and none takes another's name."""

import errno
import os
from pathlib import Path

import pytest

from vsv.errors import FileChanged, InvalidRequest, NotFound, UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.slides.file import SlideFile
from vsv.storage import atomic_files as files_module
from vsv.storage.atomic_files import (
    PARTIAL,
    give_name,
    read_note,
    read_whole,
    write_note,
    write_whole,
)
from vsv.storage.image_folder import ImageFolder, as_levels, remove_folder

# ─── Whole files, and notes ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [0, 1, 2**16 - 1, 2**16, 2**16 + 1, 2**17])
def test_a_file_is_read_as_it_was_written(tmp_path, size):
    content = bytes(number % 251 for number in range(size))
    write_whole(tmp_path / "a" / "b" / "file", content)
    assert read_whole(tmp_path / "a" / "b" / "file") == content
    assert os.listdir(tmp_path / "a" / "b") == ["file"]


def open_files(folder):
    """How many files in the folder this process has open."""
    links = (each for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
    return sum(os.readlink(each).startswith(str(folder)) for each in links)


def test_no_file_stays_open(tmp_path):
    write_whole(tmp_path / "file", b"content")
    assert read_whole(tmp_path / "file") == b"content"
    assert open_files(tmp_path) == 0


def test_a_file_system_that_takes_a_few_bytes_at_a_time_gets_them_all(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    write_whole(tmp_path / "file", b"ten bytes.")
    monkeypatch.undo()
    assert read_whole(tmp_path / "file") == b"ten bytes."


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space left on device")

    write_whole(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert read_whole(tmp_path / "file") == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("size", "is_link"), [(1, True), (4000, True), (4001, False)])
def test_a_note_is_a_link_as_long_as_a_link_can_hold_it(tmp_path, size, is_link):
    note = tmp_path / "notes" / "note"
    write_note(note, "x" * size)
    assert note.is_symlink() is is_link
    assert read_note(note) == "x" * size
    write_note(note, "another")
    assert read_note(note) == "another"


def test_a_note_is_a_file_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "symlink", refuse)
    for number in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
        write_note(tmp_path / "note", f"an {number}")
        assert not (tmp_path / "note").is_symlink()
        assert read_note(tmp_path / "note") == f"an {number}"
    number = errno.ENOSPC
    with pytest.raises(OSError, match="space"):
        write_note(tmp_path / "note", "more")


def test_a_note_that_is_not_there_or_damaged_is_told_as_that(tmp_path, monkeypatch):
    assert read_note(tmp_path / "nothing") is None
    (tmp_path / "file").write_bytes(b"\xff!")
    assert read_note(tmp_path / "file") == "\udcff!"
    assert read_note(tmp_path / "file" / "below") is None

    def broken(*_):
        raise OSError(errno.EIO, "the file system fails")

    monkeypatch.setattr(os, "readlink", broken)
    with pytest.raises(OSError, match="fails"):
        read_note(tmp_path / "file")


# ─── Names ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["links", "no links"])
def name_giver(request, monkeypatch):
    """``give_name``, on file systems with hard links and without."""

    def refuse(*_):
        raise OSError(errno.EPERM, "no hard links")

    if request.param == "no links":
        monkeypatch.setattr(files_module.os, "link", refuse)
    return give_name


def test_a_name_is_given_once_and_never_taken_from_another_file(tmp_path, name_giver):
    one, name, other = tmp_path / "one", tmp_path / "name", tmp_path / "other"
    one.write_text("one")
    other.write_text("other")
    name_giver(one, name)
    assert (name.read_text(), one.exists()) == ("one", False)
    with pytest.raises(FileExistsError):
        name_giver(other, name)
    assert (name.read_text(), other.read_text()) == ("one", "other")
    with pytest.raises(FileNotFoundError):
        name_giver(one, tmp_path / "new")


def test_a_name_that_was_half_given_is_given(tmp_path):
    one, name = tmp_path / "one", tmp_path / "name"
    one.write_text("one")
    os.link(one, name)
    give_name(one, name)
    assert (name.read_text(), one.exists()) == ("one", False)


def test_a_name_is_not_given_where_the_file_system_fails(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "the file system fails")

    (tmp_path / "one").write_text("one")
    monkeypatch.setattr(os, "link", broken)
    with pytest.raises(OSError, match="fails"):
        give_name(tmp_path / "one", tmp_path / "name")
    assert os.listdir(tmp_path) == ["one"]


# ─── Slide files ─────────────────────────────────────────────────────────────────────────────────


def put(storage, filename, content="a slide", mtime_ns=10**18):
    path = storage.root / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return FileVersion.of(path)


def on_efs(storage):
    return sorted(
        path.relative_to(storage.root).as_posix()
        for path in storage.root.rglob("*")
        if not path.is_dir()
    )


@pytest.mark.parametrize("name", ["day 1/x.svs", "ü" * 120 + ".svs"])
def test_a_rescan_takes_the_name_and_both_slides_are_found(storage, name):
    old = put(storage, name, "old")
    storage.set_aside(name, FileVersion(1, 1))  # of other bytes: nothing happens
    assert on_efs(storage) == [name]
    storage.set_aside(name, old)
    storage.set_aside(name, old)
    assert storage.place(name, old) == storage.root / name
    new = put(storage, name, "new!")
    assert storage.locate(name, new) == storage.root / name
    assert storage.locate(name, old).read_text() == "old"
    assert storage.place(name, old) == storage.locate(name, old)
    assert storage.place(name, new) == storage.root / name
    for version, content in ((old, b"old"), (new, b"new!")):
        file = storage.open(name, version)
        assert file.read(0, 9) == content
        file.close()
    for find in (storage.locate, storage.open):
        with pytest.raises(FileChanged, match="replaced or removed"):
            find(name, FileVersion(1, 1))
    storage.remove_slide(name, old)
    assert on_efs(storage) == [name]
    storage.remove_slide(name, new)
    assert on_efs(storage) == []


def test_two_long_names_that_end_alike_are_set_aside_apart(storage):
    names = [letter + "x" * 250 + ".svs" for letter in "ab"]
    for name in names:
        version = put(storage, name, name[0])
        storage.set_aside(name, version)
    assert [storage.locate(name, version).read_text() for name in names] == ["a", "b"]


def test_bytes_that_get_the_name_as_a_slide_is_removed_stay(storage, monkeypatch):
    old = put(storage, "x.svs", "old")
    rename = type(storage.root).rename

    def replaced_meanwhile(path, target):
        put(storage, "x.svs", "new!")
        return rename(path, target)

    monkeypatch.setattr(type(storage.root), "rename", replaced_meanwhile)
    storage.remove_slide("x.svs", old)
    monkeypatch.undo()
    assert on_efs(storage) == ["x.svs"]
    assert (storage.root / "x.svs").read_text() == "new!"


def test_bytes_that_came_twice_as_a_slide_is_removed_both_stay(storage, monkeypatch):
    old = put(storage, "x.svs", "old")
    rename = type(storage.root).rename
    contents = ["newer!", "new!!"]

    def replaced_meanwhile(path, target):
        if path.name == "x.svs":
            put(storage, "x.svs", contents.pop())
            rename(path, target)
            put(storage, "x.svs", contents.pop())
            return target
        return rename(path, target)

    monkeypatch.setattr(type(storage.root), "rename", replaced_meanwhile)
    storage.remove_slide("x.svs", old)
    monkeypatch.undo()
    one, other = on_efs(storage)
    assert other == "x.svs"
    assert [(storage.root / each).read_text() for each in (one, other)] == ["new!!", "newer!"]
    assert storage.locate("x.svs", FileVersion(5, 10**18)) == storage.root / one


def test_slides_are_listed_by_name_and_nothing_that_the_layout_keeps(storage):
    version = put(storage, "b.svs", "old")
    storage.set_aside("b.svs", version)
    for name in (
        "b.svs",
        "B.SVS",
        "a/2.svs",
        "a/1.svs",
        "c.svs/d.svs",
        "a.txt",
        ".x.svs",
        "s.svsx",
    ):
        put(storage, name)
    put(storage, "7.index")
    for folder in ("7_files", "7_index", "8_files"):
        put(storage, f"{folder}/z.svs")
    (storage.root / "link.svs").symlink_to("b.svs")

    def names(*arguments):
        return [name for name, _ in storage.slides(*arguments)]

    everything = ["8_files/z.svs", "B.SVS", "a/1.svs", "a/2.svs", "b.svs", "c.svs/d.svs"]
    assert names() == everything
    for number, name in enumerate(everything, start=1):
        assert names("", name) == everything[number:]
    assert names("a") == ["a/1.svs", "a/2.svs"]
    assert names("a", "a/1.svs") == ["a/2.svs"]
    assert names("c.svs") == ["c.svs/d.svs"]
    ((_, status),) = storage.slides("c.svs")
    assert FileVersion(status.st_size, status.st_mtime_ns) == FileVersion(7, 10**18)
    for folder, error in (("z", NotFound), ("b.svs", NotFound), ("../x", InvalidRequest)):
        with pytest.raises(error):
            names(folder)


# ─── Open slide files ────────────────────────────────────────────────────────────────────────────


def test_a_slide_file_is_read_where_it_is_asked_for_and_in_chunks(storage):
    put(storage, "x.svs", "0123456789")
    file = SlideFile(storage.root / "x.svs")
    assert (file.read(2, 3), file.read(8, 9), file.read(10, 1)) == (b"234", b"89", b"")
    assert [*file.chunks(4)] == [b"0123", b"4567", b"89"]
    assert [*file.chunks(5)] == [b"01234", b"56789"]
    assert open_files(storage.root) == 1
    file.close()
    assert open_files(storage.root) == 0


def test_a_slide_file_is_unchanged_as_long_as_its_name_leads_to_the_same_bytes(storage):
    put(storage, "x.svs", "old")
    file = SlideFile(storage.root / "x.svs")
    file.check_unchanged()
    os.replace(storage.root / "x.svs", storage.root / "aside.svs")
    with pytest.raises(FileChanged):
        file.check_unchanged()
    put(storage, "x.svs", "new!")
    with pytest.raises(FileChanged):
        file.check_unchanged()
    os.replace(storage.root / "aside.svs", storage.root / "x.svs")
    file.check_unchanged()


def test_a_slide_file_that_may_not_be_read_is_told(storage, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "not allowed")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableSlide, match="may not be read"):
        SlideFile(storage.root / "x.svs")


def test_a_version_is_the_same_as_a_text():
    version = FileVersion(26, 255)
    assert str(version) == "1a-ff"
    assert FileVersion.parse("1a-ff") == version
    for text in ("", "1a", "1a-ff-0", "x-y"):
        with pytest.raises(ValueError, match=r"."):
            FileVersion.parse(text)


# ─── Images ──────────────────────────────────────────────────────────────────────────────────────


def test_names_of_folders_that_are_no_levels_are_left_out():
    assert as_levels(["0", "10", "9", "x", "-1", "1.5", ""]) == (10, 9, 0)


def test_what_a_killed_writer_left_is_no_tile_and_goes(tmp_path):
    store = ImageFolder(tmp_path, "1")
    for name in ("3/0_0", "3/1_0"):
        store.write(name, b"x")
    (tmp_path / "1_files" / "3" / f".f-1{PARTIAL}").write_bytes(b"x")
    assert store.count_tiles(3) == 2
    assert sorted(os.listdir(tmp_path / "1_files" / "3")) == ["0_0.jpeg", "1_0.jpeg"]
    assert store.count_tiles(4) == 0


def test_two_may_sweep_up_at_once(tmp_path, monkeypatch):
    unlink = Path.unlink

    def another_was_faster(path, missing_ok=False):
        os.unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", another_was_faster)
    store = ImageFolder(tmp_path, "1")
    store.write("3/0_0", b"x")
    (tmp_path / "1_files" / "3" / f".f-1{PARTIAL}").write_bytes(b"x")
    assert store.count_tiles(3) == 1


def test_an_image_can_be_read_as_it_was_found_and_its_file_is_closed(tmp_path, monkeypatch):
    closed = []
    close = os.close
    monkeypatch.setattr(
        os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor))
    )
    store = ImageFolder(tmp_path, "1")
    store.write("label", b"old")
    closed.clear()
    found = store.find("label")
    store.write("label", b"another")
    closed.clear()
    assert found.read() == b"old"
    assert found.tag != store.find("label").tag
    del found
    assert len(closed) == 2


def test_a_folder_that_another_call_removes_too_is_removed(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    remove_folder(folder)
    (folder / "below").mkdir(parents=True)
    (folder / "file").write_text("x")
    remove_folder(folder)
    assert not folder.exists()
    (folder / "below").mkdir(parents=True)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "not allowed")

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(PermissionError):
        remove_folder(folder)
