"""Rows that stand twice: exact copies, ids given twice, unique values given twice.

A clean table costs one grouping of each unique column; ids that stand twice show when they are mapped. All the
rest runs only where these find something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.plan.tables import ORDINAL, TargetColumn, TargetTable
from xata_pg_assets.plan.types import TEXT
from xata_pg_assets.postgres import ledger, rejects
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import column_types
from xata_pg_assets.postgres.connection import Connection, streamed
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.records import Reason, TableReader
from xata_pg_assets.xata.schema import XataType

__all__ = [
    "drop_copies",
    "ids_stand_twice",
    "older_versions",
    "rivals",
    "settle",
    "stand_in_unique_columns",
]

# A b-tree holds values up to 2,704 bytes after compression: only longer ones need a try. The elements of a
# list take up to twice the bytes in an array that they take in JSON.
_SURELY_INDEXABLE = 2_600
_SURELY_INDEXABLE_LIST = 1_200


def stand_in_unique_columns(conn: Connection, layout: Layout, table: TargetTable) -> bool:
    """Tell whether a unique column holds a value twice, or one that its index cannot hold."""
    settler = _Settler(conn, layout, table, None)
    return any(settler.stands_twice(column) or settler.too_long(column) for column in table.unique_columns)


def ids_stand_twice(conn: Connection, layout: Layout, table: TargetTable) -> bool:
    """Tell whether an old id stands twice."""
    return _stands_twice(conn, layout, table, "id")


def settle(conn: Connection, layout: Layout, table: TargetTable, reader: TableReader | None) -> None:
    """Take every row out of staging that stands in another's way; reject what is no mere copy.

    Call it in a transaction; the ledger's counts follow. `reader`, exhausted, tells where the rows stand in their
    file.
    """
    _Settler(conn, layout, table, reader).settle()


def drop_copies(layout: Layout, table: TargetTable, columns: Sequence[str]) -> sql.Composed:
    """Delete all but the first of staged rows that are equal in every one of the columns."""
    row = comma(sql.Identifier("s", name) for name in columns)
    return statements.get("drop_copies").format(staging=layout.staging(table), row=row)


def older_versions(layout: Layout, table: TargetTable) -> sql.Composed:
    """Select the rows whose id another row of a later version has."""
    return statements.get("older_versions").format(staging=layout.staging(table))


def rivals(layout: Layout, table: TargetTable, suspects: Sequence[TargetColumn]) -> sql.Composed:
    """Select (ctid, ordinal, id, …) of the rows that share a unique value with others, in the order of their lines.

    To each suspect belong two columns more: `first_0`…, the ordinal of the first row that has the same value, NULL
    where no other row has it; and `value_0`…, the value.
    """
    firsts = [sql.Identifier(f"first_{number}") for number in range(len(suspects))]
    pairs = comma(
        sql.SQL(
            "CASE WHEN s.{column} IS NOT NULL AND count(*) OVER {first} > 1"
            " THEN min(s.{ordinal}) OVER {first} END AS {first}, s.{column}::text AS {value}"
        ).format(
            column=sql.Identifier(column.staging),
            ordinal=sql.Identifier(ORDINAL),
            first=firsts[number],
            value=sql.Identifier(f"value_{number}"),
        )
        for number, column in enumerate(suspects)
    )
    windows = comma(
        sql.SQL("{} AS (PARTITION BY s.{})").format(first, sql.Identifier(column.staging))
        for column, first in zip(suspects, firsts, strict=True)
    )
    return sql.SQL(
        "SELECT * FROM (SELECT s.ctid::text, s.{ordinal} AS ordinal, s.id, {pairs} FROM {staging} AS s"
        " WINDOW {windows}) AS rivals WHERE coalesce({firsts}) IS NOT NULL ORDER BY ordinal"
    ).format(
        ordinal=sql.Identifier(ORDINAL),
        pairs=pairs,
        staging=layout.staging(table),
        windows=windows,
        firsts=comma(sql.SQL("rivals.{}").format(first) for first in firsts),
    )


class _Settler:
    """Settles one table."""

    def __init__(self, conn: Connection, layout: Layout, table: TargetTable, reader: TableReader | None) -> None:
        self.conn = conn
        self.layout = layout
        self.table = table
        self.reader = reader
        self.staging = layout.staging(table)

    def settle(self) -> None:
        columns = self.table.unique_columns
        too_long = [(column, places) for column in columns if (places := self.too_long(column))]
        rejected = self._reject(self._selected(self._of_places(too_long))) if too_long else 0
        copies = self._drop_copies()
        rejected += self._reject(self._selected(older_versions(self.layout, self.table)))
        suspects = [column for column in columns if self.stands_twice(column)]
        if suspects:
            rejected += self._reject(self._later_values(suspects))
        line = ledger.entry(self.conn, self.layout, self.table)
        ledger.record(
            self.conn,
            self.layout,
            self.table,
            staged_rows=(line.staged_rows or 0) - copies - rejected,
            duplicate_rows=line.duplicate_rows + copies,
            rejected_rows=line.rejected_rows + rejected,
        )

    def stands_twice(self, column: TargetColumn) -> bool:
        return _stands_twice(self.conn, self.layout, self.table, column.staging)

    def too_long(self, column: TargetColumn) -> list[str]:
        """Return the places of values that a unique index of this server cannot hold, by trying them."""
        name, is_list = sql.Identifier(column.staging), column.xata_type is XataType.MULTIPLE
        candidates = self.conn.execute(
            sql.SQL("SELECT s.ctid::text FROM {} AS s WHERE pg_column_size(s.{}) > {}").format(
                self.staging, name, sql.Literal(_SURELY_INDEXABLE_LIST if is_list else _SURELY_INDEXABLE)
            )
        ).fetchall()
        if not candidates:
            return []
        probe = sql.Identifier(self.layout.staging_schema, f"probe_{uuid4().hex}")
        with self.conn.transaction(force_rollback=True):
            self.conn.execute(
                sql.SQL("CREATE UNLOGGED TABLE {} (value {} UNIQUE)").format(
                    probe, self.layout.type(TEXT if column.link else column.type)
                )
            )
            insert = sql.SQL("INSERT INTO {} SELECT {} FROM {} AS s WHERE ctid = ").format(
                probe, _as_array(column) if is_list else sql.Identifier("s", column.staging), self.staging
            )
            return [place for (place,) in candidates if not self._goes_in(insert, place)]

    def _goes_in(self, insert: sql.Composed, place: str) -> bool:
        try:
            with self.conn.transaction(force_rollback=True):
                self.conn.execute(insert + sql.SQL("{}::tid").format(sql.Literal(place)))
        except pg.ProgramLimitExceeded:
            return False
        return True

    def _of_places(self, too_long: Sequence[tuple[TargetColumn, Sequence[str]]]) -> sql.Composed:
        return sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT s.ctid, s.{ordinal}, s.id, {xata_column}::text, s.{column}::text, {reason}::text"
                " FROM {staging} AS s WHERE s.ctid = ANY({places}::tid[])"
            ).format(
                xata_column=sql.Literal(column.xata_name),
                column=sql.Identifier(column.staging),
                ordinal=sql.Identifier(ORDINAL),
                reason=sql.Literal(Reason.VALUE_TOO_LONG.value),
                staging=self.staging,
                places=sql.Literal(list(places)),
            )
            for column, places in too_long
        )

    def _drop_copies(self) -> int:
        """Drop all but the first of rows that are equal in every column."""
        columns = [name for name in column_types(self.conn, self.staging) if name != ORDINAL]
        return self.conn.execute(drop_copies(self.layout, self.table, columns)).rowcount

    def _later_values(self, suspects: Sequence[TargetColumn]) -> Iterator[rejects.Loser]:
        """Tell the rows whose unique values are held by rows on earlier lines, one loser for each such value.

        The rows are taken in the order of their lines. One that meets none of its values is good, and holds them
        from there on. Any other is rejected, with all those faults, and holds nothing: what it alone had is free
        for the rows behind it. So each row is looked at once, however long the chains are.
        """
        held = [_Numbers() for _ in suspects]
        for place, ordinal, old_id, *pairs in streamed(self.conn, rivals(self.layout, self.table, suspects)):
            firsts, values = pairs[::2], pairs[1::2]
            taken = [first is not None and first in numbers for numbers, first in zip(held, firsts, strict=True)]
            for column, value, is_taken in zip(suspects, values, taken, strict=True):
                if is_taken:
                    yield rejects.Loser(place, ordinal, old_id, column.xata_name, value, Reason.DUPLICATE_VALUE)
            if not any(taken):
                for numbers, first in zip(held, firsts, strict=True):
                    if first is not None:
                        numbers.add(first)

    def _selected(self, losers: sql.Composable) -> Iterator[rejects.Loser]:
        return rejects.selected(self.conn, losers)

    def _reject(self, losers: Iterable[rejects.Loser]) -> int:
        return rejects.move(self.conn, self.layout, self.table, self.reader, losers)


class _Numbers:
    """A set of whole numbers from 0 on, a bit for each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        place, bit = divmod(number, 8)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        self._bits[place] |= 1 << bit

    def __contains__(self, number: int) -> bool:
        place, bit = divmod(number, 8)
        return place < len(self._bits) and bool(self._bits[place] >> bit & 1)


def _stands_twice(conn: Connection, layout: Layout, table: TargetTable, column: str) -> bool:
    found = conn.execute(
        sql.SQL(
            "SELECT 1 FROM {staging} WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(*) > 1 LIMIT 1"
        ).format(staging=layout.staging(table), column=sql.Identifier(column))
    ).fetchone()
    return found is not None


def _as_array(column: TargetColumn) -> sql.Composed:
    """Return the expression of a staged list `s.…` as an array."""
    staged = sql.Identifier("s", column.staging)
    return sql.SQL("CASE WHEN {0} IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text({0})) END").format(staged)
