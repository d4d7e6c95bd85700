"""The target table: made whole on the first load, changed only where it differs on every later one.

`sharding` loads large ones in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import TargetError, TransientError
from xata_pg_assets.plan.tables import Plan, Role, TargetTable
from xata_pg_assets.postgres import access, ddl, habits, keys, ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock
from xata_pg_assets.postgres.catalog import any_row, column_types, count_rows, exists, identity_sequence, name_is_a_type
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.dangling import DanglingLinks, DanglingPolicy, ReadAgain
from xata_pg_assets.postgres.expected import Expected, comma, differ, expected_rows
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "BeforeSeen",
    "Changes",
    "Loader",
    "floor_query",
    "insert_rows",
    "load",
    "next_id",
    "raise_identity",
    "sequence_floor",
    "still_referenced",
]


BeforeSeen = Callable[[], AbstractContextManager[bool]]


@contextmanager
def _nothing() -> Iterator[bool]:
    yield False


@dataclass(frozen=True, slots=True)
class Changes:
    """How many rows a load inserted, updated and deleted.

    A link to a row that goes away is made NULL with that row, in the load of the table linked to, and not counted.
    """

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


def load(
    conn: Connection,
    layout: Layout,
    plan: Plan,
    table: TargetTable,
    policy: DanglingPolicy,
    read_again: ReadAgain,
    before_seen: BeforeSeen = _nothing,
) -> ledger.Entry:
    """Bring the target table to what is staged, in one transaction with its keys and its ledger line.

    `before_seen` is what is to be done besides in the transaction of a first load: entered when the rows are in, and
    left when all is made, before anybody else sees the table. What it yields tells whether it found every link.

    Raises:
        ExportError: a link dangles, and the policy or a NOT NULL forbids it.
        TargetError: the table is not ours, or has other columns than planned.
        TransientError: the staged rows are gone (the server crashed).
    """
    loader = Loader(conn, layout, plan, table, policy, read_again)
    try:
        return loader.load(before_seen)
    except pg.ForeignKeyViolation:
        # A row of a parent was removed by hand: its mapping is no proof of it any more
        try:
            return replace(loader, is_exact=True).load(before_seen)
        except pg.ForeignKeyViolation:
            raise still_referenced(table) from None
    except pg.RestrictViolation:
        raise still_referenced(table) from None


def still_referenced(table: TargetTable) -> TargetError:
    """Say that a row of the user's own keeps another from going."""
    return TargetError(
        f"table {table.name}: a row that the export no longer holds is still referenced by a row of your own; "
        "delete or change that row, then run again"
    )


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads one table."""

    conn: Connection
    layout: Layout
    plan: Plan
    table: TargetTable
    policy: DanglingPolicy
    read_again: ReadAgain
    is_exact: bool = False

    def load(self, before_seen: BeforeSeen = _nothing) -> ledger.Entry:
        started = perf_counter()
        with self.conn.transaction(), ExitStack() as besides:
            self._lock()
            line = ledger.entry(self.conn, self.layout, self.table)
            target = self.layout.target(self.table)
            is_first = not exists(self.conn, target)
            self._refuse_foreign_table(line, is_first)
            waiting = frozenset[keys.Key]()
            if line.staged_rows is None and not is_first:
                changes, facts = Changes(), {}
            else:
                links = self._judge(line, is_first=is_first)
                line = ledger.entry(self.conn, self.layout, self.table)
                expected = self._expected()
                waiting = keys.waiting(self.conn, expected)
                changes = self._first(expected, line) if is_first else self._difference(expected, waiting)
                lost = self.table.links
                if is_first:
                    loaded = perf_counter()
                    has_all_links = besides.enter_context(before_seen())
                    started += perf_counter() - loaded
                    lost = () if has_all_links else links.lost()
                dangling = links.write_down(expected, lost)
                facts = {"target_rows": line.staged_rows, "dangling_links": dangling}
            if line.shards is not None:  # it was in shards before
                self.conn.execute(ddl.drop_building(self.layout, self.table))
                facts |= {"shards": None}
            self._close(changes, waiting, started, facts)
        return ledger.entry(self.conn, self.layout, self.table)

    def _judge(self, line: ledger.Entry, *, is_first: bool) -> DanglingLinks:
        """Refuse what cannot be loaded, and see to the links that dangle."""
        self._refuse_lost_staging(line, is_first=is_first)
        self._refuse_unmade_parents(line)
        self._refuse_unmapped()
        links = DanglingLinks(self.conn, self.layout, self.plan, self.table, self.policy, self.read_again)
        links.refuse_or_reject()
        return links

    def _expected(self) -> Expected:
        return expected_rows(self.conn, self.layout, self.plan, self.table, is_exact=self.is_exact)

    def _close(
        self, changes: Changes, waiting: frozenset[keys.Key], started: float, facts: Mapping[str, object]
    ) -> None:
        """Make what is missing beside the rows, and write the line."""
        keys.ensure(self.conn, self.layout, self.plan, self.table, but=waiting)
        habits.ensure(self.conn, self.layout, self.table)
        access.ensure(self.conn, self.layout, self.table)
        raise_identity(self.conn, self.layout, self.table)
        ledger.record(
            self.conn,
            self.layout,
            self.table,
            **facts,
            inserted_rows=changes.inserted,
            updated_rows=changes.updated,
            deleted_rows=changes.deleted,
            checks={},
            load_seconds=perf_counter() - started,
            loaded_at=ledger.now(),
        )

    def _lock(self) -> None:
        """Keep out other loads of the table, and of its cycle, whose foreign keys wait for each other."""
        lock(self.conn, self.layout, f"table {self.table.name}")
        if self.table.cycle:
            lock(self.conn, self.layout, f"cycle {min(self.table.cycle)}")

    def _refuse_foreign_table(self, line: ledger.Entry, is_first: bool) -> None:
        name = f"{self.layout.target_schema}.{self.table.name}"
        if is_first:
            return
        if line.loaded_at is None:
            raise TargetError(
                f"table {name}: exists already and was not made by a migration; "
                "rename or drop it, or choose another target_schema"
            )
        there = column_types(self.conn, self.layout.target(self.table))
        for column in self.table.columns:
            if column.name not in there:
                raise TargetError(
                    f"table {name}: has no column {column.name}; the schema or the settings changed since it was "
                    "made: drop the table to have it made anew"
                )

    def _refuse_unmade_parents(self, line: ledger.Entry) -> None:
        """A link to a table that was never made would be no link at all."""
        parents = self.plan.upstream(self.table) if line.staged_rows else ()
        lines = ledger.entries(self.conn, self.layout) if parents else {}
        for parent in parents:
            of_parent = lines.get(parent.xata_name)
            lacking = of_parent.unfinished if of_parent else None
            if lacking:
                raise TargetError(
                    f"table {self.table.xata_name}: links to {parent.xata_name}, of which {lacking}; "
                    f"migrate it first, or both: --tables {parent.xata_name},{self.table.xata_name}"
                )
            if not exists(self.conn, self.layout.target(parent)):
                raise TargetError(
                    f"table {self.table.xata_name}: links to {parent.xata_name}, which is not migrated yet; "
                    f"migrate it first, or both: --tables {parent.xata_name},{self.table.xata_name}"
                )

    def _refuse_unmapped(self) -> None:
        """An id whose table has no mapping yet would be taken for the id of no row."""
        if not self.table.rewritten:
            return
        lines = ledger.entries(self.conn, self.layout)
        for other in self.plan.tables:
            if other.xata_name not in lines or lines[other.xata_name].mapped_at is None:
                raise TargetError(
                    f"table {self.table.xata_name}: rewrite_ids needs the new ids of all tables, and those of "
                    f"{other.xata_name} are not given yet; run xata-pg migrate without --tables"
                )

    def _refuse_lost_staging(self, line: ledger.Entry, *, is_first: bool) -> None:
        """Nothing is deleted because an unlogged table was emptied by a crash of the server.

        The rows of a first load are counted on their way into the table: to read them once more is dear.
        """
        staging = self.layout.staging(self.table)
        if not exists(self.conn, staging) or (not is_first and count_rows(self.conn, staging) != line.staged_rows):
            raise TransientError(f"table {self.table.xata_name}: its staged rows are gone; materialize it again")

    def _unmapped_rows(self) -> TargetError:
        return TargetError(
            f"table {self.table.xata_name}: rows that were staged have no new id yet; "
            f"materialize id_mapping/{self.table.name} first"
        )

    def _first(self, expected: Expected, line: ledger.Entry) -> Changes:
        values = comma(ddl.cast(self.layout, column, expected.value(column)) for column in self.table.columns)
        rows = sql.SQL("SELECT {} FROM {}").format(values, expected.source)
        create, *more = ddl.create_table_as(self.layout, self.table, rows)
        try:
            inserted = self.conn.execute(create).rowcount
        except pg.DuplicateObject:
            raise TargetError(name_is_a_type(self.layout.target_schema, self.table.name)) from None
        if inserted != line.staged_rows:
            self._refuse_lost_staging(line, is_first=False)
            raise self._unmapped_rows()
        for statement in more:
            self.conn.execute(statement)
        return Changes(inserted)

    def _insert(self, expected: Expected, only: sql.Composable | None = None) -> int:
        return self.conn.execute(insert_rows(expected) + (only or sql.SQL(""))).rowcount

    def _difference(self, expected: Expected, waiting: frozenset[keys.Key]) -> Changes:
        keys.drop_foreign_keys(self.conn, self.layout, self.table, waiting)
        deleted = self._delete()
        try:
            with self.conn.transaction():
                changes = Changes(self._insert_new(expected), self._update(expected), deleted)
        except pg.UniqueViolation:
            # Unique values wander between rows: no order of single changes avoids a moment of two equal ones
            keys.drop_unique(self.conn, self.layout, self.table)
            changes = Changes(self._insert_new(expected), self._update(expected), deleted)
        return changes

    def _insert_new(self, expected: Expected) -> int:
        target = self.layout.target(self.table)
        return self._insert(
            expected, sql.SQL(" WHERE NOT EXISTS (SELECT FROM {} AS t WHERE t.id = m.new_id)").format(target)
        )

    def _update(self, expected: Expected) -> int:
        columns = [column for column in self.table.columns if column.role is not Role.ID]
        if not columns:
            return 0
        return self.conn.execute(
            sql.SQL("UPDATE {} AS t SET {} FROM {} WHERE t.id = m.new_id AND {}").format(
                self.layout.target(self.table),
                comma(
                    sql.SQL("{} = {}").format(sql.Identifier(column.name), expected.value(column)) for column in columns
                ),
                expected.source,
                differ(expected.compared(column) for column in columns),
            )
        ).rowcount

    def _delete(self) -> int:
        """Delete the rows that the export no longer holds, links to them first, whatever their delete rule."""
        target = self.layout.target(self.table)
        gone = statements.get("gone_rows").format(
            target=target, mapping=self.layout.mapping(self.table), staging=self.layout.staging(self.table)
        )
        if not any_row(self.conn, gone):
            return 0
        self._release(self.table, gone)
        return self.conn.execute(sql.SQL("DELETE FROM {} WHERE id IN ({})").format(target, gone)).rowcount

    def _release(self, table: TargetTable, gone: sql.Composable, *above: str) -> None:
        """Take the links to rows that go away; where a link may not be NULL, its row goes as well."""
        for other, column in self.plan.referrers(table):
            if not (exists(self.conn, self.layout.target(other)) and exists(self.conn, self.layout.mapping(other))):
                continue
            names = {
                "referrer": self.layout.target(other),
                "mapping": self.layout.mapping(other),
                "link": sql.Identifier(column.name),
                "gone_rows": gone,
            }
            if column.not_null and other.name not in (table.name, *above):
                self._release(other, statements.get("referrers").format(**names), table.name, *above)
            statement = statements.get("delete_referrers" if column.not_null else "unlink_referrers")
            self.conn.execute(statement.format(**names))


def insert_rows(expected: Expected, into: sql.Identifier | None = None) -> sql.Composed:
    """Insert the expected rows, into the target table or another of its columns; a WHERE may follow."""
    columns = comma(sql.Identifier(column.name) for column in expected.table.columns)
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        into or expected.layout.target(expected.table), columns, expected.values, expected.source
    )


def raise_identity(conn: Connection, layout: Layout, table: TargetTable) -> None:
    """Let new rows get the ids above every id mapped or used; never below what was handed out already."""
    floor = sequence_floor(conn, layout, table)
    if next_id(conn, layout, table) < floor:
        conn.execute(
            sql.SQL("ALTER TABLE {} ALTER COLUMN id RESTART WITH {}").format(layout.target(table), sql.Literal(floor))
        )


def sequence_floor(conn: Connection, layout: Layout, table: TargetTable) -> int:
    """Return the id that is one above every id mapped or used."""
    row = conn.execute(floor_query(layout, table)).fetchone()
    return int(row[0]) if row else 1


def floor_query(layout: Layout, table: TargetTable) -> sql.Composed:
    """Select the id that is one above every id mapped or used."""
    return sql.SQL("SELECT greatest(0, (SELECT max(new_id) FROM {}), (SELECT max(id) FROM {})) + 1").format(
        layout.mapping(table), layout.target(table)
    )


def next_id(conn: Connection, layout: Layout, table: TargetTable) -> int:
    """Return the id that the identity hands out next, 0 where there is none."""
    name = identity_sequence(conn, layout.target(table))
    if name is None:
        return 0
    row = conn.execute(sql.SQL("SELECT last_value + is_called::int FROM {}").format(sql.Identifier(*name))).fetchone()
    return int(row[0]) if row else 0
