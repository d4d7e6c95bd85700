"""The first rows of a migrated table, with or without what is in them."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from xata_pg_assets.plan.tables import Role, TargetColumn, TargetTable
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.postgres.layout import Layout

__all__ = ["ROWS", "preview"]

ROWS = 10
CELL_LIMIT = 80

_SHAPES = {
    "text": sql.SQL("CASE {0} WHEN '' THEN 'empty' ELSE length({0}) || ' chars' END"),
    "text[]": sql.SQL("cardinality({0}) || ' items'"),
    "jsonb": sql.SQL("jsonb_typeof({0})"),
}
_SET = sql.SQL("CASE WHEN {0} IS NOT NULL THEN 'set' END")


def preview(conn: Connection, layout: Layout, table: TargetTable, *, with_values: bool) -> list[dict[str, Any]]:
    """Return the ten rows of the lowest ids; without values only ids, and of all else its size or that it is set.

    The ids are numbers given by the migration and tell nothing of a person.
    """
    columns = comma(
        sql.SQL("{} AS {}").format(_cell(column, with_values=with_values), sql.Identifier(column.name))
        for column in table.columns
    )
    with conn.cursor(row_factory=dict_row) as cur:
        query = sql.SQL("SELECT {} FROM {} AS t ORDER BY t.id LIMIT {}")
        return cur.execute(query.format(columns, layout.target(table), sql.Literal(ROWS))).fetchall()


def _cell(column: TargetColumn, *, with_values: bool) -> sql.Composable:
    name = sql.Identifier("t", column.name)
    if column.role is Role.ID or column.link:
        return name
    if with_values:
        return sql.SQL("left({}::text, {})").format(name, sql.Literal(CELL_LIMIT))
    return _SHAPES.get(column.type.name, _SET).format(name)
