"""Dagster's own records: SQLite in the home folder, or a PostgreSQL by one setting."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from xata_pg_assets.assets.event_log import SqliteEventLog
from xata_pg_assets.errors import TransientError, UsageError
from xata_pg_assets.postgres.accounts import make_home
from xata_pg_assets.settings import Settings

__all__ = ["dagster_environment", "dagster_home", "open_instance", "recording"]

_NO_CAPTURE = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
_URL_VARIABLE = "XATA_PG_DAGSTER_STORAGE_URL"


def dagster_home(settings: Settings) -> Path:
    """Return Dagster's home, an absolute path."""
    return Path(os.path.realpath(settings.home / "dagster"))


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that Dagster's own commands need to find the same records; the URL is in no file."""
    variables = {"DAGSTER_HOME": str(dagster_home(settings))}
    if settings.dagster_url is not None:
        variables[_URL_VARIABLE] = _storage_url(settings.dagster_url.get_secret_value())
    return variables


@contextmanager
def open_instance(settings: Settings, *, captures_output: bool = True) -> Iterator[dg.DagsterInstance]:
    """Open the instance, made first where it is new; only one process makes it.

    Without `captures_output` a run leaves standard output and error alone: Dagster else sends them through files
    and four processes of its own, and what a terminal shows stands still, or comes twice.

    Raises:
        UsageError: the home folder cannot be written.
        TransientError: the PostgreSQL of `dagster_url` cannot be reached.
    """
    home = dagster_home(settings)
    os.environ.update(dagster_environment(settings))
    try:
        make_home(home.parent)
        home.mkdir(mode=0o700, exist_ok=True)
        _write_once(home / "dagster.yaml", _configuration(settings))
    except OSError as error:
        raise UsageError(f"setting home: {settings.home} cannot be written: {error.strerror}") from None
    # Two processes that make the SQLite files at the same time break them for good
    with (home / "instance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            overrides = None if captures_output else {"compute_logs": _NO_CAPTURE}
            instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))
            instance.get_runs(limit=1)
            instance.get_asset_keys(limit=1)
            instance.all_instigator_state()
        except Exception as error:
            if settings.dagster_url is None:
                raise
            raise TransientError(
                "setting dagster_url: Dagster's records cannot be reached; is the server up?"
            ) from error
    with instance:
        yield instance


@contextmanager
def recording(settings: Settings, instance: dg.DagsterInstance) -> Iterator[None]:
    """Record a run of this process at little cost.

    Dagster opens and closes SQLite's files for every event, and whoever closes a file last makes SQLite write its
    log back and sync: that was more than half of what an event costs.
    """
    log = instance.event_log_storage
    if not isinstance(log, SqliteEventLog):
        yield
        return
    with closing(sqlite3.connect(dagster_home(settings) / "history" / "runs.db")) as runs, log.in_groups():
        runs.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the file
        yield


_CONFIGURATION = """\
# Written anew by every command of xata-pg
telemetry:
  enabled: false
nux:
  enabled: false
"""
_POSTGRES = f"""\
storage:
  postgres:
    postgres_url:
      env: {_URL_VARIABLE}
"""
_SQLITE = """\
event_log_storage:
  module: xata_pg_assets.assets.event_log
  class: SqliteEventLog
  config:
    base_dir: {runs}
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config:
    base_dir: {history}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config:
    base_dir: {schedules}
"""


def _configuration(settings: Settings) -> str:
    home = dagster_home(settings)
    places = {"runs": home / "history" / "runs", "history": home / "history", "schedules": home / "schedules"}
    quoted = {name: _quoted(str(path)) for name, path in places.items()}
    return _CONFIGURATION + (_SQLITE.format(**quoted) if settings.dagster_url is None else _POSTGRES)


def _quoted(text: str) -> str:
    """Write a string of YAML. A JSON string is one, but for its pairs of surrogates."""
    return json.dumps(text, ensure_ascii=False).encode("ascii", "backslashreplace").decode()


def _storage_url(url: str) -> str:
    """Name the driver: with psycopg 3, SQLAlchemy's choice from 2.1 on, dagster-postgres cannot store an event."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgres", "postgresql") else url


def _write_once(path: Path, text: str) -> None:
    """Write a file whole, unless it holds the text already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
