"""ImageIDs: the scanner's tag, or an ID that is made of the file's path."""

import os
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.imports.helpers import bring_in, can_be_seen
from vsv.identifiers import FileVersion, parse_filename, parse_image_id
from vsv.imports.check_file import check_file
from vsv.imports.naming import image_id_for, is_url_safe, unique_image_id
from vsv.imports.request import ImportRequest, ImportState
from vsv.imports.workflow import ImportJob

VERSION = FileVersion(1234, 5678)


# ─── Names ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("tag", "filename", "expected"),
    [
        ("1004486", "a/b.svs", "1004486"),
        ("S26-1.A_2", "b.svs", "S26-1.A_2"),
        (None, "CMU-1.svs", "CMU-1"),
        ("", "CMU-1.SVS", "CMU-1"),
        (None, "x.y.z.svs", "x.y.z"),
        (None, "2026-03-14/1.svs", r"2026-03-14_1-\w{10}"),
        (None, "50% EtOH+PAS.svs", r"50-EtOH-PAS-\w{10}"),
        (None, "trailing .svs", r"trailing-\w{10}"),
        (None, "Müller_Größe.svs", r"Muller_Grosse-\w{10}"),
        (None, "病理 12.SVS", r"12-\w{10}"),
        (None, "切片.svs", r"slide-\w{10}"),
        (None, "L" * 220 + ".svs", r"L{89}-\w{10}"),
        ("S26/12/A", "slash.svs", "slash"),
        ("100%", "pct.svs", "pct"),
        ("a+b", "plus.svs", "plus"),
        ("with blank", "b.svs", "b"),
        ("Größe", "b.svs", "b"),
        ("T" * 101, "b.svs", "b"),
        ("ends.", "b.svs", "b"),
        (".hidden", "b.svs", "b"),
    ],
)
def test_an_image_id_is_the_tag_or_made_of_the_path(tag, filename, expected):
    assert re.fullmatch(expected, image_id_for(tag, filename))


def test_names_that_differ_in_changed_characters_have_different_ids():
    """So have those that look the same: an umlaut can be written in two ways."""
    names = ["a b.svs", "a+b.svs", "a%b.svs", "a-b.svs", "a/b.svs", "a_b.svs", "ä.svs", "a.svs"]
    names.append(unicodedata.normalize("NFD", "ä.svs"))
    names += [f"2026-03-{day}/1.svs" for day in range(10, 20)]
    names += ["L" * 220 + ".svs", "L" * 219 + "M.svs", "M" + "L" * 219 + ".svs"]
    assert len({image_id_for(None, name) for name in names}) == len(names)


@given(st.text(min_size=1, max_size=120), st.text(max_size=120) | st.none())
def test_any_file_name_gives_an_image_id_that_can_be_used(stem, tag):
    """Signed by CloudFront, as a name on EFS and a key of DynamoDB."""
    filename = f"{stem}.svs"
    try:
        parse_filename(filename)
    except Exception:  # noqa: BLE001  no slide's name
        return
    image_id = image_id_for(tag, filename)
    for each in (image_id, unique_image_id(image_id, filename, VERSION)):
        assert is_url_safe(each)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", each)
        assert parse_image_id(each) == each


def test_a_unique_id_is_of_one_file_and_version():
    ids = {
        unique_image_id("1", name, version)
        for name in ("a.svs", "b.svs")
        for version in (VERSION, FileVersion(1234, 5679), FileVersion(1235, 5678))
    }
    assert len(ids) == 6
    assert all(re.fullmatch(r"1-\w{10}", each) for each in ids)
    assert unique_image_id("1", "a.svs", VERSION) in ids


@pytest.mark.slow
def test_every_name_of_the_field_is_imported_under_an_id_of_its_own(world, slide_like):
    names = [
        "50% EtOH+PAS.svs",
        "trailing .svs",
        "L" * 220 + ".svs",
        "2026-03-14/1.svs",
        "2026-03-15/1.svs",
        "1.svs",
        "Müller+Größe.svs",
    ]
    ids = set()
    for name in names:
        record = bring_in(world, slide_like(), name)
        assert record["Filename"] == name
        assert is_url_safe(record["ImageID"])
        assert can_be_seen(world, record)
        assert check_file(world.storage, name)["image_id"] == record["ImageID"]
        # The same answer to the same question, and no second import.
        again = world.call(ImportRequest(name, int(record["FileSize"])))
        assert again.image_id == record["ImageID"]
        ids.add(record["ImageID"])
    assert len(ids) == len(names) == len(world.workflow.started)


def test_a_slide_that_an_earlier_version_named_keeps_its_id(world, slide_like):
    """By version 0.1 it had its plain stem, whatever that was."""
    source = slide_like()
    request = world.scan(source, "day 1/Größe 7.svs")
    path = world.storage.root / "day 1/Größe 7.svs"
    path.parent.mkdir()
    path.write_bytes(source.read_bytes())
    os.utime(path, (1_700_000_000, 1_700_000_000))
    version = FileVersion.of(path)
    world.workflow.run(ImportJob("Größe 7", request.filename, version.size, version.mtime_ns))

    answer = world.call(request)
    assert (answer.state, answer.image_id) == (ImportState.IMPORTED, "Größe 7")
    assert not world.workflow.started
