"""The sessions of a run that processes on several machines work on: how they are named, and ended from one place.

An engine can take a process away or not; what runs in PostgreSQL runs on until its client is looked for. So whoever
stops such a run ends its sessions at the server, which every engine's workers are alike to.
"""

from __future__ import annotations

from time import monotonic, sleep

from psycopg import errors as pg

from xata_pg_assets.postgres.connection import OWN_NAME, Connection

__all__ = ["database_identity", "end_sessions", "session_name"]

_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()"
)
# A worker that has just taken a step opens its session a moment later
_QUIET_LOOKS, _SECONDS_BETWEEN, _MOST_SECONDS = 5, 0.2, 15.0


def session_name(run_id: str) -> str:
    """Name the sessions of a run as pg_stat_activity shows them.

    >>> session_name("6a0b8a4e-3d6c-4a3f-9b6e-000000000000")
    'xata_pg_assets: run 6a0b8a4e-3d6c-4a3f-9b6e-000000000000'
    """
    return f"{OWN_NAME}: run {run_id}"


def end_sessions(conn: Connection, run_id: str) -> int:
    """End the sessions of a run until none has come for a second; returns how many were ended.

    Raises:
        psycopg.Error: the server is gone, or the role may not end them.
    """
    ended, quiet, deadline = 0, 0, monotonic() + _MOST_SECONDS
    while quiet < _QUIET_LOOKS and monotonic() < deadline:
        found = conn.execute(_END, (session_name(run_id),)).rowcount
        ended, quiet = ended + found, 0 if found else quiet + 1
        sleep(_SECONDS_BETWEEN)
    return ended


def database_identity(conn: Connection) -> str:
    """Return what tells this database from every other, by whatever name its server is reached.

    Where the role may not ask for the identifier of the cluster, two databases of one name count as one.
    """
    name = conn.execute("SELECT current_database()").fetchone()
    try:
        cluster = conn.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    except pg.InsufficientPrivilege:
        cluster = None
    return repr((name, cluster))
