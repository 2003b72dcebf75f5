"""The three sizes that scale and cost are estimated for. All values are assumptions."""

from dataclasses import dataclass
from typing import Final

__all__ = ["SIZES", "WORKING_DAYS", "Size"]

WORKING_DAYS: Final = 21  # a month


@dataclass(frozen=True)
class Size:
    """A user of the deployment.

    ``viewers`` look at slides at once at the busiest time, ``people`` sign in within a month.
    ``tasks``: DataSync tasks and agents that carry the day's scans without a queue. ``kept``:
    slides that are there in all, archived ones as well. ``looks``: how often a slide is looked at
    in its first month.
    """

    name: str
    slides_a_day: int
    viewers: int
    people: int
    tasks: int
    kept: int
    looks: float = 2.0


SIZES: Final = (
    Size("one lab", 200, 10, 30, 2, 250_000),
    Size("a hospital network", 5_000, 200, 600, 20, 6_000_000),
    Size("a national archive", 10_000, 2_000, 6_000, 40, 10_000_000),
)
