"""The figures of the report: each statement, run by itself in a session like any, counts what the report says."""

from __future__ import annotations

import psycopg
import pytest

from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.postgres.figures import Figure, figures, totals
from xata_pg_assets.postgres.staging import drop_staging
from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, migrate, table
from xata_pg_assets_tests.fix_report import Reported, write_hostile


def all_figures(migration: Migration, conn: psycopg.Connection) -> dict[str, list[Figure]]:
    layout, plan = migration.layout, migration.plan
    lines = ledger.entries(conn, layout)
    by_table = {
        each.xata_name: list(figures(conn, layout, plan, each, lines[each.xata_name]))
        for each in plan.tables
        if each.xata_name in lines
    }
    return {"": list(totals(conn, layout, plan, lines)), **by_table}


def wrong(export: Export, found: dict[str, list[Figure]]) -> list[object]:
    """Return the figures whose statement counts something else than the report says."""
    lies: list[object] = []
    with psycopg.connect(export.database.url, autocommit=True) as conn:
        conn.execute("SET search_path = ''; SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'")
        for name, of_table in found.items():
            for figure in of_table:
                ((count,),) = conn.execute(figure.statement.encode()).fetchall()
                if (count == 0) if figure.value is None else (count != figure.value):
                    lies.append((name, figure.name, figure.value, count))
    return lies


def named(found: list[Figure], words: str) -> Figure:
    (figure,) = [figure for figure in found if words in figure.name]
    return figure


def test_each_counts_what_the_report_says_whatever_is_wrong_with_the_export(hostile: Reported):
    found = all_figures(hostile.migration, hostile.conn)
    assert wrong(hostile.export, found) == []
    assert {figure.name: figure.value for figure in found[""]} == {
        "rows in the export": 6 + 8 + 0 + 1,
        "rows in the tables": 2 + 2 + 0 + 1,
        "rejected rows": 3 + 6,
        "exact copies": 1,
        "dangling links": 3,
    }
    assert {len(of_table) for name, of_table in found.items() if name} == {9, 10}


@pytest.mark.parametrize(
    ("damage", "figure"),
    [
        ("UPDATE a SET t = 'other' WHERE id = 1", "values_equal"),
        ("UPDATE a SET f = '-0.0' WHERE id = 1", "values_equal"),
        ("UPDATE a SET b_id = NULL WHERE id = 1", "foreign_keys"),
        ("DELETE FROM a WHERE id = 2", "values_equal"),
        ("ALTER TABLE a DROP CONSTRAINT a_u_key; UPDATE a SET u = 'one'", "unique_values"),
        ("ALTER TABLE a DROP CONSTRAINT a_b_id_fkey", "constraints_in_place"),
        ("ALTER TABLE a ALTER q DROP NOT NULL; UPDATE a SET q = NULL WHERE id = 1", "not_null"),
        ("DELETE FROM a WHERE id = 1", "rows in the table"),
        ("DELETE FROM xata_staging.a WHERE id = 'x'", "rows in the export"),
        (
            "ALTER TABLE xata_migration.a_id_mapping DROP CONSTRAINT a_id_mapping_pkey;"
            "INSERT INTO xata_migration.a_id_mapping SELECT old_id, 99 FROM xata_migration.a_id_mapping LIMIT 1",
            "id_mapping_one_to_one",
        ),
        ("INSERT INTO xata_migration.rejected_rows (xata_table, reason) VALUES ('a', 'ragged')", "rejected rows"),
        ("INSERT INTO xata_migration.dangling_links VALUES ('a', 'x', 'b', 'y')", "dangling links"),
    ],
)
def test_each_sees_what_it_is_there_for(new_export: NewExport, damage: str, figure: str):
    a = table(
        "a", column("t"), column("f", "float"), column("u", unique=True), column("q", not_null=True), link("b", "b")
    )
    export = new_export(table("b"), a)
    export.rows("b", "id", [["y"]])
    export.rows("a", "id,t,f,u,q,b", [["w", "text", "0.0", "one", "1", "y"], ["x", "more", "1.5", "two", "2", None]])
    migration = export.migration()
    assert migrate(migration).red == {}
    with connect(export.database.url) as conn:
        found = all_figures(migration, conn)
        assert wrong(export, found) == []
        statement = named(found["a"], figure)
        export.database.query(damage)
        assert [name for _, name, _, _ in wrong(export, {"a": [statement]})] == [statement.name]  # type: ignore[misc]


def test_a_red_check_has_no_nought(new_export: NewExport):
    export = new_export(table("a", column("t")))
    export.rows("a", "id,t", [["x", "text"]])
    migration = migrate(export.migration()).migration
    export.database.query("UPDATE a SET t = 'other'")
    migration.check(migration.plan.tables[0])
    with connect(export.database.url) as conn:
        found = all_figures(migration, conn)
    assert named(found["a"], "values_equal").value is None
    assert wrong(export, found) == []


def test_without_staged_rows_nothing_is_compared_with_them(new_export: NewExport):
    export = new_export(table("p", column("name"), column("mail"), column("kind")))
    write_hostile(export)
    migration = migrate(export.migration()).migration
    with connect(export.database.url) as conn:
        assert drop_staging(conn, migration.layout) == 1
        found = all_figures(migration, conn)
    assert wrong(export, found) == []
    assert "xata_staging" not in "".join(figure.statement for figure in found["p"])
    assert named(found["p"], "rows in the export").value == 6


def test_what_was_migrated_with_another_schema_is_not_counted(new_export: NewExport):
    export = new_export(table("a"), table("b"))
    export.rows("a", "id", [["x"]])
    export.rows("b", "id", [["x"], ["y"]])
    migrate(export.migration())
    export.schema = type(export.schema)(export.schema.tables[:1])
    migration = export.migration()
    with connect(export.database.url) as conn:
        found = all_figures(migration, conn)
    assert named(found[""], "rows in the export").value == 1
    assert wrong(export, found) == []


def test_a_table_that_is_not_made_has_none(new_export: NewExport):
    export = new_export(table("a"))
    export.rows("a", "id", [["x"]])
    migration = export.migration()
    migration.stage(migration.plan.tables[0])
    with connect(export.database.url) as conn:
        assert all_figures(migration, conn)["a"] == []
