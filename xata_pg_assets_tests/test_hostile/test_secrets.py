"""Passwords and personal values, looked for in every byte that a command prints, keeps or shows to `ps`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets_tests.fix_export import METADATA
from xata_pg_assets_tests.fix_installed import InstalledServer
from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import PATIENCE
from xata_pg_assets_tests.test_cli.conftest import Folder, Outcome, XataPg, inherited

# With characters that a URL must encode, so that two forms of it may be found
PASSWORD = "c4n@ry/p4ss:w0rd"
ENCODED = quote(PASSWORD, safe="")
FORMS = (PASSWORD, ENCODED, PASSWORD.partition("/")[0], "p4ss:w0rd", "p4ss%3Aw0rd")
SCRIPT = Path(sys.executable).with_name("xata-pg")
COMMANDS = [
    ("plan", "--json"),
    ("--debug", "migrate", "--json"),
    ("check",),
    ("report", "--json"),
    ("clean",),
]


def found_in(texts: Iterable[bytes], needles: Iterable[str]) -> list[str]:
    """Return the secrets that stand somewhere."""
    wanted = [needle.encode() for needle in needles]
    return sorted({needle.decode() for text in texts for needle in wanted if needle in text})


def files_under(folder: Path, *but: Path) -> Iterator[bytes]:
    """Yield the bytes of every file, its name before them."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.is_file() and path not in but:
                with suppress(FileNotFoundError):  # of a process that ends just now
                    yield os.fsencode(path) + b"\n" + path.read_bytes()


def command_lines() -> Iterator[bytes]:
    """Yield what `ps` shows of every process."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:  # it ended
            continue


def words_of_those_started_by(pid: int) -> str:
    """Return the command lines of a process's children, as far as they live."""
    words = ""
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            words += " ".join(process.cmdline()) + "\n"
    return words


def watched(xata_pg: XataPg, *arguments: str) -> Outcome:
    """Run a command, looking at all processes all the while."""
    running = xata_pg.start(*arguments)
    while running.process.is_alive():
        assert found_in(command_lines(), FORMS) == []
        running.process.join(0.2)
    return running.end()


def keywords(database: Database, **others: str) -> str:
    """Write a connection string of keywords."""
    parts = {**conninfo_to_dict(database.url), "password": PASSWORD, **others}
    return " ".join(f"{name}='{value}'" for name, value in parts.items())


def url(database: Database) -> str:
    parts = conninfo_to_dict(database.url)
    return f"postgresql://{parts['user']}:{ENCODED}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"


def several_hosts(database: Database) -> str:
    parts = conninfo_to_dict(database.url)
    folder = quote(str(parts["host"]), safe="")
    return f"postgresql://{parts['user']}:{ENCODED}@127.0.0.1:1,{folder}:{parts['port']}/{parts['dbname']}"


TARGETS: dict[str, Callable[[Database], str]] = {"url": url, "keywords": keywords, "several hosts": several_hosts}


@pytest.mark.parametrize("form", TARGETS)
def test_the_targets_password_is_nowhere(migrating: XataPg, database: Database, form: str):
    migrating.variables["XATA_PG_TARGET"] = TARGETS[form](database)
    told = [watched(migrating, *command) for command in COMMANDS]
    assert [outcome.code for outcome in told] == [0] * len(COMMANDS)
    assert found_in((part.encode() for each in told for part in (each.out, each.err)), FORMS) == []
    assert found_in(files_under(migrating.folder), FORMS) == []


def test_nor_in_a_file_that_names_the_settings(migrating: XataPg, database: Database):
    del migrating.variables["XATA_PG_TARGET"]
    config = migrating.folder / "xata_pg.toml"
    config.write_text(f'target = "{url(database)}"\n')
    told = [watched(migrating, *command) for command in COMMANDS]
    assert [outcome.code for outcome in told] == [0] * len(COMMANDS)
    assert found_in((part.encode() for each in told for part in (each.out, each.err)), FORMS) == []
    assert found_in(files_under(migrating.folder, config), FORMS) == []


