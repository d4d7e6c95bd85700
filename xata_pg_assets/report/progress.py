"""A migration at work: on a terminal a line for each table that runs and a bar for all, else a line now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from xata_pg_assets.errors import in_one_line
from xata_pg_assets.migration import Step
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.report.markup import escape
from xata_pg_assets.report.pace import describe_files, describe_pace, describe_seconds

__all__ = ["TerminalObserver", "progress"]

_WORDS: dict[Step, str] = {
    "staging": "reading",
    "mapping": "mapping ids",
    "loading": "loading",
    "checking": "checking",
    "indexing": "indexing",
    "copying": "copying files of",
}
# Where nobody watches, only what takes long is worth a line
_LONG = 1
_SECONDS_BETWEEN = 10
_ENOUGH_TO_TELL = 3  # tables, before the time that all will take can be told


@dataclass(slots=True)
class _Running:
    """A step of a table that is under way."""

    step: Step
    size: int | None
    started: float
    told: float
    task: TaskID | None = None


class TerminalObserver:
    """Shows each table while a step of it runs, and how many of all tables are done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # Two steps of one table never overlap; those of two tables do: one is read while another is loaded
        self._running: dict[str, _Running] = {}
        self._done: set[str] = set()
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._all = self._progress.add_task("[bold]all tables", total=None, words="", visible=False)

    def open(self) -> None:
        """Begin to show."""
        if self._live:
            self._progress.start()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._progress.stop()

    def expect(self, tables: int) -> None:
        """Tell how many tables there will be."""
        self._progress.update(self._all, total=tables, words=f"0 of {tables} done", visible=True)

    @property
    def done(self) -> int:
        """How many tables are loaded and checked."""
        return len(self._done)

    def begin(self, table: TargetTable, step: Step, size: int | None) -> None:
        """Show a new line for the table."""
        now = perf_counter()
        running = self._running[table.name] = _Running(step, size, now, now)
        if self._live:
            # Escaped: with `preserve` a name may look like markup
            description = f"{_WORDS[step]} {escape(table.name)}"
            running.task = self._progress.add_task(description, total=size or None, words="")

    def advance(self, table: TargetTable, rows: int, size: int) -> None:
        """Move the table's bar."""
        running, now = self._running.get(table.name), perf_counter()
        if running is None:
            return
        if running.task is not None:
            words = describe_pace(rows, now - running.started, size, running.size)
            if running.step == "copying":
                words = describe_files(rows, size)
            self._progress.update(running.task, completed=size, words=words)
        elif now - running.told >= _SECONDS_BETWEEN:
            running.told = now
            pace = describe_pace(rows, now - running.started, size, running.size)
            if running.step == "copying":
                pace = describe_files(rows, size)
            self._say(f"{_WORDS[running.step]} {in_one_line(table.name)}: {pace}")

    def tell(self, table: TargetTable, text: str) -> None:
        """Show how far a step is that reads no file."""
        running, now = self._running.get(table.name), perf_counter()
        if running is None:
            return
        if running.task is not None:
            self._progress.update(running.task, words=escape(text))
        elif now - running.told >= _SECONDS_BETWEEN:
            running.told = now
            self._say(f"indexing {in_one_line(table.name)}: {in_one_line(text)}")

    def end(self, table: TargetTable, step: Step) -> None:
        """Take the table's line away; where nobody watches, say what took long."""
        running = self._running.pop(table.name, None)
        if running is None:
            return
        if step == "checking":
            self._done.add(table.name)
            self._progress.update(self._all, completed=self.done, words=self._words)
        seconds = perf_counter() - running.started
        if running.task is not None:
            self._progress.remove_task(running.task)
        elif seconds >= _LONG:
            self._say(f"{_WORDS[step]} {in_one_line(table.name)}: {describe_seconds(seconds)}")

    @property
    def _words(self) -> str:
        task = self._progress.tasks[0]
        total = int(task.total or 0)
        words = f"{self.done} of {total} done"
        if task.elapsed and _ENOUGH_TO_TELL <= self.done < total:
            words += f", about {describe_seconds(task.elapsed * (total - self.done) / self.done)} to go"
        return words

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(console: Console) -> Iterator[TerminalObserver]:
    """Show a migration while it runs."""
    observer = TerminalObserver(console)
    observer.open()
    try:
        yield observer
    finally:
        observer.close()
