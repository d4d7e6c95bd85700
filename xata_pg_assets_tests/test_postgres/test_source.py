"""Rows that lie in a PostgreSQL already: another database, or another schema of the target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from xata_pg_assets.errors import ExportError, TransientError, UsageError
from xata_pg_assets.migration import Migration, resolve_schema
from xata_pg_assets.postgres.source import Source
from xata_pg_assets.report.plan_page import describe_plan
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.records import ReadOptions
from xata_pg_assets.xata.schema import XataTable
from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, Result, column, link, migrate, table
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until

SECRET = "c4nary-p4ss"
Rows = Sequence[Sequence[str | None]]


@pytest.fixture
def source(server: Server) -> Database:
    """Another database, which the rows come from."""
    source = server.new_database()
    source.query("CREATE EXTENSION vector")
    return source


def url_of(database: Database, user: str = "postgres", password: str = "") -> str:
    """Write where a database is as a URL."""
    parts = conninfo_to_dict(database.url)
    secret = f":{password}" if password else ""
    return f"postgresql://{user}{secret}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"


class FromSource:
    """Makes migrations of the source's rows, and closes them."""

    def __init__(self, new_export: NewExport, source: Database) -> None:
        self._new_export = new_export
        self._source = source
        self.opened: list[Migration] = []

    def __call__(self, *tables: XataTable, **flags: Any) -> Migration:
        export = self._new_export(*tables)
        self.opened.append(export.migration(**{"source": url_of(self._source), **flags}))
        return self.opened[-1]

    def migrate(self, *tables: XataTable, **flags: Any) -> Result:
        return migrate(self(*tables, **flags))


@pytest.fixture
def from_source(new_export: NewExport, source: Database) -> Iterator[FromSource]:
    made = FromSource(new_export, source)
    yield made
    for migration in made.opened:
        migration.close()


def fill(database: Database, name: str, columns: Mapping[str, str], rows: Rows, schema: str = "public") -> None:
    """Make a table of typed columns and put cells into it, each as the text that its type reads."""
    names = [sql.Identifier(each) for each in columns]
    database.query(
        sql.SQL("CREATE TABLE {} ({})").format(
            sql.Identifier(schema, name),
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(*pair) for pair in zip(names, map(sql.SQL, columns.values()), strict=True)
            ),
        )
    )
    insert = sql.SQL("INSERT INTO {} VALUES ({})").format(
        sql.Identifier(schema, name),
        sql.SQL(", ").join(sql.SQL("%s::text::{}").format(sql.SQL(type_)) for type_ in columns.values()),
    )
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.cursor().executemany(insert, rows)


def rejected(database: Database) -> list[tuple[Any, ...]]:
    return database.query(
        "SELECT old_id, xata_column, value, reason FROM xata_migration.rejected_rows"
        ' ORDER BY xata_table, old_id COLLATE "C", xata_column'
    )


def bits(database: Database, names: Sequence[str]) -> dict[str, bytes]:
    """Return tables to the last bit."""
    with psycopg.connect(database.url) as conn, conn.cursor() as cur:
        found = {}
        for name in names:
            statement = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT (FORMAT binary)")
            with cur.copy(statement.format(sql.Identifier(name))) as copy:
                found[name] = b"".join(bytes(piece) for piece in copy)
        return found


