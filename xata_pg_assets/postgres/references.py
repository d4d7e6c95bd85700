"""Soft references: old ids inside texts, lists and JSON, found and counted, never rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import column_types, exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = ["SoftReferences", "find_references"]

_HOLDING = ("text", "text[]", "jsonb")


@dataclass(frozen=True, slots=True)
class SoftReferences:
    """The generated ids in one column: how often, in how many rows, and which tables they are ids of.

    `resolved` counts by Xata table; an id of two tables counts for both. `unresolved` are ids of none.
    """

    xata_table: str
    table: str
    xata_column: str
    column: str
    ids: int
    rows: int
    resolved: Mapping[str, int]
    unresolved: int


def find_references(conn: Connection, layout: Layout, plan: Plan) -> Iterator[SoftReferences]:
    """Search every column that may hold old ids, and yield those that do.

    Only generated ids (`rec_` and 20 of `[0-9a-v]`) can be told from other words.
    """
    mapped = [table for table in plan.tables if exists(conn, layout.mapping(table))]
    for table in plan.tables:
        there = column_types(conn, layout.target(table))
        for column in table.columns:
            if column.role is Role.OWN and there.get(column.name) in _HOLDING:
                found = _search(conn, layout, table, column, mapped)
                if found.ids:
                    yield found


def _search(
    conn: Connection, layout: Layout, table: TargetTable, column: TargetColumn, mapped: list[TargetTable]
) -> SoftReferences:
    mappings = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, m.old_id FROM {} AS m").format(sql.Literal(other.xata_name), layout.mapping(other))
        for other in mapped
    )
    query = statements.get("soft_references").format(
        target=layout.target(table), column=sql.Identifier("t", column.name), mappings=mappings
    )
    ids, rows, unresolved, resolved = conn.execute(query).fetchone() or (0, 0, 0, {})
    return SoftReferences(
        table.xata_name, table.name, column.xata_name, column.name, ids, rows, dict(resolved), unresolved
    )
