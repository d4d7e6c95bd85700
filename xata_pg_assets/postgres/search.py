"""Full-text search in place of Xata's: a generated column of a text's words beside it, under a GIN index.

Nothing that PostgreSQL would refuse to index may keep a row out of the table: a word list holds 1 MB, and a text of
up to 200 kB, the longest that Xata takes, always fits into it; of a longer one the beginning is indexed.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from uuid import uuid4

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import TargetError
from xata_pg_assets.plan.extras import SearchColumn
from xata_pg_assets.plan.tables import Plan, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.postgres.indexes import (
    MARK,
    Built,
    Shape,
    equal_index,
    make_index,
    mark_index,
    refuse_unmade,
    vector_index_statements,
)
from xata_pg_assets.postgres.layout import Layout

__all__ = ["build_search", "extra_statements", "own_columns", "unknown_language"]

_LONGEST = 204_800  # bytes; the longest text of Xata
_KNOWN = 12


def build_search(conn: Connection, layout: Layout, table: TargetTable) -> Built:
    """Make the search columns of a table, in one pass over it, and their indexes; equal ones are left.

    Raises:
        TargetError: the table is not there, or something else has the name of a column or an index.
    """
    started = perf_counter()
    with conn.transaction():
        refuse_unmade(conn, layout, table)
        missing = _missing(conn, layout, table)
        if missing:
            conn.execute(_add_columns(layout, table, missing))
        unindexed = [column for column in table.search_columns if not _is_indexed(conn, layout, table, column)]
        for column in unindexed:
            make_index(conn, layout, table, column.index, _create_index(layout, table, column))
        for column in missing:
            conn.execute(_mark_column(layout, table, column))
    names = tuple(column.name for column in table.search_columns)
    return Built(names, bool(missing or unindexed), perf_counter() - started)


def _search_statements(layout: Layout, table: TargetTable) -> list[sql.Composed]:
    """Return the statements that make the search columns of a table that has none."""
    if not table.search_columns:
        return []
    made = [_add_columns(layout, table, table.search_columns)]
    for column in table.search_columns:
        made.append(_create_index(layout, table, column))
        made.append(mark_index(sql.Identifier(layout.target_schema, column.index)))
        made.append(_mark_column(layout, table, column))
    return made


def extra_statements(layout: Layout, plan: Plan) -> list[sql.Composed]:
    """Return the statements that make what the settings ask for beside the tables: search columns, vector indexes."""
    statements: list[sql.Composed] = []
    for table in plan.tables:
        statements += _search_statements(layout, table)
        for index in table.vector_indexes:
            statements += vector_index_statements(layout, table, index)
    return statements


def own_columns(conn: Connection, schema: str, table: str) -> set[str]:
    """Return the search columns of a table that a migration made, whatever the settings say now."""
    return {name for name, (*_, comment) in _generated(conn, schema, table).items() if comment == MARK}


def unknown_language(conn: Connection, language: str) -> str | None:
    """Say so where the server has no such text search configuration."""
    rows = conn.execute(
        "SELECT n.nspname, c.cfgname FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace"
        " ORDER BY n.nspname <> 'pg_catalog', c.cfgname <> 'simple', c.cfgname"
    ).fetchall()
    names = [name if schema == "pg_catalog" else f"{schema}.{name}" for schema, name in rows]
    if language in names:
        return None
    shown = ", ".join(names[:_KNOWN]) + (", …" if len(names) > _KNOWN else "")
    return f"setting search_language: the target has no text search configuration {language}; it has {shown}"


def _missing(conn: Connection, layout: Layout, table: TargetTable) -> list[SearchColumn]:
    """Return the columns to be made, those of ours that are to be made otherwise dropped."""
    there, planned = _generated(conn, layout.target_schema, table.name), _planned(conn, layout, table)
    missing: list[SearchColumn] = []
    for column in table.search_columns:
        if column.name in there:
            kind, expression, comment = there[column.name]
            if (kind, expression) == ("s", planned[column.name]):
                continue
            if comment != MARK:
                raise TargetError(
                    f"table {table.name}: has a column {column.name} already that is not the search column of "
                    f"{column.column}; rename or drop it"
                )
            _drop(conn, layout, table, column)
        missing.append(column)
    return missing


def _drop(conn: Connection, layout: Layout, table: TargetTable, column: SearchColumn) -> None:
    try:
        with conn.transaction():
            name = sql.Identifier(column.name)
            conn.execute(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(layout.target(table), name))
    except pg.DependentObjectsStillExist:
        raise TargetError(
            f"table {table.name}: the search column {column.name} is to be made anew, and an object of yours "
            "depends on it; drop that object first"
        ) from None


def _generated(conn: Connection, schema: str, table: str) -> dict[str, tuple[str, str, str]]:
    """Return the columns of a table: kind (`s`: generated and stored), expression and comment."""
    query = statements.get("generated_columns").format(schema=sql.Literal(schema), table=sql.Literal(table))
    return {name: (kind, expression, comment) for name, kind, expression, comment in conn.execute(query)}


def _planned(conn: Connection, layout: Layout, table: TargetTable) -> dict[str, str]:
    """Return the expressions of the search columns as the catalog will write them."""
    probe = f"probe_{uuid4().hex}"
    name = sql.Identifier(layout.work_schema, probe)
    sources = {column.column: column.type for column in table.search_columns}
    with conn.transaction(force_rollback=True):
        conn.execute(
            sql.SQL("CREATE TABLE {} ({}, {})").format(
                name,
                comma(sql.SQL("{} {}").format(sql.Identifier(each), sql.SQL(type_)) for each, type_ in sources.items()),
                comma(_definition(column) for column in table.search_columns),
            )
        )
        probed = _generated(conn, layout.work_schema, probe)
    return {column.name: probed[column.name][1] for column in table.search_columns}


def _is_indexed(conn: Connection, layout: Layout, table: TargetTable, column: SearchColumn) -> bool:
    return equal_index(conn, layout, table, Shape("gin", "tsvector_ops", column.name, "")) is not None


def _add_columns(layout: Layout, table: TargetTable, columns: Sequence[SearchColumn]) -> sql.Composed:
    """Add columns; all at once, for each time the table is written anew."""
    added = comma(sql.SQL("ADD COLUMN {}").format(_definition(column)) for column in columns)
    return sql.SQL("ALTER TABLE {} {}").format(layout.target(table), added)


def _create_index(layout: Layout, table: TargetTable, column: SearchColumn) -> sql.Composed:
    return sql.SQL("CREATE INDEX {} ON {} USING gin ({})").format(
        sql.Identifier(column.index), layout.target(table), sql.Identifier(column.name)
    )


def _mark_column(layout: Layout, table: TargetTable, column: SearchColumn) -> sql.Composed:
    return sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
        layout.target(table), sql.Identifier(column.name), sql.Literal(MARK)
    )


def _definition(column: SearchColumn) -> sql.Composed:
    return sql.SQL("{} tsvector GENERATED ALWAYS AS ({}) STORED").format(sql.Identifier(column.name), _words(column))


def _words(column: SearchColumn) -> sql.Composed:
    """Return the words of the column: of a list those of its items, of JSON those of its strings.

    Only what is immutable may stand here, which no function is that joins a list; `jsonb_object` is.
    """
    value: sql.Composable = sql.Identifier(column.column)
    if column.type == "text[]":
        items = sql.SQL("array_remove({}, NULL)").format(value)
        value = sql.SQL("jsonb_object({0}, {0})").format(items)
    text = value if column.type == "text" else sql.SQL("({})::text").format(value)
    language = sql.Literal(sql.Identifier(*column.language.split(".", 1)).as_string())
    return sql.SQL(
        "CASE WHEN octet_length({text}) <= {longest} THEN to_tsvector({language}::regconfig, {value})"
        " ELSE to_tsvector({language}::regconfig, left({text}, {cut})) END"
    ).format(
        text=text,
        longest=sql.Literal(_LONGEST),
        language=language,
        value=value,
        cut=sql.Literal(_LONGEST // 4),  # characters of up to 4 bytes
    )