TABLES = (
    table(
        "userTeams",
        column("teamName", "string", not_null=True),
        column("bigNumber", "int"),
        column("f", "float"),
        column("b", "bool"),
        column("seenAt", "datetime"),
        column("labels", "multiple"),
        column("j", "json"),
        column("o", "object"),
        column("fi", "file"),
        column("fs", "file[]"),
        column("v", "vector", dimension=3),
        link("parent", "userTeams"),
        link("owner", "members"),
    ),
    table("members", column("e", "email", unique=True), link("team_id", "userTeams")),
    table("nothing-in-it"),
)
STAMP = "2024-01-02T03:04:05.678901Z"
TEAMS: Rows = [
    ["rec_b", "", "9223372036854775807", "-0.0", "true", "0001-02-03T04:05:06.000007Z",
     '["a,b", "it\'s \\"q\\"", "", "\\\\", "{x}", "NULL"]',
     "null", "{}",
     '{"name": "a \\"b\\".txt", "size": 9007199254740993}', "[]",
     "[-0.0, 1e-45, 3.4028235e+38]", None, "m1", "0", STAMP, STAMP],
    ["rec_a", " pad\r\n\"q\", ", "-9223372036854775808", "5e-324", "false", "9999-12-31T23:59:59.999999Z", "[]",
     '"null"', '{"a": [1.50, 1e3]}', None, '[{"name": ""}]', "[0.1, 16777217, -3.25]", "rec_b", None, "9", STAMP, None],
    ["custom~id:1", "NULL", "0", "0.1", None, "0000-03-01T00:00:00Z",
     None, None, None, None, None, None, "rec_a", "m1", None, None, None],
    ["😀", "\\.", None, None, None, "2024-06-01T00:00:00+05:30",
     '["e\u0301", "\\n\\t", "\\u0001"]', "1.00", None, None, None, None,
     None, None, "1", STAMP, STAMP],
]  # fmt: skip
MEMBERS: Rows = [["m1", "a@b.c", "rec_a", "0", STAMP, STAMP], ["m2", None, None, "0", STAMP, STAMP]]


def write_export(export: Export) -> None:
    teams, members, _ = TABLES
    export.rows("userTeams", ["id", *(each.name for each in teams.columns), *METADATA], TEAMS)
    export.rows("members", ["id", *(each.name for each in members.columns), *METADATA], MEMBERS)
    export.rows("nothing-in-it", ["id", *METADATA], [["n", "0", STAMP, STAMP]])


def as_array(text: str | None) -> str | None:
    """Write a list as PostgreSQL's array."""
    if text is None:
        return None
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in json.loads(text)) + "}"


def in_postgres(rows: Rows) -> list[list[str | None]]:
    """Write the teams as typed columns take them."""
    return [
        [
            as_array(cell) if place == 6 else "0001-03-01 00:00:00+00 BC" if cell and cell.startswith("0000") else cell
            for place, cell in enumerate(row)
        ]
        for row in rows
    ]


TYPED = ["text", "bigint", "float8", "boolean", "timestamptz", "text[]", *["jsonb"] * 4, "vector(3)"]
XATA_NAMES = ["id", *(each.name for each in TABLES[0].columns), *METADATA]
TARGET_NAMES = [
    *("xata_id", "team_name", "big_number", "f", "b", "seen_at", "labels", "j", "o", "fi", "fs", "v"),
    *("parent_id", "owner_id", "xata_version", "xata_createdat", "xata_updatedat"),
]
STAMPS = ["bigint", "timestamptz", "timestamptz"]


@pytest.mark.parametrize("spelling", ["xata", "target", "texts"])
def test_the_database_is_that_of_the_files(
    new_export: NewExport, server: Server, source: Database, from_source: FromSource, spelling: str
):
    export = new_export(*TABLES)
    write_export(export)
    other = server.new_database()
    expected = export.migrate(target=other.url)
    assert expected.red == {}
    names = TARGET_NAMES if spelling == "target" else XATA_NAMES
    if spelling == "texts":  # as they stand in the files
        types, rows = ["text"] * len(names), [list(row) for row in TEAMS]
    else:
        types, rows = ["text", *TYPED, "text", "text", *STAMPS], in_postgres(TEAMS)
    fill(source, "user_teams" if spelling == "target" else "userTeams", dict(zip(names, types, strict=True)), rows)
    stamps = zip(names[-3:], STAMPS, strict=True)
    fill(source, "members", {names[0]: "varchar(255)", "e": "text", "team_id": "text", **dict(stamps)}, MEMBERS)
    stamps = zip(names[-3:], STAMPS, strict=True)
    fill(source, "nothing-in-it", {names[0]: "text", **dict(stamps)}, [["n", "0", STAMP, STAMP]])
    result = from_source.migrate(*TABLES)
    assert result.red == {}
    tables = [each.name for each in result.migration.plan.tables]
    assert bits(export.database, tables) == bits(other, tables)
    assert {name: line.source_rows for name, line in result.lines.items()} == {
        name: line.source_rows for name, line in expected.lines.items()
    }
    assert [line.staging_warnings for line in result.lines.values()] == [[], [], []]
    line = result.lines["members"]
    assert (line.file, line.dialect, line.source) == (
        "public.members", "postgresql", result.migration.source_name,
    )  # fmt: skip
    again = from_source.migrate(*TABLES)
    assert again.red == {}
    assert set(again.changes.values()) == {(0, 0, 0)}


