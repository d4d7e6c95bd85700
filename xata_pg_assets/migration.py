"""One migration: its settings, its plan, and what is done to a table, step by step.

Dagster's assets, the command line and the tests all work through this class; it knows no Dagster.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from time import sleep
from typing import Any, Literal, Protocol

import psycopg

from xata_pg_assets import __version__
from xata_pg_assets.ahead import MOST_AT_ONCE, WorkAhead, at_once
from xata_pg_assets.errors import (
    ExportError,
    TargetError,
    TransientError,
    UnreachableError,
    UsageError,
    XataPgError,
)
from xata_pg_assets.files.checking import check_files
from xata_pg_assets.files.columns import FileColumn, file_columns_of
from xata_pg_assets.files.copying import copy_files
from xata_pg_assets.files.forecast import Forecast, forecast
from xata_pg_assets.files.storage import Destination, Folder, open_destination, open_folder
from xata_pg_assets.plan.extras import VectorIndex
from xata_pg_assets.plan.tables import Plan, TargetTable, make_plan
from xata_pg_assets.postgres import (
    checks,
    embedded,
    evidence,
    file_ledger,
    hosts,
    id_mapping,
    indexes,
    ledger,
    loading,
    preflight,
    search,
    sharding,
    staging,
    tuning,
)
from xata_pg_assets.postgres.bootstrap import prepare
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import (
    OWN_NAME,
    Connection,
    connect,
    describe_target,
    plain_text_warning,
    translated,
)
from xata_pg_assets.postgres.dangling import DanglingLinks
from xata_pg_assets.postgres.expected import expected_rows
from xata_pg_assets.postgres.file_ledger import FileLoad
from xata_pg_assets.postgres.index_progress import watched
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.preview import preview as first_rows
from xata_pg_assets.postgres.run_lock import RunLock
from xata_pg_assets.postgres.scripts import CsvFile, Scripts
from xata_pg_assets.postgres.sessions import end_sessions, session_name
from xata_pg_assets.postgres.source import Source
from xata_pg_assets.postgres.source_table import SourceTable, SourceTables, find_source_tables
from xata_pg_assets.settings import Settings, is_database
from xata_pg_assets.stores import AnyPath, described, is_url, open_path
from xata_pg_assets.xata.console_csv import ConsoleCsv
from xata_pg_assets.xata.export import TableFile, TableFiles, find_table_files, open_table
from xata_pg_assets.xata.records import ReadOptions, TableReader
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_files import find_schema, read_schema

__all__ = ["Migration", "Nobody", "Observer", "Step", "example_schema_path", "resolve_schema"]

Step = Literal["staging", "mapping", "loading", "checking", "indexing", "copying"]

# A step of a table, by its Xata name
Piece = tuple[str, Step]

# Bytes of an export that are worth a second of waiting, and the most seconds
_PATIENCE, _MAX_PATIENCE = 32_000_000, 20

# Bytes that tell how long the lines of a file are, and a line that is long
_HEAD, _LONG_LINE = 256 * 1024, 3000

# Seconds between the tries of a run to reach a target that was lost: a server that crashed is back by then
_BACKOFF = (1, 2, 4, 8, 16)
# The same while a sleeping database wakes up, which takes a second as a rule
_WAKING = (1, 2, 4, 8)


class Observer(Protocol):
    """Whoever wants to see a migration at work."""

    def begin(self, table: TargetTable, step: Step, size: int | None) -> None:
        """A step of a table begins; `size` is the bytes it will read, None where it reads no file."""

    def advance(self, table: TargetTable, rows: int, size: int) -> None:
        """So many rows and bytes are read."""

    def tell(self, table: TargetTable, text: str) -> None:
        """How far a step is that reads no file."""

    def end(self, table: TargetTable, step: Step) -> None:
        """The step is over, well or not."""


class Nobody:
    """Watches nothing."""

    def begin(self, table: TargetTable, step: Step, size: int | None) -> None: ...

    def advance(self, table: TargetTable, rows: int, size: int) -> None: ...

    def tell(self, table: TargetTable, text: str) -> None: ...

    def end(self, table: TargetTable, step: Step) -> None: ...


class Migration:
    """A Xata export on its way into a PostgreSQL; opens connections as they are needed, one a step."""

    def __init__(self, settings: Settings, schema: XataSchema, observer: Observer | None = None) -> None:
        self.settings = settings
        self.schema = schema
        self.plan: Plan = make_plan(schema, settings.plan_options)
        self.observer: Observer = observer or Nobody()
        self._ahead: WorkAhead[Piece, Any] | None = None
        self._sessions = set[Connection]()
        self._checked: dict[str, list[checks.CheckResult]] = {}
        self._chosen_shards: Collection[str] | None = None
        self._is_stopped = False
        self._run_lock: RunLock | None = None
        self._backoff: Sequence[float] = ()
        self._given_up: str | None = None
        self._is_awake = False
        self._session_name = OWN_NAME

    @classmethod
    def from_settings(cls, settings: Settings, observer: Observer | None = None) -> Migration:
        """Read the schema that the settings name or that lies with the export; the example's without either."""
        return cls(settings, read_schema(resolve_schema(settings)), observer)

    def anew(self) -> Migration:
        """Return the same migration, with nothing looked at yet: the export and the target are what they then are."""
        other = copy(self)
        for name in ("files", "layout", "url"):
            other.__dict__.pop(name, None)
        other._sessions, other._checked = set(), {}
        return other

    @cached_property
    def url(self) -> str:
        """Where the target is; starts the embedded server where none is set."""
        if self.settings.target is not None:
            return self._target_url(self.settings.target.get_secret_value())
        return embedded.ensure_running(self.settings.home).uri

    def _target_url(self, url: str) -> str:
        """Return the URL of the target as its host asks for it.

        Raises:
            UsageError: it is none, or that of a pooler that keeps no session.
        """
        target = _described(url, "target")
        pooler = hosts.known_transaction_pooler(url, self.settings.target_preset)
        if pooler is not None:
            raise UsageError(f"target {target}: {pooler}")
        return hosts.with_encryption(url, self.settings.target_preset)

    @property
    def known_url(self) -> str:
        """Where the target is, empty as long as the embedded server was not started."""
        return self.url if self.settings.target is not None or "url" in self.__dict__ else ""

    @property
    def wanted_layout(self) -> Layout:
        """Where everything should live, before the target was looked at."""
        settings = self.settings
        pgvector_schema = hosts.EXTENSION_SCHEMAS.get(settings.target_preset, "public")
        return Layout(settings.target_schema, settings.work_schema, settings.staging_schema, pgvector_schema)

    @cached_property
    def layout(self) -> Layout:
        """Where everything lives in the target; makes the schemas and work tables where they are missing.

        Raises:
            UsageError: the settings ask for what the target does not have.
        """
        with translated("target"), self._reach() as conn:
            for problem in preflight.setting_problems(conn, self.wanted_layout, self.plan):
                raise UsageError(problem)
            return prepare(conn, self.wanted_layout, self.plan)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other run off the target; those processes join that this run's own executor has at work.

        Raises:
            BusyError: one is at work on it.
            UnreachableError: the target cannot be reached.
        """
        with translated("target"):
            lock = self._new_lock(is_shared=False)
            lock.hold()
            if self.settings.executor != "in_process":
                lock.share()
        self._run_lock = lock
        try:
            yield
        finally:
            self._run_lock = None
            lock.release()

    @contextmanager
    def running(self, run_id: str | None = None) -> Iterator[None]:
        """Be a run: the first step that writes joins the other runs, and a target that is lost is waited for.

        It is waited for once: when it was not back after the whole backoff, all steps fail that come after.
        `run_id` names the sessions, so that whoever stops the run can end those of all its processes.
        """
        is_alone = self._run_lock is not None
        self._session_name = OWN_NAME if run_id is None else session_name(run_id)
        self._run_lock = self._run_lock or self._new_lock(is_shared=True)
        self._backoff, self._given_up = _BACKOFF, None
        try:
            yield
        finally:
            self._backoff = ()
            if not is_alone:
                self._run_lock.release()
                self._run_lock = None

    def end_sessions(self, run_id: str) -> None:
        """End what the processes of a run still have at work in the target, as far as it can be reached."""
        with suppress(XataPgError, psycopg.Error), self.reading() as conn:
            end_sessions(conn, run_id)

    def _new_lock(self, *, is_shared: bool) -> RunLock:
        return RunLock(_described(self.url, "target"), self._reach, self.wanted_layout, is_shared=is_shared)

    def _reach(self) -> Connection:
        """Open a connection to the target; in a run, try again for a while."""
        if self._given_up is not None:
            raise UnreachableError(self._given_up)
        for seconds in self._backoff:
            try:
                return self._connect()
            except TransientError:
                sleep(seconds)
                if self.settings.target is None:
                    self.__dict__.pop("url", None)  # the embedded server is started again
        try:
            return self._connect()
        except UnreachableError as error:
            self._given_up = str(error) if self._backoff else None
            raise

    def _connect(self) -> Connection:
        """Open a connection; a database that sleeps while nobody asks is given the time to wake up, once."""
        waits = _WAKING if self.settings.target_preset == "neon" and not self._is_awake else ()
        self._is_awake = True  # or nothing wakes it
        for seconds in waits:
            try:
                return connect(self.url, name=self._session_name)
            except UnreachableError as error:
                if "authentication" in str(error):
                    raise
                sleep(seconds)
        return connect(self.url, name=self._session_name)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that prepares nothing."""
        with translated("target"), self._connect() as conn:
            yield conn

    def refuse_accepted(self, conn: Connection) -> None:
        """Keep a migration that was accepted as it is.

        Raises:
            UsageError: it was.
        """
        accepted_on = ledger.accepted_on(conn, self.wanted_layout)
        if accepted_on:
            raise UsageError(
                f"the migration into {self.settings.target_schema} was accepted on {accepted_on} and is frozen; "
                "to migrate again all the same, run xata-pg accept --withdraw first"
            )

    @contextmanager
    def session(self, table: TargetTable, step: Step, size: int | None = None) -> Iterator[Connection]:
        """Open a connection for a step; PostgreSQL's errors come out as ours, naming the table."""
        self.observer.begin(table, step, size)
        try:
            with translated(f"table {table.xata_name}"):
                if self._run_lock and step != "checking":
                    self._run_lock.hold()
                with self._reach() as conn:
                    self._sessions.add(conn)
                    try:
                        yield conn
                    finally:
                        self._sessions.discard(conn)
        finally:
            self.observer.end(table, step)

    @contextmanager
    def working_ahead(
        self, tables: Sequence[TargetTable] | None = None, shards: Collection[str] | None = None
    ) -> Iterator[None]:
        """Do the steps of the tables (all by default) in the background, as early as they can be done.

        Of tables in shards those named are loaded, all by default. `stage`, `map_ids`, `load` and `check` then wait
        for their step, and raise what went wrong with it.
        """
        _ = self.files, self.layout  # what is wrong with these is told at once, and once
        chosen = [table for table in self.plan.tables if tables is None or table in tables]
        cores = os.cpu_count() or 2
        self._chosen_shards, self._is_stopped = shards, False
        self._ahead = WorkAhead(
            lambda piece: self._steps[piece[1]](self.plan.by_xata_name[piece[0]]),
            {(table.xata_name, step): needs for table in chosen for step, needs in self._needs(table).items()},
            threads=at_once(),
            is_good=_lets_others_follow,
            kind=lambda piece: piece[1],
            # A reader takes up to 250 MB; a load of what is there already changes rows of others
            limits={"staging": 1, "loading": cores if self._is_empty(chosen) else 1},
        )
        try:
            yield
        except BaseException:
            self._is_stopped = True
            self._ahead.close()
            for session in tuple(self._sessions):  # a statement would run on and hold its locks
                with suppress(psycopg.Error):  # it may be lost, or over
                    session.cancel_safe(timeout=1)
            raise
        finally:
            self._ahead.close()
            self._ahead = self._chosen_shards = None
            self._checked.clear()

    def _is_empty(self, tables: Sequence[TargetTable]) -> bool:
        """Tell whether not one of the tables was ever loaded."""
        with self.reading() as conn:
            lines = ledger.entries(conn, self.layout)
        return not any(table.xata_name in lines and lines[table.xata_name].loaded_at for table in tables)

    def wait_for_readers(self) -> None:
        """Leave the interpreter to the readers for a while, where much is to be done with the rows that they read.

        The more rows, the more work: of a file with long lines the reading itself is nearly all there is.
        """
        if self._ahead is not None:
            found = self.files.found
            sizes = {name: _size_of(file) for name, file in found.items() if not _has_long_lines(file)}
            patience = min(sum(sizes.values()) / _PATIENCE, _MAX_PATIENCE)
            self._ahead.wait([(name, "staging") for name in sizes], patience)

    @property
    def _steps(self) -> Mapping[Step, Callable[..., Any]]:
        return {"staging": self._stage, "mapping": self._map_ids, "loading": self._load, "checking": self._check}

    def _needs(self, table: TargetTable) -> Mapping[Step, Sequence[Piece]]:
        """Return what the steps of a table need; the tables of a cycle are loaded by each other's mappings.

        One is loaded after the other, for each may reject rows of all; their keys are complete, and can be checked,
        when the last one is.
        """
        members = [other for other in self.plan.tables if other is table or other.xata_name in table.cycle]
        before = [member.xata_name for member in members[: members.index(table)]]
        mapped = [member.xata_name for member in members] + [name for member in members for name in member.parents]
        if table.rewritten:  # its ids may be those of any table
            mapped += [other.xata_name for other in self.plan.tables]
        made = [parent.xata_name for member in members for parent in self.plan.upstream(member)]
        name = table.xata_name
        return {
            "staging": [],
            "mapping": [(name, "staging")],
            "loading": [
                *((other, "mapping") for other in mapped),
                *((other, "loading") for other in before),
                *((other, "checking") for other in made),
            ],
            "checking": [(member.xata_name, "loading") for member in members],
        }

    def _ahead_or_now(self, table: TargetTable, step: Step, *more: Any) -> Any:
        work = partial(self._steps[step], table, *more)
        return work() if self._ahead is None else self._ahead.get((table.xata_name, step), work)

    def stage(self, table: TargetTable) -> ledger.Entry:
        """Land the table's file in staging; does nothing when just that is staged already.

        Raises:
            UsageError: no export is set, or two files claim the table.
            ExportError: the file cannot be read on.
        """
        line: ledger.Entry = self._ahead_or_now(table, "staging")
        return line

    def _stage(self, table: TargetTable) -> ledger.Entry:
        file, layout = self.files.found.get(table.xata_name), self.layout
        with self.session(table, "staging", _size_of(file) if file else 0) as conn:
            self.refuse_accepted(conn)
            line = ledger.entry(conn, layout, table)
            if file is None:
                return self._stage_nothing(conn, table, line)
            # To know whether a table of a database changed is to read it, so it is read for good
            may_stay = isinstance(file, TableFile) and line.fingerprint is not None
            is_intact = may_stay and staging.is_intact(conn, layout, table, line)
            if is_intact and line.fingerprint == self._fingerprint(table, _digest_of(file)):
                return line
            return self._stage_file(conn, table, file)

    def _stage_file(self, conn: Connection, table: TargetTable, file: TableFile | SourceTable) -> ledger.Entry:
        return staging.stage(
            conn,
            self.layout,
            table,
            lambda thorough: self._open(file, thorough=thorough),
            source=self.source_name,
            fingerprint=lambda sha256: self._fingerprint(table, sha256),
            recover_created_at=self.settings.recover_created_at,
            progress=lambda rows, size: self.observer.advance(table, rows, size),
        )

    def _stage_nothing(self, conn: Connection, table: TargetTable, line: ledger.Entry) -> ledger.Entry:
        """Without a file a new table is made empty, and one that was loaded before keeps its rows."""
        if line.loaded_at is None:
            return staging.stage_empty(conn, self.layout, table, self._no_file(table))
        warning = f"{self._no_file(table)}; the rows loaded before stay"
        return staging.keep(conn, self.layout, table, warning)

    def _no_file(self, table: TargetTable) -> str:
        if self._is_database:
            return f"{table.xata_name}: schema {self.settings.source_schema} of the source has no table of this name"
        return f"{table.xata_name}: the export has no file of this name"

    def map_ids(self, table: TargetTable) -> ledger.Entry:
        """Give the staged rows their new ids."""
        line: ledger.Entry = self._ahead_or_now(table, "mapping")
        return line

    def _map_ids(self, table: TargetTable) -> ledger.Entry:
        with self.session(table, "mapping") as conn:
            self.refuse_accepted(conn)
            id_mapping.map_ids(conn, self.layout, table, lambda: self._read_again(table))
            return ledger.entry(conn, self.layout, table)

    def load(self, table: TargetTable, shards: Collection[str] | None = None) -> ledger.Entry:
        """Bring the target table to what is staged, or those of its shards that are named."""
        line: ledger.Entry = self._ahead_or_now(table, "loading", shards)
        return line

    def _load(self, table: TargetTable, shards: Collection[str] | None = None) -> ledger.Entry:
        policy, again = self.settings.dangling_links, self._read_again
        with self.session(table, "loading") as conn:
            self.refuse_accepted(conn)
            self._restage_lost(conn, table)
            if table.shards == 1:
                before_seen = partial(self._checking_before_seen, conn, table)
                try:
                    return loading.load(conn, self.layout, self.plan, table, policy, again, before_seen)
                except BaseException:
                    self._checked.pop(table.xata_name, None)
                    raise
            return sharding.load(
                conn,
                self.layout,
                self.plan,
                table,
                policy,
                again,
                sessions=partial(self._shard_session, table),
                threads=min(os.cpu_count() or 2, MOST_AT_ONCE),
                chosen=shards or self._chosen_shards,
                progress=partial(self.observer.tell, table),
            )

    @contextmanager
    def _checking_before_seen(self, conn: Connection, table: TargetTable) -> Iterator[bool]:
        """Check a table ahead in the transaction that makes it; yield whether every link was found.

        Whoever reads it first after that makes PostgreSQL mark every page, and write all of them again for it. The
        rows are compared before there are foreign keys, which lock the tables linked to, and other loads with them:
        so tables with more to be read after that wait for their check, as those of a cycle do, which are not complete
        yet. What goes wrong here goes wrong again in the check itself, which tells it.
        """
        gathered: evidence.Evidence | None = None
        if self._ahead is not None and not table.cycle and not table.rewritten:
            with _tried(conn):
                gathered = evidence.gather(conn, expected_rows(conn, self.layout, self.plan, table))
        yield gathered is not None and gathered.has_all_links
        if gathered is None:
            return
        self.observer.end(table, "loading")
        self.observer.begin(table, "checking", None)
        try:
            with _tried(conn):
                self._checked[table.xata_name] = checks.run_checks(
                    conn, self.layout, self.plan, table, budgets=self._budgets, evidence=gathered
                )
        finally:
            self.observer.end(table, "checking")

    @contextmanager
    def _shard_session(self, table: TargetTable, shard: str) -> Iterator[Connection]:
        """Open a connection for one shard of a table; none any more once the work was stopped."""
        with translated(f"table {table.xata_name}, shard {shard}"), self._reach() as conn:
            self._sessions.add(conn)
            try:
                if self._is_stopped:
                    raise TransientError(f"table {table.xata_name}, shard {shard}: stopped")
                yield conn
            finally:
                self._sessions.discard(conn)

    def line(self, table: TargetTable) -> ledger.Entry:
        """Return what the ledger says of a table."""
        with self.reading() as conn:
            return ledger.entry(conn, self.layout, table)

    def check(self, table: TargetTable, names: Collection[str] | None = None) -> list[checks.CheckResult]:
        """Run checks of a loaded table, all by default."""
        if names is not None and set(names) != set(checks.checks_of(table)):
            return self._check(table, names)
        results: list[checks.CheckResult] = self._ahead_or_now(table, "checking")
        return results

    def _check(self, table: TargetTable, names: Collection[str] | None = None) -> list[checks.CheckResult]:
        checked = self._checked.pop(table.xata_name, None)
        if checked is not None and names is None:
            return checked
        with self.session(table, "checking") as conn:
            if self._restage_lost(conn, table) and self.settings.dangling_links != "fail":
                with conn.transaction():
                    self._dangling(conn, table).refuse_or_reject()
            return checks.run_checks(conn, self.layout, self.plan, table, names, self._budgets)

    @property
    def _budgets(self) -> checks.Budgets:
        return checks.Budgets(self.settings.max_rejected_rows, self.settings.max_dangling_links)

    def judge_budgets_again(self) -> list[tuple[TargetTable, checks.CheckResult]]:
        """Run those checks again that passed before a later table went over a budget; return how they end now."""
        with self.reading() as conn:
            is_there = ledger.exists(conn, self.wanted_layout)
            passed = checks.overrun(conn, self.layout, self.plan, self._budgets) if is_there else []
        return [(table, result) for table, name in passed for result in self._check(table, [name])]

    def build_vector_index(self, table: TargetTable, index: VectorIndex) -> indexes.Built:
        """Build an index of a vector column, if it is not there already."""
        memory = tuning.index_memory() if self.settings.target is None else None
        with self.session(table, "indexing") as conn:
            self.refuse_accepted(conn)
            with self._told(conn, table, index.name):
                return indexes.build_vector_index(conn, self.layout, table, index, memory)

    def build_search(self, table: TargetTable) -> indexes.Built:
        """Make the search columns of a table with their indexes, as far as they are not there already."""
        with self.session(table, "indexing") as conn:
            self.refuse_accepted(conn)
            with self._told(conn, table, "search columns"):
                return search.build_search(conn, self.layout, table)

    def _told(self, conn: Connection, table: TargetTable, what: str) -> AbstractContextManager[None]:
        """Tell the observer of an index that takes long."""
        return watched(conn, self._reach, lambda text: self.observer.tell(table, f"{what}: {text}"))

    @cached_property
    def file_columns(self) -> Sequence[FileColumn]:
        """The columns whose files are copied; none unless their folder is set."""
        return file_columns_of(self.plan) if self.settings.files is not None else ()

    def refuse_no_destination(self) -> None:
        """Keep a migration from running whose files have nowhere to go, or nothing to come from.

        Raises:
            UsageError: files are to be copied and `files_to` is not set, or one of both is not to be used.
        """
        if self.file_columns:
            self._destination(self.file_columns[0])
            self.saved_files(self.file_columns[0].table)

    def saved_files(self, table: TargetTable) -> Folder | None:
        """Open the folder of a table's saved files, None where there is none.

        Raises:
            UsageError: the setting `files` names no folder, or a link leads out of it.
            TransientError: it cannot be reached.
        """
        settings = self.settings
        return open_folder(
            settings.files or "", settings.files_options, table.xata_name, follow_links=settings.follow_links
        )

    def forecast_files(self, heads: Mapping[str, TableReader]) -> Sequence[Forecast]:
        """Tell what copying the files would find, by the first rows of the export.

        Raises:
            UsageError: the setting `files` or `files_to` is not to be used.
            ExportError: a table's file cannot be read.
        """
        if self.settings.files_to is not None:
            self.refuse_no_destination()
        found: list[Forecast] = []
        for table in dict.fromkeys(of.table for of in self.file_columns):
            columns = [of for of in self.file_columns if of.table is table]
            found += forecast(columns, heads.get(table.xata_name), self.saved_files(table))
        return found

    @property
    def files_place(self) -> tuple[str, str]:
        """From where and to where files are copied, as it may be shown; empty where it is not set."""
        source, target = self.settings.files, self.settings.files_to
        return described(source) if source else "", described(target) if target else ""

    def _destination(self, of: FileColumn) -> Destination:
        settings = self.settings
        if settings.files_to is None:
            raise UsageError("setting files_to: not set; name the folder or the URL to copy the files to (--files-to)")
        return open_destination(settings.files_to, settings.files_to_options, settings.files or "", of.work)

    def copy_files(self, of: FileColumn) -> FileLoad:
        """Copy the files of a column that are not there yet, and write their keys into it."""
        destination, folder = self._destination(of), self.saved_files(of.table)
        with self.session(of.table, "copying") as conn, self._reach() as reading:
            self.refuse_accepted(conn)
            file_ledger.prepare(conn, self.layout)
            self._refuse_unloaded(conn, of.table)
            return copy_files(
                conn,
                reading,
                self.layout,
                of,
                folder,
                destination,
                threads=self.settings.files_threads,
                progress=lambda files, size: self.observer.advance(of.table, files, size),
            )

    def check_files(self, of: FileColumn) -> checks.CheckResult:
        """Look whether every file of a column is at the destination."""
        destination = self._destination(of)
        with self.session(of.table, "checking") as conn, self._reach() as reading:
            file_ledger.prepare(conn, self.layout)
            self._refuse_unloaded(conn, of.table)
            return check_files(conn, reading, self.layout, of, destination, threads=self.settings.files_threads)

    def _refuse_unloaded(self, conn: Connection, table: TargetTable) -> None:
        line = ledger.entry(conn, self.layout, table)
        if line.unfinished:
            raise TargetError(f"table {table.xata_name}: {line.unfinished}; materialize postgres/{table.name} first")
        if line.loaded_at is None or not exists(conn, self.layout.target(table)):
            raise TargetError(f"table {table.xata_name}: not migrated yet; materialize postgres/{table.name} first")

    def preview(self, table: TargetTable) -> list[dict[str, Any]]:
        """Return the first rows of a loaded table; what is in them only where the setting `preview` allows it."""
        with self.reading() as conn:
            return first_rows(conn, self.layout, table, with_values=self.settings.preview)

    def _dangling(self, conn: Connection, table: TargetTable) -> DanglingLinks:
        policy = self.settings.dangling_links
        return DanglingLinks(conn, self.layout, self.plan, table, policy, self._read_again)

    def _restage_lost(self, conn: Connection, table: TargetTable) -> bool:
        """Stage again what was dropped, or emptied by a crash of the server, if the export is still the same.

        Rows that stand twice go again as well, as far as ids were mapped; tells whether there was anything to do.
        """
        restaged = False
        for name in dict.fromkeys([table.xata_name, *sorted(table.cycle)]):
            member = self.plan.by_xata_name[name]
            line, is_intact = self._seen_at_once(conn, member)
            if line.staged_rows is None or is_intact:
                continue
            file = self.files.found.get(name) if self.settings.source else None
            if file and self._fingerprint(member, _digest_of(file)) == line.staged_from:
                restaged = True
                self._stage_file(conn, member, file)
                if line.mapped_at is not None:
                    id_mapping.map_ids(conn, self.layout, member, partial(self._read_again, member))
            elif line.loaded_at is None:
                raise UsageError(
                    f"table {name}: its staged rows are gone and its file is no longer the same; "
                    f"materialize xata/{member.name} first"
                )
            else:
                staging.keep(conn, self.layout, member, f"{name}: its staged rows are gone, and so is its file")
        return restaged

    def _seen_at_once(self, conn: Connection, table: TargetTable) -> tuple[ledger.Entry, bool]:
        """Return a table's line in the ledger and whether its staged rows are there, as of one moment.

        A load of the same cycle may change both, together, while they are looked at.
        """
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            line = ledger.entry(conn, self.layout, table)
            return line, staging.is_intact(conn, self.layout, table, line)

    @cached_property
    def files(self) -> TableFiles | SourceTables:
        """The files of the export, or the tables that hold its rows, as they all are at this moment.

        Raises:
            UsageError: no export is set, it is neither a folder nor a PostgreSQL of its own, or two files claim
                one table.
            TransientError: the PostgreSQL cannot be reached.
        """
        if self.settings.source is None:
            raise UsageError("setting source: not set; name the folder of the export (--source, XATA_PG_SOURCE)")
        if not self._is_database:
            follow_links = self.settings.follow_links
            return find_table_files(_folder_of(self.settings), self.schema, follow_links=follow_links)
        source = Source(self.settings.source, self.settings.source_schema)
        try:
            self._refuse_own_schema(source)
            return find_source_tables(source, self.schema, make_plan(self.schema))
        except BaseException:
            source.close()
            raise

    def close(self) -> None:
        """Let go of a source database; what is read later, is read as it then is."""
        files = self.__dict__.pop("files", None)
        if isinstance(files, SourceTables):
            files.source.close()

    def _refuse_own_schema(self, source: Source) -> None:
        """Keep a source from being the schema that is written to."""
        ours = {getattr(self.settings, name): name for name in ("target_schema", "work_schema", "staging_schema")}
        if source.schema not in ours or (self.settings.target is None and not embedded.is_running(self.settings.home)):
            return
        with self.reading() as conn:
            if source.is_database_of(conn):
                raise UsageError(
                    f"setting source_schema: {source.schema} of {source.name} is the {ours[source.schema]}, too; "
                    f"choose another {ours[source.schema]}"
                )

    @property
    def _is_database(self) -> bool:
        """Whether the rows come from a PostgreSQL."""
        return self.settings.source is not None and is_database(self.settings.source)

    @property
    def source_name(self) -> str:
        """The source as it may be shown.

        Raises:
            UsageError: it is a URL, and not PostgreSQL's.
        """
        source = self.settings.source or ""
        return _described(source, "source") if self._is_database else described(source)

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the export as a whole, and of what is open to the world."""
        return [*self._strangers(), *self._exposed()]

    def _exposed(self) -> list[str]:
        settings = self.settings
        if settings.target_preset != "supabase" or settings.target_schema != "public" or settings.row_level_security:
            return []
        return [
            "schema public: Supabase shows its tables to whoever has the anonymous key; set row_level_security, or "
            "another target_schema"
        ]

    def _strangers(self) -> list[str]:
        if self.settings.source is None:
            return []
        if not self._is_database:
            return [
                f"{name}: no table of the schema has this name; the file is left out" for name in self.files.strangers
            ]
        # Nobody waits for a server only to hear what it has besides
        strangers = self.files.strangers if "files" in self.__dict__ else ()
        return [f"{name}: no table of the schema has this name; it is left out" for name in strangers]

    def sizes(self) -> Mapping[str, tuple[str, int]]:
        """Return for each table that the export has what holds its rows, and how many bytes these are."""
        return {
            name: (file.file, _size_of(file)) if isinstance(file, TableFile) else (file.relation.file, file.size)
            for name, file in self.files.found.items()
        }

    def heads(self) -> Mapping[str, TableReader]:
        """Open every file of the export and read its head; nothing without an export."""
        if self.settings.source is None:
            return {}
        return {name: self._open(file, thorough=False) for name, file in self.files.found.items()}

    def head_warnings(self, heads: Mapping[str, TableReader]) -> list[str]:
        """Say which files and columns are missing or unknown."""
        if self.settings.source is None:
            return []
        lost = [self._no_file(table) for table in self.plan.tables if table.xata_name not in heads]
        return lost + [
            warning
            for name, reader in heads.items()
            for warning in staging.head_warnings(self.plan.by_xata_name[name], reader)
        ]

    def describe_target(self) -> str:
        """Name the target without its password, and without starting anything."""
        if self.settings.target is None:
            return f"the embedded PostgreSQL in {self.settings.home}"
        return _described(self.settings.target.get_secret_value(), "target")

    def scripts(self, pgvector_schema: str | None = None) -> Scripts:
        """Return the migration as scripts for psql; every file is read through, to know what psql makes of it.

        Raises:
            UsageError: no export is set, or it is no folder.
        """
        if is_url(self.settings.source or ""):
            raise UsageError("setting source: psql alone reads files of a folder; copy the export into one")
        if self._is_database:
            raise UsageError("setting source: psql alone reads files; of a PostgreSQL, xata-pg migrate takes the rows")
        layout = self.wanted_layout
        layout = replace(layout, pgvector_schema=pgvector_schema or layout.pgvector_schema)
        found, obstacles = dict[str, CsvFile](), dict[str, str]()
        for name, file in self.files.found.items():
            try:
                found[name] = self._csv_file(name, file)
            except ExportError as error:
                obstacles[name] = str(error)
        return Scripts(
            layout=layout,
            plan=self.plan,
            folder=str(Path(self.settings.source or "").resolve()),
            files=found,
            obstacles=obstacles,
            policy=self.settings.dangling_links,
            budgets=self._budgets,
        )

    def _csv_file(self, name: str, file: TableFile | SourceTable) -> CsvFile:
        """Return a file that psql reads as we do.

        Raises:
            ExportError: it does not, or the file cannot be read at all; says why.
        """
        reader = self._open(file, thorough=False)
        warnings = staging.head_warnings(self.plan.by_xata_name[name], reader)
        if not isinstance(reader, ConsoleCsv):
            raise ExportError(
                reader.file, None, f"is {reader.dialect}, and psql alone reads the CSV of the Xata console"
            )
        obstacle = "its name has a line end" if len(reader.file.splitlines()) > 1 else reader.copy_obstacle()
        if obstacle is not None:
            raise ExportError(reader.file, None, f"{obstacle}, which psql does not read as it is meant")
        return CsvFile(reader, reader.header, self.source_name, self.settings.recover_created_at, tuple(warnings))

    def target_problems(self) -> list[str]:
        """Return what stands in the way at the target; an embedded one that does not run is not started for it."""
        if self.settings.target is None and not embedded.is_running(self.settings.home):
            return []
        with self.reading() as conn:
            return preflight.problems(conn, self.wanted_layout, self.plan)

    def target_warnings(self) -> list[str]:
        """Return what a person should know of the way to the target, and of tables there that are not whole."""
        if self.settings.target is None and not embedded.is_running(self.settings.home):
            return []
        with self.reading() as conn:
            warning = plain_text_warning(conn)
            lines = ledger.entries(conn, self.wanted_layout) if ledger.exists(conn, self.wanted_layout) else {}
        unfinished = [f"{name}: {line.unfinished}" for name, line in lines.items() if line.unfinished]
        return ([warning] if warning else []) + unfinished

    def _open(self, file: TableFile | SourceTable, *, thorough: bool) -> TableReader:
        settings = self.settings
        options = ReadOptions(settings.empty_text, settings.json_strings, thorough, settings.max_gzip_ratio)
        return open_table(file, options) if isinstance(file, TableFile) else file.open(options)

    def _read_again(self, table: TargetTable) -> TableReader | None:
        """Read a table's file through, so that rows can be looked up in it; None where it is gone."""
        file = self.files.found.get(table.xata_name) if self.settings.source else None
        if file is None:
            return None
        reader = self._open(file, thorough=True)
        deque(reader.batches(), maxlen=0)
        return reader

    def _fingerprint(self, table: TargetTable, sha256: str) -> str:
        """Return a digest of all that decides what lies in staging: file, columns, settings."""
        facts = (
            __version__,
            sha256,
            self.settings.empty_text,
            self.settings.json_strings,
            self.settings.recover_created_at,
            [
                (column.xata_name, column.staging, str(column.staging_type), column.not_null, column.unique_constraint)
                for column in table.columns
            ],
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()


@contextmanager
def _tried(conn: Connection) -> Iterator[None]:
    """Undo what goes wrong, and go on; but stop when told to."""
    try:
        with conn.transaction():
            yield
    except psycopg.errors.QueryCanceled:
        raise
    except (psycopg.Error, XataPgError):
        return


def example_schema_path() -> Path:
    """Return the schema of the example that comes with the package."""
    return Path(str(files("xata_pg_assets"))) / "example" / "schema.json"


def resolve_schema(settings: Settings) -> AnyPath:
    """Return the schema to use: the one set, the one found with the export, or the example's.

    Raises:
        UsageError: an export is set, and no schema lies in or beside it, or it is a database.
    """
    if settings.schema_path is not None:
        return settings.schema_path
    if settings.source is None:
        return example_schema_path()
    if is_database(settings.source):
        raise UsageError("setting schema: not set, and a PostgreSQL source tells none; name schema.json (--schema)")
    return find_schema(_folder_of(settings))


def _folder_of(settings: Settings) -> AnyPath:
    """Return the folder of the export, here or in a store."""
    return open_path(settings.source or "", settings.source_options, "source")


def _lets_others_follow(outcome: ledger.Entry | list[checks.CheckResult]) -> bool:
    """Tell whether tables may follow that link to this one."""
    if isinstance(outcome, ledger.Entry):
        return outcome.unfinished is None
    return all(result.passed for result in outcome if result.name in checks.BLOCKING)


def _size_of(file: TableFile | SourceTable) -> int:
    return file.path.stat().st_size if isinstance(file, TableFile) else file.size


def _has_long_lines(file: TableFile | SourceTable) -> bool:
    """Tell whether a file begins with lines of some thousand bytes, as those with vectors or whole articles are."""
    if not (isinstance(file, TableFile) and isinstance(file.path, Path)):  # a store would have to be asked
        return False
    try:
        with file.path.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:  # the reader tells it
        return False
    return len(head) > _LONG_LINE * (head.count(b"\n") + 1)


def _digest_of(file: TableFile | SourceTable) -> str:
    """Return the SHA-256 that a reader of the file tells."""
    if isinstance(file, SourceTable):
        return file.sha256()
    with file.path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _described(url: str, role: str) -> str:
    try:
        return describe_target(url)
    except psycopg.ProgrammingError:
        raise UsageError(f"setting {role}: not a PostgreSQL URL; write postgresql://user@host:5432/database") from None
