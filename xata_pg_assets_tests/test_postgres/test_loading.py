"""Loading and loading again: only the difference is applied, and nobody else's rows and keys are touched."""

from __future__ import annotations

from typing import Any

import pytest

from xata_pg_assets.errors import ExportError, TargetError, TransientError
from xata_pg_assets.postgres import loading
from xata_pg_assets_tests.fix_export import NewExport, checks_of, column, link, table
from xata_pg_assets_tests.fix_server import Database


def _foreign_keys(database: Database) -> set[str]:
    return {
        name for (name,) in database.query("SELECT conname FROM pg_constraint WHERE contype = 'f' AND convalidated")
    }


def _image(database: Database, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    return {name: database.query(f'SELECT ctid, xmin::text, * FROM "{name}" ORDER BY id') for name in tables}


def test_links_resolve_to_the_new_ids_and_dangling_ones_become_null(new_export: NewExport, database: Database):
    export = new_export(table("b", link("a", "a")), table("a", column("n", "int")), max_dangling_links=1)
    export.rows("a", "id,n", [["rec_b", "2"], ["rec_a", "1"]])
    export.rows("b", "id,a", [["x", "rec_b"], ["y", "gone"], ["z", None]])
    result = export.migrate()
    assert database.query(
        "SELECT m.old_id, a_id FROM b JOIN xata_migration.b_id_mapping m ON id = new_id ORDER BY 1"
    ) == [
        ("x", 2),
        ("y", None),
        ("z", None),
    ]
    assert database.query("SELECT * FROM xata_migration.dangling_links") == [("b", "y", "a", "gone")]
    assert result.red == {}
    assert result.lines["b"].dangling_links == 1
    assert export.migrate(max_dangling_links=0).red.keys() == {"b.foreign_keys"}


def test_mode_fail_writes_nothing_and_names_a_row(new_export: NewExport, database: Database):
    export = new_export(table("a", link("a", "a")))
    export.rows("a", "id,a", [["x", "gone"]])
    migration = export.migration(dangling_links="fail")
    (target,) = migration.plan.tables
    migration.stage(target)
    migration.map_ids(target)
    with pytest.raises(ExportError, match="x to gone"):
        migration.load(target)
    assert database.value("SELECT to_regclass('public.a')") is None
    assert database.value("SELECT count(*) FROM xata_migration.dangling_links") == 0


def test_mode_fail_names_every_link_that_dangles(new_export: NewExport):
    export = new_export(table("a", link("up", "a"), link("down", "a"), link("fine", "a")))
    export.rows("a", "id,up,down,fine", [["x", "gone", "lost", "x"], ["y", "x", "gone", None], ["z", None, "x", "y"]])
    migration = export.migration(dangling_links="fail")
    (target,) = migration.plan.tables
    migration.stage(target)
    migration.map_ids(target)
    with pytest.raises(ExportError) as error:
        migration.load(target)
    assert "1 link of up (the first from x to gone), 2 links of down (the first from x to lost);" in str(error.value)
    assert "fine" not in str(error.value)


def test_self_links_and_cycles_resolve(new_export: NewExport, database: Database):
    tables = [table(f"t{n}", link("next", f"t{(n + 1) % 3}"), link("self", f"t{n}")) for n in range(3)]
    export = new_export(*tables)
    for n in range(3):
        export.rows(f"t{n}", "id,next,self", [["a", "b", "a"], ["b", "c", "c"], ["c", "a", "b"]])
    assert export.migrate().red == {}
    for n in range(3):
        assert database.query(f"SELECT id, next_id, self_id FROM t{n} ORDER BY id") == [(1, 2, 1), (2, 3, 3), (3, 1, 2)]
    assert len(_foreign_keys(database)) == 6


def test_three_runs_more_change_no_row(new_export: NewExport, database: Database):
    export = new_export(
        table("a", column("u", unique=True), column("f", "float"), column("j", "json"), link("b", "b")),
        table("b", column("v", "vector", dimension=2), column("m", "multiple"), link("a", "a")),
    )
    export.rows("a", "id,u,f,j,b", [["x", "1", "-0.0", '{"a": 1.00}', "q"], ["y", None, "0.1", "null", "gone"]])
    export.rows("b", "id,v,m,a", [["q", "[-0.0, 1e-7]", '["", "a,b"]', "x"], ["r", None, "[]", None]])
    export.migrate()
    before = _image(
        database,
        "a",
        "b",
    )
    keys = _foreign_keys(database)
    for _ in range(3):
        assert set(export.migrate(max_dangling_links=1).changes.values()) == {(0, 0, 0)}
        assert _image(database, "a", "b") == before
        assert _foreign_keys(database) == keys


def test_a_newer_export_changes_only_what_differs(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["b", "1"], ["d", "2"], ["f", "3"]])
    export.migrate()
    kept = database.query("SELECT xmin::text FROM a WHERE id = 1")
    export.rows("a", "id,n", [["a", "0"], ["b", "1"], ["d", "22"], ["e", "9"]])
    result = export.migrate()
    assert result.red == {}
    assert result.changes == {"a": (2, 1, 1)}
    assert database.query("SELECT old_id, new_id FROM xata_migration.a_id_mapping ORDER BY 2") == [
        ("b", 1),
        ("d", 2),
        ("f", 3),
        ("a", 4),
        ("e", 5),
    ]
    assert database.query("SELECT id, n FROM a ORDER BY id") == [(1, 1), (2, 22), (4, 0), (5, 9)]
    assert database.query("SELECT xmin::text FROM a WHERE id = 1") == kept


