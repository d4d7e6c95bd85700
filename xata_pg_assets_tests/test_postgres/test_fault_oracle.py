"""Every fault at a known place is reported with line, column, value and reason, nothing else is, and all else is in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xata_pg_assets_tests.fix_export import NewExport, Result, migrate
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_postgres.fault_oracle import DIALECTS, NAMES, SCHEMA, TEAMS, Dataset, Expected
from xata_pg_assets_tests.test_postgres.test_source import fill, url_of

FAULTS = (
    "SELECT line, old_id, xata_column, value, reason, raw FROM xata_migration.rejected_rows"
    " WHERE xata_table = 't' AND file = %s"
)
ROWS = """
SELECT m.old_id, to_jsonb(t)
    || jsonb_build_object('parent', p.old_id, 'team', u.old_id, 'embedding', embedding::text::jsonb)
    || jsonb_build_object('at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM public.t AS t JOIN xata_migration.t_id_mapping AS m ON m.new_id = t.id
LEFT JOIN xata_migration.t_id_mapping AS p ON p.new_id = t.parent_id
LEFT JOIN xata_migration.u_id_mapping AS u ON u.new_id = t.team_id
"""


def plain(row: dict[str, Any]) -> dict[str, Any]:
    own = {name: cell for name, cell in row.items() if name not in ("id", "parent_id", "team_id")}
    return {name: cell for name, cell in own.items() if not name.startswith("xata_") and cell is not None}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "source"])
def test_faults_at_known_places(new_export: NewExport, database: Database, dialect: str, seed: int):
    policy = "reject" if seed % 2 else "null"
    export = new_export(*SCHEMA, dangling_links=policy, max_rejected_rows=1000, max_dangling_links=1000)
    dataset = Dataset(dialect, seed, rows=120)
    file = dataset.write(export.folder)
    export.rows("u", "id,name", [[f"team {number}", "x"] for number in range(TEAMS - 1)])
    result = export.migrate()
    expected = dataset.expected(reject=policy == "reject")

    def by_place(fault: tuple[Any, ...]) -> tuple[Any, ...]:
        return fault[0], fault[2] or ""

    found = [(*each[:5], each[5].rstrip("\r\n")) for each in database.query(FAULTS, file)]
    assert sorted(found, key=by_place) == sorted(expected.faults, key=by_place)
    compare(database, result, dataset, expected)


@pytest.mark.parametrize("seed", range(2))
def test_faults_of_a_postgresql_source(new_export: NewExport, database: Database, server: Server, seed: int):
    policy = "reject" if seed % 2 else "null"
    source = server.new_database()
    dataset = Dataset("source", seed, rows=120)
    teams = [[f"team {number}", "x"] for number in range(TEAMS - 1)]
    fill(source, "u", dict.fromkeys(("id", "name"), "text"), teams)
    fill(source, "t", dict.fromkeys((*NAMES, "xata.updatedAt"), "text"), dataset.cells())
    export = new_export(*SCHEMA, dangling_links=policy, max_rejected_rows=1000, max_dangling_links=1000)
    migration = export.migration(source=url_of(source))
    result = migrate(migration)
    expected = dataset.expected(reject=policy == "reject")
    found = database.query(
        "SELECT old_id, xata_column, value, reason FROM xata_migration.rejected_rows"
        " WHERE file = 'public.t' AND line IS NULL"
    )
    assert sorted(found, key=repr) == sorted((fault[1:5] for fault in expected.faults), key=repr)
    compare(database, result, dataset, expected)
    migration.close()


def compare(database: Database, result: Result, dataset: Dataset, expected: Expected) -> None:
    """Hold the counts, the dangling links and every cell to what was expected."""
    rejected = len({fault[0] for fault in expected.faults})
    line = result.lines["t"]
    assert (line.source_rows, line.duplicate_rows) == (len(dataset.rows), expected.copies)
    assert (line.rejected_rows, line.target_rows) == (rejected, len(expected.rows))
    dangling = database.query("SELECT old_id, xata_column, missing_id FROM xata_migration.dangling_links")
    assert set(dangling) == expected.dangling
    rows = {old_id: plain(row) for old_id, row in database.query(ROWS)}
    assert rows == {old_id: plain(json.loads(json.dumps(row))) for old_id, row in expected.cells()}
    assert result.red == {}
