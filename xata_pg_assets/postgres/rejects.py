"""Rows that the export has and the target cannot hold, kept where a person can look at them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from psycopg import sql
from psycopg.rows import TupleRow

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.records import Fault, Location, Reason, TableReader

__all__ = ["forget", "move", "write"]

_AT_ONCE = 5_000


def forget(conn: Connection, layout: Layout, table: TargetTable) -> None:
    """Drop the lines of the table's last load."""
    conn.execute(
        sql.SQL("DELETE FROM {} WHERE xata_table = {}").format(
            layout.work("rejected_rows"), sql.Literal(table.xata_name)
        )
    )


def write(conn: Connection, layout: Layout, table: TargetTable, file: str | None, faults: Iterable[Fault]) -> None:
    """Add one line a fault."""
    statement = sql.SQL("COPY {} (xata_table, file, line, old_id, xata_column, value, reason, raw) FROM STDIN").format(
        layout.work("rejected_rows")
    )
    with conn.cursor() as cur, cur.copy(statement) as copy:
        for fault in faults:
            copy.write_row(
                (
                    table.xata_name,
                    file,
                    fault.line,
                    _showable(fault.old_id),
                    fault.column,
                    _showable(fault.value),
                    fault.reason.value,
                    _showable(fault.raw[:10_000]),
                )
            )


def move(
    conn: Connection, layout: Layout, table: TargetTable, reader: TableReader | None, losers: sql.Composable
) -> int:
    """Move staged rows to the rejected ones, in bounded pieces; return how many.

    `losers` selects (ctid, ordinal, id, Xata column, value, reason), one line a fault. `reader`, exhausted, tells
    where they stand in their file; without one that stays unknown.
    """
    query = sql.SQL("SELECT l.place::text, l.* FROM ({}) AS l (place, {}) ORDER BY l.ordinal").format(
        losers, sql.SQL("ordinal, old_id, xata_column, value, reason")
    )
    moved = 0
    with conn.cursor(name=f"losers_{uuid4().hex}") as cur:
        cur.execute(query)
        while lines := cur.fetchmany(_AT_ONCE):
            located = reader.locate([line[2] for line in lines]) if reader else {}
            faults = [_fault(line, located.get(line[2], Location(None, ""))) for line in lines]
            write(conn, layout, table, reader.file if reader else None, faults)
            moved += conn.execute(
                sql.SQL("DELETE FROM {} WHERE ctid = ANY({}::tid[])").format(
                    layout.staging(table), sql.Literal([line[0] for line in lines])
                )
            ).rowcount
    return moved


def _fault(line: TupleRow, where: Location) -> Fault:
    _, _, _, old_id, column, value, reason = line
    return Fault(where.line, old_id, column, value, Reason(reason), where.raw)


def _showable(text: str | None) -> str | None:
    """Return the text as PostgreSQL can hold it: no NUL, no lone surrogate."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
