"""The asset graph of one migration: assets, checks, jobs and what they run with."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from xata_pg_assets.assets.factories import (
    make_mapping_asset,
    make_postgres_asset,
    make_postgres_checks,
    make_xata_asset,
)
from xata_pg_assets.assets.specs import XataTranslator
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.naming import NameSpace, snake_case
from xata_pg_assets.postgres.layout import Layout

__all__ = ["CHECK_JOB", "LOAD", "MIGRATE_JOB", "build_definitions"]

MIGRATE_JOB = "migrate"
CHECK_JOB = "check"
LOAD = "postgres__"  # begins the name of the step that makes a table


def build_definitions(migration: Migration) -> dg.Definitions:
    """Build the graph of a migration's plan; nothing is read or connected to."""
    settings = migration.settings
    layout = Layout(settings.target_schema, settings.work_schema, settings.staging_schema)
    translator = XataTranslator(migration.plan, layout, rejects_dangling=settings.dangling_links == "reject")
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [translator.get_export_spec()]
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
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[
            dg.define_asset_job(
                MIGRATE_JOB,
                selection=dg.AssetSelection.all(),
                description="Stage every table of the export, map its ids, load it and check it.",
            ),
            dg.define_asset_job(
                CHECK_JOB,
                selection=dg.AssetSelection.all_asset_checks(),
                description="Compare every migrated table with the export again.",
            ),
        ],
        resources={"migration": _resource(migration)},
        executor=dg.in_process_executor,
    )


def _resource(migration: Migration) -> dg.ResourceDefinition:
    """The migration, for as long as a run lasts; nothing is connected to before a step does so."""

    @dg.resource(description="The migration from the export to the target; each run joins or waits for others")
    def running(_: dg.InitResourceContext) -> Iterator[Migration]:
        with migration.running():
            yield migration

    return running
