"""The job of a run as a process finds it that does a step of it: built there, from the settings of that process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

from xata_pg_assets.assets.graph import CHECK_JOB, INDEX_JOB, build_definitions
from xata_pg_assets.assets.handover import refuse_other_settings, settings_facts
from xata_pg_assets.assets.specs import extra_keys, files_key, keys, postgres_key
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.settings import load_settings

__all__ = ["job_of", "make_job", "reconstructable_job"]


def job_of(migration: Migration, job: str, tables: Sequence[TargetTable] | None) -> dg.JobDefinition:
    """Return one of the jobs that the command line runs, of the tables (all by default)."""
    definitions = build_definitions(migration)
    chosen = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        jobs=[dg.define_asset_job(job, selection=_selection(migration, job, tables))],
        resources=definitions.resources,
        executor=definitions.executor,
    )
    return chosen.resolve_job_def(job)


def reconstructable_job(migration: Migration, job: str, tables: Sequence[TargetTable] | None) -> ReconstructableJob:
    """Return what makes the same job in another process. Dagster keeps it with the run, so nothing secret is in it."""
    names = None if tables is None else [table.xata_name for table in tables]
    given: tuple[Any, ...] = (job, names, dict(settings_facts(migration)))
    made: ReconstructableJob = dg.build_reconstructable_job(__name__, make_job.__name__, given)
    return made


def make_job(job: str, tables: Sequence[str] | None, told: Mapping[str, str]) -> dg.JobDefinition:
    """Make the job of tables, by their Xata names, from this process's own settings.

    Raises:
        UsageError: they mean something else than those that the run was started with.
    """
    migration = Migration.from_settings(load_settings())
    refuse_other_settings(migration, told)
    return job_of(migration, job, None if tables is None else [migration.plan.by_xata_name[name] for name in tables])


def _selection(migration: Migration, job: str, tables: Sequence[TargetTable] | None) -> dg.AssetSelection:
    chosen = migration.plan.tables if tables is None else tables
    if job == INDEX_JOB:
        return dg.AssetSelection.assets(*extra_keys(chosen))
    if job == CHECK_JOB:
        files = [files_key(of) for of in migration.file_columns if of.table in chosen]
        return dg.AssetSelection.checks_for_assets(*map(postgres_key, chosen), *files)
    if tables is None:
        return dg.AssetSelection.all()
    return dg.AssetSelection.assets(*keys(tables, migration.file_columns), *extra_keys(tables))