WRONG = {
    "nobody listens": f"postgresql://me:{ENCODED}@127.0.0.1:1/db",
    "several hosts, none listens": f"postgresql://me:{ENCODED}@127.0.0.1:1,127.0.0.1:2/db",
    "keywords": f"host=127.0.0.1 port=1 user=me password='{PASSWORD}'",
    "no such host": f"postgresql://me:{ENCODED}@host.invalid/db",
    "not encoded": f"postgresql://me:{PASSWORD}@127.0.0.1:1/db",
    "only @ not encoded": "postgresql://me:c4n@ry@127.0.0.1:1/db",
    "only / not encoded": "postgresql://me:p4ss/w0rd@127.0.0.1:1/db",
    "digits and /": "postgresql://me:4711/p4ss:w0rd@127.0.0.1:1/db",
    "half encoded": f"postgresql://me:{ENCODED}%zz@127.0.0.1:1/db",
    "another scheme": f"mysql://me:{ENCODED}@127.0.0.1:1/db",
    "a driver": f"postgresql+psycopg://me:{ENCODED}@127.0.0.1:1/db",
    "a slip": f"postgresql:/me:{ENCODED}@127.0.0.1:1/db",
    "no scheme": f"me:{ENCODED}@127.0.0.1:1/db",
    "broken keywords": f"host=127.0.0.1 password={PASSWORD} and more",
    "an unknown keyword": f"host=127.0.0.1 password={PASSWORD} pasword={PASSWORD}",
    "a certificate's": f"postgresql://me@127.0.0.1:1/db?sslpassword={ENCODED}&sslkey=/nowhere&sslmode=require",
    "a port that is none": f"postgresql://me:{ENCODED}@127.0.0.1:port/db",
}


@pytest.mark.parametrize("role", ["target", "source", "dagster-url"])
@pytest.mark.parametrize("form", WRONG)
def test_an_error_tells_no_password(migrating: XataPg, form: str, role: str):
    """By variable and with --debug: neither the line nor the traceback holds it."""
    variables = {f"XATA_PG_{role.replace('-', '_').upper()}": WRONG[form]}
    if role == "dagster-url":
        variables["PGCONNECT_TIMEOUT"] = "2"
    migrating.variables |= {"XATA_PG_SCHEMA": str(migrating.folder / "export" / "schema.json")}
    outcome = migrating("--debug", "migrate", "--json", env=variables, is_hurried=True)
    assert outcome.code in (2, 3)
    assert "error: " in outcome.err
    assert "should not happen" not in outcome.err
    needles = (*FORMS, "c4n", "p4ss", "w0rd", "4711")
    assert found_in([outcome.out.encode(), outcome.err.encode()], needles) == []
    assert found_in(files_under(migrating.folder / "home"), needles) == []


def test_a_password_that_is_refused(migrating: XataPg, installed_server: InstalledServer):
    database = installed_server.new_database()
    installed_server.new_role(database, "guarded", "another")
    outcome = migrating(
        "--debug", "migrate", env={"XATA_PG_TARGET": installed_server.url(database, "guarded", PASSWORD)}
    )
    assert (outcome.code, "password authentication failed" in outcome.err) == (3, True)
    assert found_in([outcome.out.encode(), outcome.err.encode()], FORMS) == []
    assert found_in(files_under(migrating.folder / "home"), FORMS) == []


