"""What the last loads left out, as it is kept in the work schema: rejected rows and dangling links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = ["DanglingLink", "Faults", "RejectedRow", "dangling_links", "faults", "rejected_rows"]

EACH = 5  # samples of one reason in one column, and of the links of one column
ALL = 200
VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Faults:
    """How many faults of one reason a column has; a row may have several."""

    xata_table: str
    xata_column: str | None
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One fault of one rejected row; `value` is cut to one character more than is shown."""

    xata_table: str
    file: str | None
    line: int | None
    old_id: str | None
    xata_column: str | None
    value: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class DanglingLink:
    """One link to a row that is not there; `links` counts those of its column."""

    xata_table: str
    xata_column: str
    old_id: str
    missing_id: str
    links: int


def faults(conn: Connection, layout: Layout, plan: Plan) -> Sequence[Faults]:
    """Count the faults of the plan's tables by reason, table and column."""
    query = statements.get("rejected_reasons").format(rejected_rows=layout.work("rejected_rows"), tables=_names(plan))
    return [Faults(*row) for row in conn.execute(query)]


def rejected_rows(conn: Connection, layout: Layout, plan: Plan) -> Sequence[RejectedRow]:
    """Return the first faults of each reason in each column."""
    query = statements.get("rejected_samples").format(
        rejected_rows=layout.work("rejected_rows"),
        tables=_names(plan),
        length=sql.Literal(VALUE_LENGTH + 1),
        each=sql.Literal(EACH),
        all=sql.Literal(ALL),
    )
    with conn.cursor(row_factory=class_row(RejectedRow)) as cur:
        return cur.execute(query).fetchall()


def dangling_links(conn: Connection, layout: Layout, plan: Plan) -> Sequence[DanglingLink]:
    """Return the first dangling links of each column."""
    query = statements.get("dangling_samples").format(
        dangling_links=layout.work("dangling_links"),
        tables=_names(plan),
        each=sql.Literal(EACH),
        all=sql.Literal(ALL),
    )
    with conn.cursor(row_factory=class_row(DanglingLink)) as cur:
        return cur.execute(query).fetchall()


def _names(plan: Plan) -> sql.Composable:
    return sql.Literal([table.xata_name for table in plan.tables])
