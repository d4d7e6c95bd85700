"""Connections to the target, and PostgreSQL's errors as a person is told them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from uuid import uuid4

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from xata_pg_assets.errors import TargetError, TransientError, UnreachableError, UsageError, XataPgError
from xata_pg_assets.postgres.hosts import is_transaction_pooled, known_transaction_pooler

__all__ = [
    "MIGRATING",
    "OWN_NAME",
    "SESSION",
    "Connection",
    "ServerFacts",
    "connect",
    "describe_target",
    "plain_text_warning",
    "server_facts",
    "streamed",
    "translated",
]

Connection = psycopg.Connection[TupleRow]

OWN_NAME = "xata_pg_assets"  # what sessions are called in pg_stat_activity

# How values are read and compared must not depend on the settings of server, database or role. The timeouts
# guard interactive users; a load that runs for hours is no mistake here.
MIGRATING = "xata_pg.migrating"  # what the triggers that keep Xata's habits look at
SESSION = {
    MIGRATING: "on",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "search_path": "pg_catalog",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "row_security": "off",
    "jit": "off",
    "work_mem": "128MB",
    "hash_mem_multiplier": "2",
    "maintenance_work_mem": "512MB",
    # What workers save by joining is more than the handing over of their rows costs
    "parallel_tuple_cost": "0",
    # A client whose machine is gone must not hold its locks for the two hours that TCP would wait
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
# The statement of a killed client ends soon, too; servers on some systems cannot
_WATCHFUL = {"client_connection_check_interval": "5s"}
# The same from this side; what the URL or libpq's variable says goes first
_LINK = {"connect_timeout": "60", "keepalives_idle": "60", "keepalives_interval": "10", "keepalives_count": "6"}

_TRIES = 9

# The connection strings of this process that were seen to lead to sessions that last
_KEEPING_SESSIONS = set[str]()

# Rows of a stream that are fetched at once: few enough for long texts
_ROWS_AT_ONCE = 500

# The server or the way to it, not the statement, is at fault: the same call may go through later.
_TRANSIENT = (
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.ConnectionException,
    pg.ConnectionFailure,
    pg.TooManyConnections,
    pg.QueryCanceled,
    pg.LockNotAvailable,
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.IdleInTransactionSessionTimeout,
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the target server is: `version` as 180004, `pgvector_schema` where the extension lives."""

    version: int
    pgvector_version: str | None
    pgvector_schema: str | None

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return f"{self.version // 10000}.{self.version % 10000}"


def connect(url: str, role: Literal["target", "source"] = "target", name: str = OWN_NAME) -> Connection:
    """Open a session whose settings are ours, in autocommit; errors name the server by its `role`.

    `name` is what the session is called in pg_stat_activity.

    Raises:
        UsageError: the URL is none, or a pooler in transaction mode is in between.
        UnreachableError: the server cannot be reached or refuses the login.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError(f"setting {role}: not a PostgreSQL URL; write postgresql://user@host:5432/database") from None
    pooler = known_transaction_pooler(url)
    if pooler is not None:
        raise UsageError(f"{role} {describe_target(url)}: {pooler}")
    try:
        given |= {"connect_timeout": None} if "PGCONNECT_TIMEOUT" in os.environ else {}
        watched = make_conninfo(url, **{name: value for name, value in _LINK.items() if name not in given})
        conn = _open(watched, name)
        _refuse_transaction_pooler(conn, url, watched, role)
    except psycopg.OperationalError as error:
        raise UnreachableError(f"{role} {describe_target(url)}: {_reason(error)}; is the server up?") from None
    _lift_timeout(conn)
    settings = {**SESSION, **({"transaction_timeout": "0"} if conn.info.server_version >= 170000 else {})}
    try:
        _configure(conn, settings | _WATCHFUL)
    except pg.InvalidParameterValue:
        _configure(conn, settings)
    return conn


def _open(url: str, name: str = OWN_NAME) -> Connection:
    return psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name=name)


def _refuse_transaction_pooler(conn: Connection, url: str, watched: str, role: str) -> None:
    """Refuse a connection that keeps no session, before a setting goes to a session that is somebody else's next.

    Raises:
        UsageError: a pooler in transaction mode is in between.
    """
    if url in _KEEPING_SESSIONS:
        return
    for _ in range(_TRIES):
        with suppress(pg.QueryCanceled):
            if is_transaction_pooled(conn, lambda: _open(watched)):
                conn.close()
                raise UsageError(
                    f"{role} {describe_target(url)}: a pooler in transaction mode is in between, which keeps no "
                    "session; connect to the server itself, or to a pool in session mode"
                )
            break
    _KEEPING_SESSIONS.add(url)


def _configure(conn: Connection, settings: Mapping[str, str]) -> None:
    conn.execute(
        "SELECT pg_catalog.set_config(name, value, false)"
        " FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) AS s (name, value)",
        (list(settings), list(settings.values())),
    )


def _lift_timeout(conn: Connection) -> None:
    """Let statements take their time; by itself and first, for a role's timeout of a millisecond stops all else."""
    for _ in range(_TRIES):
        with suppress(pg.QueryCanceled):
            conn.execute("SET statement_timeout = 0")
            return
    conn.execute("SET statement_timeout = 0")


