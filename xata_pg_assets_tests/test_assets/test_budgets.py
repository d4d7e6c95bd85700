"""A budget is of the whole migration: over it, every table with rejected rows is red, whenever it was checked."""

from __future__ import annotations

import dagster as dg
import pytest

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.assets.running import run_migration
from xata_pg_assets.postgres import ledger
from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table
from xata_pg_assets_tests.test_assets.conftest import run

LETTERS = "abc"


@pytest.fixture
def spoiled(new_export: NewExport) -> Export:
    """Three tables, one after the other, each with a rejected row and a link to nobody."""
    tables = [table("a", column("n", "int"), link("to", "a"))]
    tables += [table(name, column("n", "int"), link("to", before)) for before, name in zip("ab", "bc", strict=True)]
    export = new_export(*tables)
    for name in LETTERS:
        export.rows(name, "id,n,to", [(f"{name}1", "1", None), (f"{name}2", "x", None), (f"{name}3", "3", "nobody")])
    return export


def red(export: Export, **flags: object) -> list[str]:
    migration = export.migration(**flags)
    with migration.reading() as conn:
        lines = ledger.entries(conn, migration.layout)
    return sorted(
        f"{name}.{check}" for name in LETTERS for check, end in lines[name].checks.items() if not end["passed"]
    )


BUDGETS = {"max_rejected_rows": 2, "max_dangling_links": 2}
ALL_RED = sorted(f"{name}.{check}" for name in LETTERS for check in ("row_count", "foreign_keys"))


def test_all_are_red_in_the_ledger_and_in_dagster(spoiled: Export, instance: dg.DagsterInstance):
    migration = spoiled.migration(**BUDGETS)
    run(migration, instance)
    assert red(spoiled, **BUDGETS) == ALL_RED
    keys = [
        key for key in build_definitions(migration).resolve_asset_graph().asset_check_keys if key.name == "row_count"
    ]
    last = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert len(keys) == 3
    for key in keys:
        evaluation = last[key].event.dagster_event.asset_check_evaluation_data
        assert not evaluation.passed


def test_all_are_red_after_a_migration_of_some_tables(spoiled: Export):
    for name in LETTERS:
        run_migration(spoiled.migration(**BUDGETS), [spoiled.migration().plan.find(name)])
    assert red(spoiled, **BUDGETS) == ALL_RED


def test_all_are_green_within_the_budgets(spoiled: Export):
    budgets = {"max_rejected_rows": 3, "max_dangling_links": 3}
    run_migration(spoiled.migration(**budgets))
    assert red(spoiled, **budgets) == []
