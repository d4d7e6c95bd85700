"""TLS: what libpq knows of it passes through, and a way that anybody can read is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from xata_pg_assets.postgres.connection import connect, plain_text_warning
from xata_pg_assets_tests.fix_installed import SCHEMAS, InstalledServer, own_address
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg

PASSWORD = "a word"
WARNING = "the connection is not encrypted, rows and password can be read on the way"


@pytest.fixture
def guarded(migrating: XataPg, installed_server: InstalledServer) -> Database:
    """A database whose roles own three schemas, and the settings that name these."""
    database = installed_server.new_database()
    migrating.variables |= {f"XATA_PG_{name.upper()}": value for name, value in SCHEMAS.items()}
    return database


def test_the_password_of_a_verified_server(migrating: XataPg, installed_server: InstalledServer, guarded: Database):
    """`sslmode=verify-full` and `sslrootcert` reach libpq: the right authority is taken, another one is not."""
    installed_server.new_role(guarded, "encrypted", PASSWORD)
    wrong = migrating.folder / "wrong.crt"
    wrong.write_bytes((installed_server.folder / "client.crt").read_bytes())
    for authority, code in ((installed_server.folder / "root.crt", 0), (wrong, 3), ("/nowhere.crt", 3)):
        query = f"?sslmode=verify-full&sslrootcert={authority}"
        url = installed_server.url(guarded, "encrypted", PASSWORD, query=query)
        outcome = migrating("migrate", env={"XATA_PG_TARGET": url})
        assert outcome.code == code, outcome.err
        assert "should not happen" not in outcome.err
    assert guarded.value("SELECT count(*) FROM app.users") == 2


def test_a_client_certificate_takes_the_place_of_a_password(
    migrating: XataPg, installed_server: InstalledServer, guarded: Database
):
    installed_server.new_role(guarded, "certified")
    folder = installed_server.folder
    query = f"?sslmode=verify-ca&sslrootcert={folder}/root.crt&sslcert={folder}/client.crt&sslkey={folder}/client.key"
    url = installed_server.url(guarded, "certified", query=query)
    assert migrating("migrate", env={"XATA_PG_TARGET": url}).code == 0
    without = installed_server.url(guarded, "certified", query="?sslmode=require")
    refused = migrating("migrate", env={"XATA_PG_TARGET": without})
    assert (refused.code, "certificate" in refused.err) == (3, True)


@pytest.mark.parametrize(
    ("mode", "is_safe"), [("disable", False), ("allow", False), ("prefer", True), ("require", True)]
)
def test_a_way_that_can_be_read_is_told_of_with_the_mend(
    migrating: XataPg, installed_server: InstalledServer, guarded: Database, mode: str, is_safe: bool
):
    """Judged by the connection: `allow` may become either, and here becomes plain text."""
    host = own_address()
    installed_server.new_role(guarded, "anyhow", PASSWORD)
    url = installed_server.url(guarded, "anyhow", PASSWORD, host=host, query=f"?sslmode={mode}")
    for command in ("plan", "migrate", "check", "report"):
        outcome = migrating(command, "--json", env={"XATA_PG_TARGET": url})
        assert outcome.code == 0, outcome.err
        told = [warning for warning in outcome.report["warnings"] if WARNING in warning]
        assert len(told) == (0 if is_safe else 1), command
        if told:
            assert told[0].startswith(f"target {host}: ")
            assert "add sslmode=require" in told[0]


def test_a_way_that_does_not_leave_the_machine_is_not_told_of(installed_server: InstalledServer, database: Database):
    """Over a socket, and over the loopback without TLS."""
    theirs = installed_server.new_database()
    installed_server.new_role(theirs, "anyhow", PASSWORD)
    loopback = installed_server.url(theirs, "anyhow", PASSWORD, host="127.0.0.1", query="?sslmode=disable")
    for url in (installed_server.admin, database.url, loopback):
        with connect(url) as conn:
            assert not conn.pgconn.ssl_in_use
            assert plain_text_warning(conn) is None


def test_a_key_that_others_can_read_is_refused_in_one_line(
    migrating: XataPg, installed_server: InstalledServer, guarded: Database, tmp_path: Path
):
    key = tmp_path / "loose.key"
    key.write_bytes((installed_server.folder / "client.key").read_bytes())
    key.chmod(0o644)
    folder = installed_server.folder
    query = f"?sslmode=require&sslcert={folder}/client.crt&sslkey={key}"
    outcome = migrating("migrate", env={"XATA_PG_TARGET": installed_server.url(guarded, "encrypted", query=query)})
    assert outcome.code == 3
    assert str(key) in outcome.error
