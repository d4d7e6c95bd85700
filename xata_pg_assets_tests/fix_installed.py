"""A PostgreSQL that the machine has installed: another version than the embedded ones, no pgvector, and TLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg import sql

from xata_pg_assets.postgres.accounts import Account, new_cluster_account
from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_HBA = """\
local all postgres trust
hostssl all certified all cert
hostssl all encrypted all scram-sha-256
host all all all scram-sha-256
"""


@dataclass(frozen=True)
class InstalledServer:
    """A running server that asks for passwords; `folder` holds the authority's and a client's certificate."""

    folder: Path
    major: int
    admin: str  # connection string of the superuser
    port: int

    def new_database(self) -> Database:
        name = f"test_{os.getpid()}_{os.urandom(4).hex()}"
        Database(self.admin).query(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return Database(self.admin.replace("dbname=postgres", f"dbname={name}"))

    def new_role(self, database: Database, role: str, password: str | None = None) -> None:
        """See to a role that owns three schemas of a database, `app`, `work` and `landing`, and nothing else there."""
        name = sql.Identifier(role)
        if not database.query("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            database.query(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        database.query(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))
        for schema in ("app", "work", "landing"):
            database.query(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.Identifier(schema), name))

    def url(self, database: Database, role: str, password: str = "", host: str = "localhost", query: str = "") -> str:
        """Write a URL for a role, as a user would."""
        name = database.value("SELECT current_database()")
        login = f"{quote(role)}:{quote(password, safe='')}" if password else quote(role)
        return f"postgresql://{login}@{host}:{self.port}/{name}{query}"


SCHEMAS = {"target_schema": "app", "work_schema": "work", "staging_schema": "landing"}


def own_address() -> str:
    """Return an address of this machine that is not its loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("the machine has no address but its loopback")
        return str(probe.getsockname()[0])


@pytest.fixture(scope="session")
def installed_server() -> Iterator[InstalledServer]:
    """A server of the installed PostgreSQL, with TLS; skips where there is none, or no openssl."""
    programs = _programs()
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    account = new_cluster_account()
    folder = Path(tempfile.mkdtemp(prefix="xata-pg-installed-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    account.give(data)
    _run(account, programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
    _certificates(folder, account)
    (data / "pg_hba.conf").write_text(_HBA)
    port = free_port()
    settings = {
        "listen_addresses": "'*'", "port": str(port), "unix_socket_directories": f"'{data}'", "fsync": "off",
        "ssl": "on", "ssl_cert_file": f"'{data}/server.crt'", "ssl_key_file": f"'{data}/server.key'",
        "ssl_ca_file": f"'{folder}/root.crt'", "log_statement": "'none'",
    }  # fmt: skip
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
    try:
        _run(account, programs / "pg_ctl", "start", "-w", "-D", data, "-l", data / "server.log")
        admin = f"host={data} port={port} user=postgres dbname=postgres"
        major = int(Database(admin).value("SHOW server_version_num")) // 10000
        yield InstalledServer(folder, major, admin, port)
    finally:
        _run(account, programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
        shutil.rmtree(folder)


def _programs() -> Path:
    """Return the programs of the newest installed PostgreSQL that is supported."""
    found = [path for place in _PLACES for path in Path("/").glob(place.removeprefix("/"))]
    known = [(_major(path), path) for path in found if (path / "initdb").is_file() and (path / "postgres").is_file()]
    usable = [pair for pair in known if pair[0] >= 14]
    if not usable:
        pytest.skip("no PostgreSQL of 14 or later is installed (Debian: apt-get install postgresql)")
    return max(usable)[1]


def _major(programs: Path) -> int:
    told = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.split()[2].partition(".")[0])


def _certificates(folder: Path, account: Account) -> None:
    """Make an authority, a certificate of `localhost` for the server, and one of `certified` for a client."""
    data = folder / "data"
    request = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-sha256"]
    _openssl(*request, "-x509", "-days", "2", "-subj", "/CN=tests", "-keyout", folder / "root.key",
             "-out", folder / "root.crt")  # fmt: skip
    for name, subject in (("server", "localhost"), ("client", "certified")):
        place = data if name == "server" else folder
        _openssl(*request, "-subj", f"/CN={subject}", "-keyout", place / f"{name}.key", "-out", folder / f"{name}.csr")
        _openssl("openssl", "x509", "-req", "-days", "2", "-in", folder / f"{name}.csr", "-CA", folder / "root.crt",
                 "-CAkey", folder / "root.key", "-CAcreateserial", "-out", place / f"{name}.crt")  # fmt: skip
        (place / f"{name}.key").chmod(0o600)
    for path in (data / "server.key", data / "server.crt"):
        account.give(path)


def _openssl(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _run(account: Account, *command: str | Path) -> None:
    done = account.run(command, environment={"PATH": os.environ["PATH"]}, output=subprocess.DEVNULL)
    assert done.returncode == 0, command
