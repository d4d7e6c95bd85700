"""The one field that copying files adds to a file object: the key of the copy.

What the ledger knows to be copied is part of what the column should hold: the load writes it, the checks expect it,
and a key that anybody changes is seen like any other value. A table without copied files costs one question.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from xata_pg_assets.plan.tables import TargetColumn, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.schema import XataType

__all__ = ["FIELD", "columns_with_keys", "file_columns", "objects_query", "with_keys", "write_keys"]

FIELD = "key"  # beside Xata's own fields; one that Xata has already wins
FILE_TYPES = (XataType.FILE, XataType.FILES)


def file_columns(table: TargetTable) -> tuple[TargetColumn, ...]:
    """Return the columns of a table that hold file objects."""
    return tuple(column for column in table.columns if column.xata_type in FILE_TYPES)


def columns_with_keys(conn: Connection, layout: Layout, table: TargetTable) -> frozenset[str]:
    """Return the Xata names of the table's columns that files were copied for; asks only where there are such."""
    columns = file_columns(table)
    if not columns or not exists(conn, layout.work("files")):
        return frozenset()
    rows = conn.execute(
        sql.SQL(
            "SELECT c FROM unnest({}::text[]) AS c WHERE EXISTS (SELECT FROM {} AS f"
            " WHERE f.xata_table = {} AND f.xata_column = c AND f.key IS NOT NULL)"
        ).format(
            sql.Literal([column.xata_name for column in columns]),
            layout.work("files"),
            sql.Literal(table.xata_name),
        )
    )
    return frozenset(name for (name,) in rows)


def with_keys(
    layout: Layout, table: TargetTable, column: TargetColumn, value: sql.Composable, old_id: sql.Composable
) -> sql.Composed:
    """Return the expression of a file column's value with the keys of the copies in it."""
    name = "file_with_key" if column.xata_type is XataType.FILE else "files_with_keys"
    return statements.get(name).format(
        files=layout.work("files"),
        xata_table=sql.Literal(table.xata_name),
        xata_column=sql.Literal(column.xata_name),
        field=sql.Literal(FIELD),
        value=value,
        old_id=old_id,
        objects=_objects(column, value),
    )


def objects_query(layout: Layout, table: TargetTable) -> sql.Composed:
    """Select the file objects in the target of all file columns, record by record.

    Columns: new id, old id, Xata column, position, object, occurrence, name, size, the field `key`.
    """
    objects = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS column_number, {}::text AS xata_column, o.* FROM {} AS o").format(
            sql.Literal(number),
            sql.Literal(column.xata_name),
            _objects(column, sql.Identifier("t", column.name)),
        )
        for number, column in enumerate(file_columns(table))
    )
    return statements.get("file_objects").format(
        target=layout.target(table),
        mapping=layout.mapping(table),
        field=sql.Literal(FIELD),
        objects=objects,
    )


def _objects(column: TargetColumn, value: sql.Composable) -> sql.Composed:
    """Select a cell's file objects: item, position, object, occurrence; what is none is left out."""
    items = "one_file" if column.xata_type is XataType.FILE else "each_file"
    return statements.get("file_digests").format(items=statements.get(items).format(value=value))


def write_keys(
    conn: Connection, layout: Layout, table: TargetTable, column: TargetColumn, new_ids: Sequence[int]
) -> int:
    """Write the keys of the ledger into the cells of the rows, where they are not yet; return how many changed."""
    stored = sql.Identifier("t", column.name)
    return conn.execute(
        sql.SQL(
            "UPDATE {} AS t SET {} = v.value FROM (SELECT t.id, {} AS value FROM {} AS t JOIN {} AS m"
            " ON m.new_id = t.id WHERE t.id = ANY({})) AS v WHERE v.id = t.id AND {} IS DISTINCT FROM v.value"
        ).format(
            layout.target(table),
            sql.Identifier(column.name),
            with_keys(layout, table, column, stored, sql.Identifier("m", "old_id")),
            layout.target(table),
            layout.mapping(table),
            sql.Literal(list(new_ids)),
            stored,
        )
    ).rowcount
