"""Tables that a document shows and a command prints, in Markdown.

A document marks the place of a table with ``<!-- table: NAME -->`` before and ``<!-- end -->``
after it.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.report import Cell, Column, Table

__all__ = ["command", "filled", "markdown"]

_MARKED: Final = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def markdown(table: Table) -> str:
    """Return the table in Markdown, followed by its notes."""
    lines = [
        _row([column.heading for column in table.columns]),
        _row(["--:" if column.form else "---" for column in table.columns]),
        *(
            _row([_text(*pair) for pair in zip(row, table.columns, strict=True)])
            for row in table.rows
        ),
    ]
    notes = f"\n{' '.join(table.notes)}\n" if table.notes else ""
    return "\n".join(lines) + "\n" + notes


def filled(document: str, tables: Mapping[str, Table]) -> str:
    """Return the document with these tables in their places.

    Raises ValueError if a table has no place, or a place no table.
    """
    placed = {match[2] for match in _MARKED.finditer(document)}
    if placed != tables.keys():
        raise ValueError(f"no table, or no place, for {', '.join(sorted(placed ^ tables.keys()))}")
    return _MARKED.sub(lambda match: f"{match[1]}{markdown(tables[match[2]])}{match[3]}", document)


def command(
    make: Callable[[], Mapping[str, Table]], document: Path, arguments: Sequence[str] | None = None
) -> int:
    """Print the tables, or write them into the document (``--write``); return the exit code."""
    parser = argparse.ArgumentParser(description=f"Print the tables of {document.name}.")
    parser.add_argument(
        "--write", action="store_true", help=f"write them into docs/{document.name}"
    )
    options = parser.parse_args(arguments)
    tables = make()
    if options.write:
        document.write_text(filled(document.read_text(), tables))
        return 0
    sys.stdout.write("\n".join(f"{table.title}\n\n{markdown(table)}" for table in tables.values()))
    return 0


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(cell: Cell, column: Column) -> str:
    if cell is None:
        return "–"
    return format(cell, column.form) if isinstance(cell, int | float) else cell
