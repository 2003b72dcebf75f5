"""What ``vsv`` shows to people, by rich. A module of its own: rich takes a while to import."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

__all__ = ["progress_bar", "show"]


class _Speed(ProgressColumn):
    """Tiles a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f} tiles/s")


@contextmanager
def progress_bar(title: str, tiles: int) -> Iterator[Callable[[int], None]]:
    """Yield a bar on standard error with tiles a second and time left; call it with tiles done."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with progress:
        bar = progress.add_task(title, total=tiles)
        yield lambda done: progress.advance(bar, done)


def show(facts: Mapping[str, str], heading: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print facts by name, a line each, then a table."""
    console = Console()
    for name, text in facts.items():
        console.print(f"{name:20} {text}", highlight=False)
    table = Table(*heading, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)
