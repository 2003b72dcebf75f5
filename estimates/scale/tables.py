"""The tables of ``docs/scale.md``."""

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.report import Column, Table
from estimates.scale.imports import (
    BUSIEST_HOUR,
    OVERHEAD_S,
    Day,
    day,
    import_s,
    transfer_s,
    transfers_a_day,
)
from estimates.scale.quotas import QUOTAS
from estimates.scale.reference import (
    MAP_CONCURRENCY,
    REFERENCE,
    RENDER_TILE_S,
    VIEWED_TILE_BYTES,
    WRITES_PER_TILE,
    ReferenceSlide,
    state_machine,
)
from estimates.scale.sizes import SIZES, Size
from estimates.scale.viewers import EDGE_SHARE, Seen, viewers
from vsv.geometry import Size as Pixels

__all__ = ["events", "largest_side", "make", "square"]

# Seconds in which all viewers come, and those that are watched then, by how many they are.
_RAMP_S: Final = 10.0
_WATCHED_S: Final = {10: 120.0, 200: 30.0, 2000: 10.0}
# An account's first quota, and one for which the largest size has to ask.
_CONCURRENCY: Final = int(QUOTAS["concurrency"].value)
_RAISED: Final = 4000
# Events by type of state: entered, exited, and what happens between.
_EVENTS: Final = {"Choice": 2, "Task": 5, "Map": 4}
_EVENTS_PER_ITERATION: Final = 2
# What a piece takes in the list that goes from state to state.
_PIECE_BYTES: Final = len('{"start":1000000,"stop":1000200},')


def make() -> Mapping[str, Table]:
    """Return all tables by their names in the document."""
    alone = {size.viewers: viewers(size.viewers, _CONCURRENCY, *_times(size)) for size in SIZES}
    largest = SIZES[-1]
    raised = viewers(largest.viewers, _RAISED, *_times(largest))
    days = {
        (size.name, tasks): day(size.slides_a_day, tasks)
        for size in SIZES
        for tasks in (1, size.tasks)
    }
    best = {**alone, largest.viewers: raised}
    return {
        "quotas": _quotas(),
        "slide": _slide(),
        "viewers": _viewers(
            [*((seen, _CONCURRENCY) for seen in alone.values()), (raised, _RAISED)]
        ),
        "edge": _edge(raised),
        "transfers": _transfers(),
        "imports": _imports(list(days.values())),
        "peaks": _peaks(
            [(each, best[each.viewers], days[each.name, each.tasks]) for each in SIZES]
        ),
        "history": _history(),
    }


def _times(size: Size) -> tuple[float, float]:
    return _WATCHED_S[size.viewers], _RAMP_S


def _quotas() -> Table:
    table = Table(
        "AWS's quotas",
        [Column("quota"), Column("default", ",.0f"), Column("can be raised"), Column("page")],
        notes=[
            "\\* In us-east-1, us-west-2 and eu-west-1; elsewhere 500 and 150, by an edition of "
            "2022, the last that could be read in full. \\*\\* By an edition of 2022; later "
            "reports say 1,000."
        ],
    )
    for quota in QUOTAS.values():
        table.rows.append(
            (quota.what, quota.value, "yes" if quota.is_adjustable else "no", quota.page)
        )
    return table


def _slide() -> Table:
    table = Table("The slide that is counted with", [Column("figure"), Column("value")])
    size = REFERENCE.size
    table.rows += [
        ("pixels", f"{size.width:,} × {size.height:,}"),
        ("file", f"{REFERENCE.file_bytes / 1e9:.2f} GB"),
        ("tiles of 256 pixels, all levels", f"{REFERENCE.tiles():,}"),
        ("of these between the slide's own levels", f"{REFERENCE.tiles('derived'):,}"),
        ("calls of RenderTiles", f"{REFERENCE.pieces():,}, {MAP_CONCURRENCY} at a time"),
        ("a tile rendered and written to EFS", f"{1000 * RENDER_TILE_S:.1f} ms"),
        ("the workflow, from start to IMPORTED", f"{import_s():.0f} s"),
        (
            "an execution of DataSync",
            f"{transfer_s():.0f} s, {OVERHEAD_S:.0f} of them beside the bytes",
        ),
    ]
    return table


def _viewers(runs: list[tuple[Seen, int]]) -> Table:
    table = Table(
        "Viewers",
        [
            Column("viewers at once", ",d"),
            Column("Lambda's concurrency", ",d"),
            Column("tiles/s shown", ",.0f"),
            Column("to Lambda, busiest second", ",d"),
            Column("refused", ".1%"),
            Column("environments", ",d"),
            Column("a view: median ms", ",.0f"),
            Column("95 %", ",.0f"),
            Column("99 %", ",.0f"),
        ],
        notes=["Of views that were complete when the watching ended."],
    )
    for seen, concurrency in runs:
        table.rows.append(
            (
                seen.viewers,
                concurrency,
                seen.tiles / seen.seconds,
                seen.peak,
                seen.refused / seen.asked,
                seen.cold_starts,
                *(seen.view_ms(share) for share in (0.5, 0.95, 0.99)),
            )
        )
    return table


def _edge(seen: Seen) -> Table:
    table = Table(
        "What the edge takes",
        [
            Column("tiles that the edge has", ".0%"),
            Column("requests/s to Lambda", ",.0f"),
            Column("concurrency to ask for", ",.0f"),
        ],
    )
    for share in (0.0, EDGE_SHARE, 0.5, 0.9):
        rate = seen.peak * (1 - share) / (1 - EDGE_SHARE)
        table.rows.append((share, rate, rate / QUOTAS["rate"].value))
    return table


