"""The rows that a target table should hold, as SQL over its staging table and the id mappings.

The load inserts them and the checks compare with them: one reading of the export serves both, and the
comparison is with what lies in the target, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.postgres import file_keys, ledger
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.rewriting import looked_up, rewritten
from xata_pg_assets.xata.schema import XataType

__all__ = ["Expected", "comma", "differ", "expected_rows"]


@dataclass(frozen=True, slots=True)
class Expected:
    """Composes the expected rows of one table; `s` is its staging table, `m` its mapping, `p0`… its parents,
    `r0`… what becomes of old ids in its columns.

    `lines` is the ledger, by Xata name; `loaded` holds the Xata names of the tables that are in the target, `keyed`
    those of the columns whose files were copied: their cells hold the keys of the copies, too. `part` is a condition
    on `s` that only some of the rows meet.
    """

    layout: Layout
    plan: Plan
    table: TargetTable
    lines: Mapping[str, ledger.Entry]
    loaded: frozenset[str]
    is_exact: bool = False
    keyed: frozenset[str] = frozenset()
    part: sql.Composable | None = None

    def value(self, column: TargetColumn) -> sql.Composable:
        """Return the expression of the column's expected value."""
        if column.role is Role.ID:
            return sql.SQL("m.new_id")
        if column.link:
            return sql.SQL("{}.new_id").format(self._alias(column))
        if column.xata_type is XataType.MULTIPLE:
            return sql.SQL("{}.list").format(sql.Identifier(f"l{self._list_columns.index(column)}"))
        if column.role is Role.OWN and column.xata_name in self.keyed:
            # By the mapping's id: it has the collation of the ledger's, whose index is then of use
            old_id = sql.Identifier("m", "old_id")
            return file_keys.with_keys(self.layout, self.table, column, self._staged(column), old_id)
        return self._staged(column)

    def _staged(self, column: TargetColumn) -> sql.Composable:
        """Return a staged value as it was read, or with its ids rewritten."""
        if column in self.table.rewritten:
            return rewritten(column, self._rewriting_alias(column))
        return sql.Identifier("s", column.staging)

    @property
    def mapped(self) -> list[TargetTable]:
        """The tables whose ids have new ones."""
        lines = self.lines
        return [each for each in self.plan.tables if each.xata_name in lines and lines[each.xata_name].mapped_at]

    @property
    def values(self) -> sql.Composed:
        """The expected values of all columns, in target order."""
        return comma(self.value(column) for column in self.table.columns)

    @property
    def source(self) -> sql.Composed:
        """What they are selected from: every staged row once, with its new id, those of its parents, and its lists."""
        staged: sql.Composable = self.layout.staging(self.table)
        if self.part is not None:
            staged = sql.SQL("(SELECT * FROM {} AS s WHERE {})").format(staged, self.part)
        return sql.SQL("{} AS s JOIN {} AS m ON m.old_id = s.id{}{}{}").format(
            staged, self.layout.mapping(self.table), self.parents, self.rewriting, self.lists
        )

    @property
    def lists(self) -> sql.Composed:
        """The joins to the lists as arrays: from a subquery PostgreSQL would not take them in parallel."""
        return sql.SQL("").join(
            sql.SQL(
                " LEFT JOIN LATERAL jsonb_to_record(jsonb_build_object('list', {})) AS {} (list text[]) ON true"
            ).format(self._staged(column), sql.Identifier(f"l{number}"))
            for number, column in enumerate(self._list_columns)
        )

    @property
    def rewriting(self) -> sql.Composed:
        """The joins to what becomes of the old ids in texts, lists and JSON; none where none is rewritten."""
        return sql.SQL("").join(
            looked_up(self.layout, self.mapped, self.table, column, self._rewriting_alias(column))
            for column in self.table.rewritten
        )

    @property
    def parents(self) -> sql.Composed:
        """The joins to the rows that the links name, where these are there."""
        return sql.SQL("").join(
            sql.SQL(" LEFT JOIN {} AS {} ON {}.old_id = {}").format(
                self.rows_there(column),
                self._alias(column),
                self._alias(column),
                sql.Identifier("s", column.staging),
            )
            for column in self.table.links
        )

    def rows_there(self, column: TargetColumn) -> sql.Composable:
        """Return the mapping (old_id, new_id) of those rows of the linked table that are in the target.

        Tables of the same cycle may come later: of these, what is staged will be there.
        """
        assert column.link is not None  # noqa: S101
        parent = self.plan.by_xata_name[column.link.table]
        mapping, line = self.layout.mapping(parent), self.lines.get(parent.xata_name)
        is_later = parent.xata_name == self.table.xata_name or parent.xata_name in self.table.cycle
        if is_later and line is not None and line.staged_rows is not None:
            if line.staged_rows == line.mapped_rows:
                return mapping
            present, key = self.layout.staging(parent), sql.SQL("t.id = m.old_id")
        elif parent.xata_name in self.loaded:
            if not self.is_exact and line is not None and line.target_rows == line.mapped_rows:
                return mapping
            present, key = self.layout.target(parent), sql.SQL("t.id = m.new_id")
        else:
            return sql.SQL("(SELECT NULL::text AS old_id, NULL::bigint AS new_id WHERE false)")
        return sql.SQL("(SELECT m.old_id, m.new_id FROM {} AS m WHERE EXISTS (SELECT FROM {} AS t WHERE {}))").format(
            mapping, present, key
        )

    def compared(self, column: TargetColumn) -> tuple[sql.Composable, sql.Composable]:
        """Return what the column should hold and what `t` holds, as two expressions of one type.

        A list is compared as JSON, the form in which it is staged: converting each into an array again would
        keep PostgreSQL from comparing in parallel.
        """
        stored = sql.Identifier("t", column.name)
        if column.xata_type is XataType.MULTIPLE:
            return self._staged(column), sql.SQL("to_jsonb({})").format(stored)
        return self.value(column), sql.SQL("{}::{}").format(stored, self.layout.type(column.type))

    @property
    def _list_columns(self) -> list[TargetColumn]:
        return [column for column in self.table.columns if column.xata_type is XataType.MULTIPLE]

    def _rewriting_alias(self, column: TargetColumn) -> sql.Identifier:
        return sql.Identifier(f"r{self.table.rewritten.index(column)}")

    def _alias(self, column: TargetColumn) -> sql.Identifier:
        return sql.Identifier(f"p{self.table.links.index(column)}")


def expected_rows(
    conn: Connection, layout: Layout, plan: Plan, table: TargetTable, *, is_exact: bool = False
) -> Expected:
    """Return what the table should hold, as things stand in the target now."""
    lines = ledger.entries(conn, layout)
    loaded = frozenset(
        other.xata_name
        for other in plan.tables
        if (line := lines.get(other.xata_name)) and line.target_rows is not None and exists(conn, layout.target(other))
    )
    keyed = file_keys.columns_with_keys(conn, layout, table)
    return Expected(layout, plan, table, lines, loaded, is_exact, keyed)


def comma(parts: Iterable[sql.Composable]) -> sql.Composed:
    """Join expressions by commas."""
    return sql.SQL(", ").join(parts)


def differ(pairs: Iterable[tuple[sql.Composable, sql.Composable]]) -> sql.Composed:
    """Return the condition that one pair of expressions differs, by their stored bytes.

    So -0.0 differs from 0.0, and 1.0 from 1.00 in JSON.
    """
    left, right = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
    return sql.SQL("ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record").format(comma(left), comma(right))
