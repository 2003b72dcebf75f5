"""EFS-like storage, servers, the settings and growth: all that they should is reported."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.servers import Server
from benchmarks.slow_fs import slow_folder
from benchmarks.wrk import CONNECTIONS, replay
from local.settings import ROOT, STATE

pytestmark = pytest.mark.bench

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
NAMES = ("efs", "http_servers", "settings_table", "growth")
WAYS = [
    "vsv lambda_handler, SVS",
    "vsv lambda_handler, finished pyramid",
    "openslide DeepZoomGenerator 256/0",
    "tiffslide MinimalCompute",
    "libvips tiffload",
]
needs_fuse = pytest.mark.skipif(
    not Path("/dev/fuse").exists(), reason="file systems of one's own need /dev/fuse"
)


@pytest.fixture(scope="module")
def reports():
    results = STATE / "bench" / "results"
    for name in NAMES:
        (results / f"{name}.json").unlink(missing_ok=True)
    names = NAMES if Path("/dev/fuse").exists() else NAMES[1:]
    command = [PYTHON, "-m", "benchmarks", "--size", "small", *names]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return {name: json.loads((results / f"{name}.json").read_text()) for name in names}


def rows(report, title):
    """Return the rows of the table whose title starts so, as mappings from heading to cell."""
    (table,) = (table for table in report["tables"] if table["title"].startswith(title))
    headings = [column["heading"] for column in table["columns"]]
    assert len(set(headings)) == len(headings)
    return [dict(zip(headings, row, strict=True)) for row in table["rows"]]


@needs_fuse
def test_calls_to_slow_storage_are_counted_by_kind(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "slide.svs").write_bytes(b"pixels")
    with slow_folder(source, STATE / "bench", delay_us=0) as folder:
        before = folder.counts()
        assert (folder.path / "slide.svs").read_bytes() == b"pixels"
        assert not (folder.path / "missing.svs").exists()
        calls = folder.counts() - before
        with pytest.raises(OSError, match="Read-only"):
            (folder.path / "new").write_bytes(b"")
    assert (calls["lookup"], calls["open"], calls["read"]) == (2, 1, 1)
    assert not folder.path.exists()


@needs_fuse
def test_what_an_nfs_client_keeps_costs_no_second_call(tmp_path):
    (tmp_path / "slide.svs").write_bytes(b"pixels")
    with slow_folder(tmp_path, STATE / "bench", delay_us=0) as folder:
        slide = folder.path / "slide.svs"
        slide.read_bytes()
        before = folder.counts()
        slide.read_bytes()
        again = folder.counts() - before
        (tmp_path / "slide.svs").write_bytes(b"others")
        before = folder.counts()
        assert slide.read_bytes() == b"others"
        changed = folder.counts() - before
    assert (again["lookup"], again["open"], again["read"]) == (0, 1, 0)
    assert changed["read"] == 1


def test_a_slow_server_is_loaded_until_its_rate_says_something():
    first = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self):
            if not first.is_set():
                first.wait(2.5)  # longer than the first load
                first.set()
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"tile")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        server = Server(listener.server_port, "/", ".jpeg")
        load = replay(server, [(0, 0, 0)], seconds=1)
        listener.shutdown()
    assert load.answers >= CONNECTIONS
    assert load.tiles_per_s > 0


@needs_fuse
def test_every_way_to_a_tile_is_measured_on_slow_storage(reports):
    cold = rows(reports["efs"], "A cold process")
    assert [row["way"] for row in cold] == WAYS
    trace = rows(reports["efs"], "The viewer's trace")
    assert [(row["way"], row["cache"]) for row in trace] == [
        (way, cache) for way in WAYS for cache in ("cold", "warm")
    ]
    for row in [*cold, *trace]:
        assert None not in row.values()


@needs_fuse
def test_system_calls_are_named(reports):
    found = rows(reports["efs"], "System calls")
    assert len(found) == 10
    for row in found:
        assert row["calls"] > 0
        assert "read" in row["which"]


def test_every_server_answers_under_load(reports):
    found = rows(reports["http_servers"], "The viewer's trace over HTTP")
    assert [row["server"].partition(",")[0] for row in found] == [
        "vsv serve",
        "openslide-python's deepzoom_server",
        "IIPImage and nginx",
        "nginx",
    ]
    for row in found:
        assert row["failed"] == 0
        assert row["tiles/s"] > 0


@needs_fuse
def test_the_settings_have_all_their_rows(reports):
    (table,) = reports["settings_table"]["tables"]
    assert [row[0] for row in table["rows"]] == [
        "Lambda, SVS on EFS (first version)",
        "Lambda, SVS on EFS (vsv)",
        "Lambda, pyramid on S3 (vsv)",
        "Lambda, pyramid on EFS (vsv)",
        "EC2, SVS on EFS (openslide-python)",
        "EC2, SVS on EFS (vsv serve)",
        "EC2, pyramid on EFS (nginx)",
        "EC2, SVS on EBS (openslide-python)",
        "EC2, SVS on EBS (vsv serve)",
    ]
    for name, *figures in table["rows"]:
        # A row without figures says why.
        said = any(note.startswith(f"{name}: not measured") for note in table["notes"])
        assert (None in figures) == said


def test_growth_is_told_for_every_slide(reports):
    *slides, growth = rows(reports["growth"], "Growth")
    assert [row["slide"] for row in slides] == ["2,000 × 2,000", "4,000 × 4,000", "8,000 × 8,000"]
    for row in slides:
        assert None not in row.values()
    assert growth["slide"] == "growth"
