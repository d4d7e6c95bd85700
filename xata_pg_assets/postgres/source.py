"""A PostgreSQL that holds the rows of an export: its tables, found again in the plan, as one snapshot shows them."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from xata_pg_assets.errors import ExportError, TargetError, TransientError, UsageError
from xata_pg_assets.plan.tables import METADATA, OLD_ID, Plan, Role, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection, connect, describe_target, translated
from xata_pg_assets.xata.csv_head import column_names
from xata_pg_assets.xata.schema import XataTable

__all__ = ["Relation", "Source", "SourceColumn", "find_relations", "matched", "reading_source"]

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The connection that holds the snapshot is idle for as long as the whole run takes
_KEEPALIVE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as it stands in the source; `type` and `category` are PostgreSQL's, a domain's those of its base."""

    name: str
    type: str
    category: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of the source; `kind` is its relkind, `size` its bytes on disk, 0 where it has none."""

    schema: str
    name: str
    kind: str
    is_readable: bool
    size: int
    columns: list[SourceColumn] = field(default_factory=list)

    @property
    def file(self) -> str:
        """What it is called where a file would be named."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """Its name in SQL."""
        return sql.Identifier(self.schema, self.name)

    @property
    def has_both_ids(self) -> bool:
        """Whether an `id` stands beside `xata_id`."""
        return {"id", OLD_ID} <= {column.name for column in self.columns}

    def matched_columns(self, table: XataTable, target: TargetTable) -> Mapping[str, SourceColumn]:
        """Return the columns to be read by Xata name: `id`, the schema's, metadata, and what nobody knows.

        `target` tells the names that the columns have in PostgreSQL.

        Raises:
            ExportError: there is no id.
        """
        by_name = {column.name: column for column in self.columns}
        own = [(column.xata_name, column.name) for column in target.columns if column.role is Role.OWN]
        old_id = self._id_column(by_name, dict(own))
        found = {"id": old_id, **matched(own, by_name.keys() - {old_id})}
        rest = [name for name in by_name if name not in found.values() and name not in ("id", OLD_ID)]
        metadata = matched([(name, stored) for name, (stored, _, _) in METADATA.items()], rest)
        for name in rest:
            (meant,) = column_names([name], table)
            if meant in METADATA and name not in metadata.values():
                metadata.setdefault(meant, name)
        found |= {name: metadata[name] for name in METADATA if name in metadata}
        found |= {name: name for name in rest if name not in found.values() and name not in found}
        return {name: by_name[stored] for name, stored in found.items()}

    def _id_column(self, names: Collection[str], own: Mapping[str, str]) -> str:
        """Return where the old ids are: in `xata_id` before `id`, unless it is a column of the schema's own."""
        is_own = OLD_ID in own and own[OLD_ID] not in names
        candidates = ["id", OLD_ID] if is_own else [OLD_ID, "id"]
        for name in candidates:
            if name in names:
                return name
        raise ExportError(self.file, None, f"the table has no column {OLD_ID} or id; add one that holds the old ids")


