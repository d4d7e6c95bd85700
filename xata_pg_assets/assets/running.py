"""Running a part of the asset graph, in this process or by the executor that the settings name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.events import RunFailureReason
from dagster._core.execution.api import execute_run_iterator

from xata_pg_assets.assets.budgets import judge_budgets_again
from xata_pg_assets.assets.factories import BUILT
from xata_pg_assets.assets.graph import CHECK_JOB, INDEX_JOB, LOAD, MIGRATE_JOB
from xata_pg_assets.assets.handover import hand_over
from xata_pg_assets.assets.instance import kept_open, open_instance
from xata_pg_assets.assets.remote import job_of, reconstructable_job
from xata_pg_assets.assets.steps_seen import StepsSeen
from xata_pg_assets.errors import TransientError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.settings import as_environment

__all__ = ["RunResult", "run_checks", "run_indexes", "run_migration"]

_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
# A step fails with it only to keep back what depends on its table: the ledger holds the result of the check
_RED_CHECK = "DagsterAssetCheckFailedError"
# Stands before what an engine says of a step that its worker did not bring to an end
_UNHEALTHY = " failed health check: "
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: one line for each step that failed, and the tables that were left out for it.

    `built` has a line for each index and for each table's search columns.
    """

    run_id: str
    errors: tuple[str, ...]
    skipped: tuple[str, ...]
    built: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What went wrong, a line each; the tables left out are named after what stopped them."""
        waiting = [f"table {table}: left out, for what it depends on failed" for table in self.skipped]
        return [*self.errors, *waiting]


def run_migration(migration: Migration, tables: Sequence[TargetTable] | None = None) -> RunResult:
    """Materialize the assets of the tables (all by default), checks included."""
    return _run(migration, MIGRATE_JOB, tables)


def run_checks(migration: Migration, tables: Sequence[TargetTable] | None = None) -> RunResult:
    """Run the checks of the tables (all by default) and nothing else."""
    return _run(migration, CHECK_JOB, tables)


def run_indexes(migration: Migration, tables: Sequence[TargetTable] | None = None) -> RunResult:
    """Build the vector indexes and search columns of the tables (all by default) and nothing else."""
    return _run(migration, INDEX_JOB, tables)


def _run(migration: Migration, job: str, tables: Sequence[TargetTable] | None) -> RunResult:
    run_id = str(uuid4())
    job_def = job_of(migration, job, tables)
    settings = migration.settings
    with open_instance(settings, captures_output=False) as instance, kept_open(settings, instance, run_id):
        try:
            if settings.executor == "in_process":
                events = _done_here(job_def, instance, run_id)
            else:
                # The processes of this machine read the settings as this one did, flags and all
                os.environ.update(as_environment(settings))
                events = _done_elsewhere(
                    migration, job_def, reconstructable_job(migration, job, tables), instance, run_id
                )
        except dg.DagsterExecutionInterruptedError:  # Dagster's name for Ctrl-C between two steps
            raise KeyboardInterrupt from None
        with suppress(TransientError):  # whoever asks for the report next is told that the target is gone
            judge_budgets_again(migration, instance)
    if any(event.event_type is dg.DagsterEventType.RUN_CANCELED or _is_of(event, *_INTERRUPTS) for event in events):
        raise KeyboardInterrupt
    # Dagster has no event for a step that it leaves out because another failed
    begun = {event.step_key for event in events if event.is_step_start}
    failed = {event.step_key.partition("__")[2] for event in events if event.is_step_failure and event.step_key}
    left_out = {step for step in job_def.graph.node_dict if step not in begun and step.partition("__")[2] not in failed}
    engine = [line for event in events if (line := _engine_error(event))]
    return RunResult(
        run_id=run_id,
        errors=(
            *engine,
            *(_message(event) for event in events if event.is_step_failure and not _is_of(event, _RED_CHECK)),
        ),
        skipped=tuple(sorted(step.removeprefix(LOAD) for step in left_out if step.startswith(LOAD) and not engine)),
        built=tuple(
            str(event.step_materialization_data.materialization.metadata[BUILT].value)
            for event in events
            if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
            and BUILT in event.step_materialization_data.materialization.metadata
        ),
    )


def _done_here(job: dg.JobDefinition, instance: dg.DagsterInstance, run_id: str) -> Sequence[dg.DagsterEvent]:
    return job.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False, run_config=_QUIET).all_events


def _done_elsewhere(
    migration: Migration,
    job: dg.JobDefinition,
    made_there: ReconstructableJob,
    instance: dg.DagsterInstance,
    run_id: str,
) -> Sequence[dg.DagsterEvent]:
    """Run the steps in processes of their own; the observer of the migration sees them begin and end."""
    run = instance.create_run_for_job(
        job,
        run_id=run_id,
        run_config=_QUIET,
        tags=dict(hand_over(migration)),
        job_code_origin=made_there.get_python_origin(),
    )
    seen, events = StepsSeen(migration, job), list[dg.DagsterEvent]()
    for event in execute_run_iterator(made_there, run, instance):
        events.append(event)
        seen.tell(event)
    return events


def _engine_error(event: dg.DagsterEvent) -> str | None:
    """Return the line of an error that ended a run outside of its steps: nobody was there to do them, as a rule."""
    data = event.job_failure_data if event.event_type is dg.DagsterEventType.RUN_FAILURE else None
    error = data.error if data else None
    if data is None or error is None or data.failure_reason is RunFailureReason.STEP_FAILURE:
        return None
    first = error.message.strip().partition("\n")[0]
    return first.partition(": ")[2] if first.startswith("xata_pg_assets.") else f"executor: {first}"


def _is_of(event: dg.DagsterEvent, *errors: str) -> bool:
    """Whether a step failed with one of the errors, named by their classes."""
    error = event.step_failure_data.error if event.is_step_failure else None
    return error is not None and error.cls_name in errors


def _message(event: dg.DagsterEvent) -> str:
    """Return the line that the step ended with, without Dagster's frame around it."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = error.message.rpartition(_UNHEALTHY)[2] if error else "failed"
    return f"{event.step_key}: {text.strip().splitlines()[0]}" if text.strip() else f"{event.step_key} failed"
