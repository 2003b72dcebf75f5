"""Background processes are started once, recognised, restarted when changed, and stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from local import demo, processes
from local.processes import Service
from local.settings import StackError, read_json, write_json

SLEEP = "import time; time.sleep(60)"
STUBBORN = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({!r}).touch()
time.sleep(60)
"""


@pytest.fixture
def new_service(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STATE", tmp_path)
    monkeypatch.setattr(processes, "LOGS", tmp_path / "log")
    made: list[Service] = []

    def new(script: str = SLEEP, **changes) -> Service:
        settings = {
            "name": "sleeper",
            "command": [sys.executable, "-c", script],
            "environment": {},
            "answers": lambda: True,
            "stop_timeout_s": 0.5,
            **changes,
        }
        made.append(Service(**settings))
        return made[-1]

    yield new
    for service in made:
        service.stop()


def test_a_running_process_is_left_alone(new_service):
    assert new_service().ensure_running()
    pid = new_service().pid
    assert pid is not None
    assert not new_service().ensure_running()
    assert new_service().pid == pid
    assert new_service().stop()
    assert new_service().pid is None
    assert not new_service().stop()


def test_a_change_restarts_it(new_service):
    new_service().ensure_running()
    pid = new_service().pid
    assert new_service(environment={"X": "1"}).ensure_running()
    assert new_service().pid != pid


def test_one_that_does_not_answer_is_restarted(new_service):
    new_service().ensure_running()
    answers = iter([False, True])
    assert new_service(answers=lambda: next(answers)).ensure_running()


def test_a_stranger_with_our_process_id_is_not_ours(new_service, tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        write_json(tmp_path / "run" / "sleeper.json", {"pid": stranger.pid, "started": "1"})
        assert new_service().pid is None
        assert not new_service().stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_stubborn_one_is_killed(new_service, tmp_path):
    ready = tmp_path / "ready"
    service = new_service(STUBBORN.format(str(ready)), answers=ready.exists)
    service.ensure_running()
    assert ready.exists()
    assert service.stop()
    assert service.pid is None


STOPPING = """
import pathlib, signal, sys, time
def stop(*_):
    pathlib.Path({0!r}).touch()
    while not pathlib.Path({1!r}).exists():
        time.sleep(0.01)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
pathlib.Path({2!r}).touch()
time.sleep(60)
"""


def test_one_that_is_stopped_is_told_from_one_that_ends(new_service, tmp_path):
    ready, stopping, may_end = (tmp_path / name for name in ("ready", "stopping", "may_end"))
    code = STOPPING.format(*map(str, (stopping, may_end, ready)))
    service = new_service(code, answers=ready.exists, stop_timeout_s=60)
    service.ensure_running()
    assert not service.was_stopped
    command = threading.Thread(target=service.stop)
    command.start()
    while not stopping.exists():
        time.sleep(0.01)
    assert service.pid is not None
    assert service.was_stopped
    may_end.touch()
    command.join()
    assert service.was_stopped


def test_one_that_ends_by_itself_was_not_stopped(new_service):
    service = new_service()
    service.ensure_running()
    pid = service.pid
    os.kill(pid, signal.SIGKILL)
    while service.pid is not None:
        time.sleep(0.01)
    assert not service.was_stopped


def test_the_demonstration_ends_as_the_stack_is_stopped(new_service, monkeypatch):
    service = new_service()
    service.ensure_running()
    monkeypatch.setattr(demo.services, "all_services", lambda: [service])
    monkeypatch.setattr(demo, "_HEALTH_INTERVAL_S", 0)
    threading.Timer(0.01, service.stop).start()
    demo._serve()


def test_the_demonstration_names_the_log_of_what_has_ended(new_service, monkeypatch):
    service = new_service("pass")
    service.ensure_running()
    monkeypatch.setattr(demo.services, "all_services", lambda: [service])
    monkeypatch.setattr(demo, "_HEALTH_INTERVAL_S", 0)
    with pytest.raises(StackError, match=str(service.log)):
        demo._serve()


def test_one_that_ends_as_it_starts_is_an_error_that_names_the_log(new_service):
    service = new_service("print('no luck'); raise SystemExit(1)", answers=lambda: False)
    with pytest.raises(StackError, match=str(service.log)):
        service.ensure_running()
    assert "no luck" in service.log.read_text()


def test_a_digest_sees_content_and_ignores_by_products(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "ROOT", tmp_path)
    (tmp_path / "app.py").write_text("1")
    first = processes.digest_of([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "app.pyc").write_text("x")
    assert processes.digest_of([tmp_path]) == first
    (tmp_path / "app.py").write_text("2")
    assert processes.digest_of([tmp_path]) != first
    assert processes.digest_of([tmp_path / "missing"]) == processes.digest_of([])


def test_json_files_are_whole_and_private(tmp_path: Path):
    path = tmp_path / "sub" / "stack.json"
    write_json(path, {"a": 1}, mode=0o600)
    assert read_json(path) == {"a": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert os.listdir(path.parent) == ["stack.json"]
