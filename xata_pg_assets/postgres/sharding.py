"""A large table loaded in shards: each in a transaction of its own, several at once, the keys after the last.

On the first load the table grows aside, among the staged ones, where it has no keys. When all its shards are in it
is moved to its place, and gets its keys and its line in the ledger, all in one transaction: as without shards nobody
ever sees half a table. On a later load each shard changes what differs in its own rows; rows that the export no
longer holds go before the first. What the change of single shards would trip over is dropped before, and made again
after the last: unique constraints whose values wander between rows, and foreign keys to rows of the table, or of its
cycle, that are still to come.

A shard is a range of the rows in the order of their file (`xata.ordinal`): the same file, staged again after a crash
of the server, has the same shards, and what is in already stays. Rows of one file lie in the order of their ordinals,
so that a shard is read as a range of blocks: each block once in all. By new ids, which are in the order of the old
ones, or by their remainders, every shard would read all that is staged: 800,000 rows with three links took 7.8 s in
16 shards one after the other against 8.9 and 23.1, and 4.7 s two at once, where one INSERT of all took 4.3.

Links that dangle are judged for the whole table before the first shard. What is in the shards is told from what
should be by a digest of all that decides it (`basis`): another file, other parents, other settings, and all are
loaded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from time import perf_counter

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.types.json import Jsonb

from xata_pg_assets import __version__
from xata_pg_assets.errors import TargetError, TransientError, UnreachableError, XataPgError
from xata_pg_assets.plan.tables import ORDINAL, Plan, TargetColumn, TargetTable
from xata_pg_assets.postgres import ddl, keys, ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock, share_lock
from xata_pg_assets.postgres.catalog import exists, is_type, name_is_a_type
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.dangling import DanglingLinks, DanglingPolicy, ReadAgain
from xata_pg_assets.postgres.expected import Expected
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.loading import Changes, Loader, insert_rows, still_referenced
from xata_pg_assets.postgres.staging import BUILDING

__all__ = ["Sessions", "load"]

Sessions = Callable[[str], AbstractContextManager[Connection]]  # opens one for the shard of the name

_MOST_REASONS = 3


def load(
    conn: Connection,
    layout: Layout,
    plan: Plan,
    table: TargetTable,
    policy: DanglingPolicy,
    read_again: ReadAgain,
    *,
    sessions: Sessions,
    threads: int,
    chosen: Collection[str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ledger.Entry:
    """Load those shards that are not in, or the chosen ones, `threads` at once; finish the table with the last.

    Of a table that is whole all are loaded again, which changes only what differs. A shard that fails leaves the
    others alone, and all are tried.

    Raises:
        ExportError: a link dangles, and the policy or a NOT NULL forbids it.
        TargetError: a shard failed, or the table cannot be made; names the missing shards.
        TransientError: the same, and running again may go through.
    """
    loader = _ShardLoader(conn, layout, plan, table, policy, read_again)
    try:
        try:
            return _Workers(loader, sessions, threads, progress).load(chosen)
        except pg.ForeignKeyViolation:
            # A row of a parent was removed by hand: its mapping is no proof of it any more
            return _Workers(replace(loader, is_exact=True), sessions, threads, progress).load(chosen)
    except (pg.ForeignKeyViolation, pg.RestrictViolation):
        raise still_referenced(table) from None


@dataclass(frozen=True, slots=True)
class _Begun:
    """What was found when the load began: shards to load, and where in the staged rows, as they lay then."""

    shards: ledger.Shards
    staged_at: datetime | None
    to_load: Sequence[str]
    places: Mapping[str, sql.Composable]


@dataclass(frozen=True, slots=True)
class _ShardLoader(Loader):
    """Loads one table in shards; `begin` and `finish` have it to themselves, shards share it with each other."""

    def begin(self, chosen: Collection[str] | None) -> _Begun | None:
        """Judge the staged rows, and open the table for its shards; None where no rows are staged for it."""
        started = perf_counter()
        with self.conn.transaction():
            self._lock()
            line = ledger.entry(self.conn, self.layout, self.table)
            is_first = not exists(self.conn, self.layout.target(self.table))
            self._refuse_foreign_table(line, is_first)
            if line.staged_rows is None and not is_first:
                return None
            if is_first and is_type(self.conn, self.layout.target_schema, self.table.name):
                raise TargetError(name_is_a_type(self.layout.target_schema, self.table.name))
            self._judge(line, is_first=False)
            line = ledger.entry(self.conn, self.layout, self.table)
            shards = self._continued(line, is_first, chosen)
            if not is_first:
                expected = replace(self, is_exact=shards.is_exact)._expected()
                shards = replace(shards, deleted=shards.deleted + self._open(expected))
            elif not (shards.done and exists(self.conn, self.layout.building(self.table))):
                self._make_aside()
            shards = replace(shards, seconds=shards.seconds + perf_counter() - started)
            ledger.record(self.conn, self.layout, self.table, shards=asdict(shards), checks={})
            to_load = [name for name in shards.missing if chosen is None or name in chosen]
            return _Begun(shards, line.staged_at, to_load, self._places(shards))

    def _continued(self, line: ledger.Entry, is_first: bool, chosen: Collection[str] | None) -> ledger.Shards:
        """Return the shards as they are before this load: what is in and need not be loaded again is done."""
        basis, old = self._basis(line), line.in_shards
        is_same = old is not None and (old.basis, old.is_first) == (basis, is_first)
        is_same &= not is_first or exists(self.conn, self.layout.building(self.table))
        if old is None or not is_same or (self.is_exact and not old.is_exact):
            return ledger.Shards(
                self.table.shards, basis, line.staged_from, self._ordinals(), is_first, is_exact=self.is_exact
            )
        if is_first:
            return old
        if old.is_whole:
            nothing = {"inserted": 0, "updated": 0, "seconds": 0.0}  # by this load
            done = {name: facts | nothing for name, facts in old.done.items() if chosen and name not in chosen}
            return replace(old, done=done, is_whole=False, deleted=0, seconds=0.0)
        return replace(old, done={name: facts for name, facts in old.done.items() if name not in (chosen or ())})

    def _basis(self, line: ledger.Entry) -> str:
        """Return a digest of what decides the rows: they themselves, the tables linked to, the plan."""
        lines = ledger.entries(self.conn, self.layout)
        others = [other for other in self.plan.tables if self.table.rewritten or other.xata_name in self.table.parents]
        others += self.plan.cycle_of(self.table)
        facts = (
            __version__,
            self.policy,
            self.table.shards,
            sorted(self.table.cycle),
            repr(replace(self.table, cycle=frozenset())),
            (line.staged_from, line.staged_rows),
            [
                _content(lines.get(other.xata_name), is_later=other.xata_name in self.table.cycle)
                for other in dict.fromkeys(others)
                if other is not self.table
            ],
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def _ordinals(self) -> int:
        row = self.conn.execute(
            sql.SQL("SELECT max({}) + 1 FROM {}").format(sql.Identifier(ORDINAL), self.layout.staging(self.table))
        ).fetchone()
        return int(row[0]) if row and row[0] is not None else 1

    def _make_aside(self) -> None:
        comment = f"{BUILDING} {self.table.xata_name}"
        for statement in (
            ddl.drop_building(self.layout, self.table),
            *ddl.create_building(self.layout, self.table, comment),
        ):
            self.conn.execute(statement)

    def _open(self, expected: Expected) -> int:
        """Take out of the way what single shards would trip over; return how many rows went."""
        keys.drop_foreign_keys(self.conn, self.layout, self.table, keys.waiting(self.conn, expected, in_parts=True))
        deleted = self._delete()
        wandering = [self._wanders(expected, column) for column in self.table.unique_columns]
        if any(wandering):
            keys.drop_unique(self.conn, self.layout, self.table)
        return deleted

    def _wanders(self, expected: Expected, column: TargetColumn) -> bool:
        """Tell whether a row is to get a value of a unique column that another one has now.

        Raises:
            TargetError: the other one is the user's own.
        """
        row = self.conn.execute(
            statements.get("wandering_values").format(
                mapping=self.layout.mapping(self.table),
                source=expected.source,
                target=self.layout.target(self.table),
                column=sql.Identifier(column.name),
                value=ddl.cast(self.layout, column, expected.value(column)),
            )
        ).fetchone()
        if row and row[0]:
            raise TargetError(
                f"table {self.table.name}: a row of your own has a value of the unique column {column.name} that the "
                "export has for another row; change or delete your row, then run again"
            )
        return bool(row and row[0] is not None)

    def _places(self, shards: ledger.Shards) -> Mapping[str, sql.Composable]:
        """Return where the rows of each shard are, as a condition on `s`; a shard without rows has none.

        By their place alone where those of other shards lie apart: PostgreSQL then knows how many they are.
        """
        ordinal = sql.Identifier(ORDINAL)
        rows = self.conn.execute(
            statements.get("shard_spans").format(
                ordinal=ordinal,
                count=sql.Literal(shards.count),
                ordinals=sql.Literal(shards.ordinals),
                staging=self.layout.staging(self.table),
            )
        ).fetchall()
        places: dict[str, sql.Composable] = {}
        for number, _, first, last, is_mixed in rows:
            place: sql.Composable = sql.SQL("s.ctid >= {}::tid AND s.ctid <= {}::tid").format(
                sql.Literal(first), sql.Literal(last)
            )
            if is_mixed:
                place += sql.SQL(" AND least(s.{} * {} / {}, {}) = {}").format(
                    ordinal,
                    *(sql.Literal(each) for each in (shards.count, shards.ordinals, shards.count - 1, number - 1)),
                )
            places[str(number)] = place
        return places

    def load_shard(self, name: str, begun: _Begun) -> None:
        """Bring the rows of a shard to what is staged, unless that was done meanwhile."""
        started = perf_counter()
        with self.conn.transaction():
            self._share()
            lock(self.conn, self.layout, f"table {self.table.name} shard {name}")
            shards = self._unchanged(begun)
            if name in shards.done:
                return
            place = begun.places.get(name)
            changes, rows = self._change(shards, place) if place else (Changes(), 0)
            facts = {
                "rows": rows,
                "inserted": changes.inserted,
                "updated": changes.updated,
                "seconds": round(perf_counter() - started, 3),
                "loaded_at": ledger.now().isoformat(timespec="milliseconds"),
            }
            self.conn.execute(
                statements.get("shard_done").format(
                    loads=self.layout.work("loads"),
                    shard=sql.Literal(name),
                    facts=sql.Literal(Jsonb(facts)),
                    xata_table=sql.Literal(self.table.xata_name),
                )
            )

    def _change(self, shards: ledger.Shards, place: sql.Composable) -> tuple[Changes, int]:
        """Insert or change the rows at a place; return what was done, and how many rows are there."""
        expected = replace(replace(self, is_exact=shards.is_exact)._expected(), part=place)
        if shards.is_first:
            inserted = self.conn.execute(insert_rows(expected, self.layout.building(self.table))).rowcount
            return Changes(inserted), inserted
        changes = Changes(self._insert_new(expected), self._update(expected))
        row = self.conn.execute(
            sql.SQL("SELECT count(*) FROM {} AS s WHERE {}").format(self.layout.staging(self.table), place)
        ).fetchone()
        return changes, int(row[0]) if row else 0

    def _unchanged(self, begun: _Begun) -> ledger.Shards:
        """Return the shards as they are now.

        Raises:
            TransientError: somebody staged other rows, or began anew, since.
        """
        line = ledger.entry(self.conn, self.layout, self.table)
        shards = line.in_shards
        now = (line.staged_at, shards and shards.basis, shards and shards.is_exact)
        if shards is None or now != (begun.staged_at, begun.shards.basis, begun.shards.is_exact):
            raise TransientError(f"table {self.table.xata_name}: another run changed it meanwhile; run again")
        return shards

    def _share(self) -> None:
        """Keep out whoever wants the table, or its cycle, for itself."""
        share_lock(self.conn, self.layout, f"table {self.table.name}")
        if self.table.cycle:
            share_lock(self.conn, self.layout, f"cycle {min(self.table.cycle)}")

    def count_seconds(self, seconds: float) -> None:
        """Add to the time that the shards took."""
        self.conn.execute(
            statements.get("shard_seconds").format(
                loads=self.layout.work("loads"),
                seconds=sql.Literal(seconds),
                xata_table=sql.Literal(self.table.xata_name),
            )
        )

    def finish(self, begun: _Begun) -> None:
        """Make what comes after the last shard: a first load's table in its place, keys, the line in the ledger."""
        started = perf_counter()
        with self.conn.transaction():
            self._lock()
            shards = self._unchanged(begun)
            if shards.is_whole:
                return
            if shards.is_first:
                for statement in ddl.move_building(self.layout, self.table):
                    self.conn.execute(statement)
            expected = replace(self, is_exact=shards.is_exact)._expected()
            waiting = keys.waiting(self.conn, expected)
            links = DanglingLinks(self.conn, self.layout, self.plan, self.table, self.policy, self.read_again)
            dangling = links.write_down(expected, links.lost() if shards.is_first else self.table.links)
            changes = Changes(shards.total("inserted"), shards.total("updated"), shards.deleted)
            facts = {
                "target_rows": ledger.entry(self.conn, self.layout, self.table).staged_rows,
                "dangling_links": dangling,
                "shards": asdict(replace(shards, is_whole=True, is_first=False)),
            }
            self._close(changes, waiting, started - shards.seconds, facts)


