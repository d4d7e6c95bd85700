"""Dagster's own records: where they are, what is in them, and what never is."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets.assets import instance as records
from xata_pg_assets.assets.running import run_migration
from xata_pg_assets.errors import TransientError, UsageError
from xata_pg_assets.settings import load_settings
from xata_pg_assets_tests.fix_server import Server

SECRET = "c4nary-p4ss"


def url_of(conninfo: str, password: str = SECRET) -> str:
    """Write a database of the embedded server as a URL with a password, which it does not ask for."""
    parts = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}:{password}@:{parts['port']}/{parts['dbname']}?host={parts['host']}"


def test_on_sqlite_and_without_secrets(shapes, tmp_path, capfd):
    """A run that fails in one table: its events, logs, metadata and files hold no password."""
    shapes.write("b", "id,toC\nb1,x,y\n")
    shapes.write("a", 'id,toB,n\na1,b1,"1\n')
    migration = shapes.migration(target=url_of(shapes.database.url))
    result = run_migration(migration)
    assert [line.partition(":")[0] for line in result.errors] == ["a.csv"]
    home = tmp_path / "home" / "dagster"
    settings = yaml.safe_load((home / "dagster.yaml").read_text())
    assert (settings["telemetry"], settings["nux"]) == ({"enabled": False}, {"enabled": False})
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in "".join(capfd.readouterr())


def test_a_terminal_keeps_its_streams(shapes, tmp_path):
    """Dagster would send them through files, and a live line would stand still."""
    migration = shapes.migration()
    begun = os.fstat(2)
    seen = []
    check = migration.check
    migration.check = lambda table, names: seen.append(os.fstat(2)) or check(table, names)
    assert run_migration(migration, [migration.plan.find("b")]).lines == []
    assert [os.path.samestat(begun, each) for each in seen] == [True]
    assert list(tmp_path.rglob("*.err")) == []


def test_the_line_of_a_lost_server_is_ours_and_holds_no_secret(shapes, monkeypatch):
    migration = shapes.migration()
    _ = migration.layout
    migration.url = f"postgresql://me:{SECRET}@127.0.0.1:1/nowhere"
    monkeypatch.setattr("time.sleep", lambda _: None)
    result = run_migration(migration, [migration.plan.find("b")])
    (line,) = result.lines  # the table's later steps are not told as if they were another's
    assert line.startswith("target 127.0.0.1:1/nowhere: ")
    assert SECRET not in "".join(result.lines)


def test_on_postgresql(shapes, server: Server, tmp_path):
    """The records of a run are in the database that dagster_url names, its password in no file."""
    database = server.new_database()
    url = url_of(database.url)
    migration = shapes.migration(dagster_url=url)
    result = run_migration(migration, [migration.plan.find("b")])
    assert result.lines == []
    assert database.value("SELECT status FROM runs WHERE run_id = %s", result.run_id) == "SUCCESS"
    assert database.value("SELECT count(*) FROM asset_check_executions") == 7
    assert not list((tmp_path / "home" / "dagster").rglob("*.db"))
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []
    columns = database.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type IN ('text', 'character varying')"
    )
    for name, column in columns:
        assert database.value(f"SELECT count(*) FROM {name} WHERE {column} LIKE '%{SECRET}%'") == 0


def test_an_unreachable_dagster_url_is_ours_to_tell(tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # between its tries
    settings = load_settings(flags={"home": tmp_path, "dagster_url": f"postgresql://me:{SECRET}@127.0.0.1:1/db"})
    with pytest.raises(TransientError, match="dagster_url") as caught, records.open_instance(settings):
        pass
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_home_that_cannot_be_written_is_wrong_usage(tmp_path):
    (tmp_path / "file").write_text("")
    settings = load_settings(flags={"home": tmp_path / "file"})
    with pytest.raises(UsageError, match="setting home"), records.open_instance(settings):
        pass


@pytest.mark.parametrize(
    ("url", "storage"),
    [
        ("postgres://h/d", "postgresql+psycopg2://h/d"),
        ("postgresql://h/d?a=b://c", "postgresql+psycopg2://h/d?a=b://c"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg2://h/d"),
    ],
)
def test_the_driver_is_named(tmp_path, url, storage):
    settings = load_settings(flags={"home": tmp_path, "dagster_url": url})
    assert storage in records.dagster_environment(settings).values()


def test_processes_that_open_a_fresh_home_at_once(tmp_path):
    """Dagster's own way breaks the SQLite files for good."""
    line = (
        "import sys; from pathlib import Path; from xata_pg_assets.assets.instance import open_instance\n"
        "from xata_pg_assets.settings import load_settings\n"
        "print('ready', flush=True); input()\n"
        "with open_instance(load_settings(flags={'home': Path(sys.argv[1])})) as i: print(i.get_runs_count())"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", line, tmp_path / "home"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert {process.stdout.readline() for process in starts} == {"ready\n"}
    for process in starts:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=600) for process in starts]
    assert [(process.returncode, *end) for process, end in zip(starts, ends, strict=True)] == [(0, "0\n", "")] * 3
