"""The job of a run as a process finds it that does a step of it: built there, from the settings of that process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

from xata_pg_assets.assets.graph import CHECK_JOB, INDEX_JOB, build_definitions
from xata_pg_assets.assets.handover import refuse_other_settings, settings_facts
from xata_pg_assets.assets.specs import extra_keys, files_key, keys, postgres_key
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.settings import load_settings

__all__ = ["Part", "job_of", "make_job", "reconstructable_job"]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the asset graph that a run is for: what one of the jobs does to the tables (all by default).

    `shards` is an unbroken row of them, for tables that are in shards. `only_loads` leaves out what is not the table
    itself, and the report; without `has_checks` the checks are left out, for shards are still to come.
    """

    job: str
    tables: Sequence[TargetTable] | None = None
    shards: Sequence[str] | None = None
    only_loads: bool = False
    has_checks: bool = True


def job_of(migration: Migration, part: Part) -> dg.JobDefinition:
    """Return the job that does a part of the graph."""
    definitions = build_definitions(migration)
    chosen = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        jobs=[dg.define_asset_job(part.job, selection=_selection(migration, part))],
        resources=definitions.resources,
        executor=definitions.executor,
    )
    return chosen.resolve_job_def(part.job)


def reconstructable_job(migration: Migration, part: Part) -> ReconstructableJob:
    """Return what makes the same job in another process. Dagster keeps it with the run, so nothing secret is in it."""
    names = None if part.tables is None else [table.xata_name for table in part.tables]
    given: tuple[Any, ...] = (part.job, names, part.only_loads, part.has_checks, dict(settings_facts(migration)))
    made: ReconstructableJob = dg.build_reconstructable_job(__name__, make_job.__name__, given)
    return made


def make_job(
    job: str, tables: Sequence[str] | None, only_loads: bool, has_checks: bool, told: Mapping[str, str]
) -> dg.JobDefinition:
    """Make the job of a part with these tables, by their Xata names, from this process's own settings.

    Raises:
        UsageError: they mean something else than those that the run was started with.
    """
    migration = Migration.from_settings(load_settings())
    refuse_other_settings(migration, told)
    chosen = None if tables is None else [migration.plan.by_xata_name[name] for name in tables]
    return job_of(migration, Part(job, chosen, only_loads=only_loads, has_checks=has_checks))


def _selection(migration: Migration, part: Part) -> dg.AssetSelection:
    chosen = migration.plan.tables if part.tables is None else part.tables
    if part.job == INDEX_JOB:
        return dg.AssetSelection.assets(*extra_keys(chosen))
    if part.job == CHECK_JOB:
        files = [files_key(of) for of in migration.file_columns if of.table in chosen]
        return dg.AssetSelection.checks_for_assets(*map(postgres_key, chosen), *files)
    selection: dg.AssetSelection = dg.AssetSelection.all()
    if part.only_loads:
        selection = dg.AssetSelection.assets(*map(postgres_key, chosen))
    elif part.tables is not None:
        selection = dg.AssetSelection.assets(*keys(chosen, migration.file_columns), *extra_keys(chosen))
    return selection if part.has_checks else selection.without_checks()
