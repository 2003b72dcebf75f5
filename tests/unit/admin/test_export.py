"""``vsv-admin export``: the catalogue as CSV and as JSON."""

import csv
import json
import os
import stat
from decimal import Decimal

import pytest

from tests.unit.admin.helpers import ID, add
from vsv.admin import cli
from vsv.catalogue.projections import CSV_COLUMNS


def rows(lines):
    return list(csv.DictReader(lines))


def test_the_catalogue_as_a_table_in_fixed_columns(admin, world, imported):
    add(world, "1", Status="DELETED")
    code, out, err = admin("export")
    assert (code, err) == (0, ["vsv-admin: 1 slides"])
    assert tuple(out[0].split(",")) == CSV_COLUMNS
    (row,) = rows(out)
    assert (row["ImageID"], row["SlideID"], row["MPP"]) == (ID, "S26-04711-A1", "0.2520")
    assert json.loads(row["Barcode"]) == {"text": "S26-04711-A1"}
    assert row["ImportWarnings"] == ""
    _, out, _ = admin("export", "--all")
    assert {row["ImageID"] for row in rows(out)} == {ID, "1"}


def test_the_last_columns_say_why_a_slide_is_bad(admin, world):
    add(world, "1", Status="BAD", ReviewReason="LABEL", ReviewNote="torn\nin two")
    _, out, _ = admin("export")
    (row,) = rows("\n".join(out).splitlines(keepends=True))
    assert (row["Status"], row["ReviewReason"]) == ("BAD", "LABEL")
    assert row["ReviewNote"].splitlines() == ["torn", "in two"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
@pytest.mark.slow
def test_nothing_in_the_table_is_a_formula(admin, world, tmp_path, text):
    add(world, "1", SlideID=text)
    assert admin("export", "--output", tmp_path / "x.csv")[0] == 0
    with (tmp_path / "x.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["SlideID"] == f"'{text}"


def test_the_catalogue_as_lines_of_json(admin, world):
    add(world, "1", MPP=Decimal("0.25"), width=7, ImportWarnings=["=1", "µ"])
    (line,) = admin("export", "--format", "jsonl")[1]
    exported = json.loads(line)
    assert exported["ImportWarnings"] == ["=1", "µ"]
    assert (exported["MPP"], exported["width"], exported["Version"]) == (0.25, 7, 1)


def test_a_catalogue_of_many_pages_is_read_page_by_page(admin, world, monkeypatch):
    """A page is a megabyte."""
    for number in range(5):
        add(world, str(number), ImportWarnings=["x" * 390_000])
    read = []
    scanned = cli.all_records

    def counted(catalogue):
        scan = catalogue.slides.scan
        catalogue.slides.scan = lambda **options: read.append(options) or scan(**options)
        return scanned(catalogue)

    monkeypatch.setattr(cli, "all_records", counted)
    code, out, err = admin("export")
    assert (code, err) == (0, ["vsv-admin: 5 slides"])
    assert len(read) > 1
    csv.field_size_limit(10**6)
    assert sorted(row["ImageID"] for row in rows(out)) == list("01234")


def test_a_file_is_its_owners_and_appears_whole_or_not_at_all(admin, world, tmp_path, monkeypatch):
    for number in range(3):
        add(world, str(number))
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "slides.csv"
    path.write_text("the last one")
    os.chmod(path, 0o644)
    scanned = cli.all_records

    def interrupted(catalogue):
        for number, record in enumerate(scanned(catalogue)):
            if number == 2:
                raise KeyboardInterrupt
            yield record

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "all_records", interrupted)
        assert admin("export", "--output", path)[0] == 130
    assert [each.read_text() for each in folder.iterdir()] == ["the last one"]
    assert admin("export", "--output", path)[:2] == (0, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        assert len(rows(file)) == 3
    assert list(folder.iterdir()) == [path]


def test_what_cannot_be_written_is_told_in_a_line(admin, world, tmp_path):
    code, _, err = admin("export", "--output", tmp_path / "nowhere" / "x.csv")
    assert (code, len(err)) == (1, 1)
    assert "No such file or directory" in err[0]
    code, _, err = admin("export", "--output", tmp_path)
    assert (code, err) == (1, [f"vsv-admin: {tmp_path} exists and is not a file"])
