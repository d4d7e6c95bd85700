"""The export's rows, landed as they came: typed, unlogged, under their Xata names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import psycopg
from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import ExportError, TargetError, counted
from xata_pg_assets.plan.naming import SYSTEM_COLUMNS, NameSpace, cut
from xata_pg_assets.plan.tables import METADATA, ORDINAL, TargetTable
from xata_pg_assets.plan.types import TEXT, ColumnType
from xata_pg_assets.postgres import duplicates, ledger, rejects
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.binary import HEADER, TRAILER
from xata_pg_assets.xata.records import Batch, Fault, TableReader

__all__ = [
    "BUILDING",
    "LandingColumn",
    "Progress",
    "create_statements",
    "drop_staging",
    "head_warnings",
    "is_droppable",
    "is_intact",
    "keep",
    "landing_columns",
    "stage",
    "stage_empty",
    "tables_query",
]

Progress = Callable[[int, int], None]  # rows so far, bytes so far

# The mark by which `drop_staging` knows our tables from others in the schema
_COMMENT = "Rows as they came from the Xata table"
# The same of a table whose shards are not all in yet (`sharding`)
BUILDING = "Rows with their new ids, not all of them yet, of the Xata table"


@dataclass(frozen=True, slots=True)
class LandingColumn:
    """A column of a staging table."""

    xata_name: str
    name: str
    type: ColumnType


def landing_columns(table: TargetTable, unknown: Sequence[str] = ()) -> list[LandingColumn]:
    """Return the columns of the staging table: id, the schema's, metadata, and what else the file has."""
    columns = [
        LandingColumn(column.xata_name, column.staging, column.staging_type)
        for column in table.columns
        if column.role in ("id", "own")
    ]
    columns += [LandingColumn(name, name, type_) for name, (_, _, type_) in METADATA.items()]
    names = NameSpace((ORDINAL, *SYSTEM_COLUMNS, *(column.name for column in columns)))
    return columns + [LandingColumn(name, names.take(cut(name, name)), TEXT) for name in unknown]


def is_intact(conn: Connection, layout: Layout, table: TargetTable, line: ledger.Entry) -> bool:
    """Tell whether the staging table still holds what the ledger says, and `rejected_rows` the lines of the others.

    It is unlogged: after a crash of the server it is there, and empty.
    """
    name = layout.staging(table)
    if line.staged_rows is None:
        return False
    if conn.execute("SELECT to_regclass(%s) IS NULL", (name.as_string(conn),)).fetchone() == (True,):
        return False
    if line.rejected_digest not in (None, ledger.list_digest(conn, layout, table, "rejected_rows")):
        return False
    if line.staged_rows == 0:
        return True
    return conn.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone() is not None


def stage(
    conn: Connection,
    layout: Layout,
    table: TargetTable,
    open_reader: Callable[[bool], TableReader],
    *,
    source: str,
    fingerprint: Callable[[str], str],
    recover_created_at: bool = False,
    progress: Progress | None = None,
) -> ledger.Entry:
    """Land a file in the staging table, in one transaction with its rejected rows and its ledger line.

    `open_reader(thorough)` opens the file, `fingerprint(sha256)` tells what the staged rows depend on. What only
    PostgreSQL can judge (JSON) it judges in the first pass; when it refuses, a second, thorough pass finds every
    such cell.

    Raises:
        ExportError: the file cannot be read on.
        TargetError: the two readers of the file, ours and COPY, disagree.
    """
    lander = _Lander(conn, layout, table, source, fingerprint, recover_created_at, progress)
    with suppress(psycopg.DataError, pg.StatementTooComplex):  # the latter of JSON nested very deeply
        return lander.land(open_reader(False))
    # Only now is the error gone, which holds on to the first reader and its blocks
    return lander.land(open_reader(True))


