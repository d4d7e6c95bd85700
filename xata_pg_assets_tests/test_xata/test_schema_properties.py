"""Any schema survives every form it is written in, and no file brings up anything but a SchemaError."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType
from xata_pg_assets.xata.schema_columns import dump_column
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets.xata.schema_json import dump_schema, read_schema_json
from xata_pg_assets.xata.schema_migrations import read_schema_migrations
from xata_pg_assets.xata.schema_ts import read_schema_ts

FLAT = [kind for kind in XataType if kind is not XataType.OBJECT]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["]", "[{(", "//", "/*", "'", '"', "\\", "`", "\n", "null", "now", "];", "as const", "\u2028", "😀"]
)
# A default that makes an xid is the mark of another kind of schema.
TEXT = ANY_TEXT.filter(lambda text: "xata_private.xid()" not in text)
# Xata's own names, and what only a hostile file holds: all but the metadata and the NUL.
NAMES = st.text("abcXYZ09_-~", min_size=1, max_size=8) | TEXT.filter(
    lambda name: name and "\0" not in name and name not in ("id", "xata") and not name.startswith("xata.")
)


@st.composite
def columns(draw: st.DrawFn, name: str, tables: list[str], depth: int = 2) -> XataColumn:
    kind = draw(st.sampled_from([*FLAT, XataType.OBJECT] if depth else FLAT))
    names = draw(st.lists(NAMES, max_size=3, unique=True)) if kind is XataType.OBJECT else []
    is_file = kind in (XataType.FILE, XataType.FILES)
    return XataColumn(
        name,
        kind,
        link=draw(st.sampled_from(tables) | NAMES) if kind is XataType.LINK else None,
        dimension=draw(st.integers(1, 16_000)) if kind is XataType.VECTOR else None,
        not_null=draw(st.booleans()),
        unique=draw(st.booleans()),
        default=draw(st.none() | TEXT),
        description=draw(st.none() | TEXT),
        public_access=draw(st.none() | st.booleans()) if is_file else None,
        columns=tuple(draw(columns(member, tables, depth - 1)) for member in names),
    )


@st.composite
def schemas(draw: st.DrawFn) -> XataSchema:
    tables = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return XataSchema(tuple(draw(_table(name, tables)) for name in tables))


@st.composite
def _table(draw: st.DrawFn, name: str, tables: list[str]) -> XataTable:
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    return XataTable(name, tuple(draw(columns(column, tables)) for column in names))


@st.composite
def scripts(draw: st.DrawFn, value: Any) -> str:
    """Write a value as a script may: any quotes, bare keys, comments, blanks and trailing commas."""
    space = st.sampled_from(["", " ", "\n", "\r\n\t", "// it's a ] [\n", '/* `}" */'])

    def quoted(text: str) -> str:
        inner = json.dumps(text)[1:-1]
        return f'"{inner}"' if draw(st.booleans()) else "'" + inner.replace('\\"', '"').replace("'", "\\'") + "'"

    def key(text: str) -> str:
        return text if text.isidentifier() and text.isascii() and draw(st.booleans()) else quoted(text)

    def written(value: Any) -> str:
        if isinstance(value, str):
            return quoted(value)
        if isinstance(value, dict):
            return listed("{}", [f"{key(name)}{draw(space)}:{written(fact)}" for name, fact in value.items()])
        if isinstance(value, list):
            return listed("[]", [written(item) for item in value])
        return json.dumps(value)

    def listed(brackets: str, items: list[str]) -> str:
        comma = draw(st.sampled_from(["", ","])) if items else ""
        inner = ",".join(f"{draw(space)}{item}{draw(space)}" for item in items)
        return f"{brackets[0]}{inner}{comma}{draw(space)}{brackets[1]}"

    declaration = draw(
        st.sampled_from(["const tables =", "export const tables=", "let tables: T[] =\n", "var tables = ("])
    )
    end = draw(st.sampled_from([" as const;", "", ";\nconst other = [1];", "\n satisfies T"]))
    closed = f"){end}" if declaration.endswith("(") else end
    head = draw(st.sampled_from(["", "// it's generated\n", "import x from 'y';\n", "/** @type {[]} */ "]))
    return f"{head}{declaration}{written(value)}{closed}"


def operations(schema: XataSchema) -> list[dict[str, Any]]:
    """Return a history of the schema: every table and column under another name first, and extras removed."""
    plain = [{"addTable": {"table": f"old {table.name}"}} for table in schema.tables]
    steps = [{"addTable": {"table": "\x01extra"}}, *plain]
    for table in schema.tables:
        here = f"old {table.name}"
        for column in table.columns:
            unlike = replace(column, name="\x01", link=column.link and _old(column.link, schema))
            steps += [
                {"addColumn": {"table": here, "column": dump_column(unlike)}},
                {"renameColumn": {"table": here, "oldName": "\x01", "newName": column.name}},
                {"addColumn": {"table": here, "column": {"name": "\x02", "type": "int"}}},
                {"removeColumn": {"table": here, "column": "\x02"}},
            ]
    back = [{"renameTable": {"oldName": f"old {table.name}", "newName": table.name}} for table in schema.tables]
    return [*steps, *back, {"removeTable": {"table": "\x01extra"}}]


def _old(link: str, schema: XataSchema) -> str:
    return f"old {link}" if any(table.name == link for table in schema.tables) else link


def plain_names(schema: XataSchema) -> bool:
    """Tell a schema whose names cannot be taken for the passing names of the history, or for a path."""
    names = [table.name for table in schema.tables]
    names += [name for table in schema.tables for column in table.columns for name in (column.name, column.link or "")]
    return not any(name[:1] in ("\x01", "\x02") or name.startswith("old ") or "." in name for name in names)


@given(schemas())
def test_a_dump_is_read_as_the_same_schema(schema: XataSchema):
    text = json.dumps(dump_schema(schema))
    assert read_schema_json(text, "schema.json") == schema


@settings(max_examples=60, deadline=None)
@given(st.data(), schemas())
def test_a_client_is_read_as_the_same_schema(data: st.DataObject, schema: XataSchema):
    assert read_schema_ts(data.draw(scripts(dump_schema(schema)["tables"])), "xata.ts") == schema


@settings(max_examples=60, deadline=None)
@given(st.data(), schemas().filter(plain_names))
def test_a_history_is_replayed_to_the_same_schema(data: st.DataObject, schema: XataSchema):
    steps = operations(schema)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(steps)), max_size=3)))
    parts = [steps[start:end] for start, end in zip([0, *cuts], [*cuts, len(steps)], strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(parts):
            (Path(folder) / f"m{number}.json").write_text(json.dumps({"operations": part}))
        (Path(folder) / ".ledger").write_text("\n".join(f"m{number}" for number in range(len(parts))))
        assert read_schema_migrations(Path(folder)) == schema


def _reads(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        if name == "m.json":
            (Path(folder) / ".ledger").write_text("m")
        refusal = _refusal(path.parent if name == "m.json" else path)
    assert refusal is None or (folder in refusal and refusal.isprintable())


def _refusal(path: Path) -> str | None:
    try:
        read_schema(path)
    except SchemaError as error:
        return str(error)
    return None


LINK = b'{"name": "c", "type": "link", "link": {"table": "t"}}'
FILES = b'{name: \'c\', type: "file[]", "file[]": {}}'
WHOLE = {
    "schema.json": b'{"tables": [{"name": "t", "columns": [' + LINK + b"]}]}",
    "xata.ts": b'// it\nconst tables = [{name: "t", columns: [' + FILES + b"]}] as const;",
    "m.json": b'{"operations": [{"addTable": {"table": "t"}}, {"addColumn": {"table": "t", "column": ' + LINK + b"}}]}",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(list(XataType)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "type", "columns", "link", "table", "vector", "dimension"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(WHOLE)), st.binary(max_size=60))
@example("schema.json", b"\xff\xfe{")
def test_random_bytes_bring_up_a_schema_error_only(name: str, data: bytes):
    _reads(name, data)
    _reads(name, b"const tables = [" + data + b"]" if name == "xata.ts" else b'{"tables": [' + data + b"]}")


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(list(WHOLE)))
def test_a_cut_or_altered_file_brings_up_a_schema_error_only(data: st.DataObject, name: str):
    whole = WHOLE[name]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    _reads(name, whole[:start] + data.draw(st.binary(max_size=3)) + whole[end:])
    _reads(name, whole[:start])


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_in_any_place_brings_up_a_schema_error_only(value: Any):
    table = {
        "name": "t",
        "columns": [{"name": "c", "type": "link"} | (value if isinstance(value, dict) else {})],
    }
    for body in (
        value,
        {"tables": value},
        {"tables": [value]},
        {"tables": [{"name": "t", "columns": value}]},
    ):
        _reads("schema.json", json.dumps(body).encode())
    _reads("schema.json", json.dumps({"schema": {"tables": [table]}}).encode())
    for body in ([value], [{"addTable": value}], [{"addTable": {"table": "t"}}, {"addColumn": value}]):
        _reads("m.json", json.dumps({"parentID": None, "operations": body}).encode())
    _reads("m.json", json.dumps({"parentID": value, "operations": value}).encode())
