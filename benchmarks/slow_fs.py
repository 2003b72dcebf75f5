"""Storage that resembles EFS: a folder behind a file system that makes every call wait.

``slow_fs.c`` is the file system. It is C because the same in Python (mfusepy) holds its lock while
it answers: with eight readers a call that should take 1 ms took 1.3 to 2.7 ms, and takes 1.2 here.
"""

import os
import struct
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import Command, end_with_parent
from benchmarks.report import NotMeasured

__all__ = ["DELAY_US", "SlowFolder", "slow_folder"]

# A round trip to EFS takes 0.6 to a few milliseconds; the first version's authors saw about one.
DELAY_US: Final = 1000

_SOURCE: Final = Path(__file__).with_suffix(".c")
_RECORD: Final = struct.Struct("=16sQ")
_MOUNT_TIMEOUT_S: Final = 10
# The kernel gives files back after the process that closed them has gone on.
_SETTLED_S: Final = 0.02


@dataclass(frozen=True)
class SlowFolder:
    """A folder whose every call waits. ``path`` is where it shows, ``counts_path`` its counts."""

    path: Path
    counts_path: Path

    def counts(self) -> Counter[str]:
        """Count the calls so far, by kind. Asking does not count."""
        records = _RECORD.iter_unpack(self.counts_path.read_bytes())
        return Counter({name.rstrip(b"\0").decode(): count for name, count in records})

    def settled_counts(self) -> Counter[str]:
        """Count the calls so far, once those have ended that nobody waits for."""
        counts = self.counts()
        while True:
            time.sleep(_SETTLED_S)
            later = self.counts()
            if later == counts:
                return counts
            counts = later


@contextmanager
def slow_folder(source: Path, build_dir: Path, *, delay_us: int = DELAY_US) -> Iterator[SlowFolder]:
    """Show ``source``, for reading, as a folder that answers after ``delay_us`` microseconds.

    A new one has empty caches. The program is compiled into ``build_dir`` the first time.
    Raises NotMeasured where the machine does not allow it.
    """
    program = _compiled(build_dir)
    with tempfile.TemporaryDirectory(prefix="slow-fs-") as folder:
        slow = SlowFolder(Path(folder, "files"), Path(folder, "counts"))
        slow.path.mkdir()
        command: Command = [program, source.resolve(), slow.path, slow.counts_path, str(delay_us)]
        process = subprocess.Popen(
            end_with_parent(command),
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C is not for it: it would go before its readers do.
            start_new_session=True,
        )
        try:
            _wait_until_mounted(slow.path, process)
            yield slow
        finally:
            # It unmounts, even if a file is still open.
            process.terminate()
            try:
                process.communicate(timeout=_MOUNT_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _wait_until_mounted(path: Path, process: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + _MOUNT_TIMEOUT_S
    while not path.is_mount():
        if process.poll() is not None or time.monotonic() > give_up:
            process.kill()
            reason = process.communicate()[1].strip()
            raise NotMeasured(f"the file system does not mount: {reason or 'no answer'}")
        time.sleep(0.01)


def _compiled(build_dir: Path) -> Path:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise NotMeasured("/dev/fuse is missing, or not for this user")
    program = build_dir / "slow_fs"
    if program.exists() and program.stat().st_mtime >= _SOURCE.stat().st_mtime:
        return program
    build_dir.mkdir(parents=True, exist_ok=True)
    command = [
        *("cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-D_FILE_OFFSET_BITS=64"),
        *("-I/usr/include/fuse3", str(_SOURCE), "-o", f"{program}.partial"),
        *("-lfuse3", "-lpthread"),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NotMeasured("there is no C compiler") from None
    except subprocess.CalledProcessError as error:
        raise NotMeasured(f"the file system does not compile: {error.stderr}") from None
    return Path(f"{program}.partial").replace(program)
