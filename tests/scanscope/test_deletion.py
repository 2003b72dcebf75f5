"""A slide is followed until it is imported, and no copy is deleted that the cloud does not have."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.scanscope.workstation import (
    BUSY,
    Cloud,
    Reply,
    Station,
    imported,
    status,
)

# Each of them starts processes.
pytestmark = pytest.mark.slow

# Fields of an answer that are not what was described.
Changes = dict[str, Any]


# Until the local copy may go ------------------------------------------------------------------


def test_a_slide_is_followed_until_it_is_imported(station: Station, cloud: Cloud) -> None:
    """Each change of status is one line in the log; the file goes only after IMPORTED."""
    path = station.slide("Fälle 2024/слайд 1.SVS", b"tissue")
    importing = [status("IMPORTING", tiles_rendered=n, tiles_total=1200) for n in (340, 340, 900)]

    def last(described: dict[str, Any]) -> Reply:
        assert path.exists()
        return imported(described)

    cloud.script("Fälle 2024/слайд 1.SVS", BUSY, status("ARRIVING"), *importing, last)
    finished = station.run("--until-done", "--timeout", "120")

    assert finished.code == 0
    assert station.files() == {}
    said = re.findall(r"слайд 1.SVS: (.*)", finished.log)
    assert said == [
        "transferring",
        "arriving",
        "importing, 340 of 1200 tiles",
        "importing, 900 of 1200 tiles",
        "imported; local copy deleted",
    ]
    sha256 = hashlib.sha256(b"tissue").hexdigest()
    described = {"filename": "Fälle 2024/слайд 1.SVS", "size": 6, "sha256": sha256}
    assert cloud.calls == [described] * 6
    assert len(cloud.granted) == 1, "one token serves all calls of a run"
    assert station.config.with_suffix(".log").read_text("utf-8") == finished.log


def test_an_answer_about_the_same_bytes_deletes_the_copy_and_says_why(
    station: Station, cloud: Cloud
) -> None:
    """The API echoes the SHA-256, and names another file that has these very bytes."""
    station.slide("x.svs", b"tissue")
    same = {"sha256": hashlib.sha256(b"tissue").hexdigest(), "detail": "the same as 'y.svs'"}
    cloud.script("x.svs", status("IMPORTED", filename="x.svs", size=6, **same))
    finished = station.run()
    assert finished.code == 0
    assert station.files() == {}
    assert "x.svs: imported, the same as 'y.svs'; local copy deleted" in finished.log


def test_without_a_hash_of_its_own_the_script_goes_by_name_and_size(
    station: Station, cloud: Cloud
) -> None:
    station.settings["scanner"]["sha256"] = "no"
    station.slide("x.svs", b"tissue")
    cloud.script("x.svs", status("IMPORTED", filename="x.svs", size=6, sha256="0" * 64))
    assert station.run().code == 0
    assert station.files() == {}


def test_any_other_answer_keeps_the_file(station: Station, cloud: Cloud) -> None:
    """Only IMPORTED with exactly the name, size and hash that were sent allows the deletion."""
    sha256 = hashlib.sha256(b"tissue").hexdigest()
    waiting: dict[str, Changes] = {
        "imported, no word of deletion.svs": {"filename": None, "size": None},
        "not yet.svs": {"status": "IMPORTING"},
        "unknown status.svs": {"status": "SPLENDID"},
        "status in lower case.svs": {"status": "imported"},
    }
    wrong: dict[str, Changes] = {
        "other name.svs": {"filename": "x.svs"},
        "other case.svs": {"filename": "Other case.svs"},
        "name in a list.svs": {"filename": ["name in a list.svs"]},
        "other size.svs": {"size": 7},
        "text size.svs": {"size": "6"},
        "float size.svs": {"size": 6.0},
        "no size.svs": {"size": None},
        "no name.svs": {"filename": None},
        "no hash.svs": {"sha256": None},
        "empty hash.svs": {"sha256": ""},
        "hash in capitals.svs": {"sha256": sha256.upper()},
        "hash with a blank.svs": {"sha256": sha256 + " "},
        "half a hash.svs": {"sha256": sha256[:32]},
        "other bytes.svs": {"sha256": hashlib.sha256(b"x").hexdigest()},
        "number as hash.svs": {"sha256": int("7" * 60)},
        "hash in a list.svs": {"sha256": [sha256]},
        "true as hash.svs": {"sha256": True},
        "failed.svs": {"status": "FAILED"},
        "no status.svs": {"status": None},
    }

    def answers(changes: Changes) -> Callable[[dict[str, Any]], Reply]:
        """Return what is right but for the changes; None leaves a field out."""

        def answer(described: dict[str, Any]) -> Reply:
            fields = {"status": "IMPORTED", **described, **changes}
            return Reply({name: value for name, value in fields.items() if value is not None})

        return answer

    for name, changes in (waiting | wrong).items():
        cloud.script(name, answers(changes))
    bodies: dict[str, Callable[[bytes], bytes]] = {
        "null as hash.svs": lambda whole: whole.replace(b'"' + sha256.encode() + b'"', b"null"),
        "list.svs": lambda whole: b"[%s]" % whole,
        "cut off.svs": lambda whole: whole[:-1],
        "not JSON.svs": lambda whole: b"IMPORTED",
        "empty.svs": lambda whole: b"",
        "202.svs": lambda whole: whole,
    }
    for name, body in bodies.items():
        whole = {"status": "IMPORTED", "filename": name, "size": 6, "sha256": sha256}
        code = 202 if name == "202.svs" else 200
        cloud.script(name, Reply(body(json.dumps(whole).encode()), code))
        wrong[name] = {}
    for name in waiting | wrong:
        station.slide(name, b"tissue")
    finished = station.run()
    assert finished.code == 1
    assert station.files().keys() == waiting.keys() | wrong.keys()
    levels = {name: level for level, name in re.findall(r"(INFO|ERROR) (.*?\.svs): ", finished.log)}
    assert levels == dict.fromkeys(waiting, "INFO") | dict.fromkeys(wrong, "ERROR")
    for name in ("no hash.svs", "null as hash.svs"):
        reason = "kept: the answer does not name the SHA-256 of what was imported"
        assert f"{name}: {reason}" in finished.log


@pytest.mark.parametrize("how", ["rewritten", "replaced", "touched"])
def test_a_file_that_changed_since_it_was_described_is_kept(
    station: Station, cloud: Cloud, how: str
) -> None:
    """A rescan while the answer was under way is never deleted; it is described again."""
    path = station.slide("x.svs", b"old scan")
    before = path.stat()

    def rescan(described: dict[str, Any]) -> Reply:
        if how == "rewritten":
            path.write_bytes(b"new, longer scan")
        elif how == "replaced":  # same size, same time, another file
            other = station.slide("other", b"new scan")
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            other.replace(path)
        else:
            os.utime(path)
        return imported(described)

    cloud.script("x.svs", rescan, BUSY)
    finished = station.run()
    assert finished.code == 0
    assert "x.svs: kept" in finished.log
    assert "put back" not in finished.log, "not even renamed under the scanner's hands"
    content = path.read_bytes()
    assert content == {"rewritten": b"new, longer scan", "replaced": b"new scan"}.get(
        how, b"old scan"
    )
    station.run()
    assert cloud.calls[-1]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_rescan_in_the_instant_of_the_deletion_is_kept(
    script: ModuleType, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a change between the last check and the deletion costs no byte, of either file."""
    path = station.slide("x.svs", b"described")
    identity = script.Identity.of(path)
    writer = path.open("ab")  # has it open since before the check, as POSIX allows
    rename = Path.rename

    def rename_in_a_race(source: Path, target: Path) -> Path:
        renamed = rename(source, target)
        writer.write(b" and appended to")
        writer.close()
        path.write_bytes(b"rescanned under the same name")
        return renamed

    monkeypatch.setattr(script.Path, "rename", rename_in_a_race)
    with pytest.raises(script.NotYetError):
        script.remove(path, identity)

    files = station.files()
    assert files.pop("x.svs") == b"rescanned under the same name"
    ((name, content),) = files.items()
    assert content == b"described and appended to"
    assert re.fullmatch(r"x\.restored-[0-9a-f]{8}\.svs", name), "it will be imported by itself"


