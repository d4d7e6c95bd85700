"""Shards as Dagster's partitions: what the assets are, and what a run of some of them tells."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from xata_pg_assets.assets.instance import open_instance
from xata_pg_assets.assets.running import run_migration
from xata_pg_assets.assets.specs import range_tags
from xata_pg_assets.plan.shards import shard_names
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import Export, column, link, table
from xata_pg_assets_tests.fix_server import Server
from xata_pg_assets_tests.test_assets.conftest import definitions_of, run, specs_of

SCHEMA = XataSchema((table("a", column("n", "int")), table("b", link("a", "a")), table("c", link("b", "b"))))
TABLES = {"a": {"shards": 4}, "b": {"shards": 4}}
PARTITIONS = dg.StaticPartitionsDefinition(shard_names(4))
EVERY = {"1", "2", "3", "4"}


@pytest.fixture
def export(tmp_path: Path, server: Server) -> Export:
    export = Export(tmp_path, server.new_database(), SCHEMA, {"tables": TABLES})
    export.rows("a", "id,n", [[f"a{n}", str(n)] for n in range(8)])
    export.rows("b", "id,a", [[f"b{n}", "a7"] for n in range(8)])
    export.rows("c", "id,b", [["c", "b7"]])
    return export


def partitions(instance: dg.DagsterInstance, name: str) -> tuple[set[str], set[str]]:
    """Return the partitions of a table that are made, and those that failed, as Dagit shows them."""
    status = get_and_update_asset_status_cache_value(instance, dg.AssetKey(["postgres", name]), PARTITIONS)
    assert status is not None
    made, failed = (
        status.deserialize_materialized_partition_subsets(PARTITIONS),
        status.deserialize_failed_partition_subsets(PARTITIONS),
    )
    return set(made.get_partition_keys()), set(failed.get_partition_keys())


def facts(instance: dg.DagsterInstance, name: str) -> dict[str, dict[str, object]]:
    """Return rows and changes of each partition, as it was made last."""
    records = instance.fetch_materializations(dg.AssetKey(["postgres", name]), limit=100, ascending=True).records
    found = {}
    for record in records:
        metadata = record.asset_materialization.metadata
        found[record.partition_key] = {
            key: metadata[key].value for key in ("dagster/partition_row_count", "shard: inserted rows")
        }
        assert metadata["shard: seconds"].value >= 0
    return found


def test_only_split_tables_have_partitions_and_need_all_of_a_parent():
    specs = specs_of(definitions_of(SCHEMA, tables=TABLES))
    assert {name for name, spec in specs.items() if spec.partitions_def} == {"postgres/a", "postgres/b"}
    assert {spec.partitions_def for spec in specs.values() if spec.partitions_def} == {PARTITIONS}
    mappings = {dep.asset_key.to_user_string(): dep.partition_mapping for dep in specs["postgres/b"].deps}
    assert mappings.pop("postgres/a") == dg.AllPartitionMapping()
    assert set(mappings.values()) == {None}
    assert not any(spec.partitions_def for spec in specs_of(definitions_of(SCHEMA)).values())


def test_one_run_loads_all(export: Export, instance: dg.DagsterInstance):
    result = run(export.migration(), instance, tags=range_tags(shard_names(4)))
    assert result.success
    assert [partitions(instance, name) for name in "ab"] == [(EVERY, set())] * 2
    assert facts(instance, "b") == {
        name: {"dagster/partition_row_count": 2, "shard: inserted rows": 2} for name in EVERY
    }
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == 3 * 7 + 1


def test_some_then_the_rest(export: Export, instance: dg.DagsterInstance):
    result = run(export.migration(), instance, tags=range_tags(["2", "3"]))
    assert partitions(instance, "a") == ({"2", "3"}, set())
    # The checks of a half table warn, and keep nothing back; what links to it cannot be loaded
    checks = [check for check in result.get_asset_check_evaluations() if check.asset_key.path[-1] == "a"]
    assert {check.description for check in checks} == {"not checked yet: shards 1, 4 of 4 are missing"}
    assert {check.severity for check in checks} == {dg.AssetCheckSeverity.WARN}
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_key == "postgres__b"
    assert "table b: links to a, of which shards 1, 4 of 4 are missing" in (
        failure.step_failure_data.user_failure_data.description
    )
    assert partitions(instance, "b") == (set(), {"2", "3"})
    assert run(export.migration(), instance, tags=range_tags(shard_names(4))).success
    assert [partitions(instance, name) for name in "ab"] == [(EVERY, set())] * 2


def test_one_that_fails_hides_no_other(export: Export, instance: dg.DagsterInstance):
    run(export.migration(), instance, tags=range_tags(shard_names(4)))
    export.database.query("UPDATE a SET n = -n")
    export.database.query("ALTER TABLE a ADD CHECK (id <> 4 OR n < 0)")
    result = run(export.migration(), instance, tags=range_tags(shard_names(4)))
    assert not result.success
    assert partitions(instance, "a") == (EVERY, {"2"})  # it was made once
    assert len(instance.fetch_materializations(dg.AssetKey(["postgres", "a"]), limit=100).records) == 7


def test_runs_of_the_command_line(export: Export):
    migration = export.migration()
    a, b = migration.plan.tables[:2]
    result = run_migration(migration, [a], ["1", "3", "4"])
    assert result.lines == []
    assert migration.line(a).missing_shards == ["2"]
    # Two runs of Dagster's, for the shards are two rows: only the first reads the file, only the last checks
    check = dg.AssetCheckKey(dg.AssetKey(["postgres", "a"]), "row_count")
    with open_instance(migration.settings) as instance:
        assert len(instance.get_runs()) == 2
        assert len(instance.fetch_materializations(dg.AssetKey(["xata", "a"]), limit=9).records) == 1
        assert len(instance.event_log_storage.get_asset_check_execution_history(check, limit=9)) == 1
    result = run_migration(migration, [a, b], ["2"])
    assert (migration.line(a).unfinished, migration.line(b).missing_shards) == (None, ["1", "3", "4"])
    assert run_migration(export.migration()).lines == []
    assert export.database.value("SELECT count(*) FROM c WHERE b_id IS NOT NULL") == 1


def test_a_newer_export_asks_for_all_shards(export: Export, instance: dg.DagsterInstance):
    definitions = definitions_of(SCHEMA, tables=TABLES, source=str(export.folder), target=export.database.url)
    sensor = definitions.resolve_sensor_def("newer_export")
    cursor = sensor(dg.build_sensor_context(instance=instance)).cursor
    (request,) = sensor(dg.build_sensor_context(instance=instance, cursor=cursor)).run_requests
    assert {name: value for name, value in request.tags.items() if "partition" in name} == range_tags(shard_names(4))
    result = run(export.migration(), instance, tags=request.tags)
    assert result.success
