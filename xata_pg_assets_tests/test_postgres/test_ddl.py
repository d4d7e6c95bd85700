"""The DDL as `plan --sql` prints it, run as it is in an empty database and read back from the catalogs."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from xata_pg_assets.postgres.ddl import plan_statements
from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table
from xata_pg_assets_tests.fix_server import Database

_TYPES = {
    "string": "text", "text": "text", "email": "text", "int": "bigint", "float": "double precision", "bool": "boolean",
    "datetime": "timestamp with time zone", "multiple": "text[]", "json": "jsonb", "object": "jsonb", "file": "jsonb",
    "file[]": "jsonb",
}  # fmt: skip
_DEFAULTS = {
    "string": ["null", "", "it's \\ %s {} é"], "int": ["-9223372036854775808"], "float": ["-0.0", "5e-324"],
    "bool": ["true"],
    "datetime": ["now", "2020-01-02T03:04:05.000006+01:00"], "multiple": ['["NULL", "a,\\"b"]', "[]"],
    "json": ['{"a": 1.00}'],
    "email": ["a@b"], "text": [" padded "],
}  # fmt: skip
_RULES = {"restrict": "r", "no action": "a", "cascade": "c", "set null": "n"}


def _run(export: Export, **flags: Any) -> None:
    migration = export.migration(**flags)
    with psycopg.connect(export.database.url) as conn:
        text = ";\n".join(part.as_string(conn) for part in plan_statements(migration.wanted_layout, migration.plan))
        conn.execute(text)


def _columns(database: Database, name: str) -> list[tuple[Any, ...]]:
    return database.query(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 ORDER BY attnum",
        name,
    )


def test_types_metadata_identity_and_comments(new_export: NewExport, database: Database):
    columns = [column(f"c{place}", kind, not_null=place % 2 == 0) for place, kind in enumerate(_TYPES)]
    described = column("v", "vector", dimension=3, description="it's %s {} \n é")
    _run(new_export(table("a", *columns, described, link("l", "a"))), keep_old_id=True)
    assert _columns(database, "a") == [
        ("id", "bigint", True, "d", None),
        *((f"c{place}", kind, place % 2 == 0, "", None) for place, kind in enumerate(_TYPES.values())),
        ("v", "vector(3)", False, "", "it's %s {} \n é"),
        ("l_id", "bigint", False, "", None),
        ("xata_version", "bigint", False, "", None),
        ("xata_createdat", "timestamp with time zone", False, "", None),
        ("xata_updatedat", "timestamp with time zone", False, "", None),
        ("xata_id", "text", False, "", None),
    ]
    uniques = database.query("SELECT conkey FROM pg_constraint WHERE contype = 'u' AND conrelid = 'a'::regclass")
    assert uniques == [([19],)]


def test_tables_without_columns_or_metadata(new_export: NewExport, database: Database):
    _run(new_export(table("order"), table("a")), metadata_columns=False)
    assert [row[:2] for row in _columns(database, '"order"')] == [("id", "bigint")]
    assert database.value('INSERT INTO "order" DEFAULT VALUES RETURNING id') == 1


def test_defaults_are_what_they_say(new_export: NewExport, database: Database):
    columns = [
        column(f"{kind}{place}", kind, default=text)
        for kind, texts in _DEFAULTS.items()
        for place, text in enumerate(texts)
    ]
    _run(new_export(table("a", *columns)))
    database.query("INSERT INTO a DEFAULT VALUES")
    row = database.query(
        "SELECT string0, string1, string2, email0, text0, int0, float0::text, float1::text, bool0,"
        " datetime0 > now() - interval '1 h',"
        " extract(epoch FROM datetime1)::text, multiple0, multiple1, json0::text FROM a"
    )[0]
    assert row == (
        "null", "", "it's \\ %s {} é", "a@b", " padded ", -(2**63), "-0", "5e-324", True, True, "1577930645.000006",
        ["NULL", 'a,"b'], [], '{"a": 1.00}',
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_links_in_cycles_with_a_rule_for_each(new_export: NewExport, database: Database, size: int):
    names = [f"t{n}" for n in range(size)]
    tables = [
        table(name, link("next", names[(n + 1) % size]), *(link(f"l{i}", name, unique=i == 0) for i in range(4)))
        for n, name in enumerate(names)
    ]
    rules = {f"{name}.l{i}": rule for name in names for i, rule in enumerate(_RULES)}
    _run(new_export(*tables), on_delete_links=rules, on_delete="no action")
    found = database.query(
        "SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, c.confdeltype::text, convalidated,"
        " EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.conrelid AND x.indkey[0] = c.conkey[1] AND indnatts = 1)"
        " FROM pg_constraint c JOIN pg_attribute a ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f'"
    )
    assert set(found) == {
        *((name, "next_id", names[(n + 1) % size], "a", True, True) for n, name in enumerate(names)),
        *((name, f"l{i}_id", name, rule, True, True) for name in names for i, rule in enumerate(_RULES.values())),
    }
    assert len(found) == 5 * size
    assert (
        database.value("SELECT count(*) FROM pg_index WHERE NOT indisprimary AND indrelid::regclass::text ~ '^t'")
        == 5 * size
    )


_HOSTILE = [
    'a"b',
    '"; DROP TABLE x; --',
    "50%s",
    "%(a)s",
    "{}{0}{a}",
    "ÄÖÜ😀",
    "x" * 255,
    "é" * 200,
    "a\\b",
    "select",
    "id",
    "ctid",
    " ",
]


@pytest.mark.parametrize("naming", ["preserve", "snake_case"])
def test_hostile_names(new_export: NewExport, database: Database, naming: str):
    columns = [
        *(column(name) for name in _HOSTILE if name != "id"),
        *(link(f"{name}~", _HOSTILE[0]) for name in _HOSTILE),
    ]
    export = new_export(*(table(name, *columns) for name in _HOSTILE), naming=naming)
    schemas = {"target_schema": 'T"%s{}', "work_schema": "W';--%", "staging_schema": "s%(x)s"}
    _run(export, **schemas)
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace"
    assert len(database.query(query, '"T""%s{}"')) == len(_HOSTILE)
    database.query('DROP SCHEMA "T""%s{}" CASCADE')
    for name in (_HOSTILE[2], _HOSTILE[4]):
        export.rows(
            name, ["id", *(each.name for each in columns)], [["x", *(each.name for each in columns[:12]), *[None] * 13]]
        )
    assert export.migrate(**schemas).red == {}
    assert export.migrate(**schemas).changes[_HOSTILE[2]] == (0, 0, 0)


def test_the_migration_makes_the_same_as_the_plan(new_export: NewExport, database: Database):
    export = new_export(
        table("a", column("u", unique=True, not_null=True, default="d"), link("b", "b")),
        table("b", column("v", "vector", dimension=2), link("a", "a")),
    )
    _run(export, target_schema="planned")
    export.migrate(target_schema="made")
    facts = (
        "SELECT c.relname, c.relkind, a.attname, format_type(atttypid, atttypmod), attnotnull, attidentity,"
        " pg_get_expr(adbin, adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE relnamespace = %s::regnamespace AND attnum > 0 ORDER BY 1, attnum"
    )
    keys = (
        "SELECT conname, contype, replace(pg_get_constraintdef(oid), %s, '') FROM pg_constraint"
        " WHERE connamespace = %s::regnamespace ORDER BY 1"
    )
    assert database.query(facts, "made") == database.query(facts, "planned") != []
    assert database.query(keys, "made.", "made") == database.query(keys, "planned.", "planned") != []


def test_a_table_made_with_its_rows_is_the_one_that_the_plan_prints(new_export: NewExport, database: Database):
    """The load makes its table from a query; nothing in the catalogs may tell it from one made by its definition."""
    defaults = {kind: values[0] for kind, values in _DEFAULTS.items()}
    columns = [
        column(f"c{place}", kind, not_null=place % 2 == 0, **({"default": defaults[kind]} if kind in defaults else {}))
        for place, kind in enumerate(_TYPES)
    ]
    more = [column("v", "vector", dimension=3, description="it's"), link("l", "a"), link("lost", "nowhere")]
    export = new_export(table("a", *columns, *more), table("empty"))
    migration = export.migration(keep_old_id=True)
    with psycopg.connect(database.url, autocommit=True) as conn:
        for statement in plan_statements(migration.wanted_layout, migration.plan):
            conn.execute(statement)
        planned = _catalog(database)
        conn.execute("DROP TABLE a, empty CASCADE")
    for each in migration.plan.tables:
        migration.stage(each)
        migration.map_ids(each)
        migration.load(each)
    assert _catalog(database) == planned
    assert len(planned) > 30


def _catalog(database: Database) -> list[tuple[Any, ...]]:
    """Return what the catalogs know of the columns, constraints, indexes and sequences of both tables."""
    return [
        *database.query(
            "SELECT c.relname, a.attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attstorage,"
            " attcompression, attcollation::regcollation::text, attstattarget, pg_get_expr(adbin, adrelid),"
            " col_description(attrelid, attnum), relpersistence, reloptions FROM pg_class c"
            " JOIN pg_attribute a ON attrelid = c.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
            " WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND relname <> 'new_id'"
            " ORDER BY 1, attnum"
        ),
        *database.query(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1"
        ),
        *database.query(
            "SELECT relname, seqstart, seqincrement, seqmax FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid"
            " WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        ),
    ]