def matched(wanted: Sequence[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """Find what is wanted as pairs (Xata name, target name) among the names there, by Xata name first.

    A Xata name that is there, but as another's target name, is not taken for it.

    >>> matched([("userName", "user_name"), ("x", "x")], ["user_name", "userName"])
    {'userName': 'userName'}
    >>> matched([("created_at", "created_at_2"), ("createdAt", "created_at")], ["created_at", "created_at_2"])
    {'created_at': 'created_at_2', 'createdAt': 'created_at'}
    """
    by_target = {target: xata for xata, target in wanted}
    found: dict[str, str] = {}
    for xata, target in wanted:
        other = by_target.get(xata, xata)
        is_others = other not in names and target in names
        if xata in names and not is_others:
            found[xata] = xata
    for xata, target in wanted:
        if xata not in found and target in names and target not in found.values():
            found[xata] = target
    return {xata: found[xata] for xata, _ in wanted if xata in found}


class Source:
    """A connection that holds one snapshot from its opening to `close`; others join it.

    Raises:
        UsageError: the URL is none, or there is no such schema.
        TransientError: the server cannot be reached.
    """

    def __init__(self, url: str, schema: str) -> None:
        self.schema = schema
        self._url = url
        self._conn = self._connect()
        self.close = weakref.finalize(self, self._conn.close)
        with reading_source(self.name):
            self._conn.execute(_BEGIN)
            ((self._snapshot,),) = self._conn.execute("SELECT pg_export_snapshot()").fetchall()
            found = self._conn.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
        if found is None:
            self.close()
            raise UsageError(f"setting source_schema: {self.name} has no schema {schema}; name the one of the tables")

    @property
    def name(self) -> str:
        """The source as it may be shown."""
        return describe_target(self._url)

    @property
    def encoding(self) -> str:
        """How rows should be sent; a database that checks no encoding would refuse to send what has none."""
        is_unchecked = self._conn.info.parameter_status("server_encoding") == "SQL_ASCII"
        return "SQL_ASCII" if is_unchecked else "UTF8"

    def join(self) -> Connection:
        """Open another connection that sees the same snapshot.

        Raises:
            TransientError: the server cannot be reached any more, or the snapshot is lost.
        """
        conn = self._connect()
        try:
            conn.execute(_BEGIN)
            conn.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._snapshot)))
        except psycopg.Error:
            conn.close()
            raise TransientError(
                f"source {self.name}: the connection that held its snapshot is gone; run again to continue"
            ) from None
        return conn

    def is_database_of(self, conn: Connection) -> bool:
        """Tell whether a connection leads to the same database, whatever its URL says.

        Advisory locks are each database's own: one that is held here cannot be had there.
        """
        key = secrets.randbits(63)
        with reading_source(self.name):
            self._conn.execute("SELECT pg_advisory_lock(%s)", (key,))
        try:
            return conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (key,)).fetchone() == (False,)
        finally:
            with reading_source(self.name):
                self._conn.execute("SELECT pg_advisory_unlock(%s)", (key,))

    def relations(self) -> Mapping[str, Relation]:
        """Return the tables and views of the schema, partitions apart."""
        with reading_source(self.name):
            rows = self._conn.execute(statements.get("source_columns"), {"schema": self.schema}).fetchall()
        found: dict[str, Relation] = {}
        for name, kind, is_readable, size, column, type_, category in rows:
            relation = found.setdefault(name, Relation(self.schema, name, kind, is_readable, size or 0))
            if column is not None:
                relation.columns.append(SourceColumn(column, type_, category))
        return found

    def keep(self, relations: Iterable[Relation]) -> None:
        """Keep tables from being emptied or altered until `close`: a snapshot does not outlive TRUNCATE."""
        names = [each.identifier for each in relations if each.kind in "rp" and each.is_readable]
        if names:
            with reading_source(self.name):
                self._conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(names)))

    def _connect(self) -> Connection:
        conn = connect(_kept_alive(self._url), "source")
        with reading_source(self.name):
            conn.execute("SET bytea_output = 'hex'")
        return conn


def find_relations(source: Source, plan: Plan) -> tuple[dict[str, Relation], list[str]]:
    """Return the relation of each table by Xata name, and the names of the tables that nobody claims.

    `plan` tells the names that the tables have in PostgreSQL; names that differ by case alone come last.
    """
    there = source.relations()
    found = matched([(table.xata_name, table.name) for table in plan.tables], there)
    free = {name.casefold(): name for name in sorted(there, reverse=True) if name not in found.values()}
    for table in plan.tables:
        if table.xata_name not in found and table.xata_name.casefold() in free:
            found[table.xata_name] = free.pop(table.xata_name.casefold())
    strangers = [name for name in there if name not in found.values() and there[name].kind not in "vm"]
    return {xata: there[name] for xata, name in found.items()}, [there[name].file for name in strangers]


@contextmanager
def reading_source(what: str) -> Iterator[None]:
    """Raise the errors of a source as ours, naming what was read.

    Raises:
        TransientError: the server is gone or busy.
        ExportError: it refuses for good.
    """
    try:
        with translated(f"source {what}"):
            yield
    except TargetError as error:
        raise ExportError(what, None, str(error).removeprefix(f"source {what}: ")) from error


def _kept_alive(url: str) -> str:
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return url  # told when it is connected to
    return url if "keepalives_idle" in given else make_conninfo(url, keepalives_idle=_KEEPALIVE_SECONDS)