@pytest.mark.parametrize(
    ("type_", "xata_type", "value", "expected"),
    [
        ("text[]", "multiple", """ARRAY['a"b', '{c}', 'NULL', '', ' ', E'\\\\', 'd,e', E'\\n']""",
         'a"b|{c}|NULL|| |\\|d,e|\n'),
        ("varchar(9)[]", "multiple", "'[4:5]={a,b}'", "a|b"),
        ("jsonb", "multiple", """'["a", "b"]'""", "a|b"),
        ("json", "multiple", """' [ "a" , "b" ] '""", "a|b"),
        ("text", "multiple", """'["a","b"]'""", "a|b"),
        ("jsonb", "multiple", "'null'", None),
        ("vector(3)", "vector", "'[-0.0,1e-45,0.1]'", "80000000 00000001 3dcccccd"),
        ("real[]", "vector", "ARRAY['-0'::real, '1e-45', 0.1]", "80000000 00000001 3dcccccd"),
        ("double precision[]", "vector", "ARRAY['-0'::float8, 16777217, 0.1]", "80000000 4b800000 3dcccccd"),
        ("numeric[]", "vector", "ARRAY[1.50, 2, 0.1]", "3fc00000 40000000 3dcccccd"),
        ("jsonb", "vector", "'[1e-7, 16777217, 0.1]'", "33d6bf95 4b800000 3dcccccd"),
        ("json", "vector", "'[-0.0, 16777217, 0.1]'", "80000000 4b800000 3dcccccd"),
        ("text", "vector", "'[-0.0,16777217,0.1]'", "80000000 4b800000 3dcccccd"),
        ("jsonb", "vector", "'null'", None),
        ("jsonb", "json", "'null'", "null"),
        ("json", "json", "' null '", "null"),
        ("text", "json", "'null'", "null"),
        ("text", "json", "''", None),
        ("jsonb", "json", "'\"{\\\"a\\\": 1}\"'", '"{\\"a\\": 1}"'),
        ("json", "json", "'{\"b\": 1.00, \"a\": 2}'", '{"a": 2, "b": 1.00}'),
        ("text[]", "json", "ARRAY['a', NULL]", '["a", null]'),
        ("integer", "json", "5", "5"),
        ("jsonb", "object", "'null'", None),
        ("jsonb", "object", "'{\"a\": 1}'", '{"a": 1}'),
        ("jsonb[]", "file[]", "ARRAY['{\"name\": \"\"}'::jsonb]", '[{"name": ""}]'),
        ("double precision", "int", "1152921504606846976", "1152921504606846976"),
        ("double precision", "int", "'-0'", "0"),
        ("numeric", "int", "12.00", "12"),
        ("smallint", "int", "-7", "-7"),
        ("numeric", "float", "0.1", repr(0.1)),
        ("real", "float", "0.1", repr(0.1)),
        ("double precision", "float", "5e-324", "5e-324"),
        ("double precision", "float", "'-0'", "-0.0"),
        ("text", "float", "'-0.0'", "-0.0"),
        ("text", "bool", "'True'", "true"),
        ("timestamptz", "datetime", "'0044-03-15 00:00:00.000001+00'", "0044-03-15 00:00:00.000001+00"),
        ("timestamptz", "datetime", "'0001-02-29 01:00:00.5+00 BC'", "0001-02-29 01:00:00.5+00 BC"),
        ("timestamptz", "datetime", "'0002-12-31 00:01:00+00 BC'", "0002-12-31 00:01:00+00 BC"),
        ("timestamptz", "datetime", "'10000-01-01 23:58:59.999999+00'", "10000-01-01 23:58:59.999999+00"),
        ("timestamp", "datetime", "'2024-05-06 07:08:09.000001'", "2024-05-06 07:08:09.000001+00"),
        ("text", "datetime", "'2024-05-06T07:08:09.1+02:00'", "2024-05-06 05:08:09.1+00"),
        ("uuid", "string", "'6ecd8c99-4036-403d-bf84-cf8400f67836'", "6ecd8c99-4036-403d-bf84-cf8400f67836"),
        ("char(5)", "string", "'ab'", "ab"),
        ("bytea", "text", "'\\x00ff'", "\\x00ff"),
        ("text", "text", "''", ""),
        ("text", "text", "NULL", None),
        ("words", "multiple", "ARRAY['a', 'b']", "a|b"),
    ],
)  # fmt: skip
def test_a_column_in_every_form(
    source: Database, database: Database, from_source: FromSource, type_: str, xata_type: str, value: str, expected: Any
):
    source.query("CREATE DOMAIN words AS text[]")
    source.query(f"CREATE TABLE a (id text, x {type_})")
    source.query(f"INSERT INTO a VALUES ('r', {value})")
    result = from_source.migrate(table("a", column("x", xata_type, dimension=3 if xata_type == "vector" else None)))
    assert rejected(database) == []
    assert result.red == {}
    shown = {
        "multiple": "array_to_string(x, '|')",
        "vector": "(SELECT string_agg(encode(float4send(n), 'hex'), ' ') FROM unnest(x::real[]) AS n)",
        "float": "x::double precision",
    }.get(xata_type, "x::text")
    with psycopg.connect(database.url) as conn:
        conn.execute("SET TimeZone = 'UTC'")
        ((found,),) = conn.execute(f"SELECT {shown} FROM a").fetchall()
    assert (repr(found) if xata_type == "float" else found) == expected
    is_local = type_ == "timestamp"
    assert is_local is any("UTC" in warning for warning in result.lines["a"].staging_warnings)


