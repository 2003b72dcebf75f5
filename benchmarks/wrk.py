"""The viewer's trace over HTTP, replayed by ``wrk`` as fast as a server answers."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import Command, ServerError, end_with_parent
from benchmarks.servers import Server

__all__ = ["CONNECTIONS", "Load", "replay"]

Address = tuple[int, int, int]

# As many as two browsers open to one host.
CONNECTIONS: Final = 12
# An answer may take its time, but a server that hangs must not hang the benchmark.
_REQUEST_TIMEOUT_S: Final = 20
_PATIENCE_S: Final = 60
_LONGEST_S: Final = 60

# Written for one thread of wrk's, which has one Lua: whichever connection is free asks for the
# trace's next tile, as a browser's do.
_LUA: Final = """\
local requests, position = {}, 0
function init()
  for path in io.lines("PATHS") do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end
function request()
  position = position % #requests + 1
  return requests[position]
end
function done(summary, latency)
  local failed = 0
  for _, count in pairs(summary.errors) do
    failed = failed + count
  end
  io.stderr:write(string.format(
    '{"answers": %d, "bytes": %d, "us": %d, "p50_us": %d, "p99_us": %d, "failed": %d}',
    summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99), failed))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server did under load. ``failed`` counts answers other than 200, and none at all."""

    answers: int
    failed: int
    tiles_per_s: float
    mb_per_s: float
    p50_ms: float
    p99_ms: float


def replay(server: Server, trace: Iterable[Address], seconds: int) -> Load:
    """Ask for the trace's tiles, over and over, for ``seconds``.

    Ask for twice as long, and again, as long as there are fewer answers than connections: a rate
    says nothing then. Raises ServerError if a server answers fewer in a minute.
    """
    addresses = list(trace)
    while True:
        load = _load(server, addresses, seconds)
        if load.answers >= CONNECTIONS:
            return load
        if seconds >= _LONGEST_S:
            raise ServerError(f"{load.answers} answers in {seconds} s")
        seconds = min(2 * seconds, _LONGEST_S)


def _load(server: Server, trace: Iterable[Address], seconds: int) -> Load:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise ServerError("wrk is not installed: `make bench` installs it")
    with tempfile.TemporaryDirectory() as folder:
        paths, script = Path(folder, "paths"), Path(folder, "trace.lua")
        paths.write_text("".join(f"{server.path(*address)}\n" for address in trace))
        script.write_text(_LUA.replace("PATHS", str(paths)))
        command: Command = [
            *(wrk, "--threads", "1", "--connections", str(CONNECTIONS)),
            *("--duration", f"{seconds}s", "--timeout", f"{_REQUEST_TIMEOUT_S}s"),
            *("--script", script, f"http://127.0.0.1:{server.port}"),
        ]
        done = subprocess.run(
            end_with_parent(command),
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds + _PATIENCE_S,
        )
    counts = json.loads(done.stderr)
    elapsed_s = counts["us"] / 1e6
    return Load(
        answers=counts["answers"],
        failed=counts["failed"],
        tiles_per_s=counts["answers"] / elapsed_s,
        mb_per_s=counts["bytes"] / 1e6 / elapsed_s,
        p50_ms=counts["p50_us"] / 1000,
        p99_ms=counts["p99_us"] / 1000,
    )
