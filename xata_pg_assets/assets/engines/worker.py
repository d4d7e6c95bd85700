"""The worker of an engine as a command line, for `xata-pg worker` to become."""

from __future__ import annotations

from collections.abc import Sequence

from xata_pg_assets.assets.engines.needs import CeleryOptions, DaskOptions, options_of, refuse_unfit_executor
from xata_pg_assets.errors import UsageError
from xata_pg_assets.settings import Settings

__all__ = ["worker_command"]


def worker_command(settings: Settings, steps: int) -> Sequence[str]:
    """Return Python's arguments for a worker that does so many steps at once.

    Raises:
        UsageError: the executor of the settings has no workers that are started by hand, or cannot be used.
    """
    refuse_unfit_executor(settings)
    if settings.executor == "celery":
        queue = options_of(settings, CeleryOptions).queue
        app = "xata_pg_assets.assets.engines.celery_app"
        worker = [
            "--queues",
            queue,
            "--concurrency",
            str(steps),
            "--hostname",
            "xata-pg-%%I@%h",
            "--loglevel",
            "WARNING",
        ]
        return ["-m", "celery", "-A", app, "worker", *worker]
    if settings.executor == "dask":
        address = options_of(settings, DaskOptions).address
        if address is None:
            raise UsageError("setting executor_options: no address of a Dask scheduler; --executor-options address=…")
        # Several threads of one process would share what Dagster keeps for a step
        return ["-m", "dask", "worker", address, "--nthreads", "1", "--nworkers", str(steps), "--no-dashboard"]
    raise UsageError(f"setting executor: {settings.executor} has no workers to start; set celery or dask")
