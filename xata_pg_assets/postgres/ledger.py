"""The ledger: one line a table, written in the transaction of the work that it records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "DIGESTS",
    "Entry",
    "accepted_on",
    "entries",
    "entry",
    "exists",
    "freeze",
    "list_digest",
    "now",
    "record",
    "recording",
    "thaw",
]

# The count of a table's lines in a list of the work schema, and what keeps the digest of these lines
DIGESTS = {"rejected_rows": "rejected_digest", "dangling_links": "dangling_digest"}
_COMMENT = "The ledger: what the last load of each table did, and how its checks ended"
_ACCEPTED = "Accepted on "


@dataclass(frozen=True, slots=True)
class Entry:
    """A table's line: what the last staging, mapping, load and checks of it did; seconds are wall clock."""

    xata_table: str
    target_table: str
    mapping_table: str
    source: str | None = None
    file: str | None = None
    dialect: str | None = None
    sha256: str | None = None
    fingerprint: str | None = None
    staged_rows: int | None = None
    source_rows: int = 0
    duplicate_rows: int = 0
    rejected_rows: int = 0
    staging_warnings: list[str] = field(default_factory=list)
    staging_seconds: float = 0.0
    staged_at: datetime | None = None
    mapped_rows: int | None = None
    mapping_digest: int | None = None
    mapping_seconds: float = 0.0
    mapped_at: datetime | None = None
    target_rows: int | None = None
    inserted_rows: int | None = None
    updated_rows: int | None = None
    deleted_rows: int | None = None
    dangling_links: int = 0
    rejected_digest: str | None = None
    dangling_digest: str | None = None
    load_seconds: float = 0.0
    loaded_at: datetime | None = None
    checks: dict[str, Any] = field(default_factory=dict)
    check_seconds: float = 0.0
    checked_at: datetime | None = None

    @property
    def seconds(self) -> float:
        """What the table took in all."""
        return self.staging_seconds + self.mapping_seconds + self.load_seconds + self.check_seconds


def exists(conn: Connection, layout: Layout) -> bool:
    """Tell whether a migration ever ran into this target."""
    name = layout.work("loads").as_string(conn)
    return conn.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone() == (True,)


def accepted_on(conn: Connection, layout: Layout) -> str | None:
    """Return the day on which the migration was accepted and the ledger frozen, None where it was not.

    The table's comment tells it: a column more, and a ledger of before would have to be altered.
    """
    row = conn.execute(
        "SELECT substring(obj_description(to_regclass(%s), 'pg_class') FROM %s)",
        (layout.work("loads").as_string(conn), f"{_ACCEPTED}(.*)"),
    ).fetchone()
    return row[0] if row else None


def freeze(conn: Connection, layout: Layout) -> None:
    """Mark the migration as accepted; nothing counts as staged any more."""
    name = layout.work("loads")
    conn.execute(sql.SQL("UPDATE {} SET staged_rows = NULL, fingerprint = NULL").format(name))
    _describe(conn, layout, f"{_COMMENT}. {_ACCEPTED}{now():%Y-%m-%d}")


def thaw(conn: Connection, layout: Layout) -> None:
    """Take back that the migration was accepted."""
    _describe(conn, layout, _COMMENT)


def _describe(conn: Connection, layout: Layout, text: str) -> None:
    conn.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(layout.work("loads"), sql.Literal(text)))


def entries(conn: Connection, layout: Layout) -> Mapping[str, Entry]:
    """Return every table's line, by Xata name."""
    with conn.cursor(row_factory=class_row(Entry)) as cur:
        cur.execute(sql.SQL("SELECT * FROM {}").format(layout.work("loads")))
        return {line.xata_table: line for line in cur}


def entry(conn: Connection, layout: Layout, table: TargetTable) -> Entry:
    """Return the table's line; an empty one where it has none yet."""
    with conn.cursor(row_factory=class_row(Entry)) as cur:
        cur.execute(
            sql.SQL("SELECT * FROM {} WHERE xata_table = {}").format(layout.work("loads"), sql.Literal(table.xata_name))
        )
        return cur.fetchone() or Entry(table.xata_name, table.name, table.mapping)


def record(conn: Connection, layout: Layout, table: TargetTable, **facts: Any) -> None:
    """Write facts into the table's line; the others stay as they are.

    With the count of rejected rows or of dangling links goes a digest of their list, by which the checks see whether
    a line was lost since: call it when the list is written.
    """
    conn.execute(recording(layout, table, **facts))


def recording(layout: Layout, table: TargetTable, **facts: Any) -> sql.Composed:
    """Return the statement that `record` runs; a fact may be an expression, too."""
    digests = {
        digest: sql.SQL("({})").format(_digest_query(layout, table, name))
        for name, digest in DIGESTS.items()
        if name in facts
    }
    line = {"target_table": table.name, "mapping_table": table.mapping, **facts, **digests}
    names = [sql.Identifier(name) for name in line]
    return sql.SQL("INSERT INTO {} (xata_table, {}) VALUES ({}, {}) ON CONFLICT (xata_table) DO UPDATE SET {}").format(
        layout.work("loads"),
        sql.SQL(", ").join(names),
        sql.Literal(table.xata_name),
        sql.SQL(", ").join(_fact(value) for value in line.values()),
        sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in names),
    )


def list_digest(conn: Connection, layout: Layout, table: TargetTable, name: str) -> str:
    """Return number and hash of the table's lines in `rejected_rows` or `dangling_links`, in whatever order."""
    row = conn.execute(_digest_query(layout, table, name)).fetchone()
    return str(row[0]) if row else ""


def _digest_query(layout: Layout, table: TargetTable, name: str) -> sql.Composed:
    return statements.get("list_digest").format(list=layout.work(name), xata_table=sql.Literal(table.xata_name))


def _fact(value: Any) -> sql.Composable:
    if isinstance(value, sql.Composable):
        return value
    return sql.Literal(Jsonb(value) if isinstance(value, (dict, list)) else value)


def now() -> datetime:
    """The time for a ledger line."""
    return datetime.now(UTC)
