"""Connections to the target, and PostgreSQL's errors as a person is told them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from xata_pg_assets.errors import TargetError, TransientError, UsageError, XataPgError

__all__ = [
    "MIGRATING",
    "SESSION",
    "Connection",
    "ServerFacts",
    "connect",
    "describe_target",
    "server_facts",
    "translated",
]

Connection = psycopg.Connection[TupleRow]

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
}

_TRIES = 9

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


def connect(url: str, role: Literal["target", "source"] = "target") -> Connection:
    """Open a session whose settings are ours, in autocommit; errors name the server by its `role`.

    Raises:
        UsageError: the URL is none.
        TransientError: the server cannot be reached or refuses the login.
    """
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError(f"setting {role}: not a PostgreSQL URL; write postgresql://user@host:5432/database") from None
    try:
        conn = psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name="xata_pg_assets")
    except psycopg.OperationalError as error:
        raise TransientError(f"{role} {describe_target(url)}: {_reason(error)}; is the server up?") from None
    _lift_timeout(conn)
    names = [*SESSION, *(["transaction_timeout"] if conn.info.server_version >= 170000 else [])]
    conn.execute(
        "SELECT pg_catalog.set_config(name, value, false)"
        " FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) AS s (name, value)",
        (names, [SESSION.get(name, "0") for name in names]),
    )
    return conn


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
    except _TRANSIENT as error:
        raise TransientError(f"{what}: {_reason(error)}; run again to continue") from error
    except psycopg.OperationalError as error:
        kind = TransientError if error.sqlstate is None else TargetError
        raise kind(f"{what}: {_reason(error)}; run again to continue") from error
    except psycopg.Error as error:
        raise TargetError(f"{what}: {_reason(error)}") from error


def _reason(error: psycopg.Error) -> str:
    """Return the first line of a message without values: details, contexts and quoted data are left out."""
    text = error.diag.message_primary or str(error).strip() or type(error).__name__
    line = text.splitlines()[0].removeprefix("connection failed: ")
    is_about_data = (error.sqlstate or "").startswith("22")
    return line.partition('"')[0].rstrip(" :") if is_about_data else line
