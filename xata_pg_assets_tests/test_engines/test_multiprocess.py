"""Each step in a process of its own."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psutil
import pytest

from xata_pg_assets.errors import BusyError
from xata_pg_assets.migration import Migration
from xata_pg_assets.settings import load_settings
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import SCHEMA, SECRET, Folder, XataPg
from xata_pg_assets_tests.test_survival.conftest import data_dir
from xata_pg_assets_tests.test_survival.image import image, leftovers
from xata_pg_assets_tests.test_survival.test_command_line import held_up

SPLIT = ("migrate", "--executor", "multiprocess")


def test_the_database_is_the_same(migrating: XataPg, wanted: dict[str, object], database: Database):
    outcome = migrating(*SPLIT, "--json")
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert image(database.url) == wanted


def test_a_second_run_changes_nothing_and_flags_reach_the_processes(migrating: XataPg, database: Database):
    assert migrating(*SPLIT, "--keep-old-id", "--tables", "users,posts").code == 0
    assert database.value("SELECT count(*) FROM users WHERE xata_id IN ('u1', 'u2')") == 2
    ends = database.query("SELECT xata_table, staged_at, inserted_rows FROM xata_migration.loads ORDER BY 1")
    outcome = migrating(*SPLIT, "--keep-old-id", "--tables", "users,posts", "--executor-options", "max_concurrent=1")
    assert outcome.code == 0
    again = database.query("SELECT xata_table, staged_at, inserted_rows FROM xata_migration.loads ORDER BY 1")
    assert [line[:2] for line in again] == [line[:2] for line in ends]
    assert {line[2] for line in again} == {0}


def test_a_fault_is_told_once_and_the_rest_goes_on(migrating: XataPg, export: Folder, database: Database):
    (export.path / "posts.csv").write_text('id,title\np1,"never closed\n')
    outcome = migrating(*SPLIT)
    assert outcome.code == 3
    assert [line for line in outcome.err.splitlines() if line.startswith("error")] == [
        "error: posts.csv:2: a quote is opened in this record and never closed; close it"
    ]
    assert database.value("SELECT count(*) FROM users") == 2


def test_ctrl_c_leaves_nothing_at_work(
    migrating: XataPg, wanted: dict[str, object], database: Database, server: Server
):
    assert migrating("migrate", "--tables", "users").code == 0
    database.query("UPDATE users SET name = 'wrong'")
    with held_up(database, "users") as until_wanted:
        running = migrating.start(*SPLIT, "--json")
        until_wanted()
        mine = psutil.Process(running.process.pid).children(recursive=True)
        running.send(signal.SIGINT)
        outcome = running.end()
    assert (outcome.code, outcome.out) == (3, "")
    assert re.fullmatch("stopped with . of 3 tables done.*; running again continues", outcome.error)
    until(lambda: not any(process.is_running() for process in mine))
    assert leftovers(database.url, data_dir(server)) == []
    assert migrating(*SPLIT).code == 0
    assert image(database.url) == wanted


def test_a_killed_process_is_told_in_one_line_and_the_next_run_goes_on(
    migrating: XataPg, wanted: dict[str, object], database: Database
):
    assert migrating("migrate", "--tables", "users").code == 0
    database.query("UPDATE users SET name = 'wrong'")
    with held_up(database, "users") as until_wanted:
        # One after the other: of two at once the later one need not be the one that waits
        running = migrating.start(*SPLIT, "--executor-options", "max_concurrent=1")
        until_wanted()
        pid = int(database.value(_HELD_UP_CLIENT))
        os.kill(pid, signal.SIGKILL)
        outcome = running.end()
    assert outcome.code == 3
    lines = [line for line in outcome.err.splitlines() if line.startswith("error")]
    assert lines[0] == f"error: id_mapping__users: its process {pid} ended by signal 9; run again to continue"
    assert all("left out" in line for line in lines[1:])
    assert migrating(*SPLIT).code == 0
    assert image(database.url) == wanted


def test_another_migrate_is_told_who_is_at_work(migrating: XataPg, database: Database):
    """The run shares its lock with its processes, and with nobody else."""
    assert migrating("migrate", "--tables", "users").code == 0
    database.query("UPDATE users SET name = 'wrong'")
    with held_up(database, "users") as until_wanted:
        running = migrating.start(*SPLIT)
        until_wanted()
        for executor in ("in_process", "multiprocess"):
            other = Migration(load_settings(flags={"target": database.url, "executor": executor}), SCHEMA)
            with pytest.raises(BusyError, match=r"another migration is at work on it \(process \d+ on "), other.alone():
                pass
    assert running.end(300).code == 0
    assert database.value("SELECT count(*) FROM users WHERE name = 'wrong'") == 0


def test_between_two_steps_nobody_else_comes_in(database: Database):
    """No process of a step is there to hold the lock; one that then comes may share it."""

    def migration(executor: str) -> Migration:
        return Migration(load_settings(flags={"target": database.url, "executor": executor}), SCHEMA)

    with migration("multiprocess").alone():
        for executor in ("in_process", "multiprocess"):
            with pytest.raises(BusyError), migration(executor).alone():
                pass
        of_step = migration("multiprocess")
        with of_step.running("run"):
            of_step.map_ids(of_step.plan.tables[0])


# The lock of the run tells the process, in the name that its session has
_HELD_UP_CLIENT = """
SELECT substring(a.application_name FROM 'process (\\d+) on') FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND a.datname = current_database()
    AND a.application_name ~ 'process' ORDER BY a.backend_start DESC LIMIT 1"""


def test_dagsters_records_hold_no_secret(migrating: XataPg, database: Database, tmp_path: Path):
    target = f"{database.url} password={SECRET}"
    assert migrating(*SPLIT, "--tables", "users", env={"XATA_PG_TARGET": target}).code == 0
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and "dagster" in path.parts]
    assert any(path.suffix == ".db" for path in files)
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
