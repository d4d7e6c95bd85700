"""The procedure migrate_table, called on tables that no plan knows of."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.postgres.bootstrap import work_statements
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.scripts.procedure import create_procedure
from xata_pg_assets_tests.fix_server import Database

HOSTILE = 'it\'s "so" %I %s $1 é; --'


class Work:
    """A database with the procedure in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.layout = Layout(work_schema="x's work")
        database.query('CREATE SCHEMA "x\'s work"; CREATE SCHEMA old')
        with psycopg.connect(database.url, autocommit=True) as conn:
            for statement in (*work_statements(self.layout), *create_procedure(self.layout)):
                conn.execute(statement)

    def call(self, source: str, target: str, columns: list[Any] | None, links: Any = (), mapping: str | None = None):
        self.database.query(
            "CALL \"x's work\".migrate_table('old', %s, 'public', %s, %s, %s, %s)",
            source,
            target,
            mapping or f"{target}_ids",
            columns,
            None if links is None else json.dumps(links),
        )

    def mapping(self, name: str) -> dict[str, int]:
        return dict(self.database.query(sql.SQL("SELECT * FROM {}").format(self.layout.work(f"{name}_ids"))))

    def dangling(self) -> list[tuple[Any, ...]]:
        return self.database.query('SELECT * FROM "x\'s work".dangling_links ORDER BY 1, 2')


@pytest.fixture
def work(database: Database) -> Work:
    database.query("SET search_path = pg_catalog")
    return Work(database)


def test_rows_links_keys_and_identity(work, database):
    database.query("CREATE TABLE old.users (id text, name text, boss text, tags text[])")
    database.query(
        "INSERT INTO old.users VALUES ('b', 'Bob', 'a', '{x}'), ('a', 'Ann', NULL, NULL), ('c', '', 'lost', '{}')"
    )
    database.query(
        'CREATE TABLE old.posts ("Title" text, xata_id varchar(20), id bigint, author text, n numeric(6, 2))'
    )
    database.query("INSERT INTO old.posts VALUES ('one', 'p1', 7, 'b', 1.5), ('two', 'p2', 8, NULL, 2)")
    work.call("users", "users", ["name", "tags"], [
        {"column": "boss", "mapping_table": "users_ids", "target_column": "boss_id", "references": "users"}
    ])  # fmt: skip
    work.call("posts", "Posts", [["Title", "title"], ["n", "n"]], {
        "author": {"mapping_table": "users_ids", "references": "users", "on_delete": "cascade"}
    })  # fmt: skip
    assert database.query("SELECT id, name, tags, boss_id FROM public.users ORDER BY id") == [
        (1, "Ann", None, None), (2, "Bob", ["x"], 1), (3, "", [], None),
    ]  # fmt: skip
    assert work.mapping("users") == {"a": 1, "b": 2, "c": 3}
    assert work.dangling() == [("users", "c", "boss", "lost")]
    assert database.query('SELECT id, title, n::text, author FROM public."Posts" ORDER BY id') == [
        (1, "one", "1.50", 2), (2, "two", "2.00", None),
    ]  # fmt: skip
    rules = database.query(
        "SELECT conrelid::regclass::text, confdeltype FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
    )
    assert [(name, str(rule)) for name, rule in rules] == [('"Posts"', "c"), ("users", "n")]
    assert database.value("SELECT count(*) FROM pg_indexes WHERE indexname ~ 'boss_id|author'") == 2
    assert database.value("INSERT INTO public.users DEFAULT VALUES RETURNING id") == 4


def test_a_second_call_adds_only_what_is_new_and_keeps_ids(work, database):
    database.query("CREATE TABLE old.t (id text, n int); INSERT INTO old.t VALUES ('b', 1), ('d', 2)")
    work.call("t", "t", ["n"])
    database.query("INSERT INTO t (n) VALUES (100)")  # the user's own takes 3
    database.query("INSERT INTO old.t VALUES ('a', 3); UPDATE t SET n = 9 WHERE id = 1")
    work.call("t", "t", ["n"])
    work.call("t", "t", ["n"], None)
    assert database.query("SELECT id, n FROM t ORDER BY id") == [(1, 9), (2, 2), (3, 100), (4, 3)]
    assert work.mapping("t") == {"b": 1, "d": 2, "a": 4}
    assert database.value("INSERT INTO t DEFAULT VALUES RETURNING id") == 5


