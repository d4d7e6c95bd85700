"""The ledger: one line a table, written in the transaction of the work that it records.

Of a table in shards the line holds them, too (`Shards`): each is written in the transaction of its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from xata_pg_assets.plan.shards import shard_names, told
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import column_types
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "DIGESTS",
    "REJECTED",
    "Entry",
    "Shards",
    "accepted_on",
    "entries",
    "entry",
    "exists",
    "forget_building",
    "freeze",
    "list_digest",
    "now",
    "record",
    "recording",
    "thaw",
]

# The count of a table's lines in a list of the work schema, and what keeps the digest of these lines
DIGESTS = {"rejected_rows": "rejected_digest", "dangling_links": "dangling_digest"}
# Begins the fingerprint of staged rows some of which were rejected since: they are no longer what the file holds
REJECTED = "rejected from "
_COMMENT = "The ledger: what the last load of each table did, and how its checks ended"
_ACCEPTED = "Accepted on "


@dataclass(frozen=True, slots=True)
class Shards:
    """How far a table is that is loaded in `count` shards.

    `basis` is a digest of all that decides what should be in them, `fingerprint` that of the staged rows: of others,
    nothing is in. `ordinals` is one more than the highest ordinal of these rows. `done` has rows, changes, seconds
    and time of each shard that is in, by name. `is_first` tells that the table is being made, aside from where it
    will be; `is_exact`, that links are looked up in the tables linked to, and not in their mappings. `is_whole`
    tells that all are in, and the keys as well.
    """

    count: int
    basis: str
    fingerprint: str
    ordinals: int
    is_first: bool
    is_exact: bool = False
    is_whole: bool = False
    deleted: int = 0
    seconds: float = 0.0
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all."""
        return shard_names(self.count)

    @property
    def missing(self) -> list[str]:
        """The names of those that are not in."""
        return [name for name in self.names if name not in self.done]

    def total(self, fact: str) -> int:
        """Return the sum of a fact of those that are in."""
        return sum(int(facts[fact]) for facts in self.done.values())


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
    shards: dict[str, Any] | None = None

    @property
    def in_shards(self) -> Shards | None:
        """Return how far its shards are, None of a table that is loaded at once."""
        return Shards(**self.shards) if self.shards else None

    @property
    def missing_shards(self) -> list[str]:
        """The shards that are not in; of staged rows other than theirs, none is."""
        shards = self.in_shards
        if shards is None or shards.is_whole:
            return []
        return list(shards.names) if shards.fingerprint != self.staged_from else shards.missing

    @property
    def unfinished(self) -> str | None:
        """Say what a table lacks some of whose shards are in, None of one that is whole, or was never begun."""
        shards, missing = self.in_shards, self.missing_shards
        if shards is None or shards.is_whole:
            return None
        if not missing:
            return f"all {shards.count} shards are in and the keys are missing"
        return f"{told(missing, shards.count)} {'is' if len(missing) == 1 else 'are'} missing"

    @property
    def staged_from(self) -> str:
        """The fingerprint of the file that is staged, whether rows of it were rejected since or not."""
        return (self.fingerprint or "").removeprefix(REJECTED)

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


def forget_building(conn: Connection, layout: Layout) -> None:
    """Forget the shards of tables that were being made: these are gone with the staged rows."""
    if "shards" in column_types(conn, layout.work("loads")):
        conn.execute(
            sql.SQL("UPDATE {} SET shards = NULL WHERE (shards ->> 'is_first')::boolean").format(layout.work("loads"))
        )


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
