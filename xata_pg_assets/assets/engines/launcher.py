"""An executor of ours around that of an engine: it hands over the settings, and leaves nothing at work behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode

from xata_pg_assets.assets.engines.needs import refuse_unfit_executor
from xata_pg_assets.assets.handover import HANDOVER_TAG, hand_over
from xata_pg_assets.migration import Migration
from xata_pg_assets.settings import Settings

__all__ = ["executor_of"]


def executor_of(migration: Migration) -> dg.ExecutorDefinition:
    """Return the executor that the settings ask for. It has no run config, which Dagster would keep with the run.

    Raises:
        UsageError: it is not installed, or the settings lack what it needs.
    """
    settings = migration.settings
    if settings.executor == "in_process":
        return dg.in_process_executor
    refuse_unfit_executor(settings)

    @dg.executor(name=settings.executor, requirements=dg.multiple_process_executor_requirements())
    def launcher(init: dg.InitExecutorContext) -> dg.Executor:
        return _Launcher(migration, init)

    return launcher


class _Launcher(dg.Executor):
    def __init__(self, migration: Migration, init: dg.InitExecutorContext) -> None:
        self._migration = migration
        self._init = init

    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Run the steps on the engine; a run that is stopped has no statement at work when this ends."""
        instance, run = plan_context.instance, plan_context.dagster_run
        if HANDOVER_TAG not in run.tags:
            instance.add_run_tags(run.run_id, hand_over(self._migration))
        try:
            with _opened(self._migration.settings, self._init) as executor:
                yield from executor.execute(plan_context, execution_plan)
        except (KeyboardInterrupt, DagsterExecutionInterruptedError):
            instance.report_run_canceling(run)  # a step that has not begun asks for it
            self._migration.end_sessions(run.run_id)
            raise


def _opened(settings: Settings, init: dg.InitExecutorContext) -> AbstractContextManager[dg.Executor]:
    """Open the engine's own executor; its packages are imported here and nowhere before."""
    if settings.executor == "multiprocess":
        from xata_pg_assets.assets.engines import multiprocess  # noqa: PLC0415

        return multiprocess.opened(settings)
    if settings.executor == "dask":
        from xata_pg_assets.assets.engines import dask  # noqa: PLC0415

        return dask.opened(settings)
    if settings.executor == "celery":
        from xata_pg_assets.assets.engines import celery  # noqa: PLC0415

        return celery.opened(settings)
    from xata_pg_assets.assets.engines import k8s  # noqa: PLC0415

    return k8s.opened(settings, init)
