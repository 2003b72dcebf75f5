"""What ``vsv`` shows to people, by rich. A module of its own: rich takes a while to import."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

__all__ = ["show"]


def show(facts: Mapping[str, str], heading: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print facts by name, a line each, then a table."""
    console = Console()
    for name, text in facts.items():
        console.print(f"{name:20} {text}", highlight=False)
    table = Table(*heading, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)
