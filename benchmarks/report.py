"""Tables of results: text for people, JSON beneath ``.local/bench/results`` for programs."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.places import BENCH
from local.settings import write_json

__all__ = ["Column", "NotMeasured", "Report", "Table", "percentile", "ratio", "save", "show"]

# Whose versions matter to the numbers.
_LIBRARIES: Final = (
    "vsv",
    "pillow",
    "openslide-bin",
    "openslide-python",
    "tiffslide",
    "large-image-source-tiff",
    "pyvips-binary",
    "numpy",
)
_MODEL: Final = "model name"

Cell = float | str | None


class NotMeasured(Exception):
    """Something cannot be measured on this machine; why."""


@dataclass(frozen=True)
class Column:
    """A column: its heading, unit included, and how numbers are written (``.3f``)."""

    heading: str
    form: str = ""


@dataclass
class Table:
    """One table of a report. Rows hold plain numbers; None is shown as a dash."""

    title: str
    columns: Sequence[Column]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What one benchmark measured: its name, what of, and tables."""

    name: str
    size: str
    tables: list[Table] = field(default_factory=list)


def ratio(value: float | None, base: float | None) -> float | None:
    """``value`` in multiples of ``base``; None where either is missing."""
    return value / base if value is not None and base else None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0..1) of the values lie; the nearest of them."""
    ordered = sorted(values)
    return ordered[min(round(share * (len(ordered) - 1)), len(ordered) - 1)]


def show(report: Report, console: Console) -> None:
    """Print the report's tables."""
    for table in report.tables:
        shown = RichTable(
            title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
        )
        for number, column in enumerate(table.columns):
            is_text = number == 0
            shown.add_column(
                column.heading, justify="left" if is_text else "right", no_wrap=is_text
            )
        for row in table.rows:
            cells = zip(row, table.columns, strict=True)
            shown.add_row(*(_text(cell, column.form) for cell, column in cells))
        console.print(shown)
        for note in table.notes:
            console.print(f"  {note}", highlight=False)
        console.print()


def save(report: Report) -> Path:
    """Write the report as JSON, with what machine and which libraries it was; return its path."""
    path = BENCH / "results" / f"{report.name}.json"
    write_json(path, {**asdict(report), "machine": machine(), "libraries": libraries()})
    return path


def machine() -> dict[str, Any]:
    """Facts about the machine: cores, processor, memory in bytes, system, Python."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def libraries() -> dict[str, str | None]:
    """Versions of the libraries that the numbers are about; None where one is not installed."""
    return {name: _version(name) for name in _LIBRARIES}


def _text(cell: Cell, form: str) -> str:
    if cell is None:
        return "–"
    return format(cell, form) if isinstance(cell, int | float) else cell


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == _MODEL:
            return value.strip()
    return platform.machine()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
