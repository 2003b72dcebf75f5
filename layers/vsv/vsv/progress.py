"""Progress bars on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bars", "bars"]


class Bars:
    """Progress bars by title; none without a terminal. Threads may share them."""

    def __init__(self, progress: "Progress | None" = None) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, title: str, done: int, total: int | None) -> None:
        """Show a bar; ``total`` is None if it is unknown."""
        if self._progress:
            if title not in self._tasks:
                self._tasks[title] = self._progress.add_task(title, total=total)
            self._progress.update(self._tasks[title], completed=done, total=total)

    def remove(self, title: str) -> None:
        """Remove the bar."""
        if self._progress and title in self._tasks:
            self._progress.remove_task(self._tasks.pop(title))


@contextmanager
def bars(unit: str, *, keep: bool = False) -> Iterator[Bars]:
    """Show bars on standard error if that is a terminal. ``unit`` is what they count.

    ``keep`` leaves them on the terminal at the end.
    """
    if not sys.stderr.isatty():
        yield Bars()
        return
    # rich takes a while to import.
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
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:.0f} {unit}/s")

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        # Lines on the same terminal go above the bars; in a file they stay.
        redirect_stdout=sys.stdout.isatty(),
        transient=not keep,
    )
    with progress:
        yield Bars(progress)
