"""The embedded PostgreSQL of a home folder: one server, shared by every process, that outlives them all."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg import sql

from xata_pg_assets.errors import TargetError, TransientError
from xata_pg_assets.postgres.accounts import account_name, make_home
from xata_pg_assets.postgres.binaries import bin_dir
from xata_pg_assets.postgres.cluster import Cluster, create_cluster, find_cluster, last_line, remove_cluster
from xata_pg_assets.postgres.postmaster import PATIENCE, Postmaster, claim, while_alive
from xata_pg_assets.postgres.sockets import (
    PORT,
    has_socket,
    is_private,
    make_socket_dir,
    remove_socket_dir,
    socket_dir_of,
)
from xata_pg_assets.postgres.tuning import start_settings

__all__ = ["EmbeddedServer", "destroy", "ensure_running", "is_running", "stop"]

LOCK = "postgres.lock"
LOG = "postgres.log"
LOG_LIMIT = 10 * 1024 * 1024

_IN_THE_WAY = re.compile(r'could not create file "((?:base|pg_tblspc)/[0-9A-Za-z_/]+)": File exists')


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server, and how to reach it."""

    data_dir: Path
    socket_dir: Path
    database: str = "xata"
    user: str = "postgres"

    @property
    def uri(self) -> str:
        """The connection string, for psql, psycopg and SQLAlchemy alike; the port keeps a PGPORT out."""
        return f"postgresql://{self.user}@:{PORT}/{self.database}?host={quote(str(self.socket_dir), safe='')}"


def ensure_running(home: Path) -> EmbeddedServer:
    """Return the server of `home`, made, started and given its database and pgvector where it is not yet.

    Raises TargetError when that cannot work here, TransientError when it may the next time.
    """
    home = _usable(home)
    with _faults_told(home):
        make_home(home)
        with _locked(home):
            cluster = find_cluster(home) or create_cluster(home)
            for postmaster in while_alive(cluster.data_dir):
                server = _reached(cluster, postmaster) if postmaster else None
                if server is not None:
                    return server
            return _start(home, cluster)


def stop(home: Path) -> bool:
    """Shut the server of `home` down, open transactions rolled back; False when it did not run."""
    with _existing(home) as (place, cluster):
        return cluster is not None and _stop(place, cluster)


def is_running(home: Path) -> bool:
    """Whether the server of `home` runs; waits for a start or a stop that is under way."""
    with _existing(home) as (_, cluster):
        return cluster is not None and _lives(cluster)


def destroy(home: Path) -> None:
    """Stop the server of `home` and delete its cluster with all its data, wherever it lives."""
    with _existing(home) as (place, cluster):
        if cluster is not None:
            _stop(place, cluster, gently=False)  # nothing need be written that is deleted next
            remove_cluster(place)


@contextmanager
def _existing(home: Path) -> Iterator[tuple[Path, Cluster | None]]:
    """Lock `home` for as long as its cluster is dealt with; nothing is made that is not there."""
    home = _usable(home)
    with _faults_told(home):
        if not (home / LOCK).exists():
            yield home, None
            return
        with _locked(home):
            yield home, find_cluster(home)


def _usable(home: Path) -> Path:
    """The absolute path of `home`; PostgreSQL keeps paths in files of UTF-8 lines."""
    home = Path(os.path.realpath(home.expanduser()))
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in str(home)):
        raise TargetError(f"{str(home)!r}: a path with control characters or not in UTF-8: choose another XATA_PG_HOME")
    return home


