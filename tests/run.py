"""Runs the parts of ``make test`` one after the other, and says at the end what came of them.

A part fails if its command does, if a run of tests that it should have had is missing or empty, or
if it skipped a test that may not be skipped. Parts after the first that fails do not run.
"""

import argparse
import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOGS = ROOT / ".local" / "log" / "test"

# The targets of the Makefile, and how many runs of tests each has: cheap ones first.
PARTS = {
    "lint": 0,
    "test-web": 2,
    "test-quick": 1,
    "test-slow": 1,
    "test-stack": 1,
    "test-bench": 1,
}
# The reasons for which a test may be skipped.
MAY_BE_SKIPPED = {"file systems of one's own need /dev/fuse"}

_MOST_SHOWN = 10
# The last line of pytest: "=== 3 failed, 9 passed, 1 skipped in 2.31s (0:00:02) ===", or with -q
# without the signs. Node's test runner has a line for each number: "# pass 9".
_PYTEST = re.compile(r"^(?:=+ )?((?:\d+ \w+(?:, )?)+|no tests ran) in [\d.]+s\b", re.MULTILINE)
_NODE = re.compile(r"^[#ℹ] (tests|pass|fail|cancelled|skipped) (\d+)$", re.MULTILINE)
_SKIPPED = re.compile(r"^SKIPPED \[\d+\] (?:\S+:\d+: )?(.*)$", re.MULTILINE)
_FAILED = re.compile(
    r"^(?:FAILED|ERROR) (tests/\S+?\.py(?:::\w+)*(?:\[.*?\])?)(?: - .*)?$", re.MULTILINE
)
_ENDINGS = {
    "passed": "passed",
    "failed": "failed",
    "error": "failed",
    "errors": "failed",
    "skipped": "skipped",
    "xfailed": "skipped",
    "xpassed": "failed",
    "pass": "passed",
    "fail": "failed",
    "cancelled": "failed",
}


@dataclass
class Part:
    """What came of a part: ``wrong`` says why it failed, if it did."""

    name: str
    seconds: float | None = None
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """In a word."""
        return "not run" if self.seconds is None else "FAILED" if self.wrong else "passed"


def judge(name: str, runs: int, code: int, output: str) -> Part:
    """Read from a part's exit code and output what came of it."""
    part = Part(name)
    totals = [
        Counter({ending: int(count) for count, ending in re.findall(r"(\d+) (\w+)", line)})
        for line in _PYTEST.findall(output)
    ]
    if found := _NODE.findall(output):
        totals.append(Counter({ending: int(count) for ending, count in found}))
    for total in totals:
        for ending, count in total.items():
            if ending in _ENDINGS:
                part.counts[_ENDINGS[ending]] += count
    if code:
        part.wrong.append(f"make {name} ended with exit code {code}")
    if len(totals) < runs:
        part.wrong.append(f"{len(totals)} of its {runs} runs of tests came to their end")
    if any(not total["passed"] and not total["pass"] for total in totals):
        part.wrong.append("a run of tests in which none passed")
    reasons = set(_SKIPPED.findall(output)) - MAY_BE_SKIPPED
    part.wrong += [f"skipped: {reason}" for reason in sorted(reasons)]
    part.failed = list(dict.fromkeys(_FAILED.findall(output)))
    return part


def run(name: str, runs: int, seed: int, logs: Path) -> Part:
    """Run a part. Its output is shown as it comes, and kept."""
    begun = time.monotonic()
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", name, f"SEED={seed}"]
    with (
        (logs / f"{name}.log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        while data := os.read(process.stdout.fileno(), 1 << 16):
            log.write(data)
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
    output = (logs / f"{name}.log").read_text(errors="replace")
    part = judge(name, runs, process.returncode, output)
    part.seconds = time.monotonic() - begun
    return part


def report(parts: Sequence[Part], seed: int, logs: Path) -> str:
    """Say what ran, how long it took, and what to do about a failure; the last line has totals."""
    lines = ["", f"{'part':12} {'result':8} {'time':>8} {'passed':>7} {'failed':>7} {'skipped':>7}"]
    total: Counter[str] = Counter()
    for part in parts:
        # A part that fails without a test that does is a failure as well.
        part.counts["failed"] = max(part.counts["failed"], bool(part.wrong))
        total += part.counts
        numbers = [part.counts[each] or "" for each in ("passed", "failed", "skipped")]
        lines.append(
            f"{part.name:12} {part.result:8} {_time(part.seconds):>8} "
            + " ".join(f"{number:>7}" for number in numbers).rstrip()
        )
    for part in parts:
        if part.wrong:
            lines += ["", f"{part.name} failed. Its output: {logs / part.name}.log"]
            lines += [f"  {reason}" for reason in part.wrong]
            lines += [
                f"  .venv/bin/python -m pytest {shlex.quote(test)}"
                for test in part.failed[:_MOST_SHOWN]
            ]
            if len(part.failed) > _MOST_SHOWN:
                lines.append(f"  … and {len(part.failed) - _MOST_SHOWN} more")
            again = f"make {part.name}" + (f" SEED={seed}" if part.name != "lint" else "")
            lines.append(f"  The part alone, in the same order: {again}")
            if part.name == "test-stack":
                lines.append("  The local stack's own logs: .local/log/")
    seconds = sum(part.seconds or 0 for part in parts)
    lines += [
        "",
        f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped "
        f"in {_time(seconds)} (seed {seed})",
    ]
    return "\n".join(lines)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def main(arguments: Sequence[str] | None = None, logs: Path = LOGS) -> int:
    """Run the parts; return the exit code: 0 if all passed, 1 if one failed, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.getrandbits(32), help="of the order")
    seed = parser.parse_args(arguments).seed
    logs.mkdir(parents=True, exist_ok=True)
    parts = [Part(name) for name in PARTS]
    code = 0
    for number, (name, runs) in enumerate(PARTS.items()):
        print(f"─── make {name} SEED={seed} ───", flush=True)
        try:
            parts[number] = run(name, runs, seed, logs)
        except KeyboardInterrupt:
            code = 130
            break
        if parts[number].wrong:
            code = 1
            break
    print(report(parts, seed, logs))
    return code


if __name__ == "__main__":
    sys.exit(main())
