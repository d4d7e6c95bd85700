"""Steps in processes of this machine, each forked from one that has imported everything already.

Not by Dagster's own multiprocess executor: a step that is killed is told as a traceback there, and its processes
write what they do to standard error.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from time import monotonic

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._grpc.types import ExecuteStepArgs

from xata_pg_assets.ahead import at_once
from xata_pg_assets.assets.engines.needs import MultiprocessOptions, options_of
from xata_pg_assets.assets.engines.steps import EngineExecutor, EngineSteps, do_step
from xata_pg_assets.settings import Settings

__all__ = ["opened"]

# Imported once, or each step would take a second longer
_PRELOADED = [
    "xata_pg_assets.assets.remote",
    "xata_pg_assets.assets.event_log",
    "dagster_postgres",
    "alembic.command",
]
_SECONDS_TO_END = 15


@contextmanager
def opened(settings: Settings) -> Iterator[dg.Executor]:
    """Give the executor; no process of it is left when this ends."""
    options = options_of(settings, MultiprocessOptions)
    steps = _ProcessSteps()
    try:
        yield EngineExecutor(steps, options.max_concurrent or at_once(), seconds=0.05, health_seconds=1)
    finally:
        steps.close()


def _do_step(environment: Mapping[str, str], packed: bytes) -> None:
    """Do a step with the variables of the process that launched it: those of the warm one may be older."""
    os.environ.clear()
    os.environ.update(environment)
    try:
        do_step(*pickle.loads(packed))  # noqa: S301 - our own, from a pipe
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):  # whoever stops the run tells it
        sys.exit(1)


class _ProcessSteps(EngineSteps):
    def __init__(self) -> None:
        super().__init__()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._processes: dict[str, BaseProcess] = {}

    def submit(self, step: str, job: ReconstructableJob, run: dg.DagsterRun, args: ExecuteStepArgs) -> None:
        given = (dict(os.environ), pickle.dumps((job, run, args)))
        process = self._context.Process(target=_do_step, args=given, daemon=True)
        process.start()
        self._processes[step] = process

    def what_is_wrong(self, step: str) -> str | None:
        process = self._processes[step]
        if not process.exitcode:
            return None
        code = process.exitcode
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return f"its process {process.pid} ended {how}; run again to continue"

    def take_back(self, step: str) -> None:
        if step in self._processes:
            self._processes[step].terminate()

    def close(self) -> None:
        """Wait for the processes to end; kill those that do not."""
        deadline = monotonic() + _SECONDS_TO_END
        for process in self._processes.values():
            process.join(max(0.0, deadline - monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
