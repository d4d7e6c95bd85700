"""A migration at work, on the terminal: a live line for the running table, plain lines where nobody watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from xata_pg_assets.errors import in_one_line
from xata_pg_assets.migration import Step
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.report.markup import escape

__all__ = ["TerminalObserver", "progress"]

_WORDS: dict[Step, str] = {
    "staging": "reading",
    "mapping": "mapping ids",
    "loading": "loading",
    "checking": "checking",
}


class TerminalObserver:
    """Shows each step of each table as it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._live = console.is_terminal

    def open(self) -> None:
        """Begin to show."""
        if self._live:
            self._progress.start()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._progress.stop()

    def begin(self, table: TargetTable, step: Step, size: int | None) -> None:
        """Show a new line for the table."""
        self._started[table.name] = perf_counter()
        if self._live:
            description = f"{_WORDS[step]} {escape(table.name)}"
            self._tasks[table.name] = self._progress.add_task(description, total=size or None, rows="")

    def advance(self, table: TargetTable, rows: int, size: int) -> None:
        """Move the table's bar."""
        if self._live and (task := self._tasks.get(table.name)) is not None:
            speed = rows / max(perf_counter() - self._started[table.name], 1e-3)
            self._progress.update(task, completed=size, rows=f"{rows:,} rows, {speed:,.0f}/s")

    def end(self, table: TargetTable, step: Step) -> None:
        """Take the table's line away; where nobody watches, say what is done."""
        seconds = perf_counter() - self._started.pop(table.name, perf_counter())
        if self._live:
            if (task := self._tasks.pop(table.name, None)) is not None:
                self._progress.remove_task(task)
        elif seconds >= 1:
            name = in_one_line(table.name)
            self._console.print(f"{_WORDS[step]} {name}: {seconds:.1f} s", markup=False, highlight=False)


@contextmanager
def progress(console: Console) -> Iterator[TerminalObserver]:
    """Show a migration while it runs."""
    observer = TerminalObserver(console)
    observer.open()
    try:
        yield observer
    finally:
        observer.close()
