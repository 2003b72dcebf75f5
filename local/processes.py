"""Background processes that outlive the command that starts them."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local.settings import LOGS, ROOT, STATE, StackError, read_json, write_json

_MAX_LOG_BYTES: Final = 10_000_000
_POLL_INTERVAL_S: Final = 0.1


@dataclass(frozen=True)
class Service:
    """A server of the local stack.

    ``sources`` are the files whose change calls for a restart.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    sources: Sequence[Path] = ()
    start_timeout_s: float = 300.0
    stop_timeout_s: float = 60.0
    _record: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_record", STATE / "run" / f"{self.name}.json")

    @property
    def log(self) -> Path:
        """Where the process writes."""
        return LOGS / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The running process, or None; a process ID that another process got does not count."""
        record = read_json(self._record)
        pid = record.get("pid")
        if isinstance(pid, int) and record.get("started") == _start_time(pid):
            return pid
        return None

    @property
    def was_stopped(self) -> bool:
        """Whether `stop` ended the process, or is about to, rather than it ended by itself."""
        record = read_json(self._record)
        return not record or "stopping" in record

    def ensure_running(self) -> bool:
        """Start the process unless it runs as it should; return whether it was started."""
        fingerprint = self._fingerprint()
        if self.pid is not None:
            if read_json(self._record).get("fingerprint") == fingerprint and self.answers():
                return False
            self.stop()
        self._start(fingerprint)
        return True

    def _start(self, fingerprint: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        write_json(
            self._record,
            {
                "pid": process.pid,
                "started": _start_time(process.pid),
                "fingerprint": fingerprint,
            },
        )
        deadline = time.monotonic() + self.start_timeout_s
        while not self.answers():
            if process.poll() is not None:
                raise StackError(f"{self.name} ended as it started: see {self.log}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} does not answer after {self.start_timeout_s:.0f} s: "
                    f"see {self.log}"
                )
            time.sleep(_POLL_INTERVAL_S)

    def stop(self) -> bool:
        """End the process and wait, so that it can save its state; return whether it ran."""
        pid = self.pid
        if pid is None:
            self._record.unlink(missing_ok=True)
            return False
        write_json(self._record, {**read_json(self._record), "stopping": True})
        for signum, timeout_s in ((signal.SIGTERM, self.stop_timeout_s), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
            deadline = time.monotonic() + timeout_s
            while self.pid is not None and time.monotonic() < deadline:
                time.sleep(_POLL_INTERVAL_S)
            if self.pid is None:
                break
        self._record.unlink(missing_ok=True)
        return True

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, signum)

    def _fingerprint(self) -> str:
        start = json.dumps([list(self.command), dict(self.environment)], sort_keys=True)
        return digest_of(self.sources, start)


def digest_of(paths: Sequence[Path], *texts: str) -> str:
    """Return a digest of files (folders: all that is in them) and texts."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and not _is_by_product(file):
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _is_by_product(file: Path) -> bool:
    return any(
        part == "__pycache__" or part.endswith(".egg-info") or part.startswith(".mypy")
        for part in file.parts
    )


def _start_time(pid: int) -> str | None:
    """Return when ``pid`` started (clock ticks since boot), or None for no process or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]
