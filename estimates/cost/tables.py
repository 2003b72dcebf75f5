"""The tables of ``docs/cost.md``."""

from collections.abc import Mapping
from math import fsum
from typing import Final

from benchmarks.report import Cell, Column, Table
from estimates.cost.model import (
    ARCHIVES,
    archived,
    backup,
    fixed,
    kept,
    live,
    million_tiles,
    slide_import,
)
from estimates.cost.prices import PRICES, usd
from estimates.scale.sizes import SIZES, WORKING_DAYS, Size
from estimates.scale.viewers import EDGE_SHARE, opening_tiles

__all__ = ["make", "month"]

_MODES: Final = (
    ("all", "efs"),
    ("derived", "efs"),
    ("none", "efs"),
    ("all", "s3"),
    ("derived", "s3"),
)
_SOURCES: Final = {"svs": "slide on EFS", "efs": "pyramid on EFS", "s3": "pyramid on S3"}
_CLASSES: Final = {
    "efs": "EFS Standard",
    "efs-ia": "EFS IA",
    "efs-archive": "EFS Archive",
    "s3": "S3 Standard",
}
# Operations of GraphQL for a slide, and units read for one of them. Assumptions.
_QUESTIONS: Final = 20
_QUESTION_UNITS: Final = 50
_MONTHS: Final = 12


def make() -> Mapping[str, Table]:
    """Return all tables by their names in the document."""
    return {
        "prices": _prices(),
        "import": _by_part(
            "Importing a slide", {f"{m}, {s}": slide_import(m, s) for m, s in _MODES}
        ),
        "keeping": _keeping(),
        "viewable": _viewable(),
        "tiles": _by_part(
            "A million tiles",
            {
                **{what: million_tiles(each, EDGE_SHARE) for each, what in _SOURCES.items()},
                "all from the edge": million_tiles("svs", 1.0),
            },
        ),
        "archives": _archives(),
        "fixed": _by_part("Whatever is done", {"a month": fixed(0)}),
        "month": _months(),
    }


def _prices() -> Table:
    table = Table(
        "Prices", [Column("what"), Column("dollars", "g"), Column("for"), Column("source")]
    )
    for price in PRICES.values():
        unit = f"{price.per:,} {price.unit}" if price.per > 1 else price.unit
        table.rows.append((price.what, price.dollars, unit, price.source))
    return table


def _by_part(title: str, columns: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title, [Column("dollars"), *(Column(name, ".3f") for name in columns)])
    for part in next(iter(columns.values())):
        table.rows.append((part, *(parts[part] for parts in columns.values())))
    table.rows.append(("**all**", *(fsum(parts.values()) for parts in columns.values())))
    return table


def _keeping() -> Table:
    table = Table(
        "Keeping a slide",
        [Column("dollars a month"), *(Column(each, ".3f") for each in _CLASSES.values())],
    )
    for what, name in (
        ("slide", "the slide's file"),
        ("all", "pyramid, all"),
        ("derived", "pyramid, derived"),
    ):
        row: list[Cell] = [kept(what, where) for where in _CLASSES]
        if what == "slide":
            row[-1] = None
        table.rows.append((name, *row))
    return table


def _viewable() -> Table:
    deep = archived(ARCHIVES[-1])[1]
    table = Table(
        "Ways to keep an older slide viewable",
        [Column("way"), Column("a month, $", ".3f"), Column("10 million slides, $", ",.0f")],
    )
    for way, dollars in (
        ("file on EFS Standard", kept("slide", "efs")),
        ("file on EFS IA", kept("slide", "efs-ia")),
        ("file on EFS Archive", kept("slide", "efs-archive")),
        ("file in DEEP_ARCHIVE, pyramid on S3", deep + kept("all", "s3")),
        ("file in DEEP_ARCHIVE, not viewable until it is back", deep),
    ):
        table.rows.append((way, dollars, 10**7 * dollars))
    return table


def _archives() -> Table:
    table = Table(
        "Archive classes, a slide's file",
        [
            Column("class"),
            Column("to put it there, $", ".3f"),
            Column("a month, $", ".4f"),
            Column("ten years, $", ".2f"),
            Column("to restore it, $", ".3f"),
            Column("billed for at least, days", "d"),
            Column("comes back"),
        ],
    )
    for each in ARCHIVES:
        there, a_month, back = archived(each)
        table.rows.append(
            (each.name, there, a_month, there + 120 * a_month, back, each.days, each.comes_back)
        )
    return table


def month(size: Size, prerender: str) -> Mapping[str, float]:
    """Return a month's dollars: a year of slides on EFS, IA after a month; older ones archived."""
    new = size.slides_a_day * WORKING_DAYS
    cool = new * (_MONTHS - 1)
    tiles = new * size.looks * opening_tiles() / 10**6
    parts = {
        "imports": new * fsum(slide_import(prerender, "efs").values()),
        "a month's files on EFS": new * kept("slide", "efs"),
        "eleven months' in IA": cool * kept("slide", "efs-ia"),
        "their pyramids": 0.0,
        "older ones in DEEP_ARCHIVE": max(0, size.kept - new - cool) * archived(ARCHIVES[-1])[1]
        + new * archived(ARCHIVES[-1])[0],
        "backup of the files on EFS": backup(new + cool),
        "tiles": tiles * fsum(million_tiles("svs", EDGE_SHARE).values()),
        "GraphQL": usd("appsync", new * _QUESTIONS)
        + usd("ddb-read", new * _QUESTIONS * _QUESTION_UNITS),
        "live updates": live(new, size.viewers, WORKING_DAYS, prerender),
        "whatever is done": fsum(fixed(size.people).values()),
    }
    if prerender != "none":
        parts["their pyramids"] = new * kept(prerender, "efs") + cool * kept(prerender, "efs-ia")
    return parts


def _months() -> Table:
    runs = {(size.name, mode): month(size, mode) for size in SIZES for mode in ("all", "none")}
    table = Table("A month", [Column("dollars"), *(Column(f"{n}, {m}", ",.0f") for n, m in runs)])
    for part in next(iter(runs.values())):
        table.rows.append((part, *(parts[part] for parts in runs.values())))
    table.rows.append(("**all**", *(fsum(parts.values()) for parts in runs.values())))
    slides = {size.name: size.slides_a_day * WORKING_DAYS for size in SIZES}
    each = [f"{fsum(parts.values()) / slides[name]:.2f}" for (name, _), parts in runs.items()]
    table.rows.append(("a new slide", *each))
    return table