def stage_empty(conn: Connection, layout: Layout, table: TargetTable, warning: str) -> ledger.Entry:
    """Make a staging table without rows, for a table that has no file."""
    with conn.transaction():
        lock(conn, layout, f"table {table.name}")
        _create(conn, layout, table, landing_columns(table))
        rejects.forget(conn, layout, table)
        nothing = dict.fromkeys(("file", "dialect", "sha256", "fingerprint"))
        no_rows = dict.fromkeys(("staged_rows", "source_rows", "duplicate_rows", "rejected_rows"), 0)
        ledger.record(conn, layout, table, **nothing, **no_rows, staging_warnings=[warning], staged_at=ledger.now())
    return ledger.entry(conn, layout, table)


def keep(conn: Connection, layout: Layout, table: TargetTable, warning: str) -> ledger.Entry:
    """Leave a loaded table as it is: nothing new is there to stage."""
    with conn.transaction():
        lock(conn, layout, f"table {table.name}")
        line = ledger.entry(conn, layout, table)
        staged_rows = line.staged_rows if is_intact(conn, layout, table, line) else None
        ledger.record(conn, layout, table, staged_rows=staged_rows, fingerprint=None, staging_warnings=[warning])
    return ledger.entry(conn, layout, table)


def drop_staging(conn: Connection, layout: Layout) -> int:
    """Drop the staging tables, and their schema where nothing else is in it; return how many tables.

    A schema that the role could not make again is emptied and stays.
    """
    with conn.transaction():
        tables = conn.execute(tables_query(layout)).fetchall()
        for (name,) in tables:
            conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(layout.staging_schema, name)))
        ledger.forget_building(conn, layout)
        if conn.execute(is_droppable(layout.staging_schema)).fetchone() == (True,):
            conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(layout.staging_schema)))
    return len(tables)


def tables_query(layout: Layout) -> sql.Composed:
    """Select the names of the staging tables, which our comment tells from others."""
    return statements.get("staging_tables").format(
        schema=sql.Literal(layout.staging_schema),
        staged=sql.Literal(f"{_COMMENT} %"),
        building=sql.Literal(f"{BUILDING} %"),
    )


def is_droppable(schema: str) -> sql.Composed:
    """Select whether a schema is empty, ours to drop, and one that the role could make again."""
    return statements.get("is_droppable_schema").format(schema=sql.Literal(schema))


@dataclass(slots=True)
class _Tally:
    """What was read so far."""

    rows: int = 0
    source_rows: int = 0
    duplicate_rows: int = 0
    bytes: int = 0

    def add(self, batch: Batch) -> None:
        self.rows += batch.rows
        self.source_rows += batch.source_rows
        self.duplicate_rows += batch.duplicate_rows
        self.bytes += batch.size

    @property
    def rejected_rows(self) -> int:
        return self.source_rows - self.duplicate_rows - self.rows