def _transfers() -> Table:
    table = Table(
        "What one DataSync task carries",
        [
            Column("seconds beside the bytes", ".0f"),
            Column("slides in 24 hours, one an execution", ",d"),
            Column("tasks for 5,000 a day", ",d"),
        ],
    )
    for overhead_s in (30.0, OVERHEAD_S, 300.0):
        carried = transfers_a_day(overhead_s)
        table.rows.append((overhead_s, carried, -(-5000 // carried)))
    return table


def _imports(days: list[Day]) -> Table:
    table = Table(
        "A day's imports",
        [
            Column("slides a day", ",d"),
            Column("tasks", ",d"),
            Column("not in view at midnight", ",d"),
            Column("scan to view: median min", ",.0f"),
            Column("95 %", ",.0f"),
            Column("most that wait for a task", ",d"),
            Column("most imports at once", ",d"),
        ],
    )
    for each in days:
        table.rows.append(
            (
                each.slides,
                each.tasks,
                each.left,
                each.wait_min(0.5),
                each.wait_min(0.95),
                each.most_waiting,
                each.most_imports,
            )
        )
    return table


def _peaks(sizes: list[tuple[Size, Seen, Day]]) -> Table:
    table = Table(
        "The busiest moment, against the quota",
        [Column("what"), Column("quota", ",.0f"), *(Column(size.name) for size, *_ in sizes)],
        notes=[
            "With enough DataSync tasks, and for the largest size with a concurrency of "
            f"{_RAISED:,}. Viewers' and imports' peaks are taken to meet."
        ],
    )
    rendering = [each.most_imports * MAP_CONCURRENCY for *_, each in sizes]
    tiles = [calls / RENDER_TILE_S for calls in rendering]
    rows: list[tuple[str, str, list[float]]] = [
        ("requests/s to ImageRequest", "lambda", [seen.peak for _, seen, _ in sizes]),
        ("environments of RenderTiles", "concurrency", [float(each) for each in rendering]),
        ("writing operations/s on EFS", "efs-writes", [WRITES_PER_TILE * each for each in tiles]),
        ("reading operations/s on EFS", "efs-reads", [2.0 * seen.peak for _, seen, _ in sizes]),
        (
            "units/s written to `Status` = NEW, and to `Listed`",
            "wcu",
            [size.slides_a_day * BUSIEST_HOUR / 3600 for size, *_ in sizes],
        ),
        (
            "state transitions/s",
            "transitions",
            [each.most_imports * REFERENCE.pieces() / import_s() for *_, each in sizes],
        ),
        (
            "executions started/s",
            "starts",
            [size.slides_a_day * BUSIEST_HOUR / 3600 for size, *_ in sizes],
        ),
        ("requests/s to CloudFront", "edge", [seen.tiles / seen.seconds for _, seen, _ in sizes]),
        (
            "Gbit/s from CloudFront",
            "edge-gbps",
            [seen.tiles / seen.seconds * VIEWED_TILE_BYTES * 8e-9 for _, seen, _ in sizes],
        ),
        (
            "signatures/s, one a viewer and hour",
            "sign",
            [size.viewers / 3600 for size, *_ in sizes],
        ),
    ]
    most = {name: quota.value for name, quota in QUOTAS.items()}
    most["lambda"] = most["concurrency"] * most["rate"]
    for what, quota, values in rows:
        table.rows.append((what, most[quota], *(_against(value, most[quota]) for value in values)))
    return table


def _against(value: float, quota: float) -> str:
    shown = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
    share = f"{value / quota:.0%}"
    return f"**{shown}** ({share})" if value > quota else f"{shown} ({share})"


def events(pieces: int) -> int:
    """Count the events in the history of an import without a failure."""
    states = state_machine()["States"]
    name: str | None = state_machine()["StartAt"]
    count = 2  # the execution's own: started, succeeded
    while name:
        state: dict[str, Any] = states[name]
        count += _EVENTS[state["Type"]]
        if state["Type"] == "Map":
            inner = state["ItemProcessor"]["States"].values()
            count += pieces * (_EVENTS_PER_ITERATION + sum(_EVENTS[each["Type"]] for each in inner))
        name = state.get("Default") or state.get("Next")
    return count


def largest_side(limit: float, per_slide: Any) -> int:
    """Return the side of the largest square slide within ``limit``, in pixels.

    It is a multiple of 1,000.
    """
    low, high = 1, 10_000
    while high - low > 1:
        middle = (low + high) // 2
        fits = per_slide(square(1000 * middle).pieces()) <= limit
        low, high = (middle, high) if fits else (low, middle)
    return 1000 * low


def square(side: int) -> ReferenceSlide:
    """Return a square slide with as many levels as a scanner writes."""
    downsamples = [1]
    while side // downsamples[-1] > 8000:
        downsamples.append(4 * downsamples[-1])
    return ReferenceSlide(Pixels(side, side), tuple(downsamples))


def _history() -> Table:
    table = Table(
        "How large a slide may be",
        [
            Column("slide, pixels"),
            Column("pieces", ",d"),
            Column("events of 25,000", ",d"),
            Column("bytes of 262,144", ",d"),
        ],
    )
    size = REFERENCE.size
    by_history = largest_side(QUOTAS["history"].value, events)
    by_payload = largest_side(QUOTAS["payload"].value, lambda pieces: pieces * _PIECE_BYTES)
    for name, slide in (
        (f"{size.width:,} × {size.height:,}", REFERENCE),
        ("200,000 × 200,000", square(200_000)),
        (f"{by_history:,} × {by_history:,}: the most events", square(by_history)),
        (f"{by_payload:,} × {by_payload:,}: the most bytes", square(by_payload)),
    ):
        pieces = slide.pieces()
        table.rows.append((name, pieces, events(pieces), pieces * _PIECE_BYTES))
    return table
