"""What starts by itself: a run on a newer export, and a report on a run that failed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from xata_pg_assets.assets.jobs import MIGRATE_JOB, REPORT_JOB
from xata_pg_assets.assets.specs import EXPORT_KEY, REPORT_KEY, keys, range_tags
from xata_pg_assets.assets.summary import ERRORS_TAG
from xata_pg_assets.errors import XataPgError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.shards import shard_names
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.settings import is_database
from xata_pg_assets.stores import StoredPath
from xata_pg_assets.xata.export import TableFile

__all__ = ["make_export_sensor", "make_failure_sensor"]

_MOST_ERRORS = 20


def make_export_sensor(migration: Migration) -> dg.SensorDefinition:
    """Run the tables whose files in the export's folder are newer than at the last run; off until switched on."""

    @dg.sensor(
        name="newer_export",
        job_name=MIGRATE_JOB,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Sees newer files in the folder of the export, here or in a store, and migrates their tables and those "
            "that link to them. A file that still grows is waited for."
        ),
    )
    def newer_export(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        source = migration.settings.source
        if source is None or is_database(source):
            return dg.SkipReason("The source is no folder: there are no files to look at.")
        try:
            now = {name: _state(file) for name, file in _files(migration)}
        except (XataPgError, OSError) as error:
            return dg.SkipReason(f"The export cannot be looked at: {error}")
        cursor = json.loads(context.cursor) if context.cursor else {"run": {}, "seen": {}}
        newer = {name for name, state in now.items() if cursor["run"].get(name) != state}
        if not newer:
            return dg.SkipReason("No file of the export is newer than at the last run.")
        if any(cursor["seen"].get(name) != now[name] for name in newer):
            waiting = json.dumps({**cursor, "seen": now})
            names = ", ".join(sorted(newer))
            return dg.SensorResult(
                skip_reason=f"Newer: {names}. They run at the next look, if they have stopped changing.", cursor=waiting
            )
        return dg.SensorResult(
            run_requests=[_request(migration, newer, now)], cursor=json.dumps({"run": now, "seen": now})
        )

    return newer_export


def make_failure_sensor(report_job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Write the report after a run that failed, too: what depends on a failed table was left out, it as well."""

    @dg.run_failure_sensor(
        name="report_on_failure",
        request_job=report_job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes the report after a run that failed, with what stopped it.",
    )
    def report_on_failure(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        if run.job_name == REPORT_JOB:
            return dg.SkipReason("The report itself failed.")
        errors = [
            event.step_failure_data.user_failure_data.description
            for event in context.get_step_failure_events()
            if event.step_failure_data.user_failure_data and event.step_failure_data.user_failure_data.description
        ]
        return dg.RunRequest(run_key=run.run_id, tags={ERRORS_TAG: "\n".join(errors[:_MOST_ERRORS])})

    return report_on_failure


def _files(migration: Migration) -> Iterator[tuple[str, TableFile]]:
    """Yield the files of the export as they now are, with the Xata names of their tables."""
    for name, file in migration.anew().files.found.items():
        if isinstance(file, TableFile):
            yield name, file


def _state(file: TableFile) -> list[int | str]:
    """Return size and time of change of a file; of one in a store what its listing tells, for nothing is read."""
    if isinstance(file.path, StoredPath):
        return [file.path.stat().st_size, *file.path.state()]
    found = file.path.stat()
    return [found.st_size, found.st_mtime_ns]


def _request(migration: Migration, newer: set[str], now: Mapping[str, list[int | str]]) -> dg.RunRequest:
    """Ask for the tables of the files, and for those that link to them: a link may lead somewhere now."""
    plan = migration.plan
    changed = [plan.by_xata_name[name] for name in newer]
    touched = {other.xata_name for table in changed for other, _ in plan.referrers(table)} | newer
    touched |= {table.xata_name for table in plan.tables if table.rewritten}  # an id may be one of any table
    tables: list[TargetTable] = [table for table in plan.tables if table.xata_name in touched]
    in_shards = [shard_names(table.shards) for table in tables if table.shards > 1]
    digest = hashlib.sha256(json.dumps(now, sort_keys=True).encode()).hexdigest()
    return dg.RunRequest(
        run_key=digest,
        asset_selection=[EXPORT_KEY, *keys(tables, migration.file_columns), REPORT_KEY],
        tags=range_tags(in_shards[0]) if in_shards else None,
    )