@contextmanager
def _faults_told(home: Path) -> Iterator[None]:
    """Tell faults of the system and of the server in one line."""
    place = f"the embedded PostgreSQL under {home}"
    mend = "mend that, choose another XATA_PG_HOME, or set XATA_PG_TARGET to a PostgreSQL of your own"
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise TargetError(f"{place} is not to be had: {reason}; {mend}") from error
    except psycopg.OperationalError as error:
        raise TransientError(f"{place} broke off: {last_line(str(error).encode())}; run again") from error
    except psycopg.Error as error:
        raise TargetError(f"{place} refuses: {last_line(str(error).encode())}; {mend}") from error


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Keep all other processes from starting or stopping the server of `home`; check that `home` is ours."""
    path = home / LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except PermissionError as error:
        raise _not_ours(home, (path if path.exists() else home).stat().st_uid) from error
    try:
        owner = os.fstat(lock).st_uid
        if owner != os.geteuid():
            raise _not_ours(home, owner)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _not_ours(home: Path, owner: int) -> TargetError:
    theirs, ours = account_name(owner), account_name(os.geteuid())
    return TargetError(
        f"{home} and the embedded PostgreSQL in it belong to {theirs}, and this is {ours}: "
        f"run as {theirs}, or choose another folder with XATA_PG_HOME"
    )


def _lives(cluster: Cluster) -> bool:
    lock = claim(cluster.data_dir)
    if lock is not None:
        os.close(lock)
    return lock is None


def _reached(cluster: Cluster, postmaster: Postmaster) -> EmbeddedServer | None:
    """The living server when it answers; one that lost its socket or its place is ended, to start anew."""
    server = EmbeddedServer(cluster.data_dir, postmaster.socket_dir)
    in_place = postmaster.runs_in(cluster.data_dir)
    if not in_place or (postmaster.status == "ready" and not has_socket(server.socket_dir)):
        postmaster.end(gently=in_place)
        return None
    if postmaster.status != "ready":
        return None
    if not is_private(server.socket_dir, cluster.account):
        return None
    try:
        _prepare(server)
    except psycopg.OperationalError as error:
        if error.sqlstate is None:  # no connection yet, as opposed to a statement that failed
            return None
        raise
    return server


def _start(home: Path, cluster: Cluster) -> EmbeddedServer:
    """Start the server of a cluster that none lives on."""
    server = EmbeddedServer(cluster.data_dir, socket_dir_of(home, cluster.account))
    make_socket_dir(server.socket_dir, cluster.account)
    lock = claim(cluster.data_dir)
    if lock is None:
        raise TransientError(f"another process started a server in {cluster.data_dir}: run again")
    try:
        # No process of its server lives, so the file is stale; PostgreSQL would fear a reused process number.
        (cluster.data_dir / "postmaster.pid").unlink(missing_ok=True)
        _launch(home, cluster, server, lock)
    finally:
        os.close(lock)
    _prepare(server)
    return server


def _launch(home: Path, cluster: Cluster, server: EmbeddedServer, lock: int) -> None:
    """Run pg_ctl; again where its recovery trips over itself, and once more where the machine refuses the memory."""
    frugal = False
    while True:
        with _log(home) as log:
            before = log.tell()
            if _pg_ctl_start(cluster, server, lock, log, frugal=frugal):
                return
            log.seek(before)
            fault = last_line(log.read())
        if _cleared(cluster.data_dir, fault):
            continue
        if frugal or "shared memory" not in fault or "pre-existing" in fault:
            break
        frugal = True
    raise TargetError(
        f"the embedded PostgreSQL in {cluster.data_dir} does not start: {fault}; mend that (its log is "
        f"{home / LOG}), or set XATA_PG_TARGET to a PostgreSQL of your own"
    )


def _cleared(data_dir: Path, fault: str) -> bool:
    """Remove the file that keeps PostgreSQL's recovery from ending; tell whether there was one.

    When a server crashes just after the making of an unlogged table was rolled back, the table's empty form is there
    again by the log, and so is the file that was to be deleted later; the recovery cannot lay the one over the other.
    It empties all unlogged tables, so the file holds nothing that would stay.
    """
    found = _IN_THE_WAY.search(fault)
    file = data_dir / found[1] if found else None
    if file is None or not file.with_name(f"{file.name}_init").is_file():
        return False
    file.unlink(missing_ok=True)
    return True


def _pg_ctl_start(cluster: Cluster, server: EmbeddedServer, lock: int, log: IO[bytes], *, frugal: bool) -> bool:
    """Start the postmaster as a daemon and wait until it takes connections."""
    settings = start_settings(cluster.data_dir, frugal=frugal)
    options = ["-h", "", "-p", str(PORT), "-k", str(server.socket_dir), "-c", "unix_socket_permissions=0700"]
    options += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    pg_ctl = bin_dir(cluster.major, cluster.account) / "pg_ctl"
    done = cluster.account.run(
        [pg_ctl, "start", "--silent", "--wait", f"--timeout={PATIENCE}", "--options", shlex.join(options)],
        # by variable: pg_ctl puts a path it is given into a shell command, and does not quote it
        environment={"PGDATA": str(cluster.data_dir)},
        output=log.fileno(),
        pass_fds=[lock],
        detached=True,
    )
    return done.returncode == 0


@contextmanager
def _log(home: Path) -> Iterator[IO[bytes]]:
    """The server's log, opened to add to; begun anew when it has grown large."""
    path = home / LOG
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "r+b") as log:
        if log.seek(0, os.SEEK_END) > LOG_LIMIT:
            log.truncate(0)
            log.seek(0)
        yield log


def _stop(home: Path, cluster: Cluster, *, gently: bool = True) -> bool:
    """Ask for a fast shutdown, or for one at once, and wait for the last process to end."""
    lived = asked = False
    folders = {socket_dir_of(home, cluster.account)}
    for postmaster in while_alive(cluster.data_dir):
        lived = True
        if postmaster is not None and not asked:
            asked = postmaster.end(gently=gently and postmaster.runs_in(cluster.data_dir))
            folders.add(postmaster.socket_dir)
    for folder in folders:
        remove_socket_dir(folder)
    return lived


def _prepare(server: EmbeddedServer) -> None:
    """See to it that the database is there, and pgvector in it."""
    try:
        connection = _connect(server, server.database)
    except psycopg.OperationalError:
        _create_database(server)
        connection = _connect(server, server.database)
    with connection:
        if connection.execute("SELECT FROM pg_extension WHERE extname = 'vector'").rowcount == 0:
            connection.execute("CREATE SCHEMA IF NOT EXISTS public")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")


def _create_database(server: EmbeddedServer) -> None:
    with _connect(server, "postgres") as connection:
        query = "SELECT FROM pg_database WHERE datname = %s"
        if connection.execute(query, [server.database]).rowcount == 0:
            name = sql.Identifier(server.database)
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))


def _connect(server: EmbeddedServer, database: str) -> psycopg.Connection[tuple[object, ...]]:
    """Connect with every parameter given that a PG… variable of the user could bend."""
    return psycopg.connect(
        host=str(server.socket_dir),
        hostaddr="",
        port=PORT,
        user=server.user,
        dbname=database,
        options="",
        sslmode="disable",
        gssencmode="disable",
        channel_binding="disable",
        connect_timeout=10,
        autocommit=True,
    )
