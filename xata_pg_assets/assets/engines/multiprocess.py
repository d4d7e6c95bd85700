"""Steps in processes of this machine, each forked from one that has imported everything already.

Not by Dagster's own multiprocess executor: a step that is killed is told as a traceback there, and its processes
write what they do to standard error.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from time import monotonic

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)

from xata_pg_assets.assets.engines.needs import MultiprocessOptions, options_of
from xata_pg_assets.assets.engines.steps import do_step, job_of, run_of, step_key_of
from xata_pg_assets.settings import Settings

__all__ = ["opened", "processes"]

# Imported once, or each step would take a second longer
_PRELOADED = [
    "xata_pg_assets.assets.remote",
    "xata_pg_assets.assets.event_log",
    "dagster_postgres",
    "alembic.command",
]
_MAX_PROCESSES = 4
_SECONDS_TO_END = 15


@contextmanager
def opened(settings: Settings) -> Iterator[dg.Executor]:
    """Give the executor; no process of it is left when this ends."""
    options = options_of(settings, MultiprocessOptions)
    steps = _ProcessSteps()
    try:
        yield StepDelegatingExecutor(
            steps,
            retries=RetryMode.ENABLED,
            sleep_seconds=0.05,
            check_step_health_interval_seconds=1,
            max_concurrent=options.max_concurrent or processes(),
        )
    finally:
        steps.close()


def processes() -> int:
    """Return how many steps are done at once: as many as there are cores, 2 at least and 4 at most."""
    return max(2, min(os.cpu_count() or 2, _MAX_PROCESSES))


class _ProcessSteps(StepHandler):
    def __init__(self) -> None:
        super().__init__()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._processes: dict[str, BaseProcess] = {}

    @property
    def name(self) -> str:
        return "multiprocess"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        given = (job_of(step_handler_context), run_of(step_handler_context), step_handler_context.execute_step_args)
        process = self._context.Process(target=do_step, args=given, daemon=True)
        process.start()
        self._processes[step_key_of(step_handler_context)] = process
        yield from ()

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        process = self._processes[step_key_of(step_handler_context)]
        if process.exitcode:
            code = process.exitcode
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            return CheckStepHealthResult.unhealthy(f"its process {process.pid} ended {how}; run again to continue")
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        process = self._processes.get(step_key_of(step_handler_context))
        if process is not None:
            process.terminate()
        yield from ()

    def close(self) -> None:
        """Wait for the processes to end; kill those that do not."""
        deadline = monotonic() + _SECONDS_TO_END
        for process in self._processes.values():
            process.join(max(0.0, deadline - monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
