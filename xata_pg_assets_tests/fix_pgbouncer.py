"""PgBouncer before a server, in any of its modes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import sleep
from typing import Any, Protocol

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_CONFIGURATION = """\
[databases]
* = host={host} port={server_port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


class Pooled(Protocol):
    """Starts a pooler with settings of its own before a database; returns the URL that leads through it."""

    def __call__(self, database: Database, **settings: object) -> str: ...


@contextmanager
def _running(parts: dict[str, Any], port: int, settings: dict[str, object]) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    text = _CONFIGURATION.format(
        host=parts["host"], server_port=parts.get("port", 5432), user=parts["user"], port=port, folder=folder
    )
    text += "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "pgbouncer.ini").write_text(text)
    command = [str(_PROGRAM), "-q", folder / "pgbouncer.ini"]
    if os.geteuid() == 0:  # as which it refuses to run
        account = pwd.getpwuid(Path(parts["host"]).stat().st_uid)  # the server's, whose socket is for it alone
        os.chown(folder, account.pw_uid, account.pw_gid)
        command[1:1] = ["-u", account.pw_name]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _wait_for(url: str) -> None:
    for _ in range(3000):
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.OperationalError:
            sleep(0.1)
        else:
            return
    pytest.fail("pgbouncer does not come up")


@pytest.fixture
def pooled() -> Iterator[Pooled]:
    if _PROGRAM is None:
        pytest.skip("there is no pgbouncer on this machine: apt-get install pgbouncer")
    with ExitStack() as stack:

        def start(database: Database, **settings: object) -> str:
            parts, port = conninfo_to_dict(database.url), free_port()
            stack.enter_context(_running(parts, port, settings))
            url = make_conninfo(database.url, host="127.0.0.1", port=port)
            _wait_for(url)
            return url

        yield start
