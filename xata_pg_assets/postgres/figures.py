"""The figures of the report, each with the statement that counts it anew, to be pasted into psql.

The statements stand on their own: names are qualified, and nothing depends on a setting of the session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import differ, expected_rows
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.staging import is_intact

__all__ = ["Figure", "figures", "totals"]

_OR = sql.SQL("\n   OR ")
_PLUS = sql.SQL("\n     + ")


@dataclass(frozen=True, slots=True)
class Figure:
    """What is counted, what the report says (None where a check is red, so that it is not 0), and the statement."""

    name: str
    value: int | None
    statement: str


def totals(conn: Connection, layout: Layout, plan: Plan, lines: Mapping[str, ledger.Entry]) -> Sequence[Figure]:
    """Return the figures of the whole migration, from the ledger."""
    names = [table.xata_name for table in plan.tables]
    # A target may hold what was migrated with another schema, too
    only = sql.SQL("\nWHERE xata_table = ANY({}::text[])").format(sql.Literal(names))
    where = sql.SQL("") if lines.keys() <= set(names) else only
    return [
        Figure(
            words,
            sum(getattr(lines[name], column) or 0 for name in names if name in lines),
            _text(
                conn,
                sql.SQL("SELECT coalesce(sum({}), 0)::bigint FROM {}{}").format(
                    sql.Identifier(column), layout.work("loads"), where
                ),
            ),
        )
        for words, column in (
            ("rows in the export", "source_rows"),
            ("rows in the tables", "target_rows"),
            ("rejected rows", "rejected_rows"),
            ("exact copies", "duplicate_rows"),
            ("dangling links", "dangling_links"),
        )
    ]


def figures(conn: Connection, layout: Layout, plan: Plan, table: TargetTable, line: ledger.Entry) -> Sequence[Figure]:
    """Return the figures of a table; none as long as it is not made."""
    if line.loaded_at is None or not exists(conn, layout.target(table)):
        return []
    return [
        Figure(name, value, _text(conn, statement))
        for name, value, statement in _Counter(conn, layout, plan, table, line).all()
    ]


def _text(conn: Connection, statement: sql.Composable) -> str:
    return statement.as_string(conn).strip()


@dataclass(frozen=True, slots=True)
class _Counter:
    """Composes the statements of one table."""

    conn: Connection
    layout: Layout
    plan: Plan
    table: TargetTable
    line: ledger.Entry

    def all(self) -> Iterator[tuple[str, int | None, sql.Composable]]:
        """Yield name, value and statement of each figure."""
        line = self.line
        is_staged = is_intact(self.conn, self.layout, self.table, line)
        yield "rows in the export", line.source_rows, self._source_rows() if is_staged else self._noted("source_rows")
        yield "rows in the table", line.target_rows or 0, self._target_rows()
        yield "rejected rows", line.rejected_rows, self._rejected_rows()
        yield "exact copies, which are not kept", line.duplicate_rows, self._noted("duplicate_rows")
        yield "dangling links", line.dangling_links, self._dangling_links()
        yield "id_mapping_one_to_one: ids that stand twice", self._nil("id_mapping_one_to_one"), self._ids_twice()
        if self.table.links and is_staged:
            value = line.dangling_links if self._nil("foreign_keys") == 0 or self._is_over() else None
            yield "foreign_keys: links that lead nowhere or elsewhere", value, self._lost_links()
        if self.table.unique_columns:
            yield "unique_values: values that stand twice", self._nil("unique_values"), self._values_twice()
        if any(column.not_null for column in self.table.columns):
            yield "not_null: rows with a null where there may be none", self._nil("not_null"), self._nulls()
        if is_staged:
            yield "values_equal: rows missing or differing", self._nil("values_equal"), self._differing()
        keys = self._keys()
        value = len(keys) if self._nil("constraints_in_place") == 0 else None
        yield "constraints_in_place: primary, unique and foreign keys", value, self._count_keys(keys)

    def _nil(self, check: str) -> int | None:
        """Return 0 where the check is green."""
        return 0 if self.line.checks.get(check, {}).get("passed") else None

    def _is_over(self) -> bool:
        """Whether the foreign keys are red only because more links dangle than are allowed."""
        return "max_dangling_links" in self.line.checks.get("foreign_keys", {}).get("description", "")

    @property
    def _name(self) -> sql.Literal:
        return sql.Literal(self.table.xata_name)

    @property
    def _joined(self) -> sql.Composed:
        return sql.SQL("{} AS s\nLEFT JOIN {} AS m ON m.old_id = s.id\nLEFT JOIN {} AS t ON t.id = m.new_id").format(
            self.layout.staging(self.table), self.layout.mapping(self.table), self.layout.target(self.table)
        )

    def _noted(self, fact: str) -> sql.Composed:
        return sql.SQL("SELECT {} FROM {} WHERE xata_table = {}").format(
            sql.Identifier(fact), self.layout.work("loads"), self._name
        )

    def _source_rows(self) -> sql.Composed:
        return sql.SQL("SELECT (SELECT count(*) FROM {}){}({}){}({})").format(
            self.layout.staging(self.table), _PLUS, self._rejected_rows(), _PLUS, self._noted("duplicate_rows")
        )

    def _target_rows(self) -> sql.Composed:
        return sql.SQL("SELECT count(*)\nFROM {} AS t\nJOIN {} AS m ON m.new_id = t.id").format(
            self.layout.target(self.table), self.layout.mapping(self.table)
        )

    def _rejected_rows(self) -> sql.Composed:
        """Count rows, of which one may have several faults."""
        return sql.SQL("SELECT count(DISTINCT (file, line, old_id, raw)) FROM {} WHERE xata_table = {}").format(
            self.layout.work("rejected_rows"), self._name
        )

    def _dangling_links(self) -> sql.Composed:
        return sql.SQL("SELECT count(*) FROM {} WHERE xata_table = {}").format(
            self.layout.work("dangling_links"), self._name
        )

    def _ids_twice(self) -> sql.Composed:
        return sql.SQL("SELECT 2 * count(*) - count(DISTINCT old_id) - count(DISTINCT new_id)\nFROM {}").format(
            self.layout.mapping(self.table)
        )

    def _lost_links(self) -> sql.Composed:
        return sql.SQL("SELECT {}").format(_PLUS.join(self._lost(column) for column in self.table.links))

    def _lost(self, column: TargetColumn) -> sql.Composed:
        assert column.link is not None  # noqa: S101
        staged, stored = sql.Identifier("s", column.staging), sql.Identifier("t", column.name)
        return sql.SQL(
            "(SELECT count(*) FROM {} AS s LEFT JOIN {} AS m ON m.old_id = s.id LEFT JOIN {} AS t ON t.id = m.new_id"
            "\n        LEFT JOIN {} AS p ON p.old_id = {}"
            "\n        WHERE {} IS NOT NULL AND (p.new_id IS NULL OR {} IS DISTINCT FROM p.new_id))"
        ).format(
            self.layout.staging(self.table),
            self.layout.mapping(self.table),
            self.layout.target(self.table),
            self.layout.mapping(self.plan.by_xata_name[column.link.table]),
            staged,
            staged,
            stored,
        )

    def _values_twice(self) -> sql.Composed:
        return sql.SQL("SELECT {}").format(
            _PLUS.join(
                sql.SQL("(SELECT count({0}) - count(DISTINCT {0}) FROM {1})").format(
                    sql.Identifier(column.name), self.layout.target(self.table)
                )
                for column in self.table.unique_columns
            )
        )

    def _nulls(self) -> sql.Composed:
        return sql.SQL("SELECT count(*)\nFROM {}\nWHERE {}").format(
            self.layout.target(self.table),
            _OR.join(
                sql.SQL("{} IS NULL").format(sql.Identifier(column.name))
                for column in self.table.columns
                if column.not_null
            ),
        )

    def _differing(self) -> sql.Composed:
        """Compare as the check does; the links are counted by themselves."""
        expected = expected_rows(self.conn, self.layout, self.plan, self.table)
        compared = [column for column in self.table.columns if column.role is not Role.ID and not column.link]
        return sql.SQL("SELECT count(*)\nFROM {}\nWHERE t.id IS NULL\n   OR {}").format(
            self._joined, differ(expected.compared(column) for column in compared)
        )

    def _keys(self) -> list[tuple[str, str]]:
        """Return kind and column of the keys; a foreign key to a table that is still to come is none yet."""
        links = [
            ("f", column.name)
            for column in self.table.links
            if column.link and exists(self.conn, self.layout.target(self.plan.by_xata_name[column.link.table]))
        ]
        unique = [("u", column.name) for column in self.table.columns if column.unique_constraint]
        return [("p", "id"), *unique, *links]

    def _count_keys(self, keys: Sequence[tuple[str, str]]) -> sql.Composed:
        wanted = sql.SQL(", ").join(
            sql.SQL("({}, {})").format(sql.Literal(kind), sql.Literal(column)) for kind, column in keys
        )
        return sql.SQL(
            "SELECT count(DISTINCT (c.contype, a.attname))\nFROM pg_catalog.pg_constraint AS c"
            "\nJOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            "\nWHERE c.conrelid = {}::regclass AND cardinality(c.conkey) = 1 AND c.convalidated"
            "\n  AND (c.contype::text, a.attname::text) IN ({})"
        ).format(sql.Literal(self.layout.target(self.table).as_string(self.conn)), wanted)
