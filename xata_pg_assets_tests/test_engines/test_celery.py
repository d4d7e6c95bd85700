"""Steps on Celery: a Redis broker with a password, and workers that have settings of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import XataPg, inherited
from xata_pg_assets_tests.test_engines.conftest import answers, as_url, process, worker
from xata_pg_assets_tests.test_survival.image import image

pytest.importorskip("dagster_celery")
pytest.importorskip("redis")
REDIS = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(REDIS is None, reason="no redis-server")
SECRET = "c4nary-br0ker"


@pytest.fixture
def broker(migrating: XataPg, server: Server) -> Iterator[int]:
    """The port of a broker; the settings name it."""
    port = free_port()
    command = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", SECRET]
    migrating.variables |= {
        "XATA_PG_EXECUTOR": "celery",
        "XATA_PG_EXECUTOR_OPTIONS": json.dumps({"broker": f"redis://:{SECRET}@127.0.0.1:{port}/0"}),
        "XATA_PG_DAGSTER_URL": as_url(server.new_database()),
    }
    with process(command, migrating.folder / "broker.log", inherited(), migrating.folder):
        until(lambda: answers(port))
        yield port


def test_two_workers_make_the_same_database(
    migrating: XataPg, wanted: dict[str, object], database: Database, broker: int
):
    assert broker
    with ExitStack() as stack:
        for number in (1, 2):
            stack.enter_context(worker(migrating, number))
        outcome = migrating.start("migrate", "--json").end()
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert image(database.url) == wanted
    records = migrating.variables["XATA_PG_DAGSTER_URL"]
    assert not [
        row for row in Database(records).query("SELECT run_body, event FROM runs, event_logs") if SECRET in str(row)
    ]


def test_a_worker_is_killed_and_the_next_run_ends_the_work(
    migrating: XataPg, wanted: dict[str, object], database: Database, broker: int
):
    assert broker
    with worker(migrating, 1) as only:
        running = migrating.start("migrate", "--json")
        until(lambda: database.value("SELECT to_regclass('xata_migration.users_id_mapping')"))
        os.killpg(only.pid, signal.SIGKILL)
        outcome = running.end()
    assert outcome.code == 3
    told = [line for line in outcome.err.splitlines() if line.startswith("error: ") and "left out" not in line]
    lost = (
        r"error: \w+: no Celery worker has it any more, or none is left; start one \(xata-pg worker\), then run again"
    )
    assert told
    assert all(re.fullmatch(lost, line) for line in told)
    assert SECRET not in outcome.err
    with worker(migrating, 2):
        assert migrating.start("migrate", "--json").end().code == 0
    assert image(database.url) == wanted


def test_without_a_worker_it_is_one_line(migrating: XataPg, broker: int):
    assert broker
    outcome = migrating.start("migrate").end()
    assert outcome.code == 3
    assert outcome.err.count("error:") == 1
    nobody = "error: setting executor_options: no Celery worker listens to queue dagster at the Celery broker"
    assert f"{nobody} redis://127.0.0.1:{broker}; start one (xata-pg worker)\n" in outcome.err
    assert SECRET not in outcome.err
