"""Rows that stand twice: exact copies, ids given twice, unique values given twice.

A clean table costs one grouping of its ids and of each unique column; everything else runs only where
these find something. Staged rows are told apart by their place in the table, which is their order in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import TupleRow

from xata_pg_assets.plan.tables import TargetColumn, TargetTable
from xata_pg_assets.plan.types import TEXT
from xata_pg_assets.postgres import rejects
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import converted
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.records import Fault, Location, Reason, TableReader
from xata_pg_assets.xata.schema import XataType

__all__ = ["Settled", "settle"]

# A b-tree holds values up to 2,704 bytes after compression: only longer ones need a try. The elements of a
# list take up to twice the bytes in an array that they take in JSON.
_SURELY_INDEXABLE = 2_600
_SURELY_INDEXABLE_LIST = 1_200
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Settled:
    """How many rows were taken out: dropped as copies, rejected for good."""

    copies: int = 0
    rejected: int = 0


def settle(conn: Connection, layout: Layout, table: TargetTable, reader: TableReader) -> Settled:
    """Take every row out of staging that stands in another's way; reject what is no mere copy."""
    return _Settler(conn, layout, table, reader).settle()


class _Settler:
    """Settles one table; `numbers` holds the place of each staged row in the file, once it is needed."""

    def __init__(self, conn: Connection, layout: Layout, table: TargetTable, reader: TableReader) -> None:
        self.conn = conn
        self.layout = layout
        self.table = table
        self.reader = reader
        self.staging = layout.staging(table)
        self.numbers = sql.Identifier(layout.staging_schema, f"ordinals_{uuid4().hex}")

    def settle(self) -> Settled:
        doubled = self._has_twice("id")
        suspects = [column for column in self.table.unique_columns if self._has_twice(column.staging)]
        too_long = {column: places for column in self.table.unique_columns if (places := self._too_long(column))}
        if not (doubled or suspects or too_long):
            return Settled()
        self.conn.execute(
            sql.SQL(
                "CREATE UNLOGGED TABLE {} AS"
                " SELECT ctid AS place, row_number() OVER (ORDER BY ctid) - 1 AS ordinal FROM {}"
            ).format(self.numbers, self.staging)
        )
        rejected = sum(self._reject(self._of_places(column, places)) for column, places in too_long.items())
        copies = self._drop_copies() if doubled else 0
        if doubled:
            rejected += self._reject(statements.get("older_versions").format(staging=self.staging))
        while suspects and (found := self._reject(self._later_values(suspects))):
            rejected += found
        self.conn.execute(sql.SQL("DROP TABLE {}").format(self.numbers))
        return Settled(copies, rejected)

    def _has_twice(self, column: str) -> bool:
        found = self.conn.execute(
            sql.SQL(
                "SELECT 1 FROM {staging} WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(*) > 1 LIMIT 1"
            ).format(staging=self.staging, column=sql.Identifier(column))
        ).fetchone()
        return found is not None

    def _too_long(self, column: TargetColumn) -> list[str]:
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
                probe, converted(column), self.staging
            )
            return [place for (place,) in candidates if not self._goes_in(insert, place)]

    def _goes_in(self, insert: sql.Composed, place: str) -> bool:
        try:
            with self.conn.transaction(force_rollback=True):
                self.conn.execute(insert + sql.SQL("{}::tid").format(sql.Literal(place)))
        except pg.ProgramLimitExceeded:
            return False
        return True

    def _of_places(self, column: TargetColumn, places: Sequence[str]) -> sql.Composed:
        return sql.SQL(
            "SELECT s.ctid AS place, s.id, {xata_column}, s.{column}::text, {reason} FROM {staging} AS s"
            " WHERE s.ctid = ANY({places}::tid[])"
        ).format(
            xata_column=sql.Literal(column.xata_name),
            column=sql.Identifier(column.staging),
            reason=sql.Literal(Reason.VALUE_TOO_LONG.value),
            staging=self.staging,
            places=sql.Literal(list(places)),
        )

    def _drop_copies(self) -> int:
        """Drop all but the first of rows that are equal in every column."""
        return self.conn.execute(statements.get("drop_copies").format(staging=self.staging)).rowcount

    def _later_values(self, suspects: Sequence[TargetColumn]) -> sql.Composed:
        """Select the rows whose unique value an earlier row holds that is itself in nobody's way."""
        firsts = sql.SQL(", ").join(
            sql.SQL(
                "CASE WHEN {column} IS NULL THEN ctid ELSE min(ctid) OVER (PARTITION BY {column}) END AS {first}"
            ).format(column=sql.Identifier(column.staging), first=sql.Identifier(f"first_{number}"))
            for number, column in enumerate(suspects)
        )
        is_free = sql.SQL(" AND ").join(
            sql.SQL("{} = place").format(sql.Identifier(f"first_{number}")) for number in range(len(suspects))
        )
        losers = sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT f.place, s.id, {xata_column}::text, s.{column}::text, {reason}::text"
                " FROM firsts AS f JOIN free ON free.place = f.{first} JOIN {staging} AS s ON s.ctid = f.place"
                " WHERE f.{first} <> f.place"
            ).format(
                xata_column=sql.Literal(column.xata_name),
                column=sql.Identifier(column.staging),
                reason=sql.Literal(Reason.DUPLICATE_VALUE.value),
                first=sql.Identifier(f"first_{number}"),
                staging=self.staging,
            )
            for number, column in enumerate(suspects)
        )
        return sql.SQL(
            "WITH firsts AS MATERIALIZED (SELECT ctid AS place, {firsts} FROM {staging}),"
            " free AS MATERIALIZED (SELECT place FROM firsts WHERE {is_free}) {losers}"
        ).format(firsts=firsts, staging=self.staging, is_free=is_free, losers=losers)

    def _reject(self, losers: sql.Composed) -> int:
        """Move the selected rows (place, id, column, value, reason) to the rejected rows; return how many."""
        query = sql.SQL(
            "SELECT l.place::text, n.ordinal, l.* FROM ({}) AS l (place, id, xata_column, value, reason)"
            " JOIN {} AS n ON n.place = l.place ORDER BY n.ordinal"
        ).format(losers, self.numbers)
        removed = 0
        with self.conn.cursor(name=f"losers_{uuid4().hex}") as cur:
            cur.execute(query)
            while lines := cur.fetchmany(_AT_ONCE):
                located = self.reader.locate([line[1] for line in lines])
                rejects.write(
                    self.conn,
                    self.layout,
                    self.table,
                    self.reader.file,
                    [_fault(line, located) for line in lines],
                )
                removed += self.conn.execute(
                    sql.SQL("DELETE FROM {} WHERE ctid = ANY({}::tid[])").format(
                        self.staging, sql.Literal([line[0] for line in lines])
                    )
                ).rowcount
        return removed


def _fault(line: TupleRow, located: Mapping[int, Location]) -> Fault:
    _, ordinal, _, old_id, column, value, reason = line
    where = located[ordinal]
    return Fault(where.line, old_id, column, value, Reason(reason), where.raw)
