"""A simulation of imports: a working day of scanners, from the folder to the slide in view.

The workstation's script asks about each file once a minute. A DataSync task carries one execution
at a time, and an execution one file. Then the workflow runs, whose pieces are rendered a few at a
time; a slide that waits for nothing else is not held up by others.
"""

import random
from collections.abc import Generator
from dataclasses import dataclass, field
from math import ceil
from typing import Final

import simpy

from benchmarks.report import percentile
from estimates.scale.reference import (
    EXTRACT_S,
    FINISH_S,
    MAP_CONCURRENCY,
    REFERENCE,
    RENDER_TILE_S,
    TILES_PER_PIECE,
)

__all__ = ["BUSIEST_HOUR", "OVERHEAD_S", "Day", "day", "import_s", "transfer_s", "transfers_a_day"]

# When scans come, by the hour from midnight: racks are loaded in the morning and again at noon.
# An assumption.
_BY_HOUR: Final = (0,) * 7 + (4, 8, 12, 12, 10, 8, 10, 12, 10, 8, 4, 2) + (0,) * 5
# Share of the day's scans that come in its busiest hour.
BUSIEST_HOUR: Final = max(_BY_HOUR) / sum(_BY_HOUR)
_POLL_S: Final = 60.0  # scanscope: interval_s
# What an execution takes beside the bytes: it is launched, lists, verifies. AWS names no figure;
# reports have half a minute to five minutes. An assumption, and the one that matters most.
OVERHEAD_S: Final = 90.0
# 1 Gbit/s, seven tenths of it.
_LINE_BYTES_S: Final = 0.7 * 1e9 / 8
_DAY_S: Final = 24 * 3600.0

Steps = Generator[simpy.Event, None, None]


@dataclass
class Day:
    """The outcome of a day's slides."""

    slides: int
    tasks: int
    waits_s: list[float] = field(default_factory=list)  # from the scan to the slide in view
    most_waiting: int = 0  # for a DataSync task
    most_imports: int = 0  # at once
    waiting: int = 0
    importing: int = 0

    @property
    def left(self) -> int:
        """Slides that are not in view at midnight."""
        return self.slides - len(self.waits_s)

    def wait_min(self, share: float) -> float:
        """Return the minutes within which this share of the imported slides was in view."""
        return percentile(self.waits_s, share) / 60


def transfer_s(overhead_s: float = OVERHEAD_S) -> float:
    """Return the seconds of a task's execution for one slide."""
    return overhead_s + REFERENCE.file_bytes / _LINE_BYTES_S


def transfers_a_day(overhead_s: float) -> int:
    """Return how many slides one task carries in 24 hours, one after the other."""
    return int(_DAY_S / transfer_s(overhead_s))


def import_s(prerender: str = "all") -> float:
    """Return the seconds of the workflow for one slide."""
    rounds = ceil(REFERENCE.pieces(prerender) / MAP_CONCURRENCY)
    return EXTRACT_S + rounds * TILES_PER_PIECE * RENDER_TILE_S + FINISH_S


def day(slides: int, tasks: int, seed: int = 1) -> Day:
    """Simulate a day with these numbers of slides and of tasks, each with its own agent."""
    env = simpy.Environment()
    chance = random.Random(seed)  # noqa: S311  chance, no secret
    result = Day(slides, tasks)
    carriers = simpy.Resource(env, tasks)
    carried_s, workflow_s = transfer_s(), import_s()
    hours = chance.choices(range(24), _BY_HOUR, k=slides)
    for hour in hours:
        scanned_s = 3600 * (hour + chance.random())
        env.process(_slide(env, chance, carriers, result, scanned_s, carried_s, workflow_s))
    env.run(until=_DAY_S)
    return result


def _slide(
    env: simpy.Environment,
    chance: random.Random,
    carriers: simpy.Resource,
    result: Day,
    scanned_s: float,
    carried_s: float,
    workflow_s: float,
) -> Steps:
    yield env.timeout(scanned_s + chance.uniform(0, _POLL_S))
    result.waiting += 1
    result.most_waiting = max(result.most_waiting, result.waiting)
    with carriers.request() as carrier:
        yield carrier
        result.waiting -= 1
        yield env.timeout(carried_s)
    yield env.timeout(chance.uniform(0, _POLL_S))
    result.importing += 1
    result.most_imports = max(result.most_imports, result.importing)
    yield env.timeout(workflow_s)
    result.importing -= 1
    result.waits_s.append(env.now - scanned_s)
