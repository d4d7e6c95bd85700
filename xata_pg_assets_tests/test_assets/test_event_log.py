"""Dagster's SQLite event log with its events committed in groups: others see them, and can write meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from threading import Thread

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

from xata_pg_assets.assets.event_log import SqliteEventLog
from xata_pg_assets.assets.instance import dagster_home, open_instance, recording
from xata_pg_assets.assets.running import run_migration
from xata_pg_assets.settings import load_settings

_SEEN = """
import sqlite3, sys, time
for _ in range(6000):
    with sqlite3.connect(sys.argv[1]) as connection:
        if connection.execute("SELECT count(*) FROM event_logs").fetchone()[0] > int(sys.argv[2]):
            sys.exit(0)
    time.sleep(0.1)
sys.exit(1)
"""


@pytest.fixture
def settings(tmp_path):
    return load_settings(flags={"home": tmp_path / "home"})


def _observe(instance, name):
    instance.report_runless_asset_event(dg.AssetMaterialization(name, metadata={"rows": 1}))


def _events_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return Counter(kind for (kind,) in connection.execute("SELECT dagster_event_type FROM event_logs"))


def test_another_process_sees_an_event_while_the_run_goes_on(settings):
    with open_instance(settings, captures_output=False) as instance, recording(settings, instance):
        _observe(instance, "a")
        path = dagster_home(settings) / "history" / "runs" / "index.db"
        subprocess.run([sys.executable, "-c", _SEEN, str(path), "0"], check=True)


def test_another_process_writes_while_events_come_in(settings):
    path = dagster_home(settings) / "history" / "runs" / "index.db"
    with open_instance(settings, captures_output=False) as instance, recording(settings, instance):
        _observe(instance, "a")
        is_over = []

        def write_on():
            while not is_over:
                _observe(instance, "a")

        writer = Thread(target=write_on)
        writer.start()
        try:
            with closing(sqlite3.connect(path, timeout=600)) as other, other:
                other.execute("CREATE TABLE of_another (x)")
        finally:
            is_over.append(True)
            writer.join()
    assert _events_of(path)["ASSET_MATERIALIZATION"] > 1


def test_what_was_stored_before_an_error_stays(settings):
    path = dagster_home(settings) / "history" / "runs" / "index.db"
    with open_instance(settings, captures_output=False) as instance:
        with suppress(KeyboardInterrupt), recording(settings, instance):
            _observe(instance, "a")
            raise KeyboardInterrupt
        _observe(instance, "b")
    assert _events_of(path)["ASSET_MATERIALIZATION"] == 2


def test_a_run_leaves_the_records_that_dagsters_own_class_writes(shapes, tmp_path, monkeypatch):
    found = []
    for name in ("ours", "dagsters"):
        if name == "dagsters":
            for method in ("has_table", "_connect"):
                monkeypatch.setattr(SqliteEventLog, method, getattr(SqliteEventLogStorage, method))
        home = tmp_path / name
        migration = shapes.migration(home=home)
        result = run_migration(migration, [migration.plan.find("b")])
        assert result.lines == []
        folder = dagster_home(migration.settings) / "history" / "runs"
        found.append([_events_of(folder / f"{file}.db") for file in (result.run_id, "index")])
    assert found[0] == found[1]
    assert found[0][0]["ASSET_CHECK_EVALUATION"] == 7
