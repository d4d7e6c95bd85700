"""Hosts of PostgreSQL: poolers that keep no session, encryption, roles of their own, a database that sleeps."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets import migration as migrations
from xata_pg_assets.errors import UnreachableError, UsageError
from xata_pg_assets.postgres import undo
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.postgres.hosts import known_transaction_pooler, with_encryption
from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table
from xata_pg_assets_tests.fix_pgbouncer import Pooled
from xata_pg_assets_tests.fix_proxy import Proxy
from xata_pg_assets_tests.fix_server import Database, Server

REFUSED = "a pooler in transaction mode is in between, which keeps no session; connect to the server itself"


@pytest.fixture
def users(new_export: NewExport) -> Export:
    export = new_export(
        table("users", column("mail", "email", unique=True), column("v", "vector", dimension=2), link("team", "teams")),
        table("teams", column("names", "multiple"), link("boss", "users")),
    )
    export.rows("users", "id,mail,v,team", [["u1", "a@x", "[1,2]", "t1"], ["u2", "b@x", "[-0.0,1e-7]", None]])
    export.rows("teams", "id,names,boss", [["t1", '["a"]', "u2"]])
    return export


class TestPoolers:
    @pytest.mark.parametrize(
        "settings",
        [
            {"pool_mode": "transaction", "default_pool_size": 1},
            {"pool_mode": "transaction"},
            {"pool_mode": "transaction", "min_pool_size": 5, "server_round_robin": 1},
            {"pool_mode": "statement"},
        ],
    )
    def test_one_in_transaction_mode_is_refused_and_no_setting_left_behind(
        self, users: Export, database: Database, pooled: Pooled, settings: dict[str, object]
    ):
        url = pooled(database, **settings)
        warm = [psycopg.connect(url, autocommit=True) for _ in range(3)]  # clients of the app, idle ones
        for conn in warm:
            conn.execute("SELECT 1")
        for _ in range(3):
            with pytest.raises(UsageError, match=REFUSED):
                connect(url)
        users.database = Database(url)
        with pytest.raises(UsageError, match=f"target 127.0.0.1:[0-9]+/test_[0-9]+: {REFUSED}"):
            _ = users.migration().layout
        assert {conn.execute("SHOW search_path").fetchone() for conn in warm} == {('"$user", public',)}
        for conn in warm:
            conn.close()
        assert database.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^xata'") == []

    def test_as_a_source_too(self, database: Database, pooled: Pooled):
        with pytest.raises(UsageError, match=f"^source .*: {REFUSED}"):
            connect(pooled(database, pool_mode="transaction"), "source")

    def test_one_in_session_mode_is_taken(self, users: Export, database: Database, pooled: Pooled):
        users.database = Database(pooled(database, pool_mode="session"))
        assert users.migrate().red == {}
        assert set(users.migrate().changes.values()) == {(0, 0, 0)}

    @pytest.mark.parametrize(
        ("url", "preset", "mend"),
        [
            ("postgresql://u:p@aws-0-eu-1.pooler.supabase.com:6543/postgres", None, "session pooler, port 5432"),
            ("postgresql://u:p@db.abc.supabase.co:6543/postgres", None, "session pooler, port 5432"),
            ("host=db.example.org port=6543 user=u", "supabase", "session pooler, port 5432"),
            ("postgresql://u:p@ep-x-1-pooler.eu-1.aws.neon.tech/db", None, "without -pooler"),
            ("postgresql://u:p@ep-x-1-pooler.example.org/db", "neon", "without -pooler"),
            ("postgresql://u:p@aws-0-eu-1.pooler.supabase.com:5432/postgres", "supabase", None),
            ("postgresql://u:p@ep-x-1.eu-1.aws.neon.tech/db", "neon", None),
            ("postgresql://u:p@db.example.org:6543/db", None, None),
        ],
    )
    def test_known_hosts_are_told_without_connecting(self, url: str, preset: str | None, mend: str | None):
        told = known_transaction_pooler(url, preset)
        assert told is None if mend is None else mend in told


class TestEncryption:
    @pytest.mark.parametrize(
        ("url", "preset", "sslmode"),
        [
            ("postgresql://u@db.example.org/app", "rds", "require"),
            ("postgresql://u@db.example.org/app", "neon", "require"),
            ("host=db.example.org", "supabase", "require"),
            ("postgresql://u@db.example.org/app", "plain", None),
            ("postgresql://u@db.example.org/app?sslmode=verify-full", "rds", "verify-full"),
            ("postgresql://u@db.example.org/app?sslmode=disable", "rds", "disable"),
            ("postgresql://u@localhost:54322/app", "supabase", None),
            ("host=/run/postgresql", "supabase", None),
            ("hostaddr=192.0.2.7", "supabase", "require"),
            ("hostaddr=127.0.0.1", "supabase", None),
        ],
    )
    def test_it_is_asked_for_where_the_url_is_silent(
        self, monkeypatch: pytest.MonkeyPatch, url: str, preset: str, sslmode: str | None
    ):
        monkeypatch.delenv("PGSSLMODE", raising=False)
        assert conninfo_to_dict(with_encryption(url, preset)).get("sslmode") == sslmode

    def test_the_variable_of_libpq_goes_first(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PGSSLMODE", "disable")
        assert with_encryption("host=db.example.org", "rds") == "host=db.example.org"


class TestNeon:
    @pytest.fixture
    def proxy(self, database: Database) -> Proxy:
        return Proxy(database.url)

    def test_a_database_that_sleeps_is_waited_for(self, users: Export, proxy: Proxy, monkeypatch: pytest.MonkeyPatch):
        proxy.is_down = True
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            proxy.is_down = len(waited) < 3

        monkeypatch.setattr(migrations, "sleep", sleep)
        users.database = Database(proxy.url)
        with users.migration(target_preset="neon").reading() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        assert waited == [1, 2, 4]
        proxy.is_down, waited[:] = True, []
        with pytest.raises(UnreachableError), users.migration().reading():
            pass
        assert waited == []


class TestGrants:
    @pytest.fixture
    def roles(self, database: Database) -> Iterator[tuple[str, str]]:
        names = (f"anon {os.getpid()}", f"authenticated {os.getpid()}")
        for name in names:
            database.query(f'CREATE ROLE "{name}"')
        yield names
        for name in names:
            database.query(f'DROP OWNED BY "{name}"')
            database.query(f'DROP ROLE "{name}"')

    def rights(self, database: Database, role: str, schema: str = "public") -> list[tuple[str, str]]:
        return database.query(
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
            " WHERE grantee = %s AND table_schema = %s ORDER BY 1, 2",
            role,
            schema,
        )

    def test_each_role_gets_just_its_rights_and_rows_are_guarded(self, users: Export, database: Database, roles):
        anon, authenticated = roles
        database.query(f'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO "{anon}"')
        database.query("CREATE TABLE mine (n int)")
        flags = {"grants": {anon: "read", authenticated: "write"}, "row_level_security": True}
        assert users.migrate(**flags).red == {}
        own = [(name, "SELECT") for name in ("teams", "users")]
        assert [each for each in self.rights(database, anon) if each[0] != "mine"] == own
        written = ("DELETE", "INSERT", "SELECT", "UPDATE")
        assert self.rights(database, authenticated) == [
            (name, right) for name in ("teams", "users") for right in written
        ]
        assert ("mine", "INSERT") in self.rights(database, anon)
        guarded = "SELECT relname FROM pg_class WHERE relrowsecurity ORDER BY 1"
        assert database.query(guarded) == [("teams",), ("users",)]
        with psycopg.connect(database.url) as conn:
            conn.execute(f'SET ROLE "{anon}"')
            assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)  # no policy shows one
        assert set(users.migrate(**flags).changes.values()) == {(0, 0, 0)}

    def test_what_was_changed_since_is_told_and_mended(self, users: Export, database: Database, roles):
        flags = {"grants": {roles[0]: "none", roles[1]: "read"}, "row_level_security": True}
        users.migrate(**flags)
        database.query(f'GRANT INSERT ON users TO "{roles[0]}"')
        database.query("ALTER TABLE teams DISABLE ROW LEVEL SECURITY")
        migration = users.migration(**flags)
        told = {each.name: migration.check(each, ["constraints_in_place"])[0] for each in migration.plan.tables}
        assert told["users"].description == f"lacking: the rights of {roles[0]} (none)"
        assert told["teams"].description == "lacking: row-level security"
        assert users.migrate(**flags).red == {}
        assert self.rights(database, roles[0]) == []

    def test_undo_takes_all_back(self, users: Export, database: Database, roles):
        flags = {"grants": {roles[0]: "read"}, "row_level_security": True, "target_schema": "app"}
        assert users.migrate(**flags).red == {}
        used = "SELECT count(*) FROM pg_namespace WHERE nspname = 'app' AND has_schema_privilege(%s, oid, 'USAGE')"
        assert database.value(used, roles[0]) == 1
        migration = users.migration(target_schema="app")
        with migration.reading() as conn:
            shown = undo.find(conn, migration.wanted_layout, migration.plan)
            assert shown.in_the_way == ()
            undo.take_out(conn, migration.wanted_layout, migration.plan, shown, force=False)
        depending = "SELECT count(*) FROM pg_shdepend WHERE refobjid = (SELECT oid FROM pg_roles WHERE rolname = %s)"
        assert database.value(depending, roles[0]) == 0

    def test_what_cannot_be_granted_is_told_before_anything_is_touched(self, users: Export, database: Database, roles):
        database.query("CREATE SCHEMA app")
        for flags, words in (
            ({"grants": {"nobody_there": "read"}}, "the target has no role nobody_there"),
            (
                {"grants": {roles[0]: "read"}, "target_schema": "app"},
                "may not use schema app; have its owner run GRANT",
            ),
            ({"grants": {"postgres": "none"}}, "postgres is the role that migrates"),
        ):
            with pytest.raises(UsageError, match=words):
                _ = users.migration(**flags).layout
        assert database.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^xata'") == []


@pytest.mark.parametrize("fixture", ["server", "server16"])
def test_as_on_supabase_with_the_extension_in_its_schema(request: pytest.FixtureRequest, users: Export, fixture: str):
    """A whole migration, a newer export and every check as an ordinary role that finds `extensions` on no path."""
    server: Server = request.getfixturevalue(fixture)
    database = server.new_database()
    role = f"supabase {os.getpid()}"
    for statement in (
        f'CREATE ROLE "{role}" LOGIN', "CREATE SCHEMA extensions", "CREATE EXTENSION vector SCHEMA extensions",
        f'GRANT USAGE ON SCHEMA extensions TO "{role}"', f'GRANT USAGE, CREATE ON SCHEMA public TO "{role}"',
        f'CREATE SCHEMA xata_migration AUTHORIZATION "{role}"', f'CREATE SCHEMA xata_staging AUTHORIZATION "{role}"',
    ):  # fmt: skip
        database.query(statement)
    users.database = Database(database.as_role(role))
    flags = {"target_preset": "supabase", "vector_index": "hnsw", "row_level_security": True}
    result = users.migrate(**flags)
    assert result.red == {}
    migration = result.migration
    assert migration.target_problems() == []
    table = migration.plan.find("users")
    assert migration.build_vector_index(table, table.vector_indexes[0]).is_new
    users.rows("users", "id,mail,v,team", [["u1", "a@x", "[3,4]", None], ["u2", "b@x", "[-0.0,1e-7]", None]])
    newer = users.migrate(**flags)
    assert (newer.red, newer.changes["users"]) == ({}, (0, 1, 0))
    assert database.query("SELECT v::text FROM users ORDER BY id") == [("[3,4]",), ("[-0,1e-07]",)]
    database.query("UPDATE users SET v = '[3,5]' WHERE id = 1")
    assert not migration.check(table, ["values_equal"])[0].passed


def test_the_extension_is_made_where_the_host_wants_it(users: Export, database: Database):
    where = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
    database.query("CREATE SCHEMA extensions")
    migration = users.migration(target_preset="supabase")
    assert migration.layout.pgvector_schema == "extensions"
    assert database.value(where) == "extensions"


def test_a_schema_open_to_the_world_is_warned_of(users: Export):
    (warning,) = users.migration(target_preset="supabase").warnings
    assert warning.startswith("schema public: Supabase shows its tables to whoever has the anonymous key")
    assert users.migration(target_preset="supabase", row_level_security=True).warnings == []
    assert users.migration(target_preset="supabase", target_schema="app").warnings == []