@pytest.mark.parametrize("way", ["url", "keywords", "PGPASSWORD", "passfile", "PGPASSFILE"])
def test_a_password_that_is_needed_and_taken(migrating: XataPg, installed_server: InstalledServer, way: str):
    """Each way that libpq knows works, against a server that asks, and leaves nothing."""
    database = installed_server.new_database()
    installed_server.new_role(database, "guarded", PASSWORD)
    passfile = migrating.folder / "passfile"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passfile.write_text(f"localhost:{installed_server.port}:*:guarded:{escaped}\n")
    passfile.chmod(0o600)
    bare = installed_server.url(database, "guarded")
    name = database.value("SELECT current_database()")
    words = f"host=localhost port={installed_server.port} user=guarded dbname={name} password='{PASSWORD}'"
    migrating.variables |= {
        "url": {"XATA_PG_TARGET": installed_server.url(database, "guarded", PASSWORD)},
        "keywords": {"XATA_PG_TARGET": words},
        "PGPASSWORD": {"XATA_PG_TARGET": bare, "PGPASSWORD": PASSWORD},
        "passfile": {"XATA_PG_TARGET": f"{bare}?passfile={passfile}"},
        "PGPASSFILE": {"XATA_PG_TARGET": bare, "PGPASSFILE": str(passfile)},
    }[way]
    migrating.variables |= {
        "XATA_PG_TARGET_SCHEMA": "app",
        "XATA_PG_WORK_SCHEMA": "work",
        "XATA_PG_STAGING_SCHEMA": "landing",
    }
    told = [watched(migrating, *command) for command in COMMANDS[1:4:2]]
    assert [outcome.code for outcome in told] == [0, 0], told[0].err
    assert found_in((part.encode() for each in told for part in (each.out, each.err)), FORMS) == []
    assert found_in(files_under(migrating.folder, passfile), FORMS) == []


@pytest.mark.parametrize("form", [url, keywords])
def test_the_password_of_a_source_is_nowhere(
    migrating: XataPg, export: Folder, server: Server, form: Callable[[Database], str]
):
    origin = server.new_database()
    origin.query("CREATE TABLE users (id text, email text, name text)")
    origin.query("INSERT INTO users VALUES ('u1', 'ann@x.org', 'Ann')")
    migrating.variables |= {"XATA_PG_SOURCE": form(origin), "XATA_PG_SCHEMA": str(export.path / "schema.json")}
    told = [watched(migrating, *command) for command in COMMANDS]
    assert [outcome.code for outcome in told] == [0] * len(COMMANDS), told
    assert found_in((part.encode() for each in told for part in (each.out, each.err)), FORMS) == []
    assert found_in(files_under(migrating.folder), FORMS) == []
    everything = Database(migrating.variables["XATA_PG_TARGET"]).query("SELECT l::text FROM xata_migration.loads AS l")
    assert found_in((row[0].encode() for row in everything), FORMS) == []


def test_the_password_of_dagsters_records_is_not_in_them(migrating: XataPg, server: Server):
    records = server.new_database()
    migrating.variables["XATA_PG_DAGSTER_URL"] = url(records)
    outcome = watched(migrating, "--debug", "migrate")
    assert outcome.code == 0, outcome.err
    assert found_in([outcome.out.encode(), outcome.err.encode()], FORMS) == []
    assert found_in(files_under(migrating.folder), FORMS) == []
    tables = records.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) > 10
    for (name,) in tables:
        rows = records.query(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name)))
        assert found_in((row[0].encode() for row in rows), FORMS) == [], name


def test_dagit_and_its_processes_show_no_password(migrating: XataPg, database: Database, server: Server):
    """The server, the daemon and the code's process: their command lines, outputs, and what Dagit answers."""
    migrating.variables |= {"XATA_PG_TARGET": url(database), "XATA_PG_DAGSTER_URL": url(server.new_database())}
    port = free_port()
    log = migrating.folder / "ui.log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [SCRIPT, "ui", "--port", str(port)],
            cwd=migrating.folder,
            env=inherited() | {"HOME": str(migrating.folder)} | migrating.variables,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline, lines, page = time.monotonic() + PATIENCE, set[bytes](), b""
        started = ""
        while not (page and "daemon" in started and "grpc" in started):
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            started += words_of_those_started_by(running.pid)
            lines |= set(command_lines())
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/dagit_info", timeout=60) as answer:
                    page = answer.read()
            except OSError:
                time.sleep(0.2)
        query = b'{"query": "{ instance { info } repositoriesOrError { __typename } }"}'
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - of this machine, by http
            page += answer.read()
        assert b"storage" in page
        assert found_in([page, *lines, *command_lines()], FORMS) == []
    finally:
        os.killpg(running.pid, signal.SIGINT)
        try:
            running.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
    assert found_in(files_under(migrating.folder), FORMS) == []


