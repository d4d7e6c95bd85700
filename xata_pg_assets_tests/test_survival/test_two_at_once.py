"""Two migrations of one target: the second is told in one line who is at work, and nothing goes wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from xata_pg_assets.errors import BusyError
from xata_pg_assets.migration import Migration
from xata_pg_assets.settings import load_settings
from xata_pg_assets_tests.fix_export import Export, checks_of, column, link, migrate, table
from xata_pg_assets_tests.fix_processes import CONTEXT
from xata_pg_assets_tests.fix_proxy import Proxy, after_bytes
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import (
    SCHEMA,
    Folder,
    Outcome,
    Process,
    XataPg,
    export,
    fresh_home,
    inherited,
    migrating,
    xata_pg,
)
from xata_pg_assets_tests.test_survival.conftest import DONE, IS_LONG

__all__ = ["export", "fresh_home", "migrating", "xata_pg"]

LINE = re.compile(
    r"target \S+: another migration is at work on it"
    r" \(process (\d+) on \S+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\);"
    r" wait until it ends, or stop it, then run again"
)


@contextmanager
def held_up(database: Database, name: str = "users") -> Iterator[None]:
    """Hold up whoever wants to write a table, and let go at the end."""
    with psycopg.connect(database.url) as conn:
        conn.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
        yield


def _until_one_waits(database: Database) -> None:
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until(lambda: database.query(waiting))


def test_a_second_migrate_is_refused_in_one_line_until_the_first_is_gone(
    migrating: XataPg, export: Folder, database: Database
):
    """Checks and reports go on beside it; killed with SIGKILL, it lets go at once."""
    settings = {"source": str(export.path), "target": database.url, "home": export.path}
    loaded = Migration(load_settings(flags=settings), SCHEMA)
    assert migrate(loaded).red == {}
    database.query("UPDATE users SET name = 'wrong'")
    with held_up(database):
        first = migrating.start("migrate")
        _until_one_waits(database)
        other = beside(migrating, "migrate", "--tables", "posts")
        assert other.code == 3
        found = LINE.fullmatch(other.error)
        assert found, other.error
        assert (int(found[1]), other.out) == (first.process.pid, "")
        for command in ("undo", "accept"):
            other = beside(migrating, command, "--yes")
            assert (other.code, bool(LINE.fullmatch(other.error))) == (3, True), other.error
        if IS_LONG:
            told = beside(migrating, "migrate", "--json")
            assert told.code == 3
            assert LINE.fullmatch(json.loads(told.out)["errors"][0])
            assert beside(migrating, "report", "--json").code == 0
            assert beside(migrating, "plan").code == 0
            assert beside(migrating, "check", "--tables", "posts").code == 0
        assert checks_of(loaded, loaded.plan.by_name["posts"])
        assert loaded.target_problems() == []
        first.process.kill()
        first.end()
        until(lambda: not _holders(database))
    assert migrating("migrate").code == 0
    assert database.value("SELECT count(*) FROM users WHERE name = 'wrong'") == 0
    DONE["second migrate beside a first one"] += 1


def beside(xata_pg: XataPg, *arguments: str) -> Outcome:
    """Run a command beside another one, its output in files of its own."""
    variables = {**inherited(), **xata_pg.variables, "HOME": str(xata_pg.folder)}
    return Process([*arguments], xata_pg.folder, variables, xata_pg.folder / "second.out").end()


TWO = (table("users", column("name")), table("posts", column("title"), link("author", "users")))


@pytest.fixture
def two(new_export) -> Export:
    made = new_export(*TWO)
    made.rows("users", "id,name", [(f"u{k}", f"n{k}") for k in range(50)])
    made.rows("posts", "id,title,author", [(f"p{k}", f"t{k}", f"u{k % 50}") for k in range(90)])
    return made


def _run(export_: Export, selection: list[str] | None, out: Path) -> None:
    """Run assets as a run from Dagit does: in a process of its own, by the definitions' own resources."""
    os.environ["DAGSTER_HOME"] = ""
    from xata_pg_assets.assets.graph import build_definitions

    definitions = build_definitions(export_.migration())
    keys = dg.AssetSelection.assets(*(dg.AssetKey(name.split("/")) for name in selection)) if selection else None
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            dg.Definitions(
                assets=definitions.assets,
                asset_checks=definitions.asset_checks,
                jobs=[dg.define_asset_job("some", selection=keys or dg.AssetSelection.all())],
                resources=definitions.resources,
                executor=definitions.executor,
            )
            .resolve_job_def("some")
            .execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
    told = [
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    ]
    out.write_text(json.dumps({"success": result.success, "told": told}))