@pytest.mark.parametrize("not_null", [False, True])
def test_unique_values_wander_between_rows(new_export: NewExport, database: Database, not_null: bool):
    export = new_export(
        table("a", column("u", unique=True, not_null=not_null), column("w", "int", unique=True)),
        table("b", link("a", "a")),
    )
    export.rows("a", "id,u,w", [["x", "1", "1"], ["y", "2", "2"], ["z", "3", "3"]])
    export.rows("b", "id,a", [["q", "x"]])
    export.migrate(on_delete="restrict")
    fk = database.query("SELECT oid FROM pg_constraint WHERE contype = 'f'")
    export.rows("a", "id,u,w", [["x", "2", "2"], ["y", "3", "1"], ["z", "1", "4"], ["n", "5", "3"]])
    result = export.migrate(on_delete="restrict")
    assert result.red == {}
    assert database.query("SELECT id, u, w FROM a ORDER BY id") == [(1, "2", 2), (2, "3", 1), (3, "1", 4), (4, "5", 3)]
    assert database.query("SELECT oid FROM pg_constraint WHERE contype = 'f'") == fk
    assert export.migrate(on_delete="restrict").changes == {"a": (0, 0, 0), "b": (0, 0, 0)}


@pytest.mark.parametrize("rule", ["restrict", "no action", "cascade", "set null"])
def test_rows_with_children_are_deleted_under_every_rule(new_export: NewExport, database: Database, rule: str):
    export = new_export(table("a", link("up", "a")), table("b", link("a", "a"), column("n", "int")), on_delete=rule)
    export.rows("a", "id,up", [["x", None], ["y", "x"], ["z", "y"]])
    export.rows("b", "id,a,n", [["p", "x", "1"], ["q", "y", "2"], ["r", "z", "3"]])
    export.migrate()
    fks = database.query("SELECT oid FROM pg_constraint WHERE contype = 'f' ORDER BY 1")
    export.rows("a", "id,up", [["x", None], ["z", "y"]])
    result = export.migrate(max_dangling_links=2)
    assert result.red == {}
    assert database.query("SELECT id, up_id FROM a ORDER BY 1") == [(1, None), (3, None)]
    assert database.query("SELECT id, a_id, n FROM b ORDER BY 1") == [(1, 1, 1), (2, None, 2), (3, 3, 3)]
    assert database.query("SELECT oid FROM pg_constraint WHERE contype = 'f' ORDER BY 1") == fks
    assert result.lines["a"].dangling_links == result.lines["b"].dangling_links == 1