# A personal value, longer than what a check may show of it
VALUE = "Ann Canary, 12 Hidden Lane, born 1971-02-03, " + "0123456789" * 20
SHOWN = VALUE[:81]  # one character more than may be shown
KNOWN = VALUE[:20]


def _personal(export: Folder) -> None:
    """Rows with every fault that quotes a cell: in id, number, link, unique value and the shape of the record."""
    header = ",".join(("id", "email", "name", *METADATA))
    quoted = f'"{VALUE}"'
    rows = [f"u1,{quoted},a,0,,", f"u2,{quoted},b,0,,", f"u3,e3,{quoted},{quoted},,", f"u4,e4,{quoted}"]
    (export.path / "users.csv").write_text("\n".join([header, *rows, f"{quoted},e5,{quoted},0,,"]) + "\n")
    posts = [("p1", VALUE, VALUE, "u1"), ("p2", VALUE, "1", VALUE), ("p3", VALUE, "1", "u1"), (VALUE, "t", "2", "u1")]
    export.rows("posts", "id,title,likes,author", posts)


def test_personal_values_are_cut_where_they_are_shown_and_nowhere_else(
    migrating: XataPg, export: Folder, database: Database, server: Server
):
    """Rejected, dangling, differing and refused by PostgreSQL: told of in the database, and cut to 80 elsewhere."""
    _personal(export)
    flags = ("--debug", "migrate", "--json")
    told = [migrating(*flags)]
    database.query("UPDATE posts SET title = title || 'x' WHERE id = (SELECT min(id) FROM posts)")
    told.append(migrating("--debug", "check", "--json"))
    # What PostgreSQL itself refuses, with the row in its message: a constraint of the user's own
    database.query("ALTER TABLE posts ADD CONSTRAINT mine CHECK (title NOT LIKE 'Bob%')")
    database.query("CREATE UNIQUE INDEX theirs ON posts (title) WHERE title LIKE 'Eve%'")
    for name in ("Bob", "Eve"):
        values = [(f"p{n}", f"{name} {VALUE}", "1", "u1") for n in range(5, 7)]
        export.rows("posts", "id,title,likes,author", values)
        told.append(migrating(*flags))
    assert [outcome.code for outcome in told] == [1, 1, 3, 3]
    assert "mine" in told[2].err
    assert "Traceback" not in told[0].err
    rejected = database.query("SELECT reason FROM xata_migration.rejected_rows WHERE value = %s OR raw LIKE %s",
                              VALUE, f"%{VALUE}%")  # fmt: skip
    assert rejected, "the database keeps what was left out, whole"
    assert found_in((part.encode() for each in told for part in (each.out, each.err)), [KNOWN]) == []
    assert found_in(files_under(migrating.folder / "home"), [SHOWN]) == []
    assert found_in(files_under(migrating.folder / "home"), [VALUE[:30]]) != []  # the test can find what is there
    assert found_in([(server.home / "postgres.log").read_bytes()], [KNOWN]) == []


def test_json_that_postgresql_refuses_is_not_quoted(migrating: XataPg, tmp_path: Path, database: Database):
    export = tmp_path / "json"
    export.mkdir()
    (export / "schema.json").write_text('{"tables": [{"name": "t", "columns": [{"name": "j", "type": "json"}]}]}')
    (export / "t.csv").write_text(f'id,j\nr1,"{{{VALUE}}}"\nr2,"[""{VALUE}"", ]"\nr3,1\n')
    outcome = migrating("--debug", "migrate", "--source", export)
    assert outcome.code == 1
    assert database.value("SELECT count(*) FROM xata_migration.rejected_rows WHERE value LIKE %s", f"%{VALUE}%") == 2
    assert found_in([outcome.out.encode(), outcome.err.encode()], [KNOWN]) == []
    assert found_in(files_under(migrating.folder / "home"), [SHOWN]) == []
