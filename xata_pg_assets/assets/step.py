"""What surrounds the work of every step: its errors as one line, Ctrl-C, and the log that reads like sentences."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import dagster as dg

from xata_pg_assets.assets.handover import refuse_another_migration
from xata_pg_assets.errors import TransientError, UnreachableError, XataPgError
from xata_pg_assets.migration import Migration, Nobody, Step
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.report.pace import describe_files, describe_pace

__all__ = ["MAX_RETRIES", "RunLog", "step"]

# Only what may go through later is tried again: a server that went away, a deadlock, a cut line. What can't be
# connected to is not: the migration has waited for it, once for all steps.
# Asked for by exception, not by a RetryPolicy: under one Dagster takes Ctrl-C for a failure, and tries again
MAX_RETRIES = 3

SECONDS_BETWEEN = 10


@dataclass(slots=True)
class _Running:
    """A step that may take long: when it began, and when it was last told of."""

    step: Step
    size: int | None
    started: float
    told: float


class RunLog:
    """Tells the log of a run how far the reading of a long file is, every ten seconds."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._running: dict[str, _Running] = {}

    def begin(self, table: TargetTable, step: Step, size: int | None) -> None:
        """Start the clock of a step."""
        if step in ("staging", "indexing", "copying"):
            now = perf_counter()
            self._running[table.name] = _Running(step, size, now, now)

    def advance(self, table: TargetTable, rows: int, size: int) -> None:
        """Tell how far the reading is, where that was not told for a while."""
        now, running = perf_counter(), self._running.get(table.name)
        if running is None or now - running.told < SECONDS_BETWEEN:
            return
        running.told = now
        if running.step == "copying":
            self._log.info(f"Copying files of {table.xata_name}: {describe_files(rows, size)}.")
        else:
            pace = describe_pace(rows, now - running.started, size, running.size)
            self._log.info(f"Reading {table.xata_name}: {pace}.")

    def tell(self, table: TargetTable, text: str) -> None:
        """Tell how far an index is, where nothing was told for a while."""
        now, running = perf_counter(), self._running.get(table.name)
        if running is not None and now - running.told >= SECONDS_BETWEEN:
            running.told = now
            self._log.info(f"{table.name}: {text}.")

    def end(self, table: TargetTable, step: Step) -> None:
        """Nothing: the step itself tells how it ended."""


@contextmanager
def step(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext,
    migration: Migration,
    *,
    reads_export: bool = False,
) -> Iterator[None]:
    """Do the work of a step; it ends with one line on an error of ours, and is tried again on what is transient.

    In a process of its own it is done only if that process means the same migration, and, where the step reads the
    export, has the same files.
    """
    is_op = not isinstance(context, (dg.AssetExecutionContext, dg.AssetCheckExecutionContext))
    op_context = context if is_op else context.op_execution_context
    if isinstance(migration.observer, (Nobody, RunLog)):  # else a terminal shows it
        migration.observer = RunLog(context.log)
    with _interruptible(), _told(op_context.retry_number):
        refuse_another_migration(context, migration, reads_export=reads_export)
        yield


@contextmanager
def _told(retries: int) -> Iterator[None]:
    """Let Dagster retry what is transient; end the step with one line on anything else that is ours."""
    try:
        yield
    except XataPgError as error:
        is_worth_it = isinstance(error, TransientError) and not isinstance(error, UnreachableError)
        if is_worth_it and retries < MAX_RETRIES:
            raise dg.RetryRequested(MAX_RETRIES, seconds_to_wait=2**retries) from error
        raise dg.Failure(str(error), allow_retries=False) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be what psycopg knows: it then cancels the statement, which would run on and hold its locks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
