"""Links to rows that are not there: made NULL and written down, or their rows rejected, or the load refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from psycopg import sql
from psycopg.rows import TupleRow

from xata_pg_assets.errors import ExportError, counted
from xata_pg_assets.plan.tables import ORDINAL, Plan, TargetColumn, TargetTable
from xata_pg_assets.postgres import ledger, rejects
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import any_row, exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import Expected, comma, expected_rows
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.records import Reason, TableReader

__all__ = [
    "DanglingLinks",
    "DanglingPolicy",
    "ReadAgain",
    "dangling",
    "needed_links",
    "noted",
    "without_their_links",
]

DanglingPolicy = Literal["null", "reject", "fail"]
_NOTHING_LOST = sql.SQL("SELECT NULL::text, NULL::text, NULL::text, NULL::text WHERE false").format()

ReadAgain = Callable[[TargetTable], TableReader | None]  # opens a table's file and reads it through


@dataclass(frozen=True, slots=True)
class DanglingLinks:
    """What becomes of the links of one table that lead to rows which are not there."""

    conn: Connection
    layout: Layout
    plan: Plan
    table: TargetTable
    policy: DanglingPolicy
    read_again: ReadAgain

    def refuse_or_reject(self) -> None:
        """Refuse the load, or move the rows that cannot go without their links to the rejected ones.

        A rejected row leaves others dangling, in its own table and round a cycle: this repeats until nothing changes.

        Raises:
            ExportError: a link dangles and the policy is to fail.
        """
        if self.policy == "fail":
            self._refuse()
        group = [self.table]
        if self.policy == "reject" or any(column.not_null for column in self.table.links):
            group += self.plan.cycle_of(self.table)
        while sum(self._reject(member) for member in group):
            pass

    def write_down(self, expected: Expected, columns: Iterable[TargetColumn]) -> int:
        """Record the dangling links of the columns, which the load makes NULL; return how many."""
        lost = [lost_links(expected, column) for column in columns]
        # What stands in the list already is left alone: a re-run changes no row that it need not
        row = self.conn.execute(
            statements.get("write_dangling").format(
                list=self.layout.work("dangling_links"),
                xata_table=sql.Literal(self.table.xata_name),
                lost=sql.SQL(" UNION ALL ").join(lost or [_NOTHING_LOST]),
            )
        ).fetchone()
        return int(row[0]) if row else 0

    def lost(self) -> tuple[TargetColumn, ...]:
        """Return the links of a table just made that have fewer values than were staged: cheaper than to look."""
        columns = self.table.links
        if not columns:
            return ()
        staged = self._counts(self.layout.staging(self.table), [column.staging for column in columns])
        stored = self._counts(self.layout.target(self.table), [column.name for column in columns])
        return tuple(column for column, here, there in zip(columns, staged, stored, strict=True) if here != there)

    def _counts(self, table: sql.Identifier, names: Iterable[str]) -> TupleRow:
        query = sql.SQL("SELECT {} FROM {}").format(
            comma(sql.SQL("count({})").format(sql.Identifier(name)) for name in names), table
        )
        return self.conn.execute(query).fetchone() or ()

    def _refuse(self) -> None:
        expected = expected_rows(self.conn, self.layout, self.plan, self.table)
        found = [
            f"{counted(count, 'link')} of {column.xata_name} (the first from {old_id} to {missing_id})"
            for column in self.table.links
            for count, old_id, missing_id in self.conn.execute(
                sql.SQL("SELECT count(*) OVER (), s.id, {} {} ORDER BY s.id LIMIT 1").format(
                    sql.Identifier("s", column.staging), dangling(expected, column)
                )
            )
        ]
        if found:
            raise ExportError(
                self.table.xata_name,
                None,
                f"rows that are not there are linked to by {', '.join(found)}; export the linked tables again, "
                "or set dangling_links to null or reject",
            )

    def _reject(self, table: TargetTable) -> int:
        """Reject the rows of a table whose links dangle now; return how many."""
        expected = expected_rows(self.conn, self.layout, self.plan, table)
        line = expected.lines.get(table.xata_name)
        columns = needed_links(table, self.policy)
        is_staged = line is not None and line.staged_rows is not None and exists(self.conn, self.layout.staging(table))
        if line is None or not is_staged or not columns:
            return 0
        losers = without_their_links(expected, columns)
        if not any_row(self.conn, losers):
            return 0
        moved = rejects.move(self.conn, self.layout, table, self.read_again(table), rejects.selected(self.conn, losers))
        ledger.record(
            self.conn,
            self.layout,
            table,
            staged_rows=(line.staged_rows or 0) - moved,
            rejected_rows=line.rejected_rows + moved,
            fingerprint=ledger.REJECTED + line.staged_from,
        )
        return moved


def dangling(expected: Expected, column: TargetColumn) -> sql.Composed:
    """Return FROM and WHERE of the staged rows whose link dangles."""
    return statements.get("dangling_links").format(
        staging=expected.layout.staging(expected.table),
        link=sql.Identifier("s", column.staging),
        rows_there=expected.rows_there(column),
    )


def lost_links(expected: Expected, column: TargetColumn) -> sql.Composed:
    """Select the lines of `dangling_links` that tell of a column."""
    return sql.SQL("SELECT {}::text, s.id, {}::text, {} {}").format(
        sql.Literal(expected.table.xata_name),
        sql.Literal(column.xata_name),
        sql.Identifier("s", column.staging),
        dangling(expected, column),
    )


def noted(expected: Expected, column: TargetColumn) -> sql.Composed:
    """Write down the dangling links of a column."""
    return sql.SQL("INSERT INTO {} (xata_table, old_id, xata_column, missing_id) {}").format(
        expected.layout.work("dangling_links"), lost_links(expected, column)
    )


def needed_links(table: TargetTable, policy: DanglingPolicy) -> list[TargetColumn]:
    """Return the links that a row cannot go without."""
    return [column for column in table.links if policy == "reject" or column.not_null]


def without_their_links(expected: Expected, columns: Iterable[TargetColumn]) -> sql.Composed:
    """Select (ctid, ordinal, id, Xata column, value, reason) of the staged rows where one of the links dangles."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT s.ctid, {}, s.id, {}::text, {}, {}::text {}").format(
            sql.Identifier("s", ORDINAL),
            sql.Literal(column.xata_name),
            sql.Identifier("s", column.staging),
            sql.Literal(Reason.DANGLING_LINK.value),
            dangling(expected, column),
        )
        for column in columns
    )