@dataclass(frozen=True, slots=True)
class _Workers:
    """Loads the shards of a table in threads, each shard in a session of its own."""

    loader: _ShardLoader
    sessions: Sessions
    threads: int
    progress: Callable[[str], None]

    def load(self, chosen: Collection[str] | None) -> ledger.Entry:
        loader, table = self.loader, self.loader.table
        begun = loader.begin(chosen)
        if begun is None:  # there is nothing to divide
            return loader.load()
        started = perf_counter()
        failed = self._load_all(begun)
        loader.count_seconds(perf_counter() - started)
        line = ledger.entry(loader.conn, loader.layout, table)
        if failed:
            raise _failure(table, line, failed)
        if not line.missing_shards:
            loader.finish(begun)
        return ledger.entry(loader.conn, loader.layout, table)

    def _load_all(self, begun: _Begun) -> Mapping[str, XataPgError]:
        """Load the shards, each as soon as a thread is free; return what went wrong, by shard.

        Raises:
            psycopg.errors.ForeignKeyViolation: a row that a mapping knows is not there.
        """
        failed, broken, opened = dict[str, XataPgError](), list[pg.ForeignKeyViolation](), set[Connection]()
        with ThreadPoolExecutor(min(self.threads, len(begun.to_load)) or 1, thread_name_prefix="shard") as pool:
            coming = {pool.submit(self._load_one, name, begun, opened): name for name in begun.to_load}
            try:
                for done, future in enumerate(as_completed(coming), 1):
                    self.progress(f"{done} of {len(coming)} shards")
                    try:
                        broken += future.result()
                    except CancelledError:
                        continue
                    except XataPgError as error:
                        failed[coming[future]] = error
                        if isinstance(error, UnreachableError):
                            for waiting in coming:  # what a pool's own shutdown cancels is waited for for ever
                                waiting.cancel()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for session in tuple(opened):  # a statement would run on and hold its locks
                    with suppress(psycopg.Error):
                        session.cancel_safe(timeout=1)
                raise
        if broken:
            raise broken[0]
        return failed

    def _load_one(self, name: str, begun: _Begun, opened: set[Connection]) -> list[pg.ForeignKeyViolation]:
        with self.sessions(name) as conn:
            opened.add(conn)
            try:
                replace(self.loader, conn=conn).load_shard(name, begun)
            except pg.ForeignKeyViolation as error:
                return [error]
            finally:
                opened.discard(conn)
        return []


def _content(line: ledger.Entry | None, *, is_later: bool) -> tuple[object, ...]:
    """Return what tells the rows of a table linked to: of one that comes later, those that are staged."""
    if line is None:
        return ()
    is_there = not is_later or line.staged_rows is None
    return line.staged_from, line.staged_rows, line.mapped_rows, line.target_rows if is_there else None


def _failure(table: TargetTable, line: ledger.Entry, failed: Mapping[str, XataPgError]) -> XataPgError:
    """Say in one line which shards are missing, and why."""
    reasons = list(dict.fromkeys(str(error) for error in failed.values()))
    text = "; ".join(reasons[:_MOST_REASONS])
    text += f"; and {len(reasons) - _MOST_REASONS} reasons more" if len(reasons) > _MOST_REASONS else ""
    text += f". Table {table.xata_name}: {line.unfinished}; what is in stays, running again loads the others"
    for kind in (UnreachableError, TransientError):
        if any(isinstance(error, kind) for error in failed.values()):
            return kind(text)
    return TargetError(text)
