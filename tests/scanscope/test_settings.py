"""One instance, its runs, its settings and options."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.scanscope.workstation import (
    BUSY,
    SCRIPT,
    SECRET,
    Cloud,
    Reply,
    Station,
    imported,
    problem,
)

# Each of them starts processes.
pytestmark = pytest.mark.slow


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
    assert (cloud.granted, cloud.calls) == ([], [])


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
