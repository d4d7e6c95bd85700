"""The sessions of steps that run side by side in one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import psycopg
import pytest

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets_tests.fix_export import NewExport, table


def test_sessions_begin_and_end_in_many_threads(new_export: NewExport, monkeypatch: pytest.MonkeyPatch):
    """A run that is stopped must know each of them, to cancel what it does on the server."""
    is_closed = psycopg.Connection.closed.fget

    def closed(conn: psycopg.Connection) -> bool:
        sleep(0)  # another thread goes on just here
        return is_closed(conn)

    monkeypatch.setattr(psycopg.Connection, "closed", property(closed))
    migration = new_export(*(table(f"t{number}") for number in range(4))).migration()
    _ = migration.layout

    def come_and_go(each: TargetTable) -> None:
        for _ in range(40):
            with migration.session(each, "checking") as conn:
                assert conn in migration._sessions

    with ThreadPoolExecutor() as pool:
        list(pool.map(come_and_go, migration.plan.tables))
    assert not migration._sessions
