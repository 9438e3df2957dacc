"""Progress of long work on the standard error, so that the standard output holds the result alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Report = Callable[[str, int, int, str], None]


@contextmanager
def bar() -> Iterator[Report]:
    """A function (stage, done, total, note) that draws one bar a stage; silent when nobody is watching."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage)
            name = f"{stage}: {note}" if note else stage
            progress.update(tasks[stage], completed=done, total=total, description=name)

        yield report