def _start(export_: Export, out: Path, *selection: str):
    process = CONTEXT.Process(target=_run, args=(export_, list(selection), out))
    process.start()
    return process


def test_a_run_from_dagit_beside_a_migrate_and_the_other_way_round(two: Export, tmp_path: Path):
    database = two.database
    with two.migration().alone():
        run = _start(two, tmp_path / "one")
        run.join()
    ended = json.loads((tmp_path / "one").read_text())
    assert not ended["success"]
    assert ended["told"]
    assert all(LINE.fullmatch(line) for line in ended["told"])
    assert two.migrate().red == {}
    database.query("UPDATE users SET name = 'wrong'")
    with held_up(database):
        run = _start(two, tmp_path / "two")
        _until_one_waits(database)
        with pytest.raises(BusyError, match=rf"process {run.pid} on"), two.migration().alone():
            pass
    run.join()
    assert json.loads((tmp_path / "two").read_text()) == {"success": True, "told": []}
    with two.migration().alone():
        pass
    DONE["migrate beside a run from Dagit"] += 2


def test_runs_from_dagit_of_single_tables_go_side_by_side(two: Export, tmp_path: Path):
    """A backfill is many runs at once: they share the lock, and the locks of the tables put them in order."""
    database = two.database
    assert two.migrate().red == {}
    two.rows("users", "id,name", [(f"u{k}", f"new {k}") for k in range(60)])
    two.rows("posts", "id,title,author", [(f"p{k}", f"new {k}", f"u{k % 50}") for k in range(100)])
    tables = [[f"{stage}/{name}" for stage in ("xata", "id_mapping", "postgres")] for name in ("users", "posts")]
    runs = [_start(two, tmp_path / f"run{k}", *tables[k % 2]) for k in range(4)]
    for run in runs:
        run.join()
    assert [json.loads((tmp_path / f"run{k}").read_text()) for k in range(4)] == [{"success": True, "told": []}] * 4
    assert database.query("SELECT count(*) FROM users WHERE name LIKE 'new%'") == [(60,)]
    assert database.query("SELECT count(*) FROM posts WHERE title LIKE 'new%'") == [(100,)]
    assert two.migrate().changes == {"users": (0, 0, 0), "posts": (0, 0, 0)}
    DONE["runs from Dagit side by side"] += 4


def test_a_lost_connection_holds_nothing_for_the_run_itself(two: Export):
    """The server may believe in a connection that this side has lost; the run takes its lock from its former self."""
    database = two.database
    proxy = Proxy(database.url)
    migration = two.migration(target=proxy.url)
    with migration.alone():
        before = _holders(database)
        proxy.forget()
        migration.stage(migration.plan.tables[0])
        after = _holders(database)
        assert len(before) == len(after) == 1
        assert before != after
        with pytest.raises(BusyError), two.migration().alone():
            pass
    proxy.close()


def test_a_server_that_lost_a_client_frees_the_lock(two: Export):
    proxy = Proxy(two.database.url)
    with two.migration(target=proxy.url).alone():
        proxy.arm(after_bytes(0))
        proxy.cut()
        until(lambda: not _holders(two.database))
        with two.migration().alone():
            pass
    proxy.close()


def _holders(database: Database) -> list[tuple[int]]:
    return database.query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name ~ '^xata_pg_assets: process'"
    )
