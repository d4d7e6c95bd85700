"""Rows that the export has and the target cannot hold, kept where a person can look at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import NamedTuple

from psycopg import sql

from xata_pg_assets.errors import ExportError
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres.connection import Connection, streamed
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.records import Fault, Reason, TableReader

__all__ = ["HELD_AT_ONCE", "Loser", "forget", "move", "selected", "weight", "write"]

# What faults may weigh together that are held in memory
HELD_AT_ONCE = 10_000_000


class Loser(NamedTuple):
    """A fault of a staged row that PostgreSQL found.

    `place` is the row's ctid, `ordinal` its number in the file; `value` is what PostgreSQL made of the cell, or the
    id that a dangling link names.
    """

    place: str
    ordinal: int
    old_id: str
    column: str
    value: str | None
    reason: Reason


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


def weight(fault: Fault) -> int:
    """Return about the bytes that a fault takes: itself, and its texts."""
    return 1_000 + len(fault.raw) + len(fault.value or "")


def selected(conn: Connection, losers: sql.Composable) -> Iterator[Loser]:
    """Select losers, in the order of the file; the query gives the fields of `Loser` in their order."""
    query = sql.SQL(
        "SELECT l.place::text, ordinal, old_id, xata_column, value, reason"
        " FROM ({}) AS l (place, ordinal, old_id, xata_column, value, reason) ORDER BY ordinal, xata_column"
    ).format(losers)
    for place, ordinal, old_id, column, value, reason in streamed(conn, query):
        yield Loser(place, ordinal, old_id, column, value, Reason(reason))


def move(
    conn: Connection, layout: Layout, table: TargetTable, reader: TableReader | None, losers: Iterable[Loser]
) -> int:
    """Move staged rows to the rejected ones, in bounded pieces; return how many.

    `losers` come in the order of the file, one for each fault. `reader`, exhausted, tells where they stand there,
    and their cells as they came; without one the line stays unknown, and a value is what PostgreSQL made of it.

    Raises:
        ExportError: the file is no longer the one that the rows were staged from.
    """
    if reader:
        _check_unchanged(reader, ledger.entry(conn, layout, table))
    told = _told(losers, reader)
    moved = 0
    while piece := _piece(told):
        write(conn, layout, table, reader.file if reader else None, (fault for _, fault in piece))
        moved += conn.execute(
            sql.SQL("DELETE FROM {} WHERE ctid = ANY({}::tid[])").format(
                layout.staging(table), sql.Literal([loser.place for loser, _ in piece])
            )
        ).rowcount
    return moved


def _check_unchanged(reader: TableReader, line: ledger.Entry) -> None:
    """Refuse another file than was staged: the rows' numbers would tell lines and cells of other rows."""
    if reader.sha256 != line.sha256:
        raise ExportError(reader.file, None, "it has changed since its rows were staged; run again to stage them anew")


def _told(losers: Iterable[Loser], reader: TableReader | None) -> Iterator[tuple[Loser, Fault]]:
    """Tell each loser's fault; the file is read once, as far as it is asked for."""
    if reader is None:
        for loser in losers:
            yield loser, Fault(None, loser.old_id, loser.column, loser.value, loser.reason, "")
        return
    losers, again = tee(losers)
    for loser, where in zip(losers, reader.locate(each.ordinal for each in again), strict=True):
        value = loser.value if loser.reason is Reason.DANGLING_LINK else where.value_of(loser.column)
        yield loser, Fault(where.line, loser.old_id, loser.column, value, loser.reason, where.raw)


def _piece(told: Iterator[tuple[Loser, Fault]]) -> list[tuple[Loser, Fault]]:
    """Take as many faults as may be held at once."""
    piece: list[tuple[Loser, Fault]] = []
    size = 0
    for loser, fault in told:
        piece.append((loser, fault))
        size += weight(fault)
        if size >= HELD_AT_ONCE:
            break
    return piece


def _showable(text: str | None) -> str | None:
    """Return the text as PostgreSQL can hold it: no NUL, no lone surrogate."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
