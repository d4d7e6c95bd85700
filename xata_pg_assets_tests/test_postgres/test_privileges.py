"""Ordinary roles, hostile session settings, older servers, and a server that dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from xata_pg_assets.postgres import embedded
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.postgres.staging import drop_staging
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import METADATA, Export, column, link, table
from xata_pg_assets_tests.fix_server import Database, Server, running_server

_SCHEMA = XataSchema(
    (
        table(
            "users",
            column("email", "email", unique=True),
            column("f", "float"),
            column("d", "datetime"),
            link("team", "teams"),
        ),
        table(
            "teams",
            column("v", "vector", dimension=2),
            column("j", "json"),
            column("m", "multiple"),
            link("owner", "users"),
        ),
    )
)
_HOSTILE = {
    "DateStyle": "'German'", "TimeZone": "'Asia/Kathmandu'", "search_path": "nowhere", "extra_float_digits": "0",
    "default_transaction_isolation": "'serializable'", "statement_timeout": "1", "lock_timeout": "1",
    "row_security": "on",
    "IntervalStyle": "'sql_standard'", "bytea_output": "'escape'", "idle_session_timeout": "5000",
    "idle_in_transaction_session_timeout": "5000", "client_encoding": "'LATIN1'", "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on", "array_nulls": "off", "enable_hashjoin": "off",
    "client_min_messages": "'error'",
    "work_mem": "'64kB'", "plan_cache_mode": "'force_generic_plan'", "transform_null_equals": "on",
    "default_toast_compression": "'pglz'",
}  # fmt: skip


def _write(export: Export, rows: int = 3) -> None:
    export.rows("users", ["id", "email", "f", "d", "team", *METADATA], [
        [f"u{n}", f"é{n}@x", "-0.0" if n else "0.1", "0099-12-31T23:59:59.999999+05:45", "t1", "0",
         "2020-01-01T00:00:00Z", None]
        for n in range(rows)
    ])  # fmt: skip
    export.rows(
        "teams",
        ["id", "v", "j", "m", "owner", *METADATA],
        [["t1", "[-0.0,1e-7]", '{"é": 1.00}', '["NULL"]', "u1", "0", None, None]],
    )


def _contents(database: Database) -> list[list[tuple]]:
    return [
        database.query(
            "SELECT id, email, encode(float8send(f), 'hex'), extract(epoch FROM d), team_id, xata_createdat"
            " FROM users ORDER BY id"
        ),
        database.query("SELECT id, v::text, j::text, m, owner_id FROM teams ORDER BY id"),
    ]


_EXPECTED_TEAMS = [(1, "[-0,1e-07]", '{"é": 1.00}', ["NULL"], 2)]


def _role(database: Database, name: str, *, schemas: bool) -> None:
    database.query("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    database.query(f'CREATE ROLE "{name}" LOGIN')
    (database_name,) = database.query("SELECT current_database()")[0]
    database.query(f"REVOKE ALL ON DATABASE {database_name} FROM public")
    database.query(f'GRANT CONNECT ON DATABASE {database_name} TO "{name}"')
    if schemas:
        for schema in ("app", "work", "landing"):
            database.query(f'CREATE SCHEMA {schema} AUTHORIZATION "{name}"')


_SCHEMAS = {"target_schema": "app", "work_schema": "work", "staging_schema": "landing"}


@pytest.mark.parametrize("fixture", ["server", "server16"])
def test_a_role_that_owns_the_schemas_and_nothing_else(request: pytest.FixtureRequest, tmp_path: Path, fixture: str):
    server: Server = request.getfixturevalue(fixture)
    database = server.new_database()
    role = f"plain {os.getpid()}"
    _role(database, role, schemas=True)
    own = Database(database.as_role(role))
    export = Export(tmp_path, own, _SCHEMA, _SCHEMAS)
    _write(export)
    assert database.value("SHOW server_version_num").startswith(str(server.major))
    assert export.migrate().red == {}
    assert set(export.migrate().changes.values()) == {(0, 0, 0)}
    _write(export, 5)
    result = export.migrate()
    assert result.red == {}
    assert result.changes["users"] == (2, 0, 0)
    with connect(own.url) as conn:
        drop_staging(conn, result.migration.layout)
    assert database.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'landing'::regnamespace") == 0
    assert database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'landing'") == 1
    assert export.migrate().red == {}


@pytest.mark.parametrize("fixture", ["server", "server16"])
def test_settings_of_the_role_and_the_database_change_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str
):
    server: Server = request.getfixturevalue(fixture)
    plain, bent = server.new_database(), server.new_database()
    exports = []
    for place, database in enumerate((plain, bent)):
        folder = tmp_path / str(place)
        folder.mkdir()
        exports.append(Export(folder, database, _SCHEMA))
        _write(exports[-1])
    role = f"bent {os.getpid()}"
    bent.query(f'CREATE ROLE "{role}" LOGIN SUPERUSER')
    settings = _HOSTILE | ({"transaction_timeout": "5000"} if server.major >= 17 else {})
    (name,) = bent.query("SELECT current_database()")[0]
    for number, (setting, value) in enumerate(settings.items()):
        whose = f'ROLE "{role}"' if number % 2 else f"DATABASE {name}"
        plain.query(f"ALTER {whose} SET {setting} = {value}")
    exports[1].database = Database(bent.as_role(role))
    for _ in range(2):
        assert [export.migrate().red for export in exports] == [{}, {}]
    for number, setting in enumerate(settings):
        whose = f'ROLE "{role}"' if number % 2 else f"DATABASE {name}"
        plain.query(f"ALTER {whose} RESET {setting}")
    assert _contents(bent) == _contents(plain)
    assert _contents(bent)[1] == _EXPECTED_TEAMS


def test_a_crash_of_the_server_deletes_no_row(tmp_path: Path):
    with running_server() as server:
        database = server.new_database()
        export = Export(tmp_path, database, _SCHEMA)
        _write(export)
        export.migrate()
        before = _contents(database)
        (data_dir,) = database.query("SHOW data_directory")[0]
        database.query("CHECKPOINT")
        os.kill(int(Path(data_dir, "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        while embedded.is_running(server.home):
            pass
        embedded.ensure_running(server.home)
        assert database.value("SELECT count(*) FROM xata_staging.users") == 0
        migration = export.migration()
        for each in migration.plan.tables:
            migration.load(each)
        assert _contents(database) == before
        assert set(export.migrate().changes.values()) == {(0, 0, 0)}
