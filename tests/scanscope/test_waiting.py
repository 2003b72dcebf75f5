"""Only finished slides are offered: growing, locked and changing files wait."""

from __future__ import annotations

import fcntl
import hashlib
import time
from types import ModuleType
from typing import Any

import pytest

from tests.scanscope.workstation import (
    BUSY,
    LONG_BEFORE,
    Cloud,
    Reply,
    Station,
)

# Each of them starts processes.
pytestmark = pytest.mark.slow


# Which files are ready ------------------------------------------------------------------------


def test_only_finished_slides_are_offered(station: Station, cloud: Cloud) -> None:
    """Links, folders, hidden and temporary files, other suffixes and young files wait."""
    station.settings["scanner"]["min_age_s"] = "60"
    target = station.slide("notes.txt")
    for name in (".hidden.svs", "~x.svs", "x.svs.tmp", "x.svs.part", ".cache/x.svs"):
        station.slide(name)
    (station.folder / "link.svs").symlink_to(target)
    (station.folder / "elsewhere").symlink_to(station.folder)
    (station.folder / "folder.svs").mkdir()
    station.slide("young.svs", mtime=time.time())
    station.slide("old.SVS")
    kept = station.files().keys() - {"old.SVS"}

    finished = station.run()
    assert finished.code == 0
    assert cloud.called() == ["old.SVS"]
    assert "young.svs: waiting" in finished.log
    assert station.files().keys() == kept


def test_sub_folders_may_be_left_out(station: Station, cloud: Cloud) -> None:
    """With recursive = no, only the watched folder itself counts."""
    station.settings["scanner"]["recursive"] = "no"
    station.slide("sub/x.svs")
    station.slide("y.svs")
    station.run()
    assert cloud.called() == ["y.svs"]


LATER = "now = script.time.time; script.time.time = lambda: now() + 100"  # a run 100 s from now


def test_a_growing_file_waits_until_it_is_seen_unchanged(station: Station, cloud: Cloud) -> None:
    """A copy that keeps its old date still has to be seen unchanged, across runs too."""
    station.settings["scanner"]["settle_s"] = "90"
    station.slide("x.svs", b"half")
    station.run()
    station.slide("x.svs", b"half and more")
    station.run(patch=LATER)
    assert cloud.calls == []
    assert station.run(patch=LATER + " + 100").code == 0
    assert [call["size"] for call in cloud.calls] == [13]


def test_a_scanner_with_a_wrong_clock_is_served_too(station: Station, cloud: Cloud) -> None:
    """A date in the future does not make a file young for ever."""
    station.settings["scanner"]["min_age_s"] = "90"
    station.slide("x.svs", mtime=time.time() + 1e8)
    station.run()
    assert cloud.calls == []
    station.run(patch=LATER)
    assert station.files() == {}


def test_a_locked_file_waits(station: Station, cloud: Cloud) -> None:
    """A file that another program has locked is not offered, and is once it is released."""
    path = station.slide("x.svs")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        finished = station.run()
    assert finished.code == 0
    assert "x.svs: waiting: another program has it open" in finished.log
    assert cloud.calls == []
    station.run()
    assert station.files() == {}


def test_a_file_that_changes_while_it_is_read_waits(station: Station, cloud: Cloud) -> None:
    """No hash of half-old, half-new bytes is ever sent."""
    station.slide("x.svs")
    grow = (
        "read = script.sha256_of\n"
        "def sha256_of(path):\n"
        "    path.open('ab').write(b'+')\n"
        "    return read(path)\n"
        "script.sha256_of = sha256_of"
    )
    finished = station.run(patch=grow)
    assert finished.code == 0
    assert "changed while it was read" in finished.log
    assert cloud.calls == []


def test_a_file_that_changes_before_its_turn_waits(station: Station, cloud: Cloud) -> None:
    """Where one pass takes hours, later files are described as they are, or not at all."""
    station.settings["scanner"]["sha256"] = "no"
    station.slide("1.svs", mtime=LONG_BEFORE)
    station.slide("2.svs")

    def rescan(described: dict[str, Any]) -> Reply:
        station.slide("2.svs", b"longer than before")
        return BUSY

    cloud.script("1.svs", rescan)
    finished = station.run()
    assert cloud.called() == ["1.svs"]
    assert "2.svs: waiting: changed since this pass began" in finished.log


# State ----------------------------------------------------------------------------------------


def test_a_file_is_hashed_once(station: Station, cloud: Cloud) -> None:
    """The next run takes the SHA-256 from the state file, unless the file changed."""
    station.slide("x.svs")
    cloud.script("x.svs", BUSY)
    station.run()
    assert station.run(patch="script.sha256_of = None").code == 0
    assert cloud.calls[0] == cloud.calls[1]
    station.slide("x.svs", b"changed")
    station.run()
    assert cloud.calls[2]["sha256"] == hashlib.sha256(b"changed").hexdigest()


def test_hashing_can_be_switched_off(station: Station, cloud: Cloud) -> None:
    """With sha256 = no, name and size are the whole description."""
    station.settings["scanner"]["sha256"] = "no"
    station.slide("x.svs", b"tissue")
    assert station.run().code == 0
    assert cloud.calls == [{"filename": "x.svs", "size": 6}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"files": {"x.sv',
        b"[]",
        b'{"files": {"x.svs": {"size": 1}}}',
        b'{"files": {"x.svs": {"size": 6, "mtime_ns": 0, "inode": 0, "first_seen": null}}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_state_file_is_started_anew(
    station: Station, script: ModuleType, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    """Damage to the state file costs a warning and some work, nothing else."""
    state_file = station.config.with_suffix(".state.json")
    state_file.write_bytes(content)
    state = script.State(state_file)
    assert state.records == {}
    assert "starting over" in caplog.text
    state.save()
    script.State(state_file)
    assert caplog.text.count("starting over") == 1