@pytest.mark.parametrize("rescanned", [False, True])
def test_a_crash_in_the_middle_of_a_deletion_loses_nothing(
    station: Station, cloud: Cloud, rescanned: bool
) -> None:
    """After kill -9 between the renaming and the deletion, the next run finds the file again."""
    station.slide("x.svs", b"tissue")
    kill = "script.os.unlink = lambda path: script.os.kill(script.os.getpid(), 9)"
    assert station.run(patch=kill).code == -signal.SIGKILL
    ((aside, content),) = station.files().items()
    assert aside != "x.svs"
    assert content == b"tissue"

    if rescanned:
        station.slide("x.svs", b"another slide")
        cloud.scripts.default_factory = lambda: [BUSY]
        cloud.script("x.svs", BUSY)
        assert station.run().code == 0
        assert sorted(station.files().values()) == [b"another slide", b"tissue"]
        assert station.files()["x.svs"] == b"another slide"
        assert len(cloud.calls) == 3, "both are offered, each under its own name"
    else:
        assert station.run().code == 0
        assert cloud.called() == ["x.svs", "x.svs"], "asked again before it is deleted"
        assert station.files() == {}


def test_a_crash_while_a_file_is_put_back_leaves_one_file(
    script: ModuleType, station: Station
) -> None:
    """Where both names of one file exist, the crash's leftover name goes and the file stays."""
    path = station.slide("x.svs", b"tissue")
    aside = station.folder / "x.svs.0123abcd.vsv-removing"
    os.link(path, aside)
    script.put_back(aside)
    assert station.files() == {"x.svs": b"tissue"}
