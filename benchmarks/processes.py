"""Processes that a measurement starts, and that end with it."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = [
    "Command",
    "ServerError",
    "end_with_parent",
    "free_port",
    "get",
    "running",
    "wait_for",
]

_START_TIMEOUT_S: Final = 30
_STOP_TIMEOUT_S: Final = 5

Command = Sequence[str | Path]
Process = subprocess.Popen[bytes]


class ServerError(Exception):
    """A server does not start or answer as it should."""


def end_with_parent(command: Command) -> list[str]:
    """Return the command, in a form that ends when the process that starts it is killed."""
    return ["setpriv", "--pdeathsig", "TERM", *map(str, command)]


@contextmanager
def running(command: Command, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run a server and all that it starts. What it says is shown where it fails."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            end_with_parent(command),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        except ServerError as error:
            log.seek(0)
            error.add_note(f"{Path(command[0]).name} said: {log.read()[-2000:]}")
            raise
        finally:
            for signum in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signum)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_TIMEOUT_S)


def wait_for(process: Process, port: int, path: str) -> None:
    """Wait until the server answers this request. Raises ServerError where it does not."""
    give_up = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            get(port, path)
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > give_up:
                raise ServerError(f"{path} is not answered: {error}") from error
        time.sleep(0.05)


def get(port: int, path: str) -> bytes:
    """Return what 127.0.0.1 answers. Raises OSError where that is not 200."""
    # Past any proxy that the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=_START_TIMEOUT_S) as response:
        data: bytes = response.read()
    return data


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
