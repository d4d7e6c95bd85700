"""A small export, migrated by executors: the database that the default executor makes is the measure."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import XataPg, export, fresh_home, inherited, migrating, xata_pg
from xata_pg_assets_tests.test_survival.image import image

__all__ = ["export", "fresh_home", "migrating", "xata_pg"]


def as_url(database: Database) -> str:
    """Write a connection string as the URL that SQLAlchemy asks for."""
    facts = conninfo_to_dict(database.url)
    return f"postgresql://{facts['user']}@/{facts['dbname']}?host={facts['host']}&port={facts['port']}"


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(arguments: list[str], log: Path, env: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process and its children, gone afterwards."""
    with log.open("wb") as out:
        started = subprocess.Popen(arguments, stdout=out, stderr=out, env=dict(env), cwd=folder, start_new_session=True)
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def worker(xata_pg: XataPg, number: int, **env: str) -> object:
    """Start `xata-pg worker` in a folder of its own."""
    folder = xata_pg.folder / f"worker{number}"
    folder.mkdir()
    variables = {**inherited(), "HOME": str(folder), **xata_pg.variables, "XATA_PG_HOME": str(folder / "home"), **env}
    command = [sys.executable, "-c", "from xata_pg_assets.cli import main; main()", "worker"]
    return process(command, folder / "log", variables, folder)


@pytest.fixture
def wanted(migrating: XataPg, server: Server) -> dict[str, object]:
    """What the default executor makes of the export."""
    database = server.new_database()
    assert migrating("migrate", env={"XATA_PG_TARGET": database.url}).code == 0
    return image(database.url)


@pytest.fixture
def scheduler(migrating: XataPg, server: Server) -> Iterator[int]:
    """The port of a scheduler of Dask; the settings name it."""
    pytest.importorskip("distributed")
    port = free_port()
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    migrating.variables |= {
        "XATA_PG_EXECUTOR": "dask",
        "XATA_PG_EXECUTOR_OPTIONS": f'{{"address": "tcp://127.0.0.1:{port}"}}',
        "XATA_PG_DAGSTER_URL": as_url(server.new_database()),
    }
    with process(command, migrating.folder / "scheduler.log", inherited(), migrating.folder):
        until(lambda: answers(port))
        yield port