def server_facts(conn: Connection) -> ServerFacts:
    """Ask the server what it is."""
    row = conn.execute(
        "SELECT extversion, nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname = 'vector'"
    ).fetchone()
    version, schema = row or (None, None)
    return ServerFacts(conn.info.server_version, version, schema)


def streamed(conn: Connection, query: sql.Composed) -> Iterator[TupleRow]:
    """Yield a query's rows as they are asked for; what else the transaction does meanwhile, they do not see."""
    with conn.cursor(name=f"rows_{uuid4().hex}") as cur:
        cur.itersize = _ROWS_AT_ONCE
        yield from cur.execute(query)


def plain_text_warning(conn: Connection) -> str | None:
    """Say so where everybody on the way can read what this connection carries; None for one that is safe.

    Judged by the connection itself: what `sslmode` allows is not yet what the server does.
    """
    if conn.pgconn.ssl_in_use or _is_local(conn.info.host, conn.info.hostaddr):
        return None
    row = conn.execute("SELECT encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()").fetchone()
    if row is not None and row[0]:
        return None
    return (
        f"target {conn.info.host}: the connection is not encrypted, rows and password can be read on the way; "
        "add sslmode=require to its URL, or sslmode=verify-full and sslrootcert"
    )


def _is_local(host: str, address: str) -> bool:
    """Tell a connection that does not leave the machine: a socket, or the loopback."""
    return host.startswith(("/", "@")) or not address or ip_address(address.partition("%")[0]).is_loopback


def describe_target(url: str) -> str:
    """Name host and database of a URL, never its user or password.

    >>> describe_target("postgresql://me:secret@db.example.org:5433/app?sslmode=require")
    'db.example.org:5433/app'
    """
    parts = conninfo_to_dict(url)
    host, port = str(parts.get("host") or "localhost"), parts.get("port")
    where = f"{host}:{port}" if port and not host.startswith("/") else host
    return f"{where}/{parts.get('dbname') or ''}"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise PostgreSQL's errors as ours, naming what was at work and keeping values out.

    Raises:
        TransientError: the server is gone or busy.
        TargetError: anything else it refuses.
    """
    try:
        yield
    except XataPgError:
        raise
    except pg.DiskFull as error:
        message = f"{what}: the server's disk is full ({_reason(error)}); make room, then run again"
        raise _ours(TargetError, message, error) from None
    except _TRANSIENT as error:
        raise _ours(TransientError, f"{what}: {_reason(error)}; run again to continue", error) from None
    except psycopg.OperationalError as error:
        kind = TransientError if error.sqlstate is None else TargetError
        raise _ours(kind, f"{what}: {_reason(error)}; run again to continue", error) from None
    except psycopg.Error as error:
        raise _ours(TargetError, f"{what}: {_reason(error)}", error) from None


def _ours(kind: type[XataPgError], message: str, error: psycopg.Error) -> XataPgError:
    """Return our error with the frames of PostgreSQL's, but not its text: that quotes rows, and is kept by Dagster."""
    return kind(message).with_traceback(error.__traceback__)


def _reason(error: psycopg.Error) -> str:
    """Return the first line of a message without values: details, contexts and quoted data are left out."""
    text = error.diag.message_primary or str(error).strip() or type(error).__name__
    line = text.splitlines()[0].removeprefix("connection failed: ")
    is_about_data = (error.sqlstate or "").startswith("22")
    return line.partition('"')[0].rstrip(" :") if is_about_data else line