@pytest.mark.parametrize("identity", ["bigserial", "integer GENERATED ALWAYS AS IDENTITY", "bigint"])
def test_into_a_table_that_is_there(work, database, identity):
    database.query("CREATE TABLE old.t (id text, n text); INSERT INTO old.t VALUES ('b', '1'), ('d', '2')")
    database.query(f"CREATE TABLE t (n text, more int DEFAULT 5, id {identity} PRIMARY KEY)")
    database.query("INSERT INTO t (id, n) OVERRIDING SYSTEM VALUE VALUES (10, 'mine')")
    work.call("t", "t", ["n"])
    assert database.query("SELECT * FROM t ORDER BY id") == [("mine", 5, 10), ("1", 5, 11), ("2", 5, 12)]
    if identity != "bigint":
        assert database.value("INSERT INTO t (n) VALUES ('') RETURNING id") == 13


def test_a_circle_closes_with_the_second_call(work, database):
    database.query("CREATE TABLE old.a (id text, b text); CREATE TABLE old.b (id text, a text)")
    database.query("INSERT INTO old.a VALUES ('x', 'y'), ('z', NULL); INSERT INTO old.b VALUES ('y', 'z')")
    to_b, to_a = ({"column": name, "mapping_table": f"{name}_ids", "references": name} for name in "ba")
    with pytest.raises(pg.RaiseException, match=r"needs the mapping .*b_ids") as caught:
        work.call("a", "a", [], [to_b])
    assert "Where tables link in a circle" in (caught.value.diag.message_hint or "")
    assert database.value("SELECT to_regclass('public.a')") is None
    database.query("CREATE TABLE a (id bigint PRIMARY KEY, b bigint)")
    work.call("a", "a", [])
    work.call("b", "b", [], [to_a])
    work.call("a", "a", None, [to_b])
    assert database.query("SELECT a.id, a.b, b.a FROM a LEFT JOIN b ON b.id = a.b ORDER BY 1") == [
        (1, 1, 2),
        (2, None, None),
    ]
    assert database.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == 2


def test_hostile_names_and_a_hostile_search_path(work, database):
    name, column = sql.Identifier("old", HOSTILE), sql.Identifier(HOSTILE)
    database.query(sql.SQL("CREATE TABLE {} (id text, {} text, l text)").format(name, column))
    database.query(sql.SQL("INSERT INTO {} VALUES ('a', '$$', 'a')").format(name))
    database.query("CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''SELECT 1/0'''")
    database.query(sql.SQL("ALTER DATABASE {} SET search_path = public, pg_catalog").format(
        sql.Identifier(database.value("SELECT current_database()"))
    ))  # fmt: skip
    link = {"column": "l", "mapping_table": HOSTILE + "_ids", "target_column": HOSTILE + "l", "references": HOSTILE}
    work.call(HOSTILE, HOSTILE, [HOSTILE], [link])
    assert database.query(sql.SQL("SELECT * FROM public.{}").format(column)) == [(1, 1, "$$")]
    assert work.mapping(HOSTILE) == {"a": 1}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("no", "t", []), "there is no table old.no", "taken as they stand"),
        (("t", "t", ["gone"]), "old.t has no column gone", "named as in the source"),
        (("t", "t", [["a", "b", "c"]]), "neither a list of names nor of pairs", "ARRAY[['fullName'"),
        (("t", "t", [], [{"column": "n"}]), "is no foreign key", '"mapping_table"'),
        (("t", "t", [], [{"column": "n", "mapping_table": "x", "typo": 1}]), "is no foreign key", '"mapping_table"'),
        (("t", "t", [], [{"column": "n", "mapping_table": "x", "on_delete": ";"}]), "is no foreign key", "on_delete"),
        (("t", "t", [], "author"), "is no foreign key", '"mapping_table"'),
        (("t", "t", [], [{"column": "gone", "mapping_table": "t_ids"}]), "old.t has no column gone", "named as in"),
        (("t", "there", ["n"]), "public.there has no column n", "columns in pairs"),
        (("no_id", "t", ["n"]), "no column id or xata_id", "with its ids"),
        (("twice", "t", ["n"]), "the id a is missing or stands twice", "an id of its own"),
        (("none", "t", ["n"]), "the id NULL is missing or stands twice", "an id of its own"),
        (("t", "t", ["n"], [], "m" * 64), "longer than 63 bytes", "shorter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_mend_and_nothing_is_made(work, database, arguments, message, hint):
    database.query("CREATE TABLE old.t (id text, n text); CREATE TABLE public.there (id bigint)")
    database.query("CREATE TABLE old.no_id (n text); CREATE TABLE old.twice (id text, n text)")
    database.query("INSERT INTO old.twice VALUES ('a', '1'), ('a', '2')")
    database.query("CREATE TABLE old.none (id text, n text); INSERT INTO old.none VALUES (NULL, '1')")
    with pytest.raises(pg.RaiseException) as caught:
        work.call(*arguments)
    assert message in (caught.value.diag.message_primary or "")
    assert hint in (caught.value.diag.message_hint or "")
    made = "SELECT count(*) FROM pg_class WHERE relname ~ '_ids|^m+$' OR oid = to_regclass('public.t')"
    assert database.value(made) == 0
