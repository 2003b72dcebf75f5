"""A simulation of viewers: what they request, who answers, and how long they wait.

A viewer opens a slide, looks at one view after another, and pauses between slides. A view's new
tiles are requested a few at a time. The edge has some of them; Lambda answers for the others.
"""

import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import simpy

from benchmarks.report import percentile
from estimates.scale.quotas import QUOTAS
from estimates.scale.reference import COLD_START_S, PARALLEL_TILES, REFERENCE, RUNTIME_S, tile_s

__all__ = ["EDGE_SHARE", "VIEWS_PER_SLIDE", "Seen", "opening_tiles", "viewers"]

# Assumptions about people: seconds between two views and between two slides, views of a slide.
VIEW_S: Final = 2.5
PAUSE_S: Final = 30.0
VIEWS_PER_SLIDE: Final = 40
# Share of tiles that somebody else has had from the same edge lately. Most slides have one reader.
EDGE_SHARE: Final = 0.2
# Round trips: browser to edge, edge to region and into Lambda. Assumptions.
_EDGE_S: Final = 0.02
_ORIGIN_S: Final = 0.02
# A tile that was refused is asked for again. (The pages do so, a little later each time.)
_AGAIN_S: Final = 1.0

_STEPS: Final = REFERENCE.new_tiles()
_TILE_S: Final = tile_s()

Steps = Generator[simpy.Event, None, None]


@dataclass
class Seen:
    """Measurements of a run, from when all viewers were there."""

    viewers: int
    seconds: float = 0.0
    tiles: int = 0
    asked: int = 0  # of Lambda
    refused: int = 0
    cold_starts: int = 0
    most_busy: int = 0
    by_second: Counter[int] = field(default_factory=Counter)
    views_s: list[float] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """Requests to Lambda in the busiest second."""
        return max(self.by_second.values(), default=0)

    def view_ms(self, share: float) -> float:
        """Milliseconds after which this share of the views was complete."""
        return 1000 * percentile(self.views_s, share)


class _Lambda:
    """One function's environments: idle, busy, and how fast there may be more."""

    def __init__(self, env: simpy.Environment, concurrency: int) -> None:
        self._env = env
        self._limit = concurrency
        self._rate = concurrency * QUOTAS["rate"].value
        self._scaling = QUOTAS["scaling"].value
        self._new = self._scaling
        self._requests = self._rate
        self._at = 0.0
        self.idle = 0
        self.busy = 0

    def take(self, wanted: int) -> tuple[int, int]:
        """Occupy environments for requests; return how many were warm and how many cold.

        The others were refused.
        """
        passed, self._at = self._env.now - self._at, self._env.now
        self._requests = min(self._rate, self._requests + passed * self._rate)
        self._new = min(self._scaling, self._new + passed * self._scaling / 10)
        let_in = min(wanted, int(self._requests))
        warm = min(let_in, self.idle)
        cold = min(let_in - warm, int(self._new), self._limit - self.busy - self.idle)
        self._requests -= warm + cold
        self._new -= cold
        self.idle -= warm
        self.busy += warm + cold
        return warm, cold

    def release(self, count: int) -> None:
        """Free ``count`` environments."""
        self.busy -= count
        self.idle += count


def opening_tiles() -> float:
    """Return the mean number of tiles for a slide, over all places in the trace to begin at."""
    return _STEPS[0] + (VIEWS_PER_SLIDE - 1) * sum(_STEPS[1:]) / (len(_STEPS) - 1)


def viewers(count: int, concurrency: int, seconds: float, ramp_s: float, seed: int = 1) -> Seen:
    """Simulate ``count`` viewers who come within ``ramp_s`` and stay ``seconds`` more."""
    env = simpy.Environment()
    chance = random.Random(seed)  # noqa: S311  chance, no secret
    seen = Seen(count, seconds)
    function = _Lambda(env, concurrency)
    for number in range(count):
        env.process(_viewer(env, chance, function, seen, ramp_s * number / count, ramp_s))
    env.run(until=ramp_s + seconds)
    return seen


def _viewer(
    env: simpy.Environment,
    chance: random.Random,
    function: _Lambda,
    seen: Seen,
    comes_s: float,
    counts_from_s: float,
) -> Steps:
    yield env.timeout(comes_s)
    while True:
        first = chance.randrange(1, len(_STEPS) - VIEWS_PER_SLIDE)
        for tiles in (_STEPS[0], *_STEPS[first : first + VIEWS_PER_SLIDE - 1]):
            started = env.now
            yield from _view(env, chance, function, seen, tiles)
            if started >= counts_from_s:
                seen.tiles += tiles
                seen.views_s.append(env.now - started)
            yield env.timeout(chance.expovariate(1 / VIEW_S))
        yield env.timeout(chance.expovariate(1 / PAUSE_S))


def _view(
    env: simpy.Environment, chance: random.Random, function: _Lambda, seen: Seen, tiles: int
) -> Steps:
    """Request all tiles of a view, some at a time, and refused ones again."""
    while tiles > 0:
        wave = min(tiles, PARALLEL_TILES)
        misses = sum(chance.random() >= EDGE_SHARE for _ in range(wave))
        warm, cold = function.take(misses)
        refused = misses - warm - cold
        seen.asked += misses
        seen.refused += refused
        seen.cold_starts += cold
        seen.most_busy = max(seen.most_busy, function.busy)
        seen.by_second[int(env.now)] += misses
        if warm + cold:
            # The slowest of the wave; times scatter as if memoryless above the runtime's own.
            slowest = max(chance.expovariate(1 / _TILE_S) for _ in range(warm + cold))
            yield env.timeout(RUNTIME_S + slowest + (COLD_START_S if cold else 0))
            function.release(warm + cold)
        yield env.timeout(_EDGE_S + (_ORIGIN_S if misses else 0) + (_AGAIN_S if refused else 0))
        tiles -= wave - refused
