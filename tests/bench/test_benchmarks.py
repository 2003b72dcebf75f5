"""The benchmarks run and report all that they should. How fast anything is, no test says."""

import json
import subprocess

import pytest

from local.settings import ROOT, STATE

pytestmark = pytest.mark.bench

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
# Tables have a row for each of these.
PEERS = [
    "vsv lambda_handler, SVS",
    "vsv lambda_handler, pyramid",
    "open and read the pyramid's file",
    "first version (OpenSlide, 254/1)",
    "openslide DeepZoomGenerator 254/1",
    "openslide DeepZoomGenerator 256/0",
    "tiffslide MinimalCompute",
    "large_image tiff, no ICC",
    "large_image tiff, ICC",
    "libvips tiffload",
]
OURS = PEERS[:3]
LEVELS = [str(2**exponent) for exponent in range(14)]


@pytest.fixture(scope="module")
def reports():
    """Return what `make bench-small` prints and writes."""
    names = ("tile_service", "prerender")
    results = STATE / "bench" / "results"
    for name in names:
        (results / f"{name}.json").unlink(missing_ok=True)
    command = [PYTHON, "-m", "benchmarks", "--size", "small", *names]
    printed = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return {name: json.loads((results / f"{name}.json").read_text()) for name in names}, printed


def rows(report, title):
    """Return the rows of the table whose title starts so, as mappings from heading to cell."""
    (table,) = (table for table in report["tables"] if table["title"].startswith(title))
    headings = [column["heading"] for column in table["columns"]]
    assert len(set(headings)) == len(headings)
    return [dict(zip(headings, row, strict=True)) for row in table["rows"]]


def test_every_report_says_what_was_measured_and_on_what(reports):
    for name, report in reports[0].items():
        assert report["name"] == name
        assert report["size"] == "small"
        assert report["machine"]["cores"] >= 1
        assert all(report["machine"].values())
        assert all(report["libraries"].values())


def test_every_table_is_printed(reports):
    by_name, printed = reports
    for report in by_name.values():
        for table in report["tables"]:
            assert table["title"] in printed
            assert all(len(row) == len(table["columns"]) for row in table["rows"])


@pytest.mark.parametrize(
    "title",
    [
        "Tile service: the whole trace",
        "Tile service: native levels, whole tiles",
        "Tile service: native levels, right and bottom edge",
        "Tile service: between native levels",
        "Tile service: above the coarsest native level",
        "Tile service: cold",
    ],
)
def test_every_peer_has_its_row_without_a_gap(reports, title):
    found = rows(reports[0]["tile_service"], title)
    assert [row["peer"] for row in found] == PEERS
    for row in found:
        assert None not in [row[heading] for heading in row if heading != "quality"]


def test_the_project_serves_all_tiles_in_exact_size(reports):
    for row in rows(reports[0]["tile_service"], "Tile service: the whole trace"):
        if row["peer"] in OURS:
            assert (row["not served"], row["wrong size"]) == (0, 0)


def test_native_tiles_are_identical(reports):
    found = rows(reports[0]["tile_service"], "Fidelity: native tiles")
    assert [row["downsample"] for row in found] == ["1", "4", "16"]
    for row in found:
        assert row["identical"] == row["tiles"] > 0


def test_every_level_s_fidelity_is_measured(reports):
    by_name, _ = reports
    ours = rows(by_name["tile_service"], "Fidelity: PSNR in dB of our tiles")
    assert list(dict.fromkeys(row["downsample"] for row in ours)) == LEVELS
    assert all(row["level 0: ours"] is not None for row in ours)
    derived = rows(by_name["prerender"], "Pre-rendering: PSNR")
    assert [row["downsample"] for row in derived] == [
        level for level in LEVELS if level not in ("1", "4", "16")
    ]
    assert all(row["vsv prerender"] is not None for row in derived)


def test_every_way_to_pre_render_wrote_a_whole_pyramid(reports):
    report = reports[0]["prerender"]
    one, two, tiffload, openslideload, deepzoom = rows(report, "Pre-rendering: all levels")
    # 8,111 × 6,037 in tiles of 256, halved until one pixel is left.
    assert one["files"] == two["files"] == tiffload["files"] == openslideload["files"] == 1033
    assert deepzoom["files"] == 1033
    for row in (one, two, tiffload, openslideload, deepzoom):
        assert None not in row.values()


def test_any_number_of_workers_writes_the_same(reports):
    notes = reports[0]["prerender"]["tables"][0]["notes"]
    assert "1 and 2 workers wrote the same bytes in all files." in notes
