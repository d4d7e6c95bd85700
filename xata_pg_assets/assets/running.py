"""Running a part of the asset graph in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg

from xata_pg_assets.assets.budgets import judge_budgets_again
from xata_pg_assets.assets.factories import BUILT
from xata_pg_assets.assets.graph import CHECK_JOB, LOAD, MIGRATE_JOB, build_definitions
from xata_pg_assets.assets.instance import open_instance, recording
from xata_pg_assets.assets.specs import extra_keys, files_key, keys, postgres_key, range_tags
from xata_pg_assets.errors import TransientError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.shards import shard_names, spans
from xata_pg_assets.plan.tables import TargetTable

__all__ = ["RunResult", "run_checks", "run_indexes", "run_migration"]

INDEX_JOB = "index"

_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
# A step fails with it only to keep back what depends on its table: the ledger holds the result of the check
_RED_CHECK = "DagsterAssetCheckFailedError"
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

    def __add__(self, other: RunResult) -> RunResult:
        """Return how two runs ended, one after the other."""
        return RunResult(
            other.run_id,
            tuple(dict.fromkeys(self.errors + other.errors)),
            tuple(dict.fromkeys(self.skipped + other.skipped)),
            self.built + other.built,
        )

    @property
    def lines(self) -> list[str]:
        """What went wrong, a line each; the tables left out are named after what stopped them."""
        waiting = [f"table {table}: left out, for what it depends on failed" for table in self.skipped]
        return [*self.errors, *waiting]


def run_migration(
    migration: Migration, tables: Sequence[TargetTable] | None = None, shards: Sequence[str] | None = None
) -> RunResult:
    """Materialize the assets of the tables (all by default), checks included; of those in shards the named ones."""
    selection = (
        dg.AssetSelection.all()
        if tables is None
        else dg.AssetSelection.assets(*keys(tables, migration.file_columns), *extra_keys(tables))
    )
    chosen = migration.plan.tables if tables is None else tables
    in_shards = [table for table in chosen if table.shards > 1]
    if not in_shards:
        return _run(migration, MIGRATE_JOB, selection)
    # A run of Dagster is for one unbroken row of partitions: for each further one there is a run of the tables alone
    first, *others = spans(shard_names(in_shards[0].shards) if shards is None else shards)
    whole = selection if not others else selection.without_checks()
    result = _run(migration, MIGRATE_JOB, whole, range_tags(first))
    for row in others:
        if result.skipped:
            break
        loads: dg.AssetSelection = dg.AssetSelection.assets(*(postgres_key(table) for table in in_shards))
        if row != others[-1]:
            loads = loads.without_checks()
        result += _run(migration, MIGRATE_JOB, loads, range_tags(row))
    return result


def run_checks(migration: Migration, tables: Sequence[TargetTable] | None = None) -> RunResult:
    """Run the checks of the tables (all by default) and nothing else."""
    chosen = migration.plan.tables if tables is None else tables
    checked = [postgres_key(table) for table in chosen]
    checked += [files_key(of) for of in migration.file_columns if of.table in chosen]
    return _run(migration, CHECK_JOB, dg.AssetSelection.checks_for_assets(*checked))


def run_indexes(migration: Migration, tables: Sequence[TargetTable] | None = None) -> RunResult:
    """Build the vector indexes and search columns of the tables (all by default) and nothing else."""
    chosen = migration.plan.tables if tables is None else tables
    return _run(migration, INDEX_JOB, dg.AssetSelection.assets(*extra_keys(chosen)))


def _run(
    migration: Migration, job: str, selection: dg.AssetSelection, tags: Mapping[str, str] | None = None
) -> RunResult:
    definitions = build_definitions(migration)
    chosen = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        jobs=[dg.define_asset_job(job, selection=selection)],
        resources=definitions.resources,
        executor=definitions.executor,
    )
    run_id = str(uuid4())
    job_def = chosen.resolve_job_def(job)
    settings = migration.settings
    with open_instance(settings, captures_output=False) as instance, recording(settings, instance):
        try:
            result = job_def.execute_in_process(
                instance=instance, run_id=run_id, raise_on_error=False, run_config=_QUIET, tags=tags
            )
        except dg.DagsterExecutionInterruptedError:  # Dagster's name for Ctrl-C between two steps
            raise KeyboardInterrupt from None
        with suppress(TransientError):  # whoever asks for the report next is told that the target is gone
            judge_budgets_again(migration, instance)
    events = result.all_events
    if any(event.event_type is dg.DagsterEventType.RUN_CANCELED or _is_of(event, *_INTERRUPTS) for event in events):
        raise KeyboardInterrupt
    # Dagster has no event for a step that it leaves out because another failed
    begun = {event.step_key for event in events if event.is_step_start}
    failed = {event.step_key.partition("__")[2] for event in events if event.is_step_failure and event.step_key}
    left_out = {step for step in job_def.graph.node_dict if step not in begun and step.partition("__")[2] not in failed}
    return RunResult(
        run_id=result.run_id,
        errors=tuple(_message(event) for event in events if event.is_step_failure and not _is_of(event, _RED_CHECK)),
        skipped=tuple(sorted(step.removeprefix(LOAD) for step in left_out if step.startswith(LOAD))),
        built=tuple(
            str(event.step_materialization_data.materialization.metadata[BUILT].value)
            for event in events
            if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
            and BUILT in event.step_materialization_data.materialization.metadata
        ),
    )


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
    text = error.message if error else "failed"
    return f"{event.step_key}: {text.strip().splitlines()[0]}" if text.strip() else f"{event.step_key} failed"
