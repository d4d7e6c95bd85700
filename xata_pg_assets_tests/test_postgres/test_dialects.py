"""The same dataset in every dialect gives the same database, and every fault its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xata_pg_assets_tests.fix_export import column, link, table
from xata_pg_assets_tests.test_xata.dialects import EVERY, WRITERS, write

ROWS: list[dict[str, Any]] = [
    {
        "id": "rec_a",
        "title": ' it\'s, "x"\n\\.\n',
        "body": "é😀 &#44; \r\n",
        "mail": "a@b.c",
        "count": 9007199254740993,
        "ratio": -1e-07,
        "done": True,
        "at": "0090-01-01T00:00:00.123456Z",
        "tags": ["a", "it's", '"', "\\", ""],
        "data": json.dumps({"k": [1, "],}", None], "s": "x\u00e9"}),
        "legacy": {"a": None, "b": [True, 1.5], "c": "it's"},
        "embedding": [1.5, 2.0, -3e-05],
        "parent": "rec_b",
        "xata.version": 3,
        "xata.createdAt": "2024-01-01T00:00:00Z",
    },
    {"id": "rec_b", "body": "", "data": '"a, \\"b\\""', "tags": [], "done": False, "parent": "rec_a"},
    {"id": "rec_c", "body": "NULL", "data": "1.5", "ratio": -0.0, "count": -(2**63)},
    {"id": "rec_d", "body": "x", "data": "true"},
]


def contents(export) -> list[Any]:
    """Return the rows as PostgreSQL prints them, without what only some dialects have."""
    rows = export.database.query(
        "SELECT to_jsonb(t) || jsonb_build_object('ratio', ratio::text) FROM public.t ORDER BY id"
    )
    return [{name: cell for name, cell in row.items() if not name.startswith("xata_")} for (row,) in rows]


EXPECTED = [
    {
        "id": 1,
        "title": ROWS[0]["title"],
        "body": ROWS[0]["body"],
        "mail": "a@b.c",
        "count": 9007199254740993,
        "ratio": "-1e-07",
        "done": True,
        "at": "0090-01-01T00:00:00.123456+00:00",
        "tags": ROWS[0]["tags"],
        "data": {"k": [1, "],}", None], "s": "xé"},
        "legacy": {"a": None, "b": [True, 1.5], "c": "it's"},
        "embedding": "[1.5,2,-3e-05]",
        "parent_id": 2,
    },
    {"id": 2, "body": "", "data": 'a, "b"', "tags": [], "done": False, "parent_id": 1},
    {"id": 3, "body": "NULL", "data": 1.5, "ratio": "-0", "count": -(2**63)},
    {"id": 4, "body": "x", "data": True},
]


@pytest.mark.parametrize("dialect", WRITERS)
def test_every_dialect_gives_the_same_database(new_export, dialect):
    export = new_export(EVERY)
    name, writer, _ = WRITERS[dialect]
    write(export.folder, name, writer(ROWS, EVERY), as_gzip=dialect.startswith("S"))
    result = export.migrate()
    assert result.red == {}
    found = contents(export)
    assert [{name: cell for name, cell in row.items() if cell is not None} for row in found] == EXPECTED


FAULTS = {
    "t.json": (
        '[{"id": "a", "body": "x", "count": 1.5}, {"id": "b", "body": "x"}, {"id": "c", "data": [1]}, {"id": "d",'
        ' "body": "x", "data": "\\u0000"}, {"id": "b", "body": "x"}, {"id": "b", "body": "y", "xata": {"version": 1}}]',
        [
            (1, "a", "count", "1.5", "bad_value"),
            (2, "b", "id", "b", "duplicate_id"),
            (3, "c", "body", None, "null_not_allowed"),
            (4, "d", "data", "\ufffd", "nul_byte"),
        ],
    ),
    "t.jsonl": (
        '{"id": "a", "body": "x", "count": 1.5}\n{"id": "b", "body": "x"}\n{"id": "c"}\n{"id": "d\n'
        '{"id": "b", "body": "x"}\n{"id": "b", "body": "y", "xata": {"version": 1}}',
        [
            (1, "a", "count", "1.5", "bad_value"),
            (2, "b", "id", "b", "duplicate_id"),
            (3, "c", "body", None, "null_not_allowed"),
            (4, None, None, None, "ragged"),
        ],
    ),
    "t.log": (
        "{'id': 'a', 'body': 'x', 'data': '{'}\n{'id': 'b', 'body': 'x'}\n{'id': 'c'}\nnothing\n"
        "{'id': 'b', 'body': 'x'}\n{'id': 'b', 'body': 'y'}",
        [
            (1, "a", "data", "{", "bad_value"),
            (2, "b", "id", "b", "duplicate_id"),
            (3, "c", "body", None, "null_not_allowed"),
            (4, None, None, None, "ragged"),
        ],
    ),
    "t.csv": (
        'id,body,count,data,done,embedding\na,"x",,{"k": 1,,\nb,"x",,,True,\nc,"x",,nothing,,\nd,"x",,,,[1, 2]\n'
        'b,"x",,,True,\nb,"y",,,False,',
        [
            (2, "a", "data", '{"k": 1', "bad_value"),
            (3, "b", "id", "b", "duplicate_id"),
            (4, "c", "data", "nothing", "bad_value"),
            (5, "d", "embedding", "[1, 2]", "bad_dimension"),
        ],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_told(new_export, name):
    content, expected = FAULTS[name]
    export = new_export(EVERY, max_rejected_rows=10)
    write(export.folder, name, content)
    line = export.migrate().lines["t"]
    assert (line.source_rows, line.duplicate_rows, line.rejected_rows) == (6, 1, 4)
    found = export.database.query(
        "SELECT line, old_id, xata_column, value, reason FROM xata_migration.rejected_rows ORDER BY line"
    )
    assert found == expected
    assert export.database.query("SELECT body FROM public.t") == [("y",)]


UNIQUE = table("t", column("n", "int", unique=True), column("d", "datetime", unique=True), column("data", "json"))
AS_IT_CAME = {
    "t.csv": ('id,n,d,xata.version\na,1,,\nb,"01",,\nc,,2024-01-01T00:00:00Z,\nd,,"2024-01-01 01:00:00+01:00",\n'),
    "t.json": '[{"id": "a", "n": 1}, {"id": "b", "n": 1.0}, {"id": "c", "d": "2024-01-01T00:00:00Z"},'
    ' {"id": "d", "d": "2024-01-01 01:00:00+01:00"}]',
    "t.jsonl": '{"id": "a", "n": 1}\n{"id": "b", "n": 1e0}\n{"id": "c", "d": "2024-01-01T00:00:00Z"}\n'
    '{"id": "d", "d": "2024-01-01T00:00:00.0Z"}',
    "t.log": "{'id': 'a', 'n': 1}\n{'id': 'b', 'n': '001'}\n{'id': 'c', 'd': '2024-01-01T00:00:00Z'}\n"
    "{'id': 'd', 'd': '2024-01-01T00:00:00.000Z'}",
    "xreplay": 'id,d,n,data\na,,1,{"k": 1, "l": 2}\nb,,01,\nc,2024-01-01T00:00:00Z,,\n'
    'd,"2024-01-01T00:00:00+00:00",,\n',
}


@pytest.mark.parametrize("name", AS_IT_CAME)
def test_a_value_that_stands_twice_is_told_as_it_came(new_export, name):
    export = new_export(UNIQUE, max_rejected_rows=2)
    write(export.folder, "t.csv" if name == "xreplay" else name, AS_IT_CAME[name])
    migration = export.migration()
    lines = [migration.stage(each) for each in migration.plan.tables]
    assert [line.dialect for line in lines] != ["console csv"] or name == "t.csv"
    told = export.database.query("SELECT old_id, xata_column, value FROM xata_migration.rejected_rows ORDER BY line")
    expected = {
        "t.csv": ["01", "2024-01-01 01:00:00+01:00"],
        "t.json": ["1.0", "2024-01-01 01:00:00+01:00"],
        "t.jsonl": ["1e0", "2024-01-01T00:00:00.0Z"],
        "t.log": ["001", "2024-01-01T00:00:00.000Z"],
        "xreplay": ["01", "2024-01-01T00:00:00+00:00"],
    }[name]
    assert told == [("b", "n", expected[0]), ("d", "d", expected[1])]


def test_a_structured_value_that_stands_twice_is_told_as_compact_json(new_export):
    export = new_export(table("t", column("m", "multiple", unique=True), link("up", "t", unique=True)))
    write(
        export.folder,
        "t.json",
        '[{"id": "a", "m": ["x", "y"]}, {"id": "b", "m": [ "x",\n "y" ]}, {"id": "c", "up": "a"},'
        ' {"id": "d", "up": {"id": "a", "m": []}}, {"id": "e", "up": {"id": "gone"}}]',
    )
    export.migrate(max_rejected_rows=3, dangling_links="reject")
    assert export.database.query(
        "SELECT old_id, xata_column, value, reason FROM xata_migration.rejected_rows ORDER BY line"
    ) == [
        ("b", "m", '["x","y"]', "duplicate_value"),
        ("d", "up", '{"id":"a","m":[]}', "duplicate_value"),
        ("e", "up", "gone", "dangling_link"),
    ]
