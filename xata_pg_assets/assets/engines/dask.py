"""Steps as tasks of Dask: on the workers of a scheduler, or of a cluster of processes on this machine.

A worker that dies loses its step; Dask gives the step to another worker, and steps can be done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from time import monotonic
from uuid import uuid4

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from distributed import Client, Future, KilledWorker, LocalCluster

from xata_pg_assets.assets.engines.multiprocess import processes
from xata_pg_assets.assets.engines.needs import DaskOptions, options_of
from xata_pg_assets.assets.engines.steps import do_step, job_of, reason_of, run_of, step_key_of
from xata_pg_assets.errors import TransientError
from xata_pg_assets.settings import Settings

__all__ = ["opened"]

_SECONDS_TO_CONNECT = 10
_SECONDS_FOR_WORKERS = 20
# Without any worker for so long, nobody waits on: a machine may be slow to start one
_SECONDS_WITHOUT_WORKERS = 60


@contextmanager
def opened(settings: Settings) -> Iterator[dg.Executor]:
    """Connect to the scheduler, or start one with its workers.

    Raises:
        TransientError: it cannot be reached, or has no worker.
    """
    options = options_of(settings, DaskOptions)
    with ExitStack() as stack:
        where = options.address or stack.enter_context(_local(options))
        client = stack.enter_context(_connected(where, options.address or "this machine"))
        yield StepDelegatingExecutor(
            _DaskSteps(client),
            retries=RetryMode.ENABLED,
            sleep_seconds=0.1,
            check_step_health_interval_seconds=2,
            max_concurrent=options.max_concurrent,
        )


class _DaskSteps(StepHandler):
    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._futures: dict[str, Future] = {}
        self._seen_workers = monotonic()

    @property
    def name(self) -> str:
        return "dask"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        step_key = step_key_of(step_handler_context)
        given = (job_of(step_handler_context), run_of(step_handler_context), step_handler_context.execute_step_args)
        self._futures[step_key] = self._client.submit(partial(do_step, *given), key=f"{step_key}-{uuid4()}", pure=False)
        yield from ()

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        future = self._futures[step_key_of(step_handler_context)]
        if future.status == "error":
            return CheckStepHealthResult.unhealthy(_reason(future.exception()))
        if future.status in ("cancelled", "lost"):
            return CheckStepHealthResult.unhealthy("Dask's scheduler was lost; start it, then run again")
        if self._client.scheduler_info(n_workers=-1)["workers"]:
            self._seen_workers = monotonic()
        elif monotonic() - self._seen_workers > _SECONDS_WITHOUT_WORKERS:
            return CheckStepHealthResult.unhealthy("Dask has no worker any more; start one, then run again")
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Take a step that waits for a worker away; one that is at work has its session ended by the launcher."""
        future = self._futures.get(step_key_of(step_handler_context))
        if future is not None:
            future.cancel()
        yield from ()


def _reason(error: BaseException) -> str:
    """Say why a step did not come to its end on a worker."""
    if isinstance(error, KilledWorker):
        return "its worker died, and so did those that took it over; see their logs, then run again"
    return reason_of(error)


@contextmanager
def _local(options: DaskOptions) -> Iterator[LocalCluster]:
    """Start workers of this machine, which end with the run."""
    workers = options.n_workers or processes()
    # Several threads of one process would share what Dagster keeps for a step
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


@contextmanager
def _connected(where: LocalCluster | str, shown: str) -> Iterator[Client]:
    """Connect to a scheduler that has a worker.

    Raises:
        TransientError: it cannot be reached, or none comes.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told once, in a line
    try:
        client = Client(where, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TransientError(
            f"setting executor_options: no Dask scheduler answers at {shown} ({type(error).__name__}); start it "
            "(dask scheduler), or correct the address"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_SECONDS_FOR_WORKERS)
        except TimeoutError:
            raise TransientError(
                f"setting executor_options: the Dask scheduler at {shown} has no worker; start one (xata-pg worker)"
            ) from None
        yield client
