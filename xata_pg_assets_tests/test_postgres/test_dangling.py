"""Links to rows that are not there, where the rows must go with them."""

from __future__ import annotations

import pytest

from xata_pg_assets.errors import ExportError
from xata_pg_assets_tests.fix_export import NewExport, column, link, table
from xata_pg_assets_tests.fix_server import Database

REJECTED = (
    "SELECT xata_table, file, line, old_id, xata_column, value, reason"
    " FROM xata_migration.rejected_rows ORDER BY xata_table, line, xata_column"
)


def test_a_rejected_row_takes_those_along_that_need_it(new_export: NewExport, database: Database):
    export = new_export(
        table("a", link("parent", "a")),
        table("b", link("a", "a"), column("n", "int")),
        dangling_links="reject",
        max_rejected_rows=9,
    )
    export.rows("a", "id,parent", [["x", "gone"], ["y", "x"], ["z", "y"], ["root", None], ["leaf", "root"]])
    export.rows("b", "id,a,n", [["one", "leaf", "1"], ["two", "z", "2"], ["three", None, "3"]])
    result = export.migrate()
    assert database.query(REJECTED) == [
        ("a", "a.csv", 2, "x", "parent", "gone", "dangling_link"),
        ("a", "a.csv", 3, "y", "parent", "x", "dangling_link"),
        ("a", "a.csv", 4, "z", "parent", "y", "dangling_link"),
        ("b", "b.csv", 3, "two", "a", "z", "dangling_link"),
    ]
    assert database.value("SELECT raw FROM xata_migration.rejected_rows WHERE old_id = 'two'").strip() == "two,z,2"
    assert database.value("SELECT count(*) FROM xata_migration.dangling_links") == 0
    assert database.query("SELECT n FROM b ORDER BY n") == [(1,), (3,)]
    assert (result.lines["a"].target_rows, result.lines["a"].rejected_rows) == (2, 3)
    # rejected rows keep their numbers: mapped are all rows without a fault of their own
    assert result.lines["a"].mapped_rows == 5
    assert result.red == {}
    assert export.migrate(max_rejected_rows=0).red.keys() == {"a.row_count", "b.row_count"}


def test_rejection_goes_round_a_cycle_until_nothing_changes(new_export: NewExport, database: Database):
    tables = [table(f"t{n}", link("next", f"t{(n + 1) % 3}")) for n in range(3)]
    export = new_export(*tables, dangling_links="reject", max_rejected_rows=99)
    export.rows("t0", "id,next", [["a", "a"], ["b", "b"], ["c", None]])
    export.rows("t1", "id,next", [["a", "a"], ["b", "b"]])
    export.rows("t2", "id,next", [["a", "a"], ["b", "gone"]])
    result = export.migrate()
    assert [database.value(f"SELECT count(*) FROM t{n}") for n in range(3)] == [2, 1, 1]
    assert [row[3] for row in database.query(REJECTED)] == ["b", "b", "b"]
    assert result.red == {}
    assert export.migrate().changes == {f"t{n}": (0, 0, 0) for n in range(3)}


def test_a_link_that_may_not_be_null_is_rejected_in_every_mode(new_export: NewExport, database: Database):
    export = new_export(table("a"), table("b", link("a", "a", not_null=True), link("c", "a")), max_rejected_rows=1)
    export.rows("a", "id", [["x"]])
    export.rows("b", "id,a,c", [["one", "gone", "x"], ["two", "x", "gone"]])
    result = export.migrate(max_dangling_links=1)
    assert database.query(REJECTED) == [("b", "b.csv", 2, "one", "a", "gone", "dangling_link")]
    assert database.query("SELECT old_id, xata_column FROM xata_migration.dangling_links") == [("two", "c")]
    assert result.red == {}


def test_a_row_that_comes_back_is_taken_in(new_export: NewExport, database: Database):
    export = new_export(table("a"), table("b", link("a", "a")), dangling_links="reject", max_rejected_rows=9)
    export.rows("a", "id", [["x"]])
    export.rows("b", "id,a", [["one", "late"], ["two", "x"]])
    export.migrate()
    ids = database.query("SELECT old_id, new_id FROM xata_migration.b_id_mapping ORDER BY 1")
    export.rows("a", "id", [["x"], ["late"]])
    assert export.migrate().red == {}
    assert database.query("SELECT id, a_id FROM b ORDER BY id") == [(1, 2), (2, 1)]
    assert database.query("SELECT old_id, new_id FROM xata_migration.b_id_mapping ORDER BY 1") == ids
    assert database.query(REJECTED) == []


def test_a_file_that_changed_since_is_told(new_export: NewExport, database: Database):
    export = new_export(table("a"), table("b", link("a", "a")), dangling_links="reject", max_rejected_rows=9)
    export.rows("a", "id", [["x"]])
    export.rows("b", "id,a", [["one", "x"], ["two", "gone"]])
    migration = export.migration()
    for each in migration.plan.tables:
        migration.stage(each)
        migration.map_ids(each)
    migration.load(migration.plan.find("a"))
    export.rows("b", "id,a", [["new", "x"], ["one", "x"], ["two", "gone"]])
    with pytest.raises(ExportError, match=r"^b\.csv: it has changed since its rows were staged; run again"):
        migration.load(migration.plan.find("b"))
    assert database.query(REJECTED) == []
    assert export.migrate().red == {}
    assert [row[2:4] for row in database.query(REJECTED)] == [(4, "two")]


@pytest.mark.parametrize("policy", ["null", "reject"])
def test_a_parent_that_was_never_made_stops_the_table(new_export: NewExport, policy: str):
    export = new_export(table("a"), table("b", link("a", "a")), dangling_links=policy)
    export.rows("a", "id", [["x"]])
    export.rows("b", "id,a", [["one", "x"]])
    migration = export.migration()
    child = migration.plan.find("b")
    migration.stage(child)
    migration.map_ids(child)
    with pytest.raises(Exception, match="links to a, which is not migrated yet"):
        migration.load(child)