def test_required_links_under_restrict_over_three_generations(new_export: NewExport, database: Database):
    export = new_export(
        table("a"),
        table("b", link("a", "a", not_null=True)),
        table("c", link("b", "b", not_null=True)),
        on_delete="restrict",
    )
    export.rows("a", "id", [["x"], ["y"]])
    export.rows("b", "id,a", [["p", "x"], ["q", "y"]])
    export.rows("c", "id,b", [["m", "p"], ["n", "q"]])
    export.migrate()
    export.rows("a", "id", [["y"]])
    export.rows("b", "id,a", [["q", "y"]])
    export.rows("c", "id,b", [["n", "q"]])
    assert export.migrate().red == {}
    assert database.query("SELECT id FROM c") == [(2,)]


def test_rows_of_the_users_own_are_left_alone(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int"), link("up", "a")))
    export.rows("a", "id,n,up", [["x", "1", None], ["y", "2", "x"]])
    export.migrate()
    assert database.value("INSERT INTO a (n, up_id) VALUES (100, 1) RETURNING id") == 3
    database.query("INSERT INTO a (id, n, up_id) VALUES (50, 101, 3)")
    own = database.query("SELECT xmin::text, * FROM a WHERE n >= 100 ORDER BY id")
    export.rows("a", "id,n,up", [["x", "1", None], ["z", "3", "x"]])
    result = export.migrate()
    assert result.red == {}
    assert result.changes == {"a": (1, 0, 1)}
    assert database.query("SELECT xmin::text, * FROM a WHERE n >= 100 ORDER BY id") == own
    assert database.query("SELECT id, n FROM a ORDER BY id") == [(1, 1), (3, 100), (50, 101), (51, 3)]
    assert database.value("INSERT INTO a (n) VALUES (102) RETURNING id") == 52


def test_a_number_mapped_before_a_failed_load_is_not_handed_out(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int"), link("up", "a")))
    export.rows("a", "id,n,up", [["x", "1", None]])
    export.migrate()
    export.rows("a", "id,n,up", [["x", "1", None], ["y", "2", "gone"]])
    migration = export.migration(dangling_links="fail")
    (target,) = migration.plan.tables
    migration.stage(target)
    migration.map_ids(target)
    with pytest.raises(ExportError):
        migration.load(target)
    own = database.value("INSERT INTO a (n) VALUES (100) RETURNING id")
    export.migrate()
    assert database.query("SELECT n FROM a WHERE id = %s", own) == [(100,)]


def test_keys_dropped_by_hand_come_back(new_export: NewExport, database: Database):
    export = new_export(table("a"), table("b", link("a", "a"), column("u", unique=True)))
    export.rows("a", "id", [["x"]])
    export.rows("b", "id,a,u", [["p", "x", "1"]])
    export.migrate()
    for name in ("b_a_id_fkey", "b_u_key", "b_pkey"):
        database.query(f"ALTER TABLE b DROP CONSTRAINT {name}")
    database.query("DROP INDEX b_a_id_idx")
    assert export.migrate().red == {}
    assert (
        database.value(
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 'b'::regclass AND contype IN ('p', 'u', 'f')"
        )
        == 3
    )


def test_a_row_of_a_parent_deleted_by_hand_comes_back(new_export: NewExport, database: Database):
    export = new_export(table("a"), table("b", link("a", "a")))
    export.rows("a", "id", [["x"], ["y"]])
    export.rows("b", "id,a", [["p", "x"]])
    export.migrate()
    database.query("ALTER TABLE b DROP CONSTRAINT b_a_id_fkey")
    database.query("DELETE FROM a WHERE id = 1")
    assert export.migrate().red == {}
    assert database.query("SELECT id, a_id FROM b") == [(1, 1)]


@pytest.mark.parametrize("rule", ["set null", "restrict"])
def test_a_cycle_with_new_rows_on_both_sides(new_export: NewExport, database: Database, rule: str):
    export = new_export(table("a", link("b", "b")), table("b", link("a", "a")), on_delete=rule)
    export.rows("a", "id,b", [["x", "p"]])
    export.rows("b", "id,a", [["p", "x"]])
    export.migrate()
    export.rows("a", "id,b", [["y", "q"], ["z", "q"]])
    export.rows("b", "id,a", [["q", "y"], ["r", "z"]])
    result = export.migrate()
    assert result.red == {}
    assert database.query("SELECT id, b_id FROM a ORDER BY 1") == [(2, 2), (3, 2)]
    assert database.query("SELECT id, a_id FROM b ORDER BY 1") == [(2, 2), (3, 3)]
    assert len(_foreign_keys(database)) == 2


def test_a_lost_file_keeps_the_rows(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["x", "1"]])
    export.migrate()
    (export.folder / "a.csv").unlink()
    result = export.migrate()
    assert result.red == {}
    assert database.query("SELECT id, n FROM a") == [(1, 1)]
    assert any("a" in warning for warning in result.lines["a"].staging_warnings)
    export.rows("a", "id,n", [["x", "1"]])
    assert export.migrate().changes == {"a": (0, 0, 0)}


def test_a_file_lost_before_the_first_load_leaves_no_counts(new_export: NewExport):
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["x", "1"], ["x", "1"], ["y", "one"]])
    migration = export.migration()
    migration.stage(migration.plan.tables[0])
    (export.folder / "a.csv").unlink()
    result = export.migrate()
    assert result.red == {}
    line = result.lines["a"]
    assert (line.source_rows, line.duplicate_rows, line.rejected_rows, line.target_rows) == (0, 0, 0, 0)


