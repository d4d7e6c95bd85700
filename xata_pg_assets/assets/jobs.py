"""What people do, as jobs to click on: migrate all or one domain, check all, write the report, clean."""

from collections.abc import Iterator, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from xata_pg_assets.assets.specs import EXPORT_KEY, REPORT_KEY, extra_keys, files_key, keys, postgres_key
from xata_pg_assets.assets.step import step
from xata_pg_assets.files.columns import FileColumn
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.domains import domains, with_upstream
from xata_pg_assets.plan.naming import NameSpace
from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres.staging import drop_staging

__all__ = ["CHECK_JOB", "MIGRATE_JOB", "REPORT_JOB", "clean", "make_asset_jobs", "make_report_job"]

MIGRATE_JOB = "migrate"
CHECK_JOB = "check"
REPORT_JOB = "report"
CLEAN_JOB = "clean"


def make_report_job() -> UnresolvedAssetJobDefinition:
    """The report alone."""
    return dg.define_asset_job(
        REPORT_JOB,
        selection=dg.AssetSelection.assets(REPORT_KEY),
        description="Write the report on all tables anew, from what the ledger in the database says.",
    )


def make_asset_jobs(plan: Plan, files: Sequence[FileColumn] = ()) -> Iterator[UnresolvedAssetJobDefinition]:
    """Yield the jobs on the assets of a plan."""
    yield dg.define_asset_job(
        MIGRATE_JOB,
        selection=dg.AssetSelection.all(),
        description="Stage every table of the export, map its ids, load it and check it; then write the report.",
    )
    yield dg.define_asset_job(
        CHECK_JOB,
        selection=dg.AssetSelection.checks_for_assets(
            *(postgres_key(table) for table in plan.tables), *(files_key(of) for of in files)
        )
        | dg.AssetSelection.assets(REPORT_KEY),
        description="Compare every migrated table with the export again, then write the report; no table is changed.",
    )
    names = NameSpace((MIGRATE_JOB, CHECK_JOB, REPORT_JOB, CLEAN_JOB))
    for domain, tables in domains(plan).items():
        if len(tables) == 1:
            continue  # a table alone is materialized from its own page
        own = ", ".join(table.name for table in tables)
        yield dg.define_asset_job(
            names.take(f"{MIGRATE_JOB}_{domain}"),
            selection=dg.AssetSelection.assets(
                EXPORT_KEY, REPORT_KEY, *keys(with_upstream(plan, tables), files), *extra_keys(tables)
            ),
            description=f"Migrate {own}, and the tables that these link to; then write the report.",
            tags={"domain": domain},
        )


@dg.op(description="Drop the staged rows; tables, id mappings and ledger stay.")
def drop_staged_rows(context: dg.OpExecutionContext, migration: dg.ResourceParam[Migration]) -> None:
    """Drop the staging schema."""
    with step(context, migration), migration.reading() as conn:
        dropped = drop_staging(conn, migration.wanted_layout)
    context.log.info(f"{dropped} staging tables dropped. Tables, id mappings and ledger stay.")


@dg.job(
    name=CLEAN_JOB,
    description="Drop the staged rows, when all is well and done. Tables, id mappings and ledger stay.",
)
def clean() -> None:
    """Drop the staged rows."""
    drop_staged_rows()
