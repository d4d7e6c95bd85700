"""Each check turns red on what it is there for, names the place, and is green on everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres import evidence
from xata_pg_assets.postgres.checks import CHECKS, CheckResult, run_checks
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.postgres.expected import expected_rows
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, column, link, migrate, table
from xata_pg_assets_tests.fix_server import Server

_COLUMNS = {
    "u": column("u", unique=True), "q": column("q", not_null=True, default="z"), "f": column("f", "float"),
    "g": column("g", "float"), "t": column("t"), "e": column("e", "text"), "j": column("j", "json"),
    "d": column("d", "datetime"),
    "v": column("v", "vector", dimension=2), "m": column("m", "multiple"), "i": column("i", "int"),
    "b": column("b", "bool"),
}  # fmt: skip
_FIRST = [
    "1", "one", "0.1", "0.0", "text", "", '{"n": 1.0}', "2020-01-01T00:00:00.000001Z", "[0, 1.5]", '["", "x"]',
    "7", "true",
]  # fmt: skip
_SECOND = ["2", "two", "0.2", "1", "other", None, "null", "0001-01-01T00:00:00Z", None, "[]", "8", "f"]


@dataclass(frozen=True)
class Migrated:
    migration: Migration
    conn: psycopg.Connection

    def results(self, name: str = "a") -> dict[str, CheckResult]:
        plan = self.migration.plan
        return {
            check.name: check for check in run_checks(self.conn, self.migration.layout, plan, plan.by_xata_name[name])
        }


@pytest.fixture(scope="module")
def migrated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    schema = XataSchema((table("a", *_COLUMNS.values(), link("p", "p"), link("up", "a")), table("p")))
    export = Export(tmp_path_factory.mktemp("export"), server.new_database(), schema)
    export.rows("p", "id", [["p1"], ["p2"]])
    export.rows("a", ["id", *_COLUMNS, "p", "up", *METADATA], [
        ["x", *_FIRST, "p1", "y", "0", "2020-01-01T00:00:00Z", None], ["y", *_SECOND, "p2", None, "1", None, None],
    ])  # fmt: skip
    migration = export.migration()
    assert migrate(migration).red == {}
    with connect(export.database.url) as conn:
        conn.execute("SET search_path = public, xata_migration")
        yield Migrated(migration, conn)


_CELLS = {
    "f": "0.1::float8 + 1.4e-17", "g": "'-0.0'", "t": "'text '", "e": "NULL", "j": """'{"n": 1.00}'""",
    "d": "d + interval '1 microsecond'", "v": "'[-0, 1.5]'", "m": "'{NULL,x}'", "i": "8", "b": "NULL",
    "xata_version": "NULL", "xata_createdat": "xata_createdat - interval '1 microsecond'", "q": "'One'", "u": "'1 '",
}  # fmt: skip


@pytest.mark.parametrize("name", _CELLS)
def test_a_cell_changed_by_a_hair_is_seen_and_named(migrated: Migrated, name: str):
    with migrated.conn.transaction(force_rollback=True):
        migrated.conn.execute(f"UPDATE a SET {name} = {_CELLS[name]} WHERE id = 1")
        results = migrated.results()
    assert {check for check, result in results.items() if not result.passed} == {"values_equal"}
    (row,) = results["values_equal"].rows
    assert (row["old_id"], row["id"], row["column_name"]) == ("x", 1, name)
    assert row["export"] != row["target"]


_MUTATIONS = {
    "two rows' cells swapped": ("UPDATE a SET t = CASE id WHEN 1 THEN 'other' ELSE 'text' END", {"values_equal"}),
    "a row lost": ("DELETE FROM a WHERE id = 1", {"row_count", "values_equal"}),
    "a parent lost": ("DELETE FROM a WHERE id = 2", {"row_count", "values_equal", "foreign_keys"}),
    "a mapped row that the export lacks": (
        "INSERT INTO a_id_mapping VALUES ('n', 3); INSERT INTO a (t) VALUES ('n')",
        {"row_count", "id_mapping_one_to_one"},
    ),
    "a link led elsewhere": ("UPDATE a SET p_id = 2 WHERE id = 1", {"foreign_keys"}),
    "a link lost": ("UPDATE a SET up_id = NULL", {"foreign_keys"}),
    "a link made up": ("UPDATE a SET up_id = 1 WHERE id = 2", {"foreign_keys"}),
    "mapping lines swapped": (
        "ALTER TABLE a_id_mapping DROP CONSTRAINT a_id_mapping_new_id_key; UPDATE a_id_mapping SET new_id = 3 - new_id",
        {"id_mapping_one_to_one", "values_equal", "foreign_keys"},
    ),
    "an old id mapped twice": (
        "ALTER TABLE a_id_mapping DROP CONSTRAINT a_id_mapping_pkey; INSERT INTO a_id_mapping VALUES ('x', 9)",
        {"id_mapping_one_to_one", "values_equal", "constraints_in_place"},
    ),
    "a mapping line lost": (
        "DELETE FROM a_id_mapping WHERE old_id = 'x'", {"id_mapping_one_to_one", "row_count", "values_equal"},
    ),
    "a value twice": (
        "ALTER TABLE a DROP CONSTRAINT a_u_key; UPDATE a SET u = '1'",
        {"unique_values", "values_equal", "constraints_in_place"},
    ),
    "a null": (
        "ALTER TABLE a ALTER q DROP NOT NULL; UPDATE a SET q = NULL WHERE id = 1",
        {"not_null", "values_equal", "constraints_in_place"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", _MUTATIONS)
def test_a_wrong_row_turns_just_its_checks_red(migrated: Migrated, what: str):
    statement, expected = _MUTATIONS[what]
    with migrated.conn.transaction(force_rollback=True):
        migrated.conn.execute(statement)
        red = {name for name, result in migrated.results().items() if not result.passed}
    assert red == expected


_LINKS = {
    "led elsewhere": "UPDATE c SET p_id = 2 WHERE id = 1",
    "lost": "UPDATE c SET p_id = NULL WHERE id = 2",
    "made up": "UPDATE c SET p_id = 1 WHERE id = 6",
    "made up to a row of the user's own": "INSERT INTO p VALUES (99); UPDATE c SET p_id = 99 WHERE id = 6",
    "led to a row of the user's own": "INSERT INTO p VALUES (99); UPDATE c SET p_id = 99 WHERE id = 1",
    "led to a large id of the user's own": "INSERT INTO p VALUES (3e9); UPDATE c SET p_id = 3e9 WHERE id = 1",
    "right, and the mapping turned round": (
        "ALTER TABLE p_id_mapping DROP CONSTRAINT p_id_mapping_new_id_key; UPDATE p_id_mapping SET new_id = 3 - new_id"
    ),
    "right, and the mapping with a gap": "UPDATE p_id_mapping SET new_id = 3 WHERE new_id = 2",
    "led by a mapping with two lines of one id": (
        "ALTER TABLE p_id_mapping DROP CONSTRAINT p_id_mapping_new_id_key, DROP CONSTRAINT p_id_mapping_pkey;"
        "UPDATE p_id_mapping SET new_id = 1; INSERT INTO p_id_mapping VALUES ('p3', 3)"
    ),
}


@pytest.fixture(scope="module")
def crowded(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    """Many rows link to few."""
    schema = XataSchema((table("c", link("p", "p"), link("q", "p"), link("r", "c")), table("p")))
    export = Export(tmp_path_factory.mktemp("export"), server.new_database(), schema)
    export.rows("p", "id", [["p1"], ["p2"]])
    links = ["p1", "p2", "p2", "p1", "p2", None]
    export.rows("c", ["id", "p", "q", "r"], [[f"c{number}", to, "p1", None] for number, to in enumerate(links)])
    migration = export.migration()
    assert migrate(migration).red == {}
    with connect(export.database.url) as conn:
        conn.execute("SET search_path = public, xata_migration")
        yield Migrated(migration, conn)


@pytest.mark.parametrize("what", _LINKS)
@pytest.mark.parametrize("most", [500_000, 0], ids=["listed", "joined"])
def test_a_wrong_link_of_many_to_few_is_seen(crowded: Migrated, monkeypatch: pytest.MonkeyPatch, what: str, most: int):
    monkeypatch.setattr(evidence, "_MOST_LISTED", most)
    plan = crowded.migration.plan
    expected = expected_rows(crowded.conn, crowded.migration.layout, plan, plan.by_xata_name["c"])
    assert bool(evidence.listed_parents(crowded.conn, expected)) is bool(most)
    with crowded.conn.transaction(force_rollback=True):
        crowded.conn.execute(_LINKS[what])
        assert not crowded.results("c")["foreign_keys"].passed


@pytest.mark.parametrize("long", ["long" * 40, "a" * 63, "ä" * 32])
def test_links_by_long_ids_are_checked_to_their_last_character(new_export: NewExport, long: str):
    export = new_export(table("c", link("p", "p")), table("p"))
    export.rows("p", "id", [[long], [f"{long}b"]])  # no `name` holds both
    export.rows("c", ["id", "p"], [[f"c{number}", long] for number in range(6)])
    migration = export.migration()
    assert migrate(migration).red == {}
    of_c = migration.plan.by_xata_name["c"]
    with connect(export.database.url) as conn:
        conn.execute("UPDATE public.c SET p_id = 2 WHERE id = 1")
        (check,) = run_checks(conn, migration.layout, migration.plan, of_c, ["foreign_keys"])
    assert (check.passed, len(check.rows)) == (False, 1)


def test_ids_with_gaps_between_are_checked_all_the_same(new_export: NewExport):
    export = new_export(table("c", link("p", "p")), table("p"))
    export.rows("p", "id", [["p1"], ["p2"]])
    rows = [[f"c{number}", f"p{number % 2 + 1}"] for number in range(6)]
    export.rows("c", ["id", "p"], rows)
    assert migrate(export.migration()).red == {}
    with connect(export.database.url) as conn:
        conn.execute("INSERT INTO public.p VALUES (7)")
        export.rows("p", "id", [["p1"], ["p2"], ["p3"]])
        export.rows("c", ["id", "p"], [*rows, ["c7", "p3"], ["c8", "p3"]])
        assert migrate(export.migration()).red == {}
        assert conn.execute("SELECT DISTINCT p_id FROM public.c ORDER BY 1").fetchall() == [(1,), (2,), (8,)]


def test_rows_of_the_users_own_are_no_fault(migrated: Migrated):
    with migrated.conn.transaction(force_rollback=True):
        migrated.conn.execute("INSERT INTO a (u, t) SELECT '9', t FROM a WHERE id = 1")
        assert all(result.passed for result in migrated.results().values())


_STRUCTURE = {
    "primary key": "ALTER TABLE a DROP CONSTRAINT a_pkey CASCADE",
    "foreign key": "ALTER TABLE a DROP CONSTRAINT a_p_id_fkey",
    "unvalidated foreign key": "ALTER TABLE a DROP CONSTRAINT a_p_id_fkey;"
    " ALTER TABLE a ADD FOREIGN KEY (p_id) REFERENCES p ON DELETE SET NULL NOT VALID",
    "foreign key to another table": "ALTER TABLE a DROP CONSTRAINT a_p_id_fkey;"
    " ALTER TABLE a ADD FOREIGN KEY (p_id) REFERENCES a ON DELETE SET NULL",
    "delete rule": "ALTER TABLE a DROP CONSTRAINT a_p_id_fkey; ALTER TABLE a ADD FOREIGN KEY (p_id) REFERENCES p",
    "unique": "ALTER TABLE a DROP CONSTRAINT a_u_key",
    "not null": "ALTER TABLE a ALTER q DROP NOT NULL",
    "default": "ALTER TABLE a ALTER q DROP DEFAULT",
    "another default": "ALTER TABLE a ALTER q SET DEFAULT 'y'",
    "identity always": "ALTER TABLE a ALTER id SET GENERATED ALWAYS",
    "identity by twos": "ALTER TABLE a ALTER id SET INCREMENT BY 2",
    "index": "DROP INDEX a_p_id_idx",
    "partial index": "DROP INDEX a_p_id_idx; CREATE INDEX ON a (p_id) WHERE p_id > 1",
    "identity": "ALTER TABLE a ALTER id DROP IDENTITY",
    "sequence": "ALTER TABLE a ALTER id RESTART WITH 2",
}


@pytest.mark.parametrize("what", _STRUCTURE)
def test_a_missing_key_is_named(migrated: Migrated, what: str):
    with migrated.conn.transaction(force_rollback=True):
        migrated.conn.execute(_STRUCTURE[what])
        red = {name: result for name, result in migrated.results().items() if not result.passed}
    assert set(red) == {"constraints_in_place"}
    names = {"not null": "q", "default": "q", "unique": "a.u", "sequence": "identity", "identity": "identity"}
    names |= {"another default": "q", "identity always": "identity", "identity by twos": "identity"}
    assert names.get(what, "a.") in red["constraints_in_place"].description


def test_all_seven_stand_on_a_table_with_nothing_to_check(new_export: NewExport):
    export = new_export(table("bare"), metadata_columns=False)
    export.rows("bare", "id", [["x"], ["y"]])
    result = export.migrate()
    assert result.red == {}
    assert set(result.checks["bare"]) == set(CHECKS)
    assert export.migrate().changes == {"bare": (0, 0, 0)}


def test_budgets_are_of_the_whole_migration(new_export: NewExport):
    export = new_export(*(table(name, column("n", "int"), link("l", name)) for name in "abc"))
    for name in "ab":
        export.rows(name, "id,n,l", [["x", "bad", None], ["y", "1", "gone"]])
    export.rows("c", "id,n,l", [["x", "1", None]])
    for allowed, red in ((1, {"a", "b"}), (2, set())):
        assert export.migrate(max_rejected_rows=allowed, max_dangling_links=9).red.keys() == {
            f"{n}.row_count" for n in red
        }
        assert export.migrate(max_dangling_links=allowed, max_rejected_rows=9).red.keys() == {
            f"{n}.foreign_keys" for n in red
        }
