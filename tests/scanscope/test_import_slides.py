"""What the scanner's workstation may rely on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.scanscope.workstation import (
    LONG_AGO,
    SCRIPT,
    SECRET,
    Cloud,
    Reply,
    Station,
    imported,
    problem,
    status,
)

# Each of them starts processes.
pytestmark = pytest.mark.slow

BUSY = status("TRANSFERRING")
# Fields of an answer that are not what was described.
Changes = dict[str, Any]
LONG_BEFORE = LONG_AGO - 1000


def serve_tls(cloud: Cloud, folder: Path) -> Path:
    """Give the cloud a fresh certificate for localhost; returns the authority's PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority, private = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(certificate.public_bytes(pem))
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    cloud.server.socket = context.wrap_socket(cloud.server.socket, server_side=True)
    return authority


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
    bodies = {
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


def test_an_expired_token_is_renewed_once(station: Station, cloud: Cloud) -> None:
    """A 401 leads to one new token and one more call."""
    station.slide("x.svs")
    station.slide("y.svs")
    unauthorized = Reply({"message": "Unauthorized"}, 401)
    cloud.script("x.svs", unauthorized, imported)
    assert station.run().code == 0
    assert len(cloud.granted) == 2
    assert station.files() == {}

    station.slide("x.svs")
    cloud.script("x.svs", unauthorized)
    finished = station.run()
    assert finished.code == 2
    assert "refuses our token: HTTP 401 Unauthorized" in finished.log
    assert list(station.files()) == ["x.svs"]


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"error": "invalid_client", "error_description": SECRET}, 400),
        Reply({"access_token": "two\nlines"}),
        Reply(b"<html>", 200),
        Reply(b"", 302, {"Location": "/elsewhere"}),
    ],
    ids=["refused", "no token", "no JSON", "redirect"],
)
def test_a_refused_login_is_a_configuration_error(
    station: Station, cloud: Cloud, refusal: Reply
) -> None:
    """Exit code 2, a line that names the setting, and no call without a token."""
    station.slide("x.svs")
    cloud.token_script = [refusal]
    finished = station.run()
    assert finished.code == 2
    assert "[login] token_url refuses us: HTTP" in finished.log
    assert cloud.calls == cloud.strangers == []
    assert list(station.files()) == ["x.svs"]


def test_a_redirect_is_not_followed(station: Station, cloud: Cloud) -> None:
    """The token goes to the configured address only."""
    station.slide("x.svs")
    cloud.script("x.svs", Reply(b"", 307, {"Location": f"{cloud.url}/elsewhere"}))
    assert station.run().code == 1
    assert cloud.strangers == []


def test_an_unreachable_api_is_left_for_the_next_run(station: Station, cloud: Cloud) -> None:
    """Connection refused or no answer in time: exit code 4, and every file is still there."""
    station.slide("x.svs")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        station.settings["api"] |= {
            "api_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "timeout_s": "0.1",
        }
        slow = station.run()
    station.settings["api"]["timeout_s"] = "60"
    refused = station.run()
    assert (slow.code, refused.code) == (4, 4)
    assert "timed out" in slow.log
    assert "refused" in refused.log
    assert list(station.files()) == ["x.svs"]
    station.settings["api"]["api_url"] = f"{cloud.url}/Prod/"
    assert station.run().code == 0


def test_a_proxy_is_used_but_not_for_this_machine(station: Station, cloud: Cloud) -> None:
    """HTTP_PROXY and HTTPS_PROXY count, as everywhere; loopback addresses go straight."""
    station.slide("x.svs")
    assert station.run(http_proxy="http://127.0.0.1:9", no_proxy="").code == 0
    station.slide("x.svs")
    station.settings["api"] |= {"api_url": "http://api.invalid/Prod", "allow_http": "yes"}
    assert station.run(http_proxy=cloud.url, no_proxy="").code == 0
    assert cloud.called() == ["x.svs", "x.svs"]


