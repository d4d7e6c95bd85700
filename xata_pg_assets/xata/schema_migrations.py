"""The schema as the sum of its migrations: the folder `.xata/migrations`, replayed in ledger order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType
from xata_pg_assets.xata.schema_columns import is_metadata, read_column, read_list, read_name
from xata_pg_assets.xata.schema_json import decode
from xata_pg_assets.xata.schema_text import read_text, shown, within

__all__ = ["LEDGER", "read_schema_migrations"]

LEDGER = ".ledger"

POSTGRES_ENABLED = (
    "a migration of a Postgres-enabled database: it holds raw SQL, and that database is a PostgreSQL "
    "database already: move it with `pg_dump` and `pg_restore`"
)
INCOMPLETE = (
    "names a parent ({parent}) that does not stand before it in the ledger of {count} migrations: "
    "the CLI cuts a ledger at 200; give schema.json or xata.ts instead"
)

Columns = tuple[XataColumn, ...]
Tables = dict[str, Columns]
Operation = Callable[[Tables, Mapping[str, Any]], Tables]


def read_schema_migrations(folder: AnyPath) -> XataSchema:
    """Replay the migrations that the ledger of a folder names; SchemaError names the file at fault."""
    tables: Tables = {}
    done: set[str] = set()
    names = _ledger(folder / LEDGER)
    for name in names:
        path = folder / f"{name}.json"
        file = shown(str(path))
        with within(f"{LEDGER} names what cannot be read: give schema.json or xata.ts instead"):
            value = decode(read_text(path), file)
        with within(file):
            migration = _migration(value)
            _check_parent(migration, done, len(names))
            tables = _replay(migration, tables)
        done |= {name, str(migration.get("id"))}
    with within(shown(str(folder))):
        return XataSchema(tuple(XataTable(name, columns) for name, columns in tables.items()))


def _ledger(path: AnyPath) -> Sequence[str]:
    names = [line.strip() for line in read_text(path).splitlines()]
    with within(shown(str(path))):
        for number, name in enumerate(names, start=1):
            if not name.isprintable() or "/" in name or "\\" in name:
                raise SchemaError(f"line {number} is no name of a migration: {shown(name)}")
    return [name for name in names if name]


def _migration(value: Any) -> Mapping[str, Any]:
    """Return the migration, unless it is one of a Postgres-enabled database."""
    if isinstance(value, dict) and "migration" in value:
        raise SchemaError(POSTGRES_ENABLED)
    if not isinstance(value, dict) or "operations" not in value:
        raise SchemaError("not a migration: an object with operations should be there")
    return value


def _check_parent(migration: Mapping[str, Any], done: set[str], count: int) -> None:
    """Refuse a ledger that lacks its beginning: a replay of the rest would be another schema."""
    parent = str(migration.get("parentID") or "")
    if parent and parent not in done:
        raise SchemaError(INCOMPLETE.format(parent=shown(parent), count=count))


def _replay(migration: Mapping[str, Any], tables: Tables) -> Tables:
    for number, step in enumerate(read_list(migration, "operations"), start=1):
        with within(f"operation {number}"):
            if not isinstance(step, dict) or len(step) != 1:
                raise SchemaError("it should be an object with one operation")
            ((name, facts),) = step.items()
            with within(shown(name)):
                tables = _operation(name)(tables, facts)
    return tables


def _operation(name: str) -> Operation:
    if name in _OPERATIONS:
        return _OPERATIONS[name]
    if name == "sql" or "_" in name:  # create_table, add_column, …: pgroll's, not Xata's own
        raise SchemaError(POSTGRES_ENABLED)
    raise SchemaError(f"not an operation of Xata: those are {', '.join(_OPERATIONS)}")


def _add_table(tables: Tables, facts: Mapping[str, Any]) -> Tables:
    name = read_name(facts, "table")
    if name in tables:
        raise SchemaError(f"table {shown(name)} is there already")
    return tables | {name: ()}


def _remove_table(tables: Tables, facts: Mapping[str, Any]) -> Tables:
    name = _known(tables, facts, "table")
    return {table: columns for table, columns in tables.items() if table != name}


def _rename_table(tables: Tables, facts: Mapping[str, Any]) -> Tables:
    """Rename a table and the links to it, which go by its name."""
    old, new = _known(tables, facts, "oldName"), read_name(facts, "newName")
    if new in tables and new != old:
        raise SchemaError(f"table {shown(new)} is there already")
    return {
        new if table == old else table: tuple(_relinked(column, old, new) for column in columns)
        for table, columns in tables.items()
    }


def _relinked(column: XataColumn, old: str, new: str) -> XataColumn:
    inner = tuple(_relinked(member, old, new) for member in column.columns)
    return replace(column, link=new if column.link == old else column.link, columns=inner)


def _add_column(tables: Tables, facts: Mapping[str, Any]) -> Tables:
    table, raw = _known(tables, facts, "table"), facts.get("column")
    if is_metadata(raw):
        return tables
    column = read_column(raw, table)

    def added(columns: Columns, name: str) -> Columns:
        _check_free(columns, name, table)
        return (*columns, replace(column, name=name))

    return tables | {table: _within_object(tables[table], column.name, added)}


def _remove_column(tables: Tables, facts: Mapping[str, Any]) -> Tables:
    table, path = _known(tables, facts, "table"), read_name(facts, "column")

    def removed(columns: Columns, name: str) -> Columns:
        _check_column(columns, name, table)
        return tuple(column for column in columns if column.name != name)

    return tables | {table: _within_object(tables[table], path, removed)}


def _rename_column(tables: Tables, facts: Mapping[str, Any]) -> Tables:
    """Rename a column, which keeps its place among the others."""
    table = _known(tables, facts, "table")
    old, new = read_name(facts, "oldName"), read_name(facts, "newName")

    def renamed(columns: Columns, name: str) -> Columns:
        _check_column(columns, name, table)
        target = new.removeprefix(old.removesuffix(name))
        if target != name:
            _check_free(columns, target, table)
        return tuple(replace(column, name=target) if column.name == name else column for column in columns)

    return tables | {table: _within_object(tables[table], old, renamed)}


def _within_object(columns: Columns, name: str, change: Callable[[Columns, str], Columns]) -> Columns:
    """Apply a change where the column lives: `address.city` is a member of the object `address`."""
    head, dot, rest = name.partition(".")
    for at, column in enumerate(columns):
        if dot and column.name == head and column.type is XataType.OBJECT:
            inner = replace(column, columns=_within_object(column.columns, rest, change))
            return (*columns[:at], inner, *columns[at + 1 :])
    return change(columns, name)


def _known(tables: Tables, facts: Mapping[str, Any], key: str) -> str:
    name = read_name(facts, key)
    if name not in tables:
        raise SchemaError(f"there is no table {shown(name)} at this point")
    return name


def _check_column(columns: Columns, name: str, table: str) -> None:
    if all(column.name != name for column in columns):
        raise SchemaError(f"table {shown(table)} has no column {shown(name)} at this point")


def _check_free(columns: Columns, name: str, table: str) -> None:
    if any(column.name == name for column in columns):
        raise SchemaError(f"table {shown(table)}: column {shown(name)} is there already")


_OPERATIONS: Mapping[str, Operation] = {
    "addTable": _add_table,
    "removeTable": _remove_table,
    "renameTable": _rename_table,
    "addColumn": _add_column,
    "removeColumn": _remove_column,
    "renameColumn": _rename_column,
}
