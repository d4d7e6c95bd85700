"""Shards in Dagit: backfills of chosen ones by its daemon, and which are missing or failed.

Of the long suite (`make browser`): the daemon looks every half minute, and there are three backfills.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from xata_pg_assets.plan.shards import shard_names
from xata_pg_assets_tests.fix_server import Server
from xata_pg_assets_tests.test_e2e.test_dagit import Dagit, opened

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("XATA_PG_BROWSER" not in os.environ, reason="long: run by make browser"),
]

PATH = ["postgres", "sightings"]
BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status
  error { message } } } }"""
PARTITIONS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetPartitionStatuses { ... on DefaultPartitionStatuses {
    materializedPartitions failedPartitions unmaterializedPartitions } } } } }"""


@pytest.fixture(scope="module")
def dagit(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagit]:
    folder, database = tmp_path_factory.mktemp("shards"), server.new_database()
    with opened(folder, database, XATA_PG_TABLES='{"sightings": {"shards": 16}}') as dagit:
        run = dagit.run(assetSelection=[{"path": [stage, "sightings"]} for stage in ("xata", "id_mapping")])
        assert run["status"] == "SUCCESS"
        yield dagit


def backfill(dagit: Dagit, *shards: str) -> str:
    """Launch a backfill of shards as Dagit's dialog does; return how it ended, and why."""
    params = {"assetSelection": [{"path": PATH}], "partitionNames": shards}
    launched = dagit.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    deadline = time.monotonic() + 400  # the daemon looks every half minute
    while time.monotonic() < deadline:
        answer: dict[str, Any] = dagit.ask(STATUS, id=launched["backfillId"])["partitionBackfillOrError"]
        if answer["status"] not in ("REQUESTED", "CANCELING", "FAILING"):
            assert answer["error"] is None, answer
            return str(answer["status"])
        time.sleep(1)
    raise TimeoutError(answer)


def partitions(dagit: Dagit) -> dict[str, set[str]]:
    """Return the partitions of the table as the bar on its page shows them."""
    found = dagit.ask(PARTITIONS, key={"path": PATH})["assetNodeOrError"]["assetPartitionStatuses"]
    return {name.removesuffix("Partitions"): set(keys) for name, keys in found.items()}


def test_chosen_shards_then_one_that_fails_then_the_rest(dagit: Dagit):
    every = set(shard_names(16))
    assert backfill(dagit, "3", "7", "8", "9") == "COMPLETED_SUCCESS"
    chosen = {"3", "7", "8", "9"}
    assert partitions(dagit) == {"materialized": chosen, "failed": set(), "unmaterialized": every - chosen}
    assert dagit.database.value("SELECT count(*) FROM xata_staging.sightings_building") == 4 * 75
    assert dagit.database.value("SELECT to_regclass('public.sightings')") is None

    # A row of shard 5 is refused
    refused = dagit.database.value(
        "SELECT new_id FROM xata_migration.sightings_id_mapping JOIN xata_staging.sightings ON old_id = id"
        ' WHERE "xata.ordinal" = 310'
    )
    dagit.database.query(f"ALTER TABLE xata_staging.sightings_building ADD CONSTRAINT refused CHECK (id <> {refused})")
    assert backfill(dagit, *sorted(every, key=int)) == "COMPLETED_FAILED"
    assert partitions(dagit) == {"materialized": every - {"5"}, "failed": {"5"}, "unmaterialized": {"5"}}
    assert dagit.database.value("SELECT count(*) FROM xata_staging.sightings_building") == 15 * 75

    dagit.database.query("ALTER TABLE xata_staging.sightings_building DROP CONSTRAINT refused")
    assert backfill(dagit, "5") == "COMPLETED_SUCCESS"
    assert partitions(dagit) == {"materialized": every, "failed": set(), "unmaterialized": set()}
    assert dagit.database.value("SELECT count(*) FROM sightings") == 16 * 75
    checks = dagit.database.value("SELECT checks FROM xata_migration.loads WHERE xata_table = 'sightings'")
    assert [check["passed"] for check in checks.values()] == [True] * 7
