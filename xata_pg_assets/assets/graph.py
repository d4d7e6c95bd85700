"""The asset graph of one migration: assets, checks, jobs, sensors and what they run with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from xata_pg_assets.assets.engines.launcher import executor_of
from xata_pg_assets.assets.factories import (
    make_extra_assets,
    make_mapping_asset,
    make_postgres_asset,
    make_postgres_checks,
    make_xata_asset,
)
from xata_pg_assets.assets.files import make_files_asset, make_files_check
from xata_pg_assets.assets.handover import HANDOVER_TAG
from xata_pg_assets.assets.jobs import CHECK_JOB, MIGRATE_JOB, clean, make_asset_jobs, make_report_job
from xata_pg_assets.assets.sensors import make_export_sensor, make_failure_sensor
from xata_pg_assets.assets.specs import XataTranslator
from xata_pg_assets.assets.summary import PageWriter, make_export_asset, make_report_asset
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.naming import NameSpace, snake_case
from xata_pg_assets.postgres.layout import Layout

__all__ = ["CHECK_JOB", "INDEX_JOB", "LOAD", "MIGRATE_JOB", "build_definitions"]

INDEX_JOB = "index"  # of the command line alone
LOAD = "postgres__"  # begins the name of the step that makes a table


def build_definitions(migration: Migration, write_page: PageWriter | None = None) -> dg.Definitions:
    """Build the graph of a migration's plan; nothing is read or connected to.

    `write_page` writes the report as a page of its own, to hand on.
    """
    settings = migration.settings
    layout = Layout(settings.target_schema, settings.work_schema, settings.staging_schema)
    translator = XataTranslator(migration.plan, layout, rejects_dangling=settings.dangling_links == "reject")
    files = migration.file_columns
    assets = [make_export_asset(translator), make_report_asset(translator, write_page, files)]
    checks: list[dg.AssetChecksDefinition] = []
    names = NameSpace()
    for order, table in enumerate(migration.plan.tables):
        # One table after the other, so that the next is read while this one is loaded
        tags = {PRIORITY_TAG: str(-order)}
        # Op names take letters, digits and `_` only; two tables may differ by less
        name = names.take(snake_case(table.name))
        assets.append(make_xata_asset(translator, table, f"xata__{name}", tags))
        assets.append(make_mapping_asset(translator, table, f"id_mapping__{name}", tags))
        assets.append(make_postgres_asset(translator, table, f"{LOAD}{name}", tags))
        checks.append(make_postgres_checks(table, f"checks__{name}", tags))
    for order, of in enumerate(files, len(migration.plan.tables)):
        tags = {PRIORITY_TAG: str(-order)}  # rows first: they are quicker
        name = names.take(snake_case(of.name))
        assets.append(make_files_asset(translator, of, f"files__{name}", tags))
        checks.append(make_files_check(of, f"files_present__{name}", tags))
    for order, table in enumerate(migration.plan.tables, len(migration.plan.tables) + len(files) + 1):
        # All tables are in and the report on them is written before the first index is built, which may take hours
        tags = {PRIORITY_TAG: str(-order)}
        assets += make_extra_assets(translator, table, names, tags)
    report_job = make_report_job()
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[*make_asset_jobs(migration.plan, files), report_job, clean],
        sensors=[make_export_sensor(migration), make_failure_sensor(report_job)],
        resources={"migration": _resource(migration)},
        executor=executor_of(migration),
    )


def _resource(migration: Migration) -> dg.ResourceDefinition:
    """The migration, for as long as a run lasts; nothing is connected to before a step does so."""

    @dg.resource(description="The migration from the export to the target; each run joins or waits for others")
    def running(init: dg.InitResourceContext) -> Iterator[Migration]:
        if init.run is None or HANDOVER_TAG not in init.run.tags:
            with migration.running():
                yield migration
            return
        # A worker may live for weeks and keep the graph: what it found at the last run is not what there is now
        of_step = migration.anew()
        with closing(of_step), of_step.running(init.run.run_id):
            yield of_step

    return running