@pytest.mark.parametrize(
    ("type_", "xata_type", "value", "reason"),
    [
        ("text", "int", "'12.5'", "bad_value"),
        ("double precision", "int", "12.5", "bad_value"),
        ("double precision", "int", "'9223372036854775808'", "bad_value"),
        ("double precision", "int", "'NaN'", "bad_value"),
        ("numeric", "int", "'NaN'", "bad_value"),
        ("double precision", "float", "'Infinity'", "bad_value"),
        ("numeric", "float", "1e-400::numeric", "bad_value"),
        ("timestamptz", "datetime", "'infinity'", "bad_value"),
        ("timestamptz", "datetime", "'10000-01-01 23:59:00+00'", "bad_value"),
        ("timestamptz", "datetime", "'0044-03-15 00:00:00+00 BC'", "bad_value"),
        ("date", "datetime", "'2024-01-01'", "bad_value"),
        ("text[]", "multiple", "ARRAY['a', NULL]", "bad_value"),
        ("text[]", "multiple", "ARRAY[ARRAY['a'], ARRAY['b']]", "bad_value"),
        ("int[]", "multiple", "ARRAY[1]", "bad_value"),
        ("vector", "vector", "'[1,2]'", "bad_dimension"),
        ("real[]", "vector", "ARRAY[1, 2, 'NaN']::real[]", "bad_value"),
        ("real[]", "vector", "ARRAY[1, 2, NULL]::real[]", "bad_value"),
        ("real[]", "vector", "ARRAY[1, 2, 3, 4]::real[]", "bad_dimension"),
        ("double precision[]", "vector", "ARRAY[1, 2, 1e300]", "bad_value"),
        ("json", "json", r"""'{"a": "\u0000"}'""", "nul_byte"),
        ("text", "json", "'{a: 1}'", "bad_value"),
        ("text", "json", r"""'"\ud800"'""", "bad_encoding"),
        ("jsonb", "file", "'[]'", "bad_value"),
        ("text", "bool", "'1'", "bad_value"),
    ],
)
def test_a_fault_in_every_form(
    source: Database, database: Database, from_source: FromSource, type_: str, xata_type: str, value: str, reason: str
):
    source.query(f"CREATE TABLE a (id text, x {type_})")
    source.query(f"INSERT INTO a VALUES ('bad', {value}), ('good', NULL)")
    kind = column("x", xata_type, dimension=3 if xata_type == "vector" else None)
    result = from_source.migrate(table("a", kind))
    ((old_id, name, _, found),) = rejected(database)
    assert (old_id, name, found) == ("bad", "x", reason)
    assert set(result.red) == {"a.row_count"}
    assert database.value("SELECT count(*) FROM a") == 1


