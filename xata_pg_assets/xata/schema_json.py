"""The schema as JSON, as `xata schema dump` and the REST branch details hold it: read and written."""

from __future__ import annotations

import json
from typing import Any

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.xata.schema import XataSchema, XataTable
from xata_pg_assets.xata.schema_columns import (
    TOO_DEEP,
    dump_column,
    is_metadata,
    kind_of,
    read_column,
    read_list,
    read_name,
)
from xata_pg_assets.xata.schema_text import within

__all__ = ["decode", "dump_schema", "read_schema_json", "schema_of"]

POSTGRES_ENABLED = (
    "the schema of a Postgres-enabled database, which is a PostgreSQL database already: "
    "move it with `pg_dump` and `pg_restore`"
)
NAMES_ONLY = "only its name: this client is too old to list columns, give schema.json instead"


def read_schema_json(text: str, file: str) -> XataSchema:
    """Read the text of a schema.json; SchemaError names the file, and the line where the JSON is broken."""
    value = decode(text, file)
    with within(file):
        return schema_of(value)


def decode(text: str, file: str) -> Any:
    """Decode JSON, whatever stands in it; nothing but SchemaError comes out."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaError(f"{file}:{error.lineno}: not JSON: {error.msg}, column {error.colno}") from error
    except RecursionError:
        raise SchemaError(f"{file}: {TOO_DEEP}") from None
    except ValueError as error:  # a number of more digits than Python converts
        raise SchemaError(f"{file}: not JSON that can be read: {error}") from error


def schema_of(value: Any) -> XataSchema:
    """Build the schema from decoded JSON: `{"tables": […]}`, or `{"schema": {"tables": […]}}`."""
    wrapped = isinstance(value, dict) and "tables" not in value
    schema = value.get("schema") if wrapped else value
    if not isinstance(schema, dict) or "tables" not in schema:
        raise SchemaError('no "tables" in it: give what `xata schema dump` writes')
    tables = schema["tables"]
    if any(_is_postgres(table) for table in _entries(tables)):
        raise SchemaError(POSTGRES_ENABLED)
    if not isinstance(tables, list):
        raise SchemaError(f'"tables" is {kind_of(tables)}: it should be a list')
    return XataSchema(tuple(_read_table(table, number) for number, table in enumerate(tables, start=1)))


def dump_schema(schema: XataSchema) -> dict[str, Any]:
    """Return the schema as schema.json holds it; reading that again gives the same schema."""
    return {"tables": [_dump_table(table, schema) for table in schema.tables]}


def _read_table(raw: Any, number: int) -> XataTable:
    with within(f"table {number}"):
        if isinstance(raw, str):
            raise SchemaError(NAMES_ONLY)
        name = read_name(raw, "name")
        columns = read_list(raw, "columns")
    numbered = enumerate(columns, start=1)
    return XataTable(name, tuple(read_column(raw, name, at) for at, raw in numbered if not is_metadata(raw)))


def _dump_table(table: XataTable, schema: XataSchema) -> dict[str, Any]:
    reverse = [
        {"column": link.name, "table": other.name}
        for other in schema.tables
        for link in other.links
        if link.link == table.name
    ]
    columns = [dump_column(column) for column in table.columns]
    return {"name": table.name, "columns": columns} | ({"revLinks": reverse} if reverse else {})


def _entries(container: Any) -> list[Any]:
    """Return the entries of a list, or of the object that a Postgres-enabled dump may have in its place."""
    if isinstance(container, dict):
        return list(container.values())
    return container if isinstance(container, list) else []


def _is_postgres(table: Any) -> bool:
    if not isinstance(table, dict):
        return False
    keyed = table.get("primaryKey") is not None or table.get("foreignKeys") is not None
    return keyed or any(_makes_xid(column) for column in _entries(table.get("columns")))


def _makes_xid(column: Any) -> bool:
    """Tell the default with which a Postgres-enabled database makes its record ids."""
    default = column.get("defaultValue", column.get("default")) if isinstance(column, dict) else None
    return isinstance(default, str) and "xata_private.xid()" in default
