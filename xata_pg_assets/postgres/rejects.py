"""Rows that the export has and the target cannot hold, kept where a person can look at them."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.records import Fault

__all__ = ["forget", "write"]


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


def _showable(text: str | None) -> str | None:
    """Return the text as PostgreSQL can hold it: no NUL, no lone surrogate."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
