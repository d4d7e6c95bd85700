"""One migration at a time: who comes second is told who is at work.

The locks of the tables (`bootstrap.lock`) keep the data right whoever runs beside whom; this one keeps a person from
waiting for a run that he does not know of. It belongs to a session that does nothing else, so the server drops it
with the connection: at once when the process ends, by whatever signal, and within two minutes when its machine is
gone (the keepalives of `connection`). Nobody waits for it.

A `migrate` of the command line takes it alone; where its steps run in processes of their own, it then shares it with
these, which still keeps every other `migrate` off. Runs from Dagit share it, because a backfill is many runs at once,
and because the locks of the tables let runs of one table each go side by side. Plans, checks and reports take none.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from threading import Lock

import psycopg

from xata_pg_assets.errors import BusyError
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock_name
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = ["RunLock"]

_TRY = {
    False: "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))",
    True: "SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0))",
}
_PREFIX = "xata_pg_assets: "
_LOST_SESSION_MS = 10_000


class RunLock:
    """The right to migrate into a target; `target` names it, `reach` opens a connection to it."""

    def __init__(self, target: str, reach: Callable[[], Connection], layout: Layout, *, is_shared: bool) -> None:
        self._target = target
        self._reach = reach
        self._name = lock_name(layout, "run")
        self._is_shared = is_shared
        self._conn: Connection | None = None
        self._pid: int | None = None  # of the session that has or had the lock; a lost connection no longer tells it
        self._mutex = Lock()

    def hold(self) -> None:
        """Take the lock, or take it again after its connection was lost.

        Raises:
            BusyError: another run has it; names its process and since when it runs, as far as the server tells.
        """
        with self._mutex:
            if self._conn is not None and _answers(self._conn):
                return
            conn = self._reach()
            try:
                conn.execute("SELECT set_config('application_name', %s, false)", (_own_name(),))
                self._take(conn)
            except BaseException:
                conn.close()
                raise
            self._conn, self._pid = conn, _server_process(conn)

    def share(self) -> None:
        """Keep it, but no longer alone; there is no moment at which anybody could take it alone.

        Raises:
            psycopg.Error: the connection is lost.
        """
        with self._mutex:
            if self._conn is not None and not self._is_shared:
                self._conn.execute(_TRY[True], (self._name,))
                self._conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (self._name,))
            self._is_shared = True

    def release(self) -> None:
        """Let others have it."""
        with self._mutex:
            if self._conn is not None:
                self._conn.close()
                self._conn = None

    def _take(self, conn: Connection) -> None:
        for _ in range(3):  # whoever has it may be gone before it is asked who that is
            if conn.execute(_TRY[self._is_shared], (self._name,)).fetchone() == (True,):
                return
            holder = conn.execute(statements.get("run_lock_holder"), {"name": self._name}).fetchone()
            if holder and holder[0] == self._pid:  # our own, whose connection only this side knows to be lost
                conn.execute("SELECT pg_terminate_backend(%s, %s)", (self._pid, _LOST_SESSION_MS))
            elif holder:
                raise self._busy(*holder)
        raise self._busy(0, "", None)

    def _busy(self, pid: int, name: str, since: str | None) -> BusyError:
        who = name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else f"server process {pid}"
        return BusyError(
            f"target {self._target}: another migration is at work on it"
            + (f" ({who}{f', since {since}' if since else ''})" if pid else "")
            + "; wait until it ends, or stop it, then run again"
        )


def _own_name() -> str:
    """Name this process as others see it in pg_stat_activity, in the 63 bytes that PostgreSQL keeps."""
    return f"{_PREFIX}process {os.getpid()} on {socket.gethostname()[:24]}"


def _server_process(conn: Connection) -> int:
    """Return the number of the process that serves the connection: behind a pooler the connection has another."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _answers(conn: Connection) -> bool:
    try:
        conn.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
