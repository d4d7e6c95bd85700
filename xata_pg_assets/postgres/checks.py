"""The seven checks: what lies in the target, compared with what was staged from the export.

Each check gives one sentence, and the first rows that are wrong. What they ask about the rows is gathered in one pass
(`evidence`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any, Literal

from psycopg import sql
from psycopg.rows import dict_row

from xata_pg_assets.errors import counted
from xata_pg_assets.plan.tables import Plan, TargetColumn, TargetTable
from xata_pg_assets.postgres import access, habits, id_mapping, keys, ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import any_row, count_rows, exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.evidence import Evidence, compared_columns, gather, lost_or_extra, wrong_cells
from xata_pg_assets.postgres.expected import Expected, comma, expected_rows
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.loading import next_id, sequence_floor
from xata_pg_assets.postgres.rewriting import count_rewritten, wrong_ids

__all__ = [
    "BLOCKING",
    "CHECKS",
    "REWRITING_CHECKS",
    "Budgets",
    "CheckResult",
    "checks_of",
    "overrun",
    "run_checks",
]

CHECKS: Mapping[str, str] = {
    "row_count": "Every row of the export is in the table, rejected, or an exact copy of another",
    "id_mapping_one_to_one": "Every old id has one new id, and every new id one old id",
    "foreign_keys": "Every link leads to the row that the export names; none is lost, none is extra",
    "unique_values": "No value of a unique column stands twice",
    "not_null": "No NOT NULL column holds a null",
    "values_equal": "Every cell of every row equals the export's, to the last bit",
    "constraints_in_place": "Keys, indexes, NOT NULLs, defaults and the identity are as planned",
}
# Stands on those tables besides whose old ids are rewritten
REWRITING_CHECKS: Mapping[str, str] = {
    "ids_rewritten": "Every old id of the chosen columns is the new id of its row, or was left as it was",
}
# A child must not follow a parent whose ids or keys are wrong; wrong values are the parent's own trouble
BLOCKING = frozenset({"id_mapping_one_to_one", "constraints_in_place"})


SAMPLE = 20
CELL_LIMIT = 80


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much may be left out of the whole migration before a check turns red."""

    rejected_rows: int = 0
    dangling_links: int = 0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The end of one check; `rows` are the first that are wrong, values cut to 80 characters.

    `query` is the SQL that lists them all, `severity` how bad a failure is.
    """

    name: str
    passed: bool
    description: str
    rows: tuple[dict[str, Any], ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)
    query: str | None = None
    severity: Literal["ERROR", "WARN"] = "ERROR"


def checks_of(table: TargetTable) -> Mapping[str, str]:
    """Return the checks that stand on a table, each with what it promises."""
    return {**CHECKS, **REWRITING_CHECKS} if table.rewritten else CHECKS


def run_checks(
    conn: Connection,
    layout: Layout,
    plan: Plan,
    table: TargetTable,
    names: Collection[str] | None = None,
    budgets: Budgets = Budgets(),
    evidence: Evidence | None = None,
) -> list[CheckResult]:
    """Run the named checks on a loaded table, all by default, and write their ends into the ledger.

    They gather the evidence themselves, unless that was done since the rows last changed. Of a table whose shards are
    not all in, each says so and nothing is written: it was not checked.
    """
    started = perf_counter() - (evidence.seconds if evidence else 0)
    checker = _Checker(conn, layout, plan, table, budgets, evidence)
    lacking = checker.line.unfinished
    if lacking:
        asked = [name for name in checks_of(table) if names is None or name in names]
        return [CheckResult(name, False, f"not checked yet: {lacking}", severity="WARN") for name in asked]
    results = [checker.run(name) for name in checks_of(table) if names is None or name in names]
    with conn.transaction():
        line = ledger.entry(conn, layout, table)
        ledger.record(
            conn,
            layout,
            table,
            checks={
                **line.checks,
                **{
                    result.name: {
                        "passed": result.passed,
                        "severity": result.severity,
                        "description": result.description,
                    }
                    for result in results
                },
            },
            check_seconds=perf_counter() - started,
            checked_at=ledger.now(),
        )
    return results


def overrun(conn: Connection, layout: Layout, plan: Plan, budgets: Budgets) -> list[tuple[TargetTable, str]]:
    """Return the tables, each with the check, that passed before a later table went over a budget."""
    lines = ledger.entries(conn, layout)
    known = [(table, lines[table.xata_name]) for table in plan.tables if table.xata_name in lines]
    counts = {
        "row_count": ("rejected_rows", budgets.rejected_rows),
        "foreign_keys": ("dangling_links", budgets.dangling_links),
    }
    return [
        (table, name)
        for name, (fact, budget) in counts.items()
        if sum(getattr(line, fact) for _, line in known) > budget
        for table, line in known
        if getattr(line, fact) and name in line.checks and line.checks[name]["passed"]
    ]


class _Checker:
    """Checks one table."""

    def __init__(
        self,
        conn: Connection,
        layout: Layout,
        plan: Plan,
        table: TargetTable,
        budgets: Budgets,
        evidence: Evidence | None = None,
    ) -> None:
        self._gathered = evidence
        self.conn = conn
        self.layout = layout
        self.plan = plan
        self.table = table
        self.budgets = budgets
        self.target = layout.target(table)
        self.compared = compared_columns(table)

    def run(self, name: str) -> CheckResult:
        if not exists(self.conn, self.target):
            return CheckResult(name, False, f"the table {self.table.name} is not there; materialize it")
        check: Callable[[], CheckResult] = getattr(self, f"_{name}")
        return check()

    @cached_property
    def line(self) -> ledger.Entry:
        return ledger.entry(self.conn, self.layout, self.table)

    @cached_property
    def expected(self) -> Expected:
        return expected_rows(self.conn, self.layout, self.plan, self.table)

    @cached_property
    def is_staged(self) -> bool:
        return self.line.staged_rows is not None and exists(self.conn, self.layout.staging(self.table))

    @cached_property
    def evidence(self) -> Mapping[str, int]:
        return (self._gathered or gather(self.conn, self.expected)).counts

    def _rows(self, query: sql.Composable) -> tuple[dict[str, Any], ...]:
        with self.conn.cursor(row_factory=dict_row) as cur:
            rows = cur.execute(sql.SQL("{} LIMIT {}").format(query, sql.Literal(SAMPLE))).fetchall()
        return tuple({name: _cut(value) for name, value in row.items()} for row in rows)

    def _row_count(self) -> CheckResult:
        line = self.line
        found = self.evidence["found"] if self.is_staged else self._mapped_rows()
        # As many rows as were found are no others; else some are extra, or the user's own
        extra = self._mapped_rows() - found if count_rows(self.conn, self.target) != found else 0
        facts = {
            "source_rows": line.source_rows,
            "target_rows": found,
            "rejected_rows": line.rejected_rows,
            "duplicate_rows": line.duplicate_rows,
        }
        law = (
            f"{counted(line.source_rows, 'row')} in the export = {found:,} in the table"
            f" + {line.rejected_rows:,} rejected + {counted(line.duplicate_rows, 'copy')}"
        )
        if not self.is_staged:
            held = found == line.target_rows
            loaded = counted(line.target_rows or 0, "row")
            text = f"no rows are staged; the table holds {found:,} of the {loaded} it was loaded with"
            return CheckResult("row_count", held, text, facts=facts)
        if extra or line.source_rows != found + line.rejected_rows + line.duplicate_rows:
            text = f"the law is broken: {law.replace(' = ', ' against ')}" + (
                f"; not in the export: {counted(extra, 'row')} in the table" if extra else ""
            )
            return self._failed("row_count", text, self._lost_or_extra(), facts)
        if self._is_changed("rejected_rows"):
            text = f"{law}; and the lines of rejected_rows are not those that were written"
            return self._failed("row_count", text, self._rejected(), facts)
        if not line.rejected_rows:
            return CheckResult("row_count", True, law, facts=facts)
        rejected = self._total("rejected_rows")
        passed = rejected <= self.budgets.rejected_rows
        text = f"{law}; {rejected:,} rejected in all, {self.budgets.rejected_rows:,} allowed (max_rejected_rows)"
        query = self._rejected()
        return CheckResult(
            "row_count", passed, text, self._rows(query), facts | self._reasons(), query.as_string(self.conn)
        )

    def _id_mapping_one_to_one(self) -> CheckResult:
        lines, digest = id_mapping.tally(self.conn, self.layout.mapping(self.table))
        is_changed = self.line.mapping_digest not in (None, digest) or self.line.mapped_rows not in (None, lines)
        if keys.is_mapping_keyed(self.conn, self.layout, self.table):
            old_ids = new_ids = lines  # its unique indexes hold no value twice
        else:
            old_ids, new_ids = (self._distinct_in_mapping(column) for column in ("old_id", "new_id"))
        unmapped = self.evidence["staged"] - self.evidence["mapped"] if self.is_staged else 0
        passed = lines == old_ids == new_ids and unmapped == 0 and not is_changed
        text = ", ".join(counted(*each) for each in ((lines, "line"), (old_ids, "old id"), (new_ids, "new id")))
        if is_changed:
            text += "; these are not the lines that were written"
        if unmapped:
            text += f"; no new id for {counted(unmapped, 'staged row')}"
        return CheckResult("id_mapping_one_to_one", passed, text, facts={"ids": lines})

    def _foreign_keys(self) -> CheckResult:
        links = self.table.links
        if not links:
            return CheckResult("foreign_keys", True, "no links in this table")
        if not self.is_staged:
            return CheckResult("foreign_keys", True, "no rows are staged: the links are as they were loaded")
        wrong = {column.xata_name: self.evidence[f"wrong_{number}"] for number, column in enumerate(links)}
        total = sum(self.evidence[f"links_{number}"] for number in range(len(links)))
        resolved = sum(self.evidence[f"resolved_{number}"] for number in range(len(links)))
        dangling = total - resolved
        facts = {"links": total, "dangling_links": dangling}
        if any(wrong.values()):
            named = ", ".join(f"{count} of {name}" for name, count in wrong.items() if count)
            text = f"links that lead elsewhere than the export's: {named}"
            return self._failed("foreign_keys", text, self._wrong_cells(list(links)), facts)
        text = f"{counted(resolved, 'link')} to rows that the export names"
        if self._is_changed("dangling_links"):
            text += "; and the lines of dangling_links are not those that were written"
            return self._failed("foreign_keys", text, self._dangling(), facts)
        if not dangling:
            return CheckResult("foreign_keys", True, text, facts=facts)
        everywhere = self._total("dangling_links")
        passed = everywhere <= self.budgets.dangling_links
        text += (
            f", {dangling:,} to rows that are not there; {everywhere:,} in all,"
            f" {self.budgets.dangling_links:,} allowed (max_dangling_links)"
        )
        query = self._dangling()
        return CheckResult("foreign_keys", passed, text, self._rows(query), facts, query.as_string(self.conn))

    def _unique_values(self) -> CheckResult:
        columns = self.table.unique_columns
        if not columns:
            return CheckResult("unique_values", True, "no unique columns in this table")
        # One after the other: together PostgreSQL would group by all of them at once
        twice = [column for column in columns if any_row(self.conn, self._twice(column))]
        if twice:
            query = sql.SQL(" UNION ALL ").join(self._twice(column) for column in twice)
            text = f"values stand twice in {', '.join(column.name for column in twice)}"
            return self._failed("unique_values", text, query)
        named = ", ".join(column.name for column in columns)
        return CheckResult("unique_values", True, f"no value stands twice in {named}")

    def _not_null(self) -> CheckResult:
        columns = [column for column in self.table.columns if column.not_null]
        if not columns:
            return CheckResult("not_null", True, "no NOT NULL columns in this table")
        counts = comma(
            sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(sql.Identifier(column.name)) for column in columns
        )
        row = self.conn.execute(sql.SQL("SELECT {} FROM {}").format(counts, self.target)).fetchone() or ()
        nulls = {column.name: int(count) for column, count in zip(columns, row, strict=True)}
        bad = {name: count for name, count in nulls.items() if count}
        facts = {"nulls": sum(bad.values())}
        if not bad:
            return CheckResult("not_null", True, f"no nulls in {', '.join(nulls)}", facts=facts)
        text = ", ".join(f"{counted(count, 'null')} in {name}" for name, count in bad.items())
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT id, {} AS column_name FROM {} WHERE {} IS NULL").format(
                sql.Literal(name), self.target, sql.Identifier(name)
            )
            for name in bad
        )
        return self._failed("not_null", text, query, facts)

    def _values_equal(self) -> CheckResult:
        if not self.is_staged:
            return CheckResult("values_equal", True, "no rows are staged: the values are as they were loaded")
        missing = self.evidence["staged"] - self.evidence["found"]
        differing = self.evidence["differing"]
        cells = self.evidence["found"] * len(self.compared)
        facts = {"cells": cells, "differing_rows": differing, "missing_rows": missing}
        if not differing and not missing:
            equal = "1 cell equals" if cells == 1 else f"{cells:,} cells equal"
            return CheckResult("values_equal", True, f"{equal} the export's", facts=facts)
        found = "1 row differs" if differing == 1 else f"{differing:,} rows differ"
        text = f"{found} from the export, {missing:,} missing"
        query = self._wrong_cells(self.compared) if differing else self._lost_or_extra()
        return self._failed("values_equal", text, query, facts)

    def _ids_rewritten(self) -> CheckResult:
        name, columns, mapped = "ids_rewritten", self.table.rewritten, self.expected.mapped
        if not self.is_staged:
            return CheckResult(name, True, "no rows are staged: the ids are as they were loaded")
        found = [count_rewritten(self.conn, self.layout, mapped, self.table, column) for column in columns]
        tables: dict[str, int] = {}
        for each in found:
            for table, count in each.tables.items():
                tables[table] = tables.get(table, 0) + count
        facts = {
            "rewritten_ids": sum(tables.values()),
            "ambiguous_ids": sum(each.ambiguous for each in found),
            "unresolved_ids": sum(each.unresolved for each in found),
        }
        leads = ", ".join(f"{count:,} to {table}" for table, count in sorted(tables.items()))
        text = f"{counted(facts['rewritten_ids'], 'id')} rewritten" + (f" ({leads})" if leads else "")
        text += (
            f"; left as they were: {facts['ambiguous_ids']:,} of several tables, {facts['unresolved_ids']:,} of no row"
        )
        wrong = sum(each.wrong for each in found)
        if wrong:
            return self._failed(
                name,
                f"{counted(wrong, 'value')} not as the mapping says; {text}",
                wrong_ids(self.layout, mapped, self.table, columns),
                facts,
            )
        return CheckResult(name, True, text, facts=facts)

    def _constraints_in_place(self) -> CheckResult:
        on_the_way = keys.waiting(self.conn, self.expected) if self.is_staged else frozenset()
        missing = keys.missing(self.conn, self.layout, self.plan, self.table)
        lacking = [str(key) for key, _ in missing if key not in on_the_way]
        lacking += [what for what, _ in keys.lacking_in_columns(self.conn, self.layout, self.table)]
        waiting = [
            key.references
            for key, _ in keys.wanted(self.layout, self.plan, self.table)
            if key in on_the_way
            or (key.kind == "f" and not exists(self.conn, self.layout.target(self.plan.by_name[key.references])))
        ]
        lacking += [what for what, _ in habits.lacking(self.conn, self.layout, self.table)]
        lacking += [what for what, _ in access.lacking(self.conn, self.layout, self.table)]
        lacking += self._lacking_from_cycle()
        floor = sequence_floor(self.conn, self.layout, self.table)
        if next_id(self.conn, self.layout, self.table) < floor:
            lacking.append(f"an identity that goes on at {floor}")
        if lacking:
            rows = tuple({"lacking": what} for what in lacking)
            return CheckResult("constraints_in_place", False, f"lacking: {', '.join(lacking)}", rows)
        text = (
            f"all keys, NOT NULLs and defaults are there; the next id is {next_id(self.conn, self.layout, self.table)}"
        )
        if waiting:
            text += f"; foreign keys to {', '.join(dict.fromkeys(waiting))} come with that table"
        return CheckResult("constraints_in_place", True, text)

    def _lacking_from_cycle(self) -> list[str]:
        """Return the foreign keys to this table that should have come with it."""
        return [
            str(key)
            for other in self.plan.cycle_of(self.table)
            if exists(self.conn, self.layout.target(other))
            for key, _ in keys.missing(self.conn, self.layout, self.plan, other)
            if key.references == self.table.name
        ]

    def _failed(self, name: str, text: str, query: sql.Composed, facts: Mapping[str, int] | None = None) -> CheckResult:
        """Return the red end of a check, with the first rows of the query and the query itself."""
        return CheckResult(name, False, text, self._rows(query), facts or {}, query.as_string(self.conn))

    def _twice(self, column: TargetColumn) -> sql.Composed:
        """Select the values of a column that stand in several rows."""
        return sql.SQL(
            "SELECT {} AS column_name, {column}::text AS value, count(*) AS rows FROM {} WHERE {column} IS NOT NULL"
            " GROUP BY {column} HAVING count(*) > 1"
        ).format(sql.Literal(column.name), self.target, column=sql.Identifier(column.name))

    def _wrong_cells(self, columns: list[TargetColumn]) -> sql.Composed:
        return wrong_cells(self.expected, columns)

    def _lost_or_extra(self) -> sql.Composed:
        return lost_or_extra(self.layout, self.table)

    def _rejected(self) -> sql.Composed:
        return sql.SQL(
            "SELECT file, line, old_id, xata_column, reason, left(value, 80) AS value FROM {}"
            " WHERE xata_table = {} ORDER BY line"
        ).format(self.layout.work("rejected_rows"), sql.Literal(self.table.xata_name))

    def _reasons(self) -> dict[str, int]:
        """Count the faults by reason."""
        rows = self.conn.execute(
            sql.SQL("SELECT reason, count(*) FROM {} WHERE xata_table = {} GROUP BY reason ORDER BY reason").format(
                self.layout.work("rejected_rows"), sql.Literal(self.table.xata_name)
            )
        )
        return {f"rejected: {reason}": count for reason, count in rows}

    def _dangling(self) -> sql.Composed:
        """Select the links set to NULL, with what became of the rows that they named."""
        parents = comma(
            sql.SQL("({}, {})").format(sql.Literal(column.xata_name), sql.Literal(column.link.table))
            for column in self.table.links
            if column.link
        )
        return statements.get("dangling").format(
            dangling=self.layout.work("dangling_links"),
            rejected=self.layout.work("rejected_rows"),
            parents=parents,
            table=sql.Literal(self.table.xata_name),
        )

    def _is_changed(self, name: str) -> bool:
        """Tell whether the table's lines in a list of the work schema are others than were written there."""
        written = getattr(self.line, ledger.DIGESTS[name])
        return written is not None and written != ledger.list_digest(self.conn, self.layout, self.table, name)

    def _mapped_rows(self) -> int:
        """Count the rows of the export in the target; the user's own are none of them."""
        return self._count(
            sql.SQL("SELECT count(*) FROM {} AS t JOIN {} AS m ON m.new_id = t.id").format(
                self.target, self.layout.mapping(self.table)
            )
        )

    def _distinct_in_mapping(self, column: str) -> int:
        return self._count(
            sql.SQL("SELECT count(DISTINCT {}) FROM {}").format(sql.Identifier(column), self.layout.mapping(self.table))
        )

    def _total(self, fact: str) -> int:
        lines = ledger.entries(self.conn, self.layout)
        return sum(getattr(line, fact) for name, line in lines.items() if name in self.plan.by_xata_name)

    def _count(self, query: sql.Composed) -> int:
        row = self.conn.execute(query).fetchone()
        return int(row[0]) if row else 0


def _cut(value: Any) -> Any:
    """Cut a value to what may be shown."""
    return value[:CELL_LIMIT] if isinstance(value, str) else value
