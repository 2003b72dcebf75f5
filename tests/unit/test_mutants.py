"""Damaged slides, by the thousand: none ends a function, keeps it busy, or is its error."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.bases import write_all
from tests.mutants.run import Result, prepare

MUTANTS = 3000
SHARE = 250


@pytest.fixture(scope="module")
def sound(real, tmp_path_factory) -> Path:
    """Return the slides that mutants are made of, and what an import makes of them."""
    folder = tmp_path_factory.mktemp("sound")
    write_all(folder, real)
    prepare(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, MUTANTS, SHARE))
def test_no_mutant_of_a_slide_does_harm(sound, first):
    """Repeat one with ``python -m tests.mutants SEED``."""
    seeds = range(first, first + SHARE)
    worker = subprocess.run(
        [sys.executable, "-m", "tests.mutants.run", sound, str(seeds.start), str(seeds.stop)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    results = [Result(**json.loads(line)) for line in worker.stdout.splitlines()]
    print(report(results))
    assert worker.returncode == 0
    assert [result.seed for result in results] == [*seeds]
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
