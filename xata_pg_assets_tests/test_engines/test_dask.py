"""Steps on Dask: a cluster of this machine, and a scheduler with workers that have settings of their own."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import XataPg
from xata_pg_assets_tests.test_engines.conftest import as_url, worker
from xata_pg_assets_tests.test_survival.image import image

pytest.importorskip("distributed")


def test_on_this_machine_the_database_is_the_same(migrating: XataPg, wanted: dict[str, object], database: Database):
    outcome = migrating("migrate", "--executor", "dask", "--json")
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert image(database.url) == wanted


def test_two_workers_and_one_is_killed(
    migrating: XataPg, wanted: dict[str, object], database: Database, scheduler: int
):
    assert scheduler
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(migrating, number)) for number in (1, 2)]
        running = migrating.start("migrate", "--json")
        until(lambda: database.value("SELECT to_regclass('xata_migration.users_id_mapping')"))
        os.killpg(workers[0].pid, signal.SIGKILL)
        outcome = running.end()
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert image(database.url) == wanted


def test_a_worker_with_other_settings_migrates_nothing(
    migrating: XataPg, database: Database, server: Server, scheduler: int
):
    assert scheduler
    with worker(migrating, 1, XATA_PG_TARGET=server.new_database().url):
        other_target = migrating("migrate")
        other_naming = migrating("migrate", "--naming", "preserve", "--tables", "posts")
    assert (other_target.code, other_naming.code) == (3, 3)
    assert "error: setting target: not the database on this worker" in other_target.err
    assert "setting naming: not the value on this worker" in other_naming.err
    assert database.value("SELECT to_regclass('public.users')") is None


def test_without_a_scheduler_it_is_one_line(migrating: XataPg, database: Database):
    port = free_port()
    env = {"XATA_PG_DAGSTER_URL": as_url(database)}
    options = ("--executor", "dask", "--executor-options", f"address=tcp://127.0.0.1:{port}")
    outcome = migrating("migrate", *options, env=env)
    assert outcome.code == 3
    assert f"error: setting executor_options: no Dask scheduler answers at tcp://127.0.0.1:{port}" in outcome.err
    assert outcome.err.count("error:") == 1


@pytest.mark.parametrize("missing", ["TARGET", "DAGSTER_URL"])
def test_what_several_machines_need_is_told_before_anything_is_touched(migrating: XataPg, missing: str):
    variables = {"XATA_PG_DAGSTER_URL": "postgresql://db/dagster", "XATA_PG_TARGET": "postgresql://db/app"}
    variables[f"XATA_PG_{missing}"] = ""
    options = ("--executor", "dask", "--executor-options", "address=tcp://dask:8786")
    outcome = migrating("migrate", *options, env=variables)
    assert outcome.code == 2
    assert outcome.error.startswith(f"setting {missing.lower()}: not set, and executor dask needs it: ")
