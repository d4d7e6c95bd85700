"""Everything that a report for a ticket says, gathered once for the HTML page and for Markdown.

Texts are made visible and cut here; escaping is the templates' work. Values of the export are in it only where they
are asked for: the report travels further than the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import sql
from pydantic import SecretStr

from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import Role, TargetTable
from xata_pg_assets.postgres import findings, ledger
from xata_pg_assets.postgres.checks import CHECKS, REWRITING_CHECKS, checks_of
from xata_pg_assets.postgres.connection import Connection, describe_target, server_facts
from xata_pg_assets.postgres.figures import Figure, figures, totals
from xata_pg_assets.report.diagram import Diagram, mermaid
from xata_pg_assets.report.escape import cut, visible
from xata_pg_assets.report.result import Report, run_only
from xata_pg_assets.report.timings import Timings
from xata_pg_assets.report.verdict import Verdict, judge
from xata_pg_assets.settings import Settings
from xata_pg_assets.stores import described

__all__ = ["REASONS", "Document", "gather"]

REASONS: Mapping[str, str] = {
    "ragged": "more or fewer cells than the header",
    "bad_value": "not a value of the column's type",
    "null_not_allowed": "nothing where the column must have a value",
    "missing_id": "no id",
    "duplicate_id": "another version of a row that is in",
    "duplicate_value": "a unique value that an earlier row has",
    "bad_dimension": "a vector of another length",
    "nul_byte": "a NUL character, which PostgreSQL cannot hold",
    "bad_encoding": "not UTF-8",
    "value_too_long": "longer than an index or an id may be",
    "dangling_link": "a link to a row that is not there",
}
_GENERATED_ID = re.compile(r"rec_[0-9a-v]{20}")  # made by Xata, it tells nothing of anybody
_HIDDEN = "(not shown)"
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class CheckMark:
    """One check of one table."""

    name: str
    passed: bool
    description: str


@dataclass(frozen=True, slots=True)
class TableLine:
    """One table's figures, and what it was read from."""

    xata_name: str
    name: str
    source_rows: int
    target_rows: int
    rejected_rows: int
    duplicate_rows: int
    dangling_links: int
    seconds: float
    checks: Sequence[CheckMark]
    file: str
    read_as: str
    sha256: str

    @property
    def failed(self) -> int:
        """How many checks are red."""
        return sum(not check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One fault of one row; `value` is None where values are not shown."""

    table: str
    place: str
    old_id: str
    column: str
    reason: str
    value: str | None


@dataclass(frozen=True, slots=True)
class FaultCount:
    """The faults of one reason in one column."""

    reason: str
    meaning: str
    table: str
    column: str
    count: int


@dataclass(frozen=True, slots=True)
class Dangling:
    """The links of one column that lead nowhere, and the first of them as (id, missing id)."""

    table: str
    column: str
    count: int
    samples: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Renaming:
    """A name in Xata and in PostgreSQL."""

    kind: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """The figures of one table, or of all (`table` is None), with the statements that count them anew."""

    table: str | None
    figures: Sequence[Figure]

    @property
    def sql(self) -> str:
        """The statements, to be pasted into psql; comments are one line, whatever a name holds."""
        return "\n\n".join(
            f"-- {visible(figure.name)}: {'not 0, the check is red' if figure.value is None else figure.value}"
            f"\n{figure.statement};"
            for figure in self.figures
        )


@dataclass(frozen=True, slots=True)
class Document:
    """What the report says."""

    verdict: Verdict
    made_at: str
    started_at: str
    finished_at: str
    source: str
    target: str
    tables: Sequence[TableLine]
    faults: Sequence[FaultCount]
    rejected: Sequence[Rejected]
    dangling: Sequence[Dangling]
    renamings: Sequence[Renaming]
    warnings: Sequence[str]
    versions: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    recipes: Sequence[Recipe]
    timings: Timings
    diagram: Diagram
    mermaid: str
    work_schema: str
    has_values: bool
    checks: Mapping[str, str]

    def total(self, figure: str) -> int:
        """Return the sum of a figure over all tables."""
        return sum(getattr(table, figure) for table in self.tables)

    @property
    def passed(self) -> int:
        """How many checks are green."""
        return sum(len(table.checks) - table.failed for table in self.tables)

    @property
    def checked(self) -> int:
        """How many checks there are."""
        return len(self.tables) * len(self.checks)

    def failed(self, check: str) -> Sequence[TableLine]:
        """Return the tables that have not passed a check."""
        return [table for table in self.tables if not any(each.name == check and each.passed for each in table.checks)]

    @property
    def has_staging(self) -> bool:
        """Whether the rows as they came are still there to be compared with."""
        return any(figure.name.startswith("values_equal") for recipe in self.recipes for figure in recipe.figures)

    @property
    def files(self) -> Sequence[TableLine]:
        """The tables of which it is known what they were read from."""
        return [table for table in self.tables if table.file]


def gather(migration: Migration, conn: Connection, report: Report, *, has_values: bool = False) -> Document:
    """Gather what the report's ledger, work tables and plan tell."""
    layout, plan = migration.wanted_layout, migration.plan
    lines, report = ledger.entries(conn, layout), run_only(report)
    return Document(
        verdict=judge(report),
        made_at=f"{ledger.now():%Y-%m-%d %H:%M} UTC",
        started_at=_minute(report["started_at"]),
        finished_at=_minute(report["finished_at"]),
        source=visible(report["source"]),
        target=visible(f"{describe_target(migration.known_url)}, schema {layout.target_schema}"),
        tables=[_table_line(table, lines.get(table["xata_table"])) for table in report["tables"]],
        faults=[
            FaultCount(
                each.reason,
                REASONS.get(each.reason, ""),
                _name(each.xata_table),
                _name(each.xata_column or ""),
                each.count,
            )
            for each in findings.faults(conn, layout, plan)
        ],
        rejected=[_rejected(row, has_values) for row in findings.rejected_rows(conn, layout, plan)],
        dangling=_dangling(findings.dangling_links(conn, layout, plan), has_values),
        renamings=[renaming for table in plan.tables for renaming in _renamings(table)],
        warnings=[visible(text) for text in report["warnings"]],
        versions=[(name, visible(version or "none")) for name, version in report["versions"].items()],
        settings=list(_settings(migration)),
        recipes=[recipe for recipe in _recipes(migration, conn, lines) if recipe.figures],
        timings=Timings(plan, lines),
        diagram=Diagram(plan),
        mermaid=mermaid(plan),
        work_schema=visible(sql.Identifier(layout.work_schema).as_string(conn)),
        has_values=has_values,
        checks={name: text for table in plan.tables for name, text in checks_of(table).items()},
    )


def _table_line(table: Report, line: ledger.Entry | None) -> TableLine:
    by_name = {check["name"]: check for check in table["checks"]}
    return TableLine(
        xata_name=_name(table["xata_table"]),
        name=_name(table["table"]),
        **{
            name: table[name]
            for name in ("source_rows", "target_rows", "rejected_rows", "duplicate_rows", "dangling_links", "seconds")
        },
        checks=[
            CheckMark(name, by_name[name]["passed"], visible(by_name[name]["description"]))
            for name in (*CHECKS, *REWRITING_CHECKS)
            if name in by_name
        ],
        file=visible(line.file or "") if line else "",
        read_as=visible(line.dialect or "") if line else "",
        sha256=line.sha256 or "" if line else "",
    )


def _rejected(row: findings.RejectedRow, has_values: bool) -> Rejected:
    place = ":".join(str(part) for part in (row.file, row.line) if part is not None)
    value = None
    if has_values:
        value = "" if row.value is None else cut(visible(row.value), findings.VALUE_LENGTH)
    return Rejected(
        table=_name(row.xata_table),
        place=visible(place),
        old_id=_id(row.old_id, has_values),
        column=_name(row.xata_column or ""),
        reason=row.reason,
        value=value,
    )


def _dangling(links: Sequence[findings.DanglingLink], has_values: bool) -> list[Dangling]:
    columns: dict[tuple[str, str], list[findings.DanglingLink]] = {}
    for link in links:
        columns.setdefault((link.xata_table, link.xata_column), []).append(link)
    return [
        Dangling(
            _name(table),
            _name(column),
            of_column[0].links,
            [(_id(link.old_id, has_values), _id(link.missing_id, has_values)) for link in of_column],
        )
        for (table, column), of_column in columns.items()
    ]


def _id(old_id: str | None, has_values: bool) -> str:
    """Return an id; one that somebody chose may be a name or an address, and is a value like others."""
    if old_id is None:
        return ""
    shown = has_values or _GENERATED_ID.fullmatch(old_id)
    return cut(visible(old_id), findings.VALUE_LENGTH) if shown else _HIDDEN


def _renamings(table: TargetTable) -> Iterator[Renaming]:
    if table.xata_name != table.name:
        yield Renaming("table", _name(table.xata_name), _name(table.name))
    for column in table.columns:
        # Those of the metadata are the same in every table
        if column.role is Role.OWN and column.xata_name != column.name:
            old, new = f"{table.xata_name}.{column.xata_name}", f"{table.name}.{column.name}"
            yield Renaming("column", _name(old), _name(new))


def _settings(migration: Migration) -> Iterator[tuple[str, str]]:
    """Yield every setting with its value; of source and target only host and database."""
    for field_name, field in Settings.model_fields.items():
        name = field.validation_alias if isinstance(field.validation_alias, str) else field_name
        value = getattr(migration.settings, field_name)
        if name == "source":
            text = migration.source_name
        elif name == "target":
            text = migration.describe_target()
        elif name in ("files", "files_to"):
            text = described(value) if value else ""
        elif name in ("files_options", "files_to_options"):
            text = ", ".join(value)  # their values may be keys
        elif isinstance(value, SecretStr):
            text = "set"  # its URL may hold a password in any of its parts
        elif isinstance(value, Mapping):
            text = ", ".join(f"{link} = {rule}" for link, rule in value.items())
        else:
            text = str(value).lower() if isinstance(value, bool) else str("" if value is None else value)
        yield name, visible(text)


def _recipes(migration: Migration, conn: Connection, lines: Mapping[str, ledger.Entry]) -> Iterator[Recipe]:
    plan, layout = migration.plan, migration.wanted_layout
    if schema := server_facts(conn).pgvector_schema:
        layout = replace(layout, pgvector_schema=schema)
    yield Recipe(None, totals(conn, layout, plan, lines))
    for table in plan.tables:
        if (line := lines.get(table.xata_name)) is not None:
            yield Recipe(_name(table.name), figures(conn, layout, plan, table, line))


def _name(name: str) -> str:
    return cut(visible(name), _LONGEST_NAME)


def _minute(time: str | None) -> str:
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC" if time else ""
