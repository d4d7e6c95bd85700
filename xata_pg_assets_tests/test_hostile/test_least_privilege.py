"""The page on privileges is true: each of its SQL blocks is run as it stands, and a migration as its role after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from xata_pg_assets_tests.fix_installed import InstalledServer
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_cli.conftest import Folder, XataPg

PAGE = Path(__file__).parents[2] / "docs" / "privileges.md"
ROLES = ("migrator", "application", "source_reader")
WAYS = {
    "Schemas that the role owns": ("--target-schema", "shop"),
    "Schemas of somebody else": (),
    "Schemas that the role makes": (),
}


def blocks(page: str) -> dict[str, list[str]]:
    """Return the SQL blocks of each section."""
    sections = re.split(r"^## (.+)$", page, flags=re.MULTILINE)[1:]
    return {
        title: re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }


BLOCKS = blocks(PAGE.read_text())


@pytest.fixture(params=["server", "server16", "installed_server"])
def app(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database `app`, on each PostgreSQL that there is; its roles are gone afterwards."""
    server: Server | InstalledServer = request.getfixturevalue(request.param)
    admin = Database(server.admin if isinstance(server, InstalledServer) else server.url)
    admin.query("CREATE DATABASE app TEMPLATE template0")
    try:
        yield Database(make_conninfo(admin.url, dbname="app"))
    finally:
        admin.query("DROP DATABASE app WITH (FORCE)")
        for role in ROLES:
            admin.query(f"DROP ROLE IF EXISTS {role}")


def as_role(app: Database, role: str) -> str:
    """Return the role's connection string: with its password, over TCP, where the server asks for one."""
    url = app.as_role(role)
    is_installed = "/xata-pg-installed-" in url
    return make_conninfo(url, host="localhost", password="change me") if is_installed else url


def has_pgvector(app: Database) -> bool:
    return bool(app.query("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"))


def with_vectors(export: Folder) -> None:
    """Give the posts a vector."""
    schema = (export.path / "schema.json").read_text()
    vector = '{"name": "v", "type": "vector", "vector": {"dimension": 2}}, {"name": "title"'
    (export.path / "schema.json").write_text(schema.replace('{"name": "title"', vector))
    export.rows("posts", "id,v,title", [(f"p{n}", f"[{n},0.5]", f"post {n}") for n in range(5)])


def test_every_block_of_the_page_is_run():
    told = {title: len(found) for title, found in BLOCKS.items() if found}
    assert told == dict.fromkeys(WAYS, 1) | {"pgvector": 2, "A PostgreSQL as the source": 1, "Afterwards": 1}


@pytest.mark.parametrize("way", WAYS)
def test_a_migration_a_newer_export_check_and_clean(xata_pg: XataPg, export: Folder, app: Database, way: str):
    app.query(BLOCKS[way][0])
    if has_pgvector(app):
        with_vectors(export)
        app.query(BLOCKS["pgvector"][way == "Schemas that the role owns"])
    xata_pg.variables |= {"XATA_PG_SOURCE": str(export.path), "XATA_PG_TARGET": as_role(app, "migrator")}
    flags = WAYS[way]
    assert xata_pg("plan", "--json", *flags).report["problems"] == []
    first = xata_pg("migrate", *flags, "--json")
    assert first.code == 0, first.err
    name = flags[1] if flags else "public"
    header = (export.path / "posts.csv").read_text().partition(",xata.version")[0]
    filler = [None] * (header.count(",") - 1)
    export.rows("posts", header, [("p0", *filler, None), ("p9", *filler, None)])
    second = xata_pg("migrate", *flags, "--json")
    assert second.code == 0, second.err
    assert app.query(f"SELECT id FROM {name}.posts ORDER BY id") == [(1,), (6,)]
    assert xata_pg("check", *flags).code == 0
    assert xata_pg("clean", *flags).code == 0
    assert xata_pg("check", *flags).code == 0
    assert app.query("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'migrator'") == [
        (False, False, False)
    ]
    may_create = app.value("SELECT has_database_privilege('migrator', 'app', 'CREATE')")
    assert may_create == (way == "Schemas that the role makes")
    if name == "shop":
        app.query(BLOCKS["Afterwards"][0])
        with psycopg.connect(as_role(app, "application"), autocommit=True) as conn:
            assert conn.execute("INSERT INTO shop.users (name) VALUES ('new') RETURNING id").fetchone() == (3,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("SELECT FROM xata_migration.loads")


@pytest.mark.parametrize("app", ["server"], indirect=True)
def test_the_whole_demo_with_pgvector_in_a_schema_of_its_own(xata_pg: XataPg, app: Database):
    app.query(BLOCKS["Schemas that the role owns"][0])
    app.query(BLOCKS["pgvector"][1])
    assert xata_pg("demo", "demo").code == 0
    flags = ("--source", "demo", "--target", as_role(app, "migrator"), "--target-schema", "shop")
    for command in ("migrate", "migrate", "check", "clean"):
        outcome = xata_pg(command, *flags)
        assert outcome.code == 0, outcome.err
    assert len(app.query("SELECT tablename FROM pg_tables WHERE schemaname = 'shop'")) == 27


def test_a_source_is_only_read(xata_pg: XataPg, export: Folder, app: Database, database: Database):
    app.query("CREATE TABLE users (id text PRIMARY KEY, email text, name text NOT NULL)")
    app.query("INSERT INTO users VALUES ('u1', 'ann@x.org', 'Ann'), ('u2', NULL, 'Bob')")
    app.query(BLOCKS["A PostgreSQL as the source"][0])
    flags = ("--schema", export.path / "schema.json", "--source", as_role(app, "source_reader"))
    outcome = xata_pg("migrate", *flags, "--target", database.url, "--json")
    assert outcome.code == 0, outcome.err
    assert database.query("SELECT id, name FROM users ORDER BY id") == [(1, "Ann"), (2, "Bob")]


def test_without_a_privilege_the_plan_says_which_and_the_run_ends_in_one_line(
    xata_pg: XataPg, export: Folder, app: Database
):
    app.query("CREATE ROLE migrator LOGIN PASSWORD 'change me'")
    app.query("REVOKE ALL ON SCHEMA public FROM public")
    flags = ("--source", export.path, "--target", as_role(app, "migrator"))
    problems = xata_pg("plan", *flags, "--json").report["problems"]
    assert any("schema public: the role may not create tables in it; GRANT CREATE" in line for line in problems)
    assert any("CREATE SCHEMA xata_migration" in line for line in problems)
    outcome = xata_pg("migrate", *flags)
    assert outcome.code == 3
    assert "CREATE SCHEMA xata_migration AUTHORIZATION migrator" in outcome.error