def test_rows_that_are_wrong_as_such(source: Database, database: Database, from_source: FromSource):
    columns = {"id": "text", "n": "text", "u": "text", "xata_version": "bigint"}
    long = "x" * 256
    rows: Rows = [
        [None, "a", None, "0"], ["", "a", None, "0"], [long, "a", None, "0"], ["null", None, None, "0"],
        ["copy", "c", None, "0"], ["copy", "c", None, "0"], ["twice", "old", None, "1"],
        ["twice", "new, \"2\"", None, "2"],
        ["b", "", "same", "0"], ["a", "", "same", "0"], ["id", "n", "u", None],
    ]  # fmt: skip
    fill(source, "t", columns, rows)
    result = from_source.migrate(table("t", column("n", not_null=True), column("u", unique=True)))
    assert sorted(rejected(database), key=str) == [
        ("b", "u", "same", "duplicate_value"),
        ("null", "n", None, "null_not_allowed"),
        ("twice", "id", "twice", "duplicate_id"),
        (long, "id", long, "value_too_long"),
        (None, "id", "", "missing_id"),
        (None, "id", None, "missing_id"),
    ]
    facts = dict(database.query("SELECT old_id, raw FROM xata_migration.rejected_rows WHERE old_id IS NOT NULL"))
    assert (facts["b"], facts["twice"], facts["null"]) == ('b,"",same,0', "twice,old,,1", "null,,,0")
    assert database.query("SELECT DISTINCT file, line FROM xata_migration.rejected_rows") == [("public.t", None)]
    assert database.query("SELECT n, u FROM t JOIN xata_migration.t_id_mapping ON id = new_id ORDER BY old_id") == [
        ("", "same"), ("c", None), ("n", "u"), ('new, "2"', None),
    ]  # fmt: skip
    line = result.lines["t"]
    assert (line.source_rows, line.duplicate_rows, line.rejected_rows, line.target_rows) == (11, 1, 6, 4)
    assert set(result.red) == {"t.row_count"}


def test_a_null_id_alone_in_its_row(source: Database, database: Database, from_source: FromSource):
    fill(source, "t", {"id": "text"}, [[None], ["a"], [""], ["\\."], ["id"]])
    line = from_source.migrate(table("t")).lines["t"]
    assert (line.source_rows, line.rejected_rows, line.target_rows) == (5, 2, 3)
    assert {reason for *_, reason in rejected(database)} == {"missing_id"}