def test_a_certificate_is_verified(
    station: Station, cloud: Cloud, tmp_path: Path, script: ModuleType
) -> None:
    """An unknown authority is unreachable, not trusted; ca_bundle makes it known."""
    authority = serve_tls(cloud, tmp_path)
    station.slide("x.svs")
    tls = cloud.url.replace("http://127.0.0.1", "https://localhost")
    station.settings["api"]["api_url"] = f"{tls}/Prod"
    station.settings["login"]["token_url"] = f"{tls}/oauth2/token"
    finished = station.run()
    assert finished.code == 4
    assert "CERTIFICATE_VERIFY_FAILED" in finished.log
    assert cloud.granted == []
    station.settings["api"]["ca_bundle"] = authority.name
    assert station.run().code == 0
    assert station.files() == {}


# One process ----------------------------------------------------------------------------------


def test_a_second_instance_refuses_to_run(station: Station, cloud: Cloud) -> None:
    """Exit code 3 while another one runs; a crashed one leaves nothing to clean up."""
    station.slide("x.svs")
    asked, release = threading.Event(), threading.Event()

    def slow(described: dict[str, Any]) -> Reply:
        asked.set()
        release.wait(120)
        return BUSY

    cloud.script("x.svs", slow, imported)
    first = station.start("--once")
    assert asked.wait(120)
    second = station.run()
    assert second.code == 3
    assert "another instance runs" in second.log
    assert cloud.called() == ["x.svs"]
    first.kill()
    first.communicate()
    release.set()
    assert station.run().code == 0
    assert station.files() == {}


def test_it_runs_until_it_is_stopped(station: Station, cloud: Cloud) -> None:
    """Without --once it goes on, through failures too, and ends tidily when told to."""
    asked = threading.Event()

    def third(described: dict[str, Any]) -> Reply:
        asked.set()
        return BUSY

    station.slide("x.svs")
    cloud.token_script = [Reply({"error": "invalid_client"}, 400), cloud.grant]
    cloud.script("x.svs", problem(422, "Not a slide"), BUSY, third)
    process = station.start()
    assert asked.wait(120)
    process.terminate()
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0
    assert log.endswith("stopped\n")
    assert list(station.files()) == ["x.svs"]


def test_until_done_has_an_end(station: Station, cloud: Cloud) -> None:
    """Where files are still under way after --timeout, exit code 5 says so."""
    station.slide("x.svs")
    cloud.script("x.svs", BUSY)
    finished = station.run("--until-done", "--timeout", "0.05")
    assert finished.code == 5
    assert "out of time; 1 files are left" in finished.log


def test_a_dry_run_changes_nothing(station: Station, cloud: Cloud, tmp_path: Path) -> None:
    """It says what would be done: no call, no deletion, no file written."""
    station.settings["scanner"]["min_age_s"] = "60"
    station.slide("x.svs")
    station.slide("young.svs", mtime=time.time())
    station.slide("y.svs.0123abcd.vsv-removing")
    files = station.files()
    finished = station.run("--dry-run")
    assert finished.code == 0
    assert "x.svs: would be offered to" in finished.log
    assert "young.svs: waiting" in finished.log
    assert "y.svs.0123abcd.vsv-removing: would be put back" in finished.log
    assert station.files() == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans", "station.ini"]
    assert cloud.granted == cloud.calls == []


# Configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "key", "text", "reason"),
    [
        ("api", "timeout_s", "soon", "could not convert"),
        ("api", "timeout_s", "nan", "not a number from"),
        ("api", "attempts", "0", "not a number from 1 up"),
        ("scanner", "recursive", "maybe", "neither yes nor no"),
        ("scanner", "recursve", "yes", "no such setting"),
        ("DEFAULT", "interval_s", "1", "no such setting"),
        ("login", "client_id", "", "is missing"),
        ("login", "token_url", "http://login.example/token", "in the clear"),
        ("api", "api_url", "http://127.0.0.1.example/Prod", "in the clear"),
        ("api", "api_url", "https://api.example:port/Prod", "Port"),
        ("api", "api_url", "https://api..example/Prod", "label"),
        ("api", "api_url", "ftp://localhost/Prod", "not an https:// address"),
        ("api", "api_url", "https://user:pass@localhost/", "no user"),
    ],
)
def test_a_wrong_setting_is_named(
    station: Station, script: ModuleType, section: str, key: str, text: str, reason: str
) -> None:
    """The message has section, key and reason."""
    station.settings.setdefault(section, {})[key] = text
    station.write_config()
    with pytest.raises(script.ConfigError) as caught:
        script.read_settings(station.config)
    assert str(caught.value).startswith(f"[{section}] {key}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("section", "key", "reason"),
    [
        ("scanner", "folder", "No such file"),
        ("api", "ca_bundle", "No such file"),
        ("files", "log_file", "No such file"),
        ("files", "lock_file", "No such file"),
        ("run", "interval_s", "could not convert"),
    ],
)
def test_a_wrong_setting_ends_the_run(
    station: Station, section: str, key: str, reason: str
) -> None:
    """Exit code 2, and one line that names file, section and key."""
    station.settings.setdefault(section, {})[key] = "missing/folder"
    finished = station.run()
    assert finished.code == 2
    assert f"{station.config}: [{section}] {key}: " in finished.log
    assert reason in finished.log
    assert finished.log.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"[login]\nclient_secret {SECRET}\n".encode(), "line 2"),
        (f"{SECRET}\n[login]\n".encode(), "line 1"),
        (b"[api]\ntimeout_s = 1\ntimeout_s = 2\n", "timeout_s"),
        ("[api]\ntimeout_s = 1\n".encode("utf-16"), "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_an_unreadable_configuration_is_explained(
    station: Station, script: ModuleType, content: bytes | None, reason: str
) -> None:
    """The message tells where, and never repeats what stands there: it may be the secret."""
    if content is not None:
        station.config.write_bytes(content)
    with pytest.raises(script.ConfigError) as caught:
        script.read_settings(station.config)
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_secret_may_come_from_the_environment(station: Station, script: ModuleType) -> None:
    """A configuration without the secret needs IMPORT_SLIDES_CLIENT_SECRET."""
    del station.settings["login"]["client_secret"]
    station.slide("x.svs")
    assert "client_secret: is missing" in station.run().log
    assert station.run(IMPORT_SLIDES_CLIENT_SECRET=SECRET).code == 0


def test_notepads_configuration_is_read(station: Station, script: ModuleType) -> None:
    """UTF-8 with a byte order mark and Windows line ends, as Notepad writes."""
    station.write_config()
    text = station.config.read_text().replace("\n", "\r\n")
    station.config.write_bytes(b"\xef\xbb\xbf" + text.encode())
    settings = script.read_settings(station.config)
    assert settings.client_secret == SECRET
    assert settings.folder == station.folder
    assert settings.log_file == station.config.with_suffix(".log")


@pytest.mark.parametrize("options", [["--timeout", "5"], ["--once", "--until-done"], ["--what"]])
def test_wrong_options_are_explained(station: Station, options: list[str]) -> None:
    """Exit code 2 and the usage."""
    finished = station.run(*options)
    assert finished.code == 2
    assert finished.log.startswith("usage: ")


def test_every_setting_is_documented(script: ModuleType, tmp_path: Path) -> None:
    """README, --help and the example agree with the script on names and defaults."""
    readme = SCRIPT.with_name("README.md").read_text("utf-8")
    example = SCRIPT.with_name("import_slides.example.ini")
    text = example.read_text("utf-8")
    for name, (_, key) in script.setting_keys().items():
        default = "required" if key.default is None else key.default.replace("{stem}", "*config*")
        row = rf"\| `\[{key.section}\] {name}` \| {re.escape(default or 'none')} \|"
        assert re.search(row, readme), row
        assert re.search(rf"^(# )?{name} =", text, re.MULTILINE), name
        assert f"    {name}: " in script.help_on_settings()
    for code in script.ExitCode:
        assert f"| {code.value} |" in readme
    # The example's commented lines show the defaults: with them or without, it means the same.
    config = tmp_path / "import_slides.ini"
    config.write_text(text)
    plain = script.read_settings(config)
    config.write_text(re.sub(r"^# (\w+ =)", r"\1", text, flags=re.MULTILINE))
    assert script.read_settings(config) == plain
