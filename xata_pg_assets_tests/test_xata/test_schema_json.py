"""schema.json: what every spelling of it is read as, and what each fault is told as."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.errors import ExitCode, SchemaError
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets.xata.schema_json import dump_schema

EXAMPLE = Path(__file__).parents[2] / "xata_pg_assets" / "example" / "schema.json"

NAME = XataColumn("name", XataType.STRING)
USERS = XataSchema((XataTable("users", (NAME,)),))
USERS_JSON = '{"tables": [{"name": "users", "columns": [{"name": "name", "type": "string"}]}]}'

# One spelling of the same schema each.
SAME = {
    "plain": USERS_JSON,
    "byte_order_mark": "\ufeff" + USERS_JSON,
    "format_version_1": '{"formatVersion": "1.0", ' + USERS_JSON[1:],
    "format_version_empty": '{"formatVersion": "", ' + USERS_JSON[1:],
    "wrapped": f'{{"schema": {USERS_JSON}}}',
    "branch_details": f'{{"branchName": "main", "metadata": {{}}, "schema": {USERS_JSON}}}',
    "tables_order": '{"tablesOrder": ["b", "a"], ' + USERS_JSON[1:],
    "unknown_keys": USERS_JSON.replace('"type"', '"pgType": "text", "comment": "", "type"'),
    "reverse_links": USERS_JSON.replace('"columns"', '"revLinks": [{"column": "x", "table": "y"}], "columns"'),
    "nulls": USERS_JSON.replace('"type"', '"link": null, "notNull": null, "defaultValue": null, "type"'),
    "facts_of_another_type": USERS_JSON.replace('"type"', '"vector": {}, "link": {}, "columns": [1], "type"'),
    "listed_metadata": USERS_JSON.replace(
        '"columns": [',
        '"columns": [{"name": "id", "type": "string"}, {"name": "xata", "type": "?"}, '
        '{"name": "xata.version", "type": "int"}, ',
    ),
}

INNER = {"name": "x", "type": "int"}
COLUMNS: dict[str, tuple[dict[str, Any], XataColumn]] = {
    "default": ({"type": "text", "defaultValue": "null"}, XataColumn("c", XataType.TEXT, default="null")),
    "empty_default": ({"type": "text", "defaultValue": ""}, XataColumn("c", XataType.TEXT, default="")),
    "number_default": (
        {"type": "int", "defaultValue": 2**53 + 1},
        XataColumn("c", XataType.INT, default=f"{2**53 + 1}"),
    ),
    "bool_default": (
        {"type": "bool", "defaultValue": False},
        XataColumn("c", XataType.BOOL, default="false"),
    ),
    "object_default": (
        {"type": "json", "defaultValue": {"é": [1]}},
        XataColumn("c", XataType.JSON, default='{"é": [1]}'),
    ),
    "not_null": ({"type": "int", "notNull": True}, XataColumn("c", XataType.INT, not_null=True)),
    "unique": ({"type": "email", "unique": True}, XataColumn("c", XataType.EMAIL, unique=True)),
    "description": (
        {"type": "int", "description": "a\nb"},
        XataColumn("c", XataType.INT, description="a\nb"),
    ),
    "vector": (
        {"type": "vector", "vector": {"dimension": 1536}},
        XataColumn("c", XataType.VECTOR, dimension=1536),
    ),
    "link": (
        {"type": "link", "link": {"table": "elsewhere"}},
        XataColumn("c", XataType.LINK, link="elsewhere"),
    ),
    "file": (
        {"type": "file", "file": {"defaultPublicAccess": False}},
        XataColumn("c", XataType.FILE, public_access=False),
    ),
    "file_silent": ({"type": "file", "file": {}}, XataColumn("c", XataType.FILE)),
    "files": (
        {"type": "file[]", "file[]": {"defaultPublicAccess": True}},
        XataColumn("c", XataType.FILES, public_access=True),
    ),
    "object": (
        {"type": "object", "columns": [{"name": "id", "type": "object", "columns": [INNER]}]},
        XataColumn(
            "c",
            XataType.OBJECT,
            columns=(XataColumn("id", XataType.OBJECT, columns=(XataColumn("x", XataType.INT),)),),
        ),
    ),
}

# The file, and what its message must say.
REFUSED = {
    "empty_file": ("", "schema.json:1: not JSON"),
    "cut": ('{"tables": [\n{"name": "users",', "schema.json:2: not JSON"),
    "list": ("[]", 'no "tables"'),
    "no_tables_key": ("{}", 'no "tables"'),
    "schema_of_nothing": ('{"schema": null}', 'no "tables"'),
    "tables_a_number": ('{"tables": 7}', '"tables" is a number'),
    "no_table": ('{"tables": []}', "schema.json: the schema holds no table"),
    "table_names_only": ('{"tables": ["users"]}', "table 1: only its name"),
    "table_a_number": ('{"tables": [7]}', "table 1: a number where an object should be"),
    "table_nameless": ('{"tables": [{"columns": []}]}', 'table 1: "name" is missing'),
    "table_name_empty": ('{"tables": [{"name": ""}]}', "table 1: \"name\" is ''"),
    "nul_in_a_name": ('{"tables": [{"name": "a\\u0000"}]}', 'table 1: "name" is'),
    "half_a_surrogate": ('{"tables": [{"name": "\\ud800"}]}', 'table 1: "name" is not valid Unicode'),
    "table_twice": ('{"tables": [{"name": "a"}, {"name": "a"}]}', "schema.json: table a stands twice"),
    "columns_an_object": ('{"tables": [{"name": "a", "columns": {}}]}', 'table 1: "columns" is an object'),
    "huge_number": ('{"tables": ' + "9" * 5000 + "}", "schema.json: not JSON that can be read"),
    "deep": ("[" * 100_000, "schema.json: nested too deep"),
}

REFUSED_COLUMNS = {
    "a_string": ('"c"', "table t: column 1: a string where"),
    "nameless": ('{"type": "int"}', 'table t: column 1: "name" is missing'),
    "typeless": ('{"name": "c"}', 'table t: column c: "type" is missing'),
    "unknown_type": (
        '{"name": "c", "type": "varchar(256)"}',
        "column c: type varchar(256): Xata's types are string",
    ),
    "type_a_list": ('{"name": "c", "type": []}', 'column c: "type" is a list'),
    "link_without_table": ('{"name": "c", "type": "link"}', "column c: a link without the table"),
    "link_to_nothing": ('{"name": "c", "type": "link", "link": {}}', 'column c: "link": "table" is missing'),
    "vector_without_dimension": (
        '{"name": "c", "type": "vector", "vector": {}}',
        "column c: a vector without",
    ),
    "vector_of_true": ('{"name": "c", "type": "vector", "vector": {"dimension": true}}', "a vector without"),
    "vector_of_nothing": ('{"name": "c", "type": "vector", "vector": {"dimension": 0}}', "a vector without"),
    "vector_below_nothing": ('{"name": "c", "type": "vector", "vector": {"dimension": -1}}', "a vector without"),
    "not_null_a_string": ('{"name": "c", "type": "int", "notNull": "yes"}', '"notNull" is a string'),
    "file_a_string": ('{"name": "c", "type": "file", "file": "x"}', "column c: a string where an object"),
    "half_a_default": (
        '{"name": "c", "type": "text", "defaultValue": "\\udc00"}',
        '"defaultValue" is not valid',
    ),
    "member_nameless": ('{"name": "c", "type": "object", "columns": [{}]}', "column c: column 1:"),
    "twice": (
        '{"name": "c", "type": "int"}, {"name": "c", "type": "int"}',
        "schema.json: table t: column c stands",
    ),
    "name_of_lines": ('{"name": "a\\nb", "type": "?"}', "column 'a\\nb'"),
}

POSTGRES_ENABLED = {
    "primary_key": '{"tables": [{"name": "t", "primaryKey": ["xata_id"], "columns": []}]}',
    "foreign_keys": '{"tables": [{"name": "ok"}, {"name": "t", "foreignKeys": {}}]}',
    "xid": '{"tables": [{"name": "t", "columns": [{"name": "xata_id", "type": "text", "defaultValue": '
    "\"('rec_'::text || (xata_private.xid())::text)\"}]}]}",
    "by_name": '{"schema": {"name": "public", "tables": {"t": {"columns": {"xata_id": {"default": '
    '"xata_private.xid()"}}}}}}',
}


def read(folder: Path, text: str) -> XataSchema:
    path = folder / "schema.json"
    path.write_text(text, "utf-8")
    return read_schema(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SchemaError) as caught:
        read(folder, text)
    message = str(caught.value)
    assert "schema.json" in message
    assert message.isprintable(), "a message is one line"
    assert caught.value.exit_code is ExitCode.USAGE
    return message


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_every_spelling_is_the_same_schema(text: str, tmp_path: Path):
    assert read(tmp_path, text) == USERS


@pytest.mark.parametrize(("raw", "column"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_is_read_and_written(raw: dict[str, Any], column: XataColumn, tmp_path: Path):
    schema = read(tmp_path, json.dumps({"tables": [{"name": "t", "columns": [{"name": "c", **raw}]}]}))
    assert schema.tables[0].columns == (column,)
    assert read(tmp_path, json.dumps(dump_schema(schema))) == schema


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_schema_is_refused(text: str, reason: str, tmp_path: Path):
    assert reason in refusal(tmp_path, text)


@pytest.mark.parametrize(("columns", "reason"), REFUSED_COLUMNS.values(), ids=REFUSED_COLUMNS)
def test_what_is_no_column_is_refused(columns: str, reason: str, tmp_path: Path):
    assert reason in refusal(tmp_path, f'{{"tables": [{{"name": "t", "columns": [{columns}]}}]}}')


@pytest.mark.parametrize("text", POSTGRES_ENABLED.values(), ids=POSTGRES_ENABLED)
def test_a_postgres_enabled_schema_is_sent_to_pg_dump(text: str, tmp_path: Path):
    assert "pg_dump" in refusal(tmp_path, text)


def test_a_column_called_xata_id_makes_no_postgres_enabled_schema(tmp_path: Path):
    assert read(tmp_path, USERS_JSON.replace('"name": "name"', '"name": "xata_id"')).tables[0].columns


@pytest.mark.parametrize("depth", [33, 300])
def test_columns_nested_without_end_are_refused(depth: int, tmp_path: Path):
    column: dict[str, Any] = {"name": "c", "type": "int"}
    for _ in range(depth):
        column = {"name": "c", "type": "object", "columns": [column]}
    text = json.dumps({"tables": [{"name": "t", "columns": [column]}]})
    assert "nested too deep" in refusal(tmp_path, text)


def test_a_default_nested_up_to_the_limit_of_python_brings_up_a_schema_error_only(tmp_path: Path):
    column = '{"name": "c", "type": "json", "defaultValue": %s}'
    for depth in range(850, 1000):
        text = '{"tables": [{"name": "t", "columns": [%s]}]}' % (column % ("[" * depth + "]" * depth))
        with suppress(SchemaError):
            read(tmp_path, text)


def test_utf_16_is_read(tmp_path: Path):
    path = tmp_path / "schema.json"
    path.write_text(USERS_JSON, "utf-16")
    assert read_schema(path) == USERS


def test_the_dump_of_the_example_differs_only_in_the_order_of_reverse_links():
    original = json.loads(EXAMPLE.read_text())
    dumped = dump_schema(read_schema(EXAMPLE))
    assert [_sorted(table) for table in dumped["tables"]] == [_sorted(table) for table in original["tables"]]


def test_reverse_links_stand_on_the_table_they_point_to():
    schema = XataSchema(
        (
            XataTable("a", (XataColumn("self", XataType.LINK, link="a"),)),
            XataTable("b", (XataColumn("up", XataType.LINK, link="a"), XataColumn("out", XataType.LINK, link="z"))),
        )
    )
    assert [table.get("revLinks") for table in dump_schema(schema)["tables"]] == [
        [{"column": "self", "table": "a"}, {"column": "up", "table": "b"}],
        None,
    ]


def _sorted(table: dict[str, Any]) -> dict[str, Any]:
    return table | {"revLinks": sorted(map(str, table.get("revLinks", [])))}
