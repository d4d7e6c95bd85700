"""Real servers and fresh databases for the tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from xata_pg_assets.postgres import cluster, embedded

_NUMBERS = count(1)


@dataclass(frozen=True)
class Database:
    """A database of a test's own."""

    url: str

    def query(self, statement: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows, or none."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            cur = conn.execute(statement, parameters or None)
            return cur.fetchall() if cur.description else []

    def value(self, statement: Any, *parameters: Any) -> Any:
        """Return the only value of a statement."""
        ((value,),) = self.query(statement, *parameters)
        return value

    def as_role(self, role: str) -> str:
        """Return the connection string for another role."""
        return make_conninfo(self.url, user=role)


@dataclass(frozen=True)
class Server:
    """A running server."""

    home: Path
    major: int
    url: str

    def new_database(self) -> Database:
        name = f"test_{next(_NUMBERS)}"
        Database(self.url).query(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return Database(make_conninfo(self.url, dbname=name))


@contextmanager
def running_server(major: int = cluster.NEWEST) -> Iterator[Server]:
    """A server of its own, gone afterwards; nothing it writes need survive the machine."""
    home = Path(tempfile.mkdtemp(prefix="xata-pg-"))
    home.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        if major != cluster.NEWEST:
            patch.setattr(cluster, "NEWEST", major)
            patch.setattr(cluster, "LOCALE", ["--encoding=UTF8", "--locale=C.UTF-8"])
        server = Server(home, major, embedded.ensure_running(home).uri)
    try:
        Database(server.url).query("ALTER SYSTEM SET fsync = off")
        Database(server.url).query("SELECT pg_reload_conf()")
        yield server
    finally:
        embedded.destroy(home)
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def server16() -> Iterator[Server]:
    with running_server(16) as server:
        yield server


@pytest.fixture
def database(server: Server) -> Database:
    """An empty database."""
    return server.new_database()