def test_a_table_made_by_somebody_else_is_refused(new_export: NewExport, database: Database):
    database.query("CREATE TABLE a (id bigint, n int)")
    database.query("INSERT INTO a VALUES (1, 2)")
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["x", "1"]])
    with pytest.raises(TargetError, match=r"public\.a"):
        export.migrate()
    assert database.query("SELECT * FROM a") == [(1, 2)]


def test_emptied_staging_deletes_nothing(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int"), link("b", "b")), table("b", link("a", "a")))
    export.rows("a", "id,n,b", [["x", "1", "p"]])
    export.rows("b", "id,a", [["p", "x"]])
    export.migrate()
    before = _image(database, "a", "b")
    for step in ("load", "check", "stage"):
        database.query("TRUNCATE xata_staging.a, xata_staging.b")
        migration = export.migration()
        for target in migration.plan.tables:
            getattr(migration, step)(target)
        assert all(check.passed for target in migration.plan.tables for check in checks_of(migration, target).values())
        assert _image(database, "a", "b") == before


@pytest.mark.parametrize("damage", ["TRUNCATE xata_staging.a", "DROP TABLE xata_staging.a"])
def test_a_table_is_not_made_of_an_emptied_staging(new_export: NewExport, database: Database, damage: str):
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["x", "1"]])
    migration = export.migration()
    (target,) = migration.plan.tables
    migration.stage(target)
    migration.map_ids(target)
    database.query(damage)
    with migration.reading() as conn, pytest.raises(TransientError, match="table a: its staged rows are gone"):
        loading.load(conn, migration.layout, migration.plan, target, "null", lambda _: None)
    assert database.value("SELECT to_regclass('public.a')") is None


def test_a_table_is_not_made_without_the_rows_that_have_no_new_id(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["x", "1"]])
    migration = export.migration()
    (target,) = migration.plan.tables
    migration.stage(target)
    migration.map_ids(target)
    export.rows("a", "id,n", [["x", "1"], ["y", "2"]])
    migration = export.migration()
    migration.stage(target)
    with pytest.raises(TargetError, match=r"table a: .* no new id yet; materialize id_mapping/a first"):
        migration.load(target)
    assert database.value("SELECT to_regclass('public.a')") is None


def test_emptied_staging_of_a_changed_export_deletes_nothing(new_export: NewExport, database: Database):
    export = new_export(table("a", column("n", "int")))
    export.rows("a", "id,n", [["x", "1"]])
    export.migrate()
    before = _image(database, "a")
    database.query("TRUNCATE xata_staging.a")
    export.rows("a", "id,n", [["y", "2"]])
    migration = export.migration()
    migration.load(migration.plan.tables[0])
    assert _image(database, "a") == before


def test_another_delete_rule_is_applied_on_a_re_run(new_export: NewExport, database: Database):
    export = new_export(table("a", link("up", "a")))
    export.rows("a", "id,up", [["x", "x"]])
    export.migrate()
    assert export.migrate(on_delete="cascade").red == {}
    assert database.query("SELECT confdeltype FROM pg_constraint WHERE contype = 'f'") == [("c",)]
