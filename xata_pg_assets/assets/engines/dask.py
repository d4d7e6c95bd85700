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
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._grpc.types import ExecuteStepArgs
from distributed import Client, Future, KilledWorker, LocalCluster

from xata_pg_assets.ahead import at_once
from xata_pg_assets.assets.engines.needs import DaskOptions, options_of
from xata_pg_assets.assets.engines.steps import EngineExecutor, EngineSteps, do_step, reason_of
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
        yield EngineExecutor(_DaskSteps(client), options.max_concurrent, seconds=0.1, health_seconds=2)


class _DaskSteps(EngineSteps):
    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._futures: dict[str, Future] = {}
        self._seen_workers = monotonic()

    def submit(self, step: str, job: ReconstructableJob, run: dg.DagsterRun, args: ExecuteStepArgs) -> None:
        work = partial(do_step, job, run, args)  # whole: Dask would look into arguments
        self._futures[step] = self._client.submit(work, key=f"{step}-{uuid4()}", pure=False)

    def what_is_wrong(self, step: str) -> str | None:
        future = self._futures[step]
        if future.status == "error":
            return _reason(future.exception())
        if future.status in ("cancelled", "lost"):
            return "Dask's scheduler was lost; start it, then run again"
        if self._client.scheduler_info(n_workers=-1)["workers"]:
            self._seen_workers = monotonic()
        elif monotonic() - self._seen_workers > _SECONDS_WITHOUT_WORKERS:
            return "Dask has no worker any more; start one, then run again"
        return None

    def take_back(self, step: str) -> None:
        if step in self._futures:
            self._futures[step].cancel()


def _reason(error: BaseException) -> str:
    """Say why a step did not come to its end on a worker."""
    if isinstance(error, KilledWorker):
        return "its worker died, and so did those that took it over; see their logs, then run again"
    return reason_of(error)


@contextmanager
def _local(options: DaskOptions) -> Iterator[LocalCluster]:
    """Start workers of this machine, which end with the run."""
    workers = options.n_workers or at_once()
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
