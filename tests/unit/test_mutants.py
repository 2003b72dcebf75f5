"""Damaged slides, by the thousand: none ends a function, keeps it busy, or is its error."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.bases import write_all
from tests.mutants.run import Result, prepare

MUTANTS = 28
WORKERS = 2


@pytest.mark.slow
def test_no_mutant_of_a_slide_does_harm(real, tmp_path):
    """Repeat one with ``python -m tests.mutants SEED``."""
    write_all(tmp_path, real)
    prepare(tmp_path)
    arguments = ["-m", "tests.mutants.run", str(tmp_path)]
    workers = [
        subprocess.Popen(
            [sys.executable, *arguments, str(first), str(MUTANTS), str(WORKERS)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(WORKERS)
    ]
    # The pipe of one fills while the other's is read: neither is in a hurry.
    lines = [line for worker in workers for line in worker.communicate()[0].splitlines()]
    results = [Result(**json.loads(line)) for line in lines]
    print(report(results))
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    assert sorted(result.seed for result in results) == list(range(MUTANTS))
    assert not [result for result in results if result.faults]


def report(results: list[Result]) -> str:
    statuses = sum((Counter(result.statuses) for result in results), Counter())
    slowest = max(results, key=lambda result: result.cpu_s)
    largest = max(results, key=lambda result: result.image_request_mb)
    step = max(results, key=lambda result: result.step_mb)
    return "\n".join(
        (
            f"{len(results)} mutants of {len({result.slide for result in results})} slides",
            f"kinds: {dict(Counter(result.kind for result in results))}",
            f"answers: {dict(statuses)}",
            f"slowest: {slowest.cpu_s:.1f} s (seed {slowest.seed})",
            f"ImageRequest's memory: {largest.image_request_mb} MB (seed {largest.seed})",
            f"the import's memory: {step.step_mb} MB (seed {step.seed})",
            *(f"{result}" for result in results if result.faults),
        )
    )
