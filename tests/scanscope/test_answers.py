"""What the API answers: refusals, failures, and what passes by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scanscope.workstation import (
    BUSY,
    LONG_BEFORE,
    Cloud,
    Reply,
    Station,
    imported,
    problem,
    status,
)

# Each of them starts processes.
pytestmark = pytest.mark.slow


# One file's trouble is not the others' --------------------------------------------------------


def test_a_refused_file_is_kept_and_the_next_one_served(station: Station, cloud: Cloud) -> None:
    """Title, detail and request id of the problem stand in the log, on one line."""
    station.slide("bad.svs", mtime=LONG_BEFORE)
    station.slide("good.svs")
    cloud.script("bad.svs", problem(422, "Not a slide", "no TIFF\nat byte 0"))
    finished = station.run()
    assert finished.code == 1
    assert "bad.svs: HTTP 422 Not a slide: no TIFF at byte 0 (request req-1)\n" in finished.log
    assert cloud.called() == ["bad.svs", "good.svs"], "oldest first"
    assert list(station.files()) == ["bad.svs"]


def test_a_failed_import_is_reported_and_asked_about_again(station: Station, cloud: Cloud) -> None:
    """--until-done ends when only failed files are left; a later run still asks about them."""
    station.slide("bad.svs")
    station.slide("good.svs")
    cloud.script("bad.svs", status("FAILED", detail="two slides carry ImageID 7"), imported)
    cloud.script("good.svs", imported)
    finished = station.run("--until-done")
    assert finished.code == 1
    assert "bad.svs: failed, two slides carry ImageID 7" in finished.log
    assert list(station.files()) == ["bad.svs"]
    assert station.run().code == 0
    assert station.files() == {}


def test_strange_names_harm_nobody(station: Station, cloud: Cloud) -> None:
    """A name that is not Unicode is kept and reported; one with a line break is one log line."""
    bad = os.fsencode(station.folder) + b"/\xff.svs"
    Path(os.fsdecode(bad)).write_bytes(b"tissue")
    station.slide("a\nb.svs")
    finished = station.run()
    assert finished.code == 1
    assert cloud.called() == ["a\nb.svs"]
    assert "a b.svs: imported" in finished.log
    assert "not valid Unicode" in finished.log
    assert [os.fsencode(name) for name in station.files()] == [b"\xff.svs"]


def test_files_that_crash_the_api_do_not_block_the_others(station: Station, cloud: Cloud) -> None:
    """Two files in a row that get 500 end the pass; the next one begins with the others."""
    for number in range(4):
        station.slide(f"{number}.svs", mtime=LONG_BEFORE + number)
    for name in ("0.svs", "1.svs"):
        cloud.script(name, problem(500, "Internal error"))
    first = station.run()
    assert first.code == 4
    assert set(cloud.called()) == {"0.svs", "1.svs"}
    assert len(cloud.calls) == 6, "three attempts each"
    assert station.run().code == 4
    assert sorted(station.files()) == ["0.svs", "1.svs"]


def test_a_pass_is_bounded_and_fair(station: Station, cloud: Cloud) -> None:
    """With max_calls_per_pass = 2, four files that are all busy get their turns in two passes."""
    station.settings["run"]["max_calls_per_pass"] = "2"
    for number in range(4):
        station.slide(f"{number}.svs", mtime=LONG_BEFORE + number)
        cloud.script(f"{number}.svs", BUSY)
    station.run()
    station.run()
    assert cloud.called() == ["0.svs", "1.svs", "2.svs", "3.svs"]


# The network ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hiccup",
    [problem(500, "Internal error"), problem(503, "Busy"), problem(429, "Slow down")],
    ids=["500", "503", "429"],
)
def test_a_hiccup_is_overcome_within_the_run(station: Station, cloud: Cloud, hiccup: Reply) -> None:
    """The call is repeated after a wait; the same holds for the token."""
    station.slide("x.svs")
    cloud.script("x.svs", hiccup, imported)
    cloud.token_script = [hiccup, cloud.grant]
    finished = station.run()
    assert finished.code == 0
    assert cloud.called() == ["x.svs", "x.svs"]
    assert station.files() == {}


def test_retry_after_is_honoured(station: Station, cloud: Cloud) -> None:
    """It waits as long as it is told; if that is too long for this run, it leaves at once."""
    station.slide("x.svs")
    cloud.script("x.svs", problem(429, "Slow down", Retry_After="7"), imported)
    sleep = "script.time.sleep = lambda s: script.log.info('slept %g', s)"
    finished = station.run(patch=sleep)
    assert finished.code == 0
    assert "slept 7\n" in finished.log

    station.slide("x.svs")
    cloud.calls.clear()
    cloud.script("x.svs", problem(503, "Closed", Retry_After="Fri, 31 Dec 2100 23:59:59 GMT"))
    finished = station.run(patch=sleep)
    assert finished.code == 4
    assert "slept" not in finished.log
    assert cloud.called() == ["x.svs"]