@dataclass(frozen=True, slots=True)
class _Lander:
    """Lands one table."""

    conn: Connection
    layout: Layout
    table: TargetTable
    source: str
    fingerprint: Callable[[str], str]
    recover_created_at: bool
    progress: Progress | None

    def land(self, reader: TableReader) -> ledger.Entry:
        started = perf_counter()
        warnings = head_warnings(self.table, reader)
        columns = landing_columns(self.table, reader.unknown)
        with self.conn.transaction():
            lock(self.conn, self.layout, f"table {self.table.name}")
            _create(self.conn, self.layout, self.table, columns)
            rejects.forget(self.conn, self.layout, self.table)
            tally = self._copy(reader, columns)
            warnings += reader.warnings
            if self.recover_created_at:
                warnings += self._recover_created_at()
            ledger.record(
                self.conn,
                self.layout,
                self.table,
                source=self.source,
                file=reader.file,
                dialect=reader.dialect,
                sha256=reader.sha256,
                fingerprint=self.fingerprint(reader.sha256),
                staged_rows=tally.rows,
                source_rows=tally.source_rows,
                duplicate_rows=tally.duplicate_rows,
                rejected_rows=tally.rejected_rows,
                staging_warnings=warnings,
                staging_seconds=perf_counter() - started,
                staged_at=ledger.now(),
                checks={},  # those there were are of other rows
            )
            if duplicates.stand_in_unique_columns(self.conn, self.layout, self.table):
                duplicates.settle(self.conn, self.layout, self.table, reader)
        return ledger.entry(self.conn, self.layout, self.table)

    def _copy(self, reader: TableReader, columns: Sequence[LandingColumn]) -> _Tally:
        """Feed the batches to COPY, in as few COPYs as their faults allow; faults are written between."""
        names = {column.xata_name: sql.Identifier(column.name) for column in columns}
        statement = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT binary, FREEZE)").format(
            self.layout.staging(self.table), sql.SQL(", ").join(names[column] for column in reader.columns)
        )
        tally, copied = _Tally(), 0
        batches = reader.batches()
        batch = next(batches, None)
        with self.conn.cursor() as cur:
            while batch is not None:
                faults, held = list[Fault](), 0
                with cur.copy(statement) as copy:
                    copy.write(HEADER)
                    while batch is not None and held < rejects.HELD_AT_ONCE:
                        copy.write(batch.data)
                        tally.add(batch)
                        faults.extend(batch.faults)
                        held += sum(map(rejects.weight, batch.faults))
                        if self.progress:
                            self.progress(tally.source_rows, tally.bytes)
                        batch = next(batches, None)
                    copy.write(TRAILER)
                copied += cur.rowcount
                rejects.write(self.conn, self.layout, self.table, reader.file, faults)
        if copied != tally.rows:
            raise TargetError(
                f"{reader.file}: PostgreSQL read {copied:,} rows where {tally.rows:,} were sent; nothing was kept"
            )
        return tally

    def _recover_created_at(self) -> list[str]:
        """Fill a missing xata.createdAt from the seconds in the first 4 bytes of a generated id."""
        recovered = self.conn.execute(
            statements.get("recover_created_at").format(staging=self.layout.staging(self.table))
        ).rowcount
        if not recovered:
            return []
        return [f"{self.table.xata_name}: xata.createdAt of {counted(recovered, 'row')} recovered from the ids"]


def create_statements(layout: Layout, table: TargetTable, columns: Sequence[LandingColumn]) -> list[sql.Composed]:
    """Make an empty staging table; wide values stay in its pages, where nothing compresses them."""
    name = layout.staging(table)
    definitions = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name),
            layout.type(column.type),
            sql.SQL(' COLLATE "C"' if column.type == TEXT else ""),
        )
        for column in columns
    ]
    definitions.append(
        sql.SQL("{} bigint GENERATED ALWAYS AS IDENTITY (START WITH 0 MINVALUE 0 CACHE 1000)").format(
            sql.Identifier(ORDINAL)
        )
    )
    return [
        sql.SQL("DROP TABLE IF EXISTS {}").format(name),
        sql.SQL("CREATE UNLOGGED TABLE {} ({}) WITH (toast_tuple_target = 8160, autovacuum_enabled = false)").format(
            name, sql.SQL(", ").join(definitions)
        ),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(f"{_COMMENT} {table.xata_name}")),
    ]


def _create(conn: Connection, layout: Layout, table: TargetTable, columns: Sequence[LandingColumn]) -> None:
    for statement in create_statements(layout, table, columns):
        conn.execute(statement)


def head_warnings(table: TargetTable, reader: TableReader) -> list[str]:
    """Say what the file has and the schema lacks, and the other way round.

    Raises:
        ExportError: the file lacks a column that may not be null.
    """
    warnings: list[str] = []
    for column in reader.missing:
        if column.not_null:
            raise ExportError(reader.file, 1, f"column {column.name} is missing and notNull; export the table whole")
        warnings.append(f"{table.xata_name}.{column.name}: not in {reader.file}; NULL in every row")
    warnings += [
        f"{table.xata_name}.{name}: in {reader.file}, but not in the schema; kept in staging only"
        for name in reader.unknown
    ]
    absent = [name for name in METADATA if name not in reader.columns]
    if absent and reader.columns:
        warnings.append(f"{table.xata_name}: {reader.file} has no {', '.join(absent)}; NULL in every row")
    return warnings