def test_bytes_that_are_no_text(server: Server, database: Database, new_export: NewExport):
    server_url = Database(server.url)
    server_url.query("CREATE DATABASE raw_bytes TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
    raw = Database(make_conninfo(server.url, dbname="raw_bytes"))
    raw.query("CREATE TABLE t AS SELECT 'a' AS id, E'x\\377y'::text AS s UNION SELECT 'b', 'fine'")
    migrate(new_export(table("t", column("s"))).migration(source=url_of(raw)))
    assert rejected(database) == [("a", "s", "x\ufffdy", "bad_encoding")]
    assert database.query("SELECT s FROM t") == [("fine",)]


def test_many_rows_found_again_across_blocks(source: Database, database: Database, from_source: FromSource):
    source.query(
        "CREATE TABLE t AS SELECT 'r' || lpad(i::text, 6, '0') AS id, repeat('x', 200) AS pad,"
        " CASE WHEN i % 7000 = 1 THEN 'same' ELSE i::text END AS u, CASE WHEN i % 9000 = 5 THEN 'bad' ELSE '1' END AS n"
        " FROM generate_series(0, 29999) AS i ORDER BY random()"
    )
    line = from_source.migrate(table("t", column("pad"), column("u", unique=True), column("n", "int"))).lines["t"]
    assert (line.source_rows, line.rejected_rows, line.target_rows) == (30000, 8, 29992)
    found = database.query("SELECT old_id, raw FROM xata_migration.rejected_rows WHERE reason = 'duplicate_value'")
    assert sorted(old_id for old_id, _ in found) == ["r007001", "r014001", "r021001", "r028001"]
    assert all(raw.startswith(f"{old_id},x") and raw.endswith(",same,1") for old_id, raw in found)


def test_all_tables_are_of_one_moment(source: Database, database: Database, from_source: FromSource):
    fill(source, "a", {"id": "text", "b": "text"}, [["a1", "b1"]])
    fill(source, "b", {"id": "text"}, [["b1"]])
    migration = from_source(table("a", link("b", "b")), table("b"))
    later, earlier = migration.plan.find("a"), migration.plan.find("b")
    migration.stage(later)
    source.query("DELETE FROM b")
    source.query("INSERT INTO b VALUES ('b2'), ('b3')")
    source.query("UPDATE a SET b = 'b2'")
    result = migrate(migration)
    assert result.red == {}
    assert database.query("SELECT old_id FROM xata_migration.b_id_mapping") == [("b1",)]
    assert migration.stage(earlier).source_rows == 1
    migration.close()
    result = migrate(migration)
    assert result.red == {}
    assert result.changes == {"b": (2, 0, 1), "a": (0, 1, 0)}
    assert database.query("SELECT old_id, new_id FROM xata_migration.b_id_mapping ORDER BY new_id") == [
        ("b1", 1), ("b2", 2), ("b3", 3),
    ]  # fmt: skip


def test_a_table_is_not_emptied_while_it_is_the_source(source: Database, from_source: FromSource):
    fill(source, "a", {"id": "text"}, [["a1"]])
    migration = from_source(table("a"))
    assert migration.heads()["a"].file == "public.a"
    with psycopg.connect(source.url) as conn:
        conn.execute("SET lock_timeout = 100")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute("TRUNCATE a")
    migration.close()
    source.query("TRUNCATE a")


def test_newer_rows_come_in_and_ids_stay(source: Database, database: Database, from_source: FromSource):
    fill(source, "a", {"id": "text", "s": "text"}, [["m", "old"], ["z", "gone"], ["k", "same"]])
    assert from_source.migrate(table("a", column("s"))).red == {}
    source.query("UPDATE a SET s = 'new' WHERE id = 'm'; DELETE FROM a WHERE id = 'z'; INSERT INTO a VALUES ('b', 'b')")
    result = from_source.migrate(table("a", column("s")))
    assert result.red == {}
    assert result.changes == {"a": (1, 1, 1)}
    assert database.query("SELECT id, s FROM a ORDER BY id") == [(1, "same"), (2, "new"), (4, "b")]


def test_checks_stage_again_what_was_cleaned(source: Database, database: Database, from_source: FromSource):
    fill(source, "a", {"id": "text", "s": "text"}, [["m", "old"], ["z", ""]])
    tables = (table("a", column("s")),)
    migration = from_source.migrate(*tables).migration
    database.query("DROP TABLE xata_staging.a")
    assert all(check.passed for check in migration.check(migration.plan.find("a")))
    assert database.value("SELECT count(*) FROM xata_staging.a") == 2
    source.query("UPDATE a SET s = 'new'")
    database.query("DROP TABLE xata_staging.a")
    fresh = from_source(*tables)
    fresh.check(fresh.plan.find("a"))
    assert database.query("SELECT s FROM a ORDER BY id") == [("old",), ("",)]
    assert from_source.migrate(*tables).red == {}
    assert database.query("SELECT s FROM a ORDER BY id") == [("new",), ("new",)]


def test_names(source: Database, database: Database, from_source: FromSource):
    hostile = 'we"ird; DROP TABLE x --%s'
    fill(
        source,
        "order",
        {"xata_id": "text", "id": "bigint", "select": "text", hostile: "text", "Xata_Version": "int"},
        [["o", "7", "s", "h", "4"]],
    )
    fill(source, "USERS", {"id": "text", "fullName": "text", "full_name": "text"}, [["u", "Xata", "target"]])
    fill(source, "users_2", {"id": "text"}, [["stranger"]])
    source.query("CREATE VIEW some_view AS SELECT 1 AS id")
    source.query("CREATE TABLE parts (id text, n int) PARTITION BY LIST (n)")
    source.query("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)")
    source.query("INSERT INTO parts VALUES ('p', 1)")
    source.query("CREATE VIEW looked AS SELECT id FROM parts UNION ALL SELECT 'q'")
    tables = (
        table("order", column("select"), column("lost", "int")),
        table("users", column("fullName")),
        table("parts", column("n", "int")),
        table("looked"),
        table("not_there"),
    )
    result = from_source.migrate(*tables)
    assert result.red == {}
    assert database.query('SELECT "select", lost, xata_version FROM "order"') == [("s", None, 4)]
    assert database.query("SELECT full_name FROM users") == [("Xata",)]
    assert database.query("SELECT n FROM parts") == [(1,)]
    assert database.value("SELECT count(*) FROM looked") == 2
    assert database.value("SELECT count(*) FROM not_there") == 0
    assert result.migration.warnings == ["public.users_2: no table of the schema has this name; it is left out"]
    warnings = result.lines["order"].staging_warnings
    assert warnings[0] == "order.lost: not in public.order; NULL in every row"
    assert warnings[1] == f"order.{hostile}: in public.order, but not in the schema; kept in staging only"
    assert "xata.createdAt" in warnings[2]
    assert "id is left out" in warnings[3]
    assert "order.xata_version" not in "".join(warnings)
    assert result.lines["not_there"].staging_warnings == [
        "not_there: schema public of the source has no table of this name"
    ]
    assert any("full_name" in warning for warning in result.lines["users"].staging_warnings)


def test_target_names_that_are_others_names(source: Database, database: Database, from_source: FromSource):
    columns = {"id": "text", "created_at": "text", "created_at_2": "text", "xata_id_2": "text", "xata_id": "text"}
    fill(source, "t", columns, [["wrong", "createdAt", "created_at", "own", "r"]])
    from_source.migrate(table("t", column("createdAt"), column("created_at"), column("xata_id")))
    assert database.query("SELECT created_at, created_at_2, xata_id_2 FROM t") == [("createdAt", "created_at", "own")]
    assert database.query("SELECT old_id FROM xata_migration.t_id_mapping") == [("r",)]


def test_an_own_column_called_as_the_old_id(source: Database, database: Database, from_source: FromSource):
    fill(source, "t", {"id": "text", "xata_id": "text"}, [["r", "own"]])
    from_source.migrate(table("t", column("xata_id")))
    assert database.query("SELECT xata_id_2, old_id FROM t, xata_migration.t_id_mapping") == [("own", "r")]


def test_a_table_lost_on_a_later_run_keeps_its_rows(source: Database, database: Database, from_source: FromSource):
    fill(source, "a", {"id": "text"}, [["r"]])
    from_source.migrate(table("a"))
    from_source.opened[0].close()
    source.query("DROP TABLE a")
    result = from_source.migrate(table("a"))
    assert result.red == {}
    assert "stay" in result.lines["a"].staging_warnings[0]
    assert database.value("SELECT count(*) FROM a") == 1


@pytest.mark.parametrize("columns", [{"name": "text"}, {"id": "text"}])
def test_columns_that_must_be_there(source: Database, from_source: FromSource, columns: dict[str, str]):
    fill(source, "a", columns, [])
    with pytest.raises(ExportError, match=r"^public\.a: .*column"):
        from_source.migrate(table("a", column("x", not_null=True)))


def test_another_schema_of_the_same_database(database: Database, new_export: NewExport):
    database.query("CREATE SCHEMA old")
    fill(database, "a", {"id": "text", "a": "text"}, [["r", "r"]], schema="old")
    migration = new_export(table("a", link("a", "a"))).migration(source=url_of(database), source_schema="old")
    assert migrate(migration).red == {}
    migration.close()
    assert database.query("SELECT id, a_id FROM public.a") == [(1, 1)]


@pytest.mark.parametrize("setting", ["target_schema", "work_schema", "staging_schema"])
def test_the_schema_that_is_written_to_is_no_source(database: Database, new_export: NewExport, setting: str):
    database.query("CREATE SCHEMA one")
    url = f"{url_of(database)}&application_name=other"
    migration = new_export(table("a")).migration(source=url, source_schema="one", **{setting: "one"})
    with pytest.raises(UsageError, match=f"source_schema: one of .* is the {setting}"):
        migration.stage(migration.plan.find("a"))
    assert database.query("SELECT 1 FROM pg_namespace WHERE nspname IN ('xata_migration', 'xata_staging')") == []


def test_a_schema_that_is_not_there(from_source: FromSource):
    with pytest.raises(UsageError, match="source_schema"):
        _ = from_source(table("a"), source_schema="nowhere").files


def test_the_password_is_not_shown(new_export: NewExport):
    export = new_export(table("a"))
    url = f"postgresql://me:{SECRET}@127.0.0.1:1/app?connect_timeout=2"
    migration = export.migration(source=url)
    with pytest.raises(TransientError, match=r"source 127\.0\.0\.1:1/app: ") as caught:
        migration.stage(migration.plan.find("a"))
    assert SECRET not in str(caught.value) + repr(caught.value.__cause__) + repr(migration.settings)
    assert migration.source_name == "127.0.0.1:1/app"
    assert migration.warnings == []
    broken = export.migration(source=f"postgresql://me:{SECRET}@[host/app")
    for attempt in (lambda: broken.files, lambda: broken.source_name):
        with pytest.raises(UsageError, match="setting source: not a PostgreSQL URL") as wrong_url:
            attempt()
        assert SECRET not in str(wrong_url.value)
    unknown = export.migration(source=f"mysql://me:{SECRET}@host/app")
    with pytest.raises(UsageError, match="setting source: mysql://host/app: Protocol not known") as wrong_url:
        _ = unknown.files
    assert SECRET not in str(wrong_url.value) + unknown.source_name
    with pytest.raises(UsageError, match="setting schema"):
        resolve_schema(load_settings(flags={"source": url}))


def test_the_plan_reads_no_rows_and_touches_nothing(source: Database, database: Database, from_source: FromSource):
    fill(source, "user_teams", {"id": "text", "x": "text"}, [["r", "x"]])
    migration = from_source(table("userTeams", column("y")), table("b"), source=url_of(source, password=SECRET))
    described = describe_plan(migration)
    assert SECRET not in json.dumps(described)
    teams = next(each for each in described["tables"] if each["xata_table"] == "userTeams")
    assert (teams["file"], teams["dialect"], teams["bytes"] > 0) == ("public.user_teams", "postgresql", True)
    warnings = "\n".join(described["warnings"])
    for expected in ("userTeams.y: not in", "userTeams.x: in public", "b: schema public", "xata.version"):
        assert expected in warnings
    assert database.query("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'xata%'") == []


def test_a_reader_left_alone_does_not_hold_the_others(source: Database, from_source: FromSource):
    source.query("CREATE TABLE a AS SELECT i::text AS id, repeat('x', 1000) AS s FROM generate_series(1, 20000) AS i")
    migration = from_source(table("a", column("s")))
    found = migration.files.found["a"]
    assert not hasattr(found, "path")
    abandoned = found.open(ReadOptions()).batches()
    next(abandoned)
    assert migration.stage(migration.plan.find("a")).source_rows == 20000
    abandoned.close()
    running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'"
    until(lambda: not source.value(running))  # its process ends in its own time


def test_a_lost_snapshot_is_told(source: Database, from_source: FromSource):
    fill(source, "a", {"id": "text"}, [["r"]])
    migration = from_source(table("a"))
    _ = migration.files
    source.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state LIKE 'idle in%'"
    )
    with pytest.raises(TransientError, match="snapshot is gone"):
        migration.stage(migration.plan.find("a"))
    migration.close()
    assert migration.stage(migration.plan.find("a")).source_rows == 1


def test_a_role_that_may_not_read_one_table(source: Database, from_source: FromSource):
    fill(source, "open", {"id": "text"}, [["r"]])
    fill(source, "shut", {"id": "text"}, [["r"]])
    source.query("CREATE ROLE reader LOGIN")
    source.query("GRANT SELECT ON open TO reader")
    migration = from_source(table("open"), table("shut"), source=url_of(source, "reader"))
    assert migration.stage(migration.plan.find("open")).source_rows == 1
    with pytest.raises(ExportError, match=r"public\.shut: permission denied"):
        migration.stage(migration.plan.find("shut"))


def test_a_source_closes_with_its_last_user(source: Database):
    opened = Source(source.url, "public")
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    assert source.value(count) == 1
    del opened
    until(lambda: source.value(count) == 0)
