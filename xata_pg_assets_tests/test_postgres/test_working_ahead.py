"""The steps of a migration done ahead, and what waits for them."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from xata_pg_assets import migration as migrations
from xata_pg_assets.migration import Nobody
from xata_pg_assets_tests.fix_export import NewExport, checks_of, column, table
from xata_pg_assets_tests.fix_waiting import PATIENCE


class HeldBack(Nobody):
    """Holds back every step until it is let go."""

    def __init__(self) -> None:
        self.begun, self.may_go_on = Event(), Event()

    def begin(self, *_: object) -> None:
        self.begun.set()
        assert self.may_go_on.wait(PATIENCE)


@pytest.mark.parametrize(("cell", "waits"), [("short", True), ("long " * 2000, False)])
def test_whoever_waits_for_the_readers_waits_for_many_rows_only(
    new_export: NewExport, monkeypatch: pytest.MonkeyPatch, cell: str, waits: bool
):
    monkeypatch.setattr(migrations, "_PATIENCE", 0.01)  # bytes a second
    monkeypatch.setattr(migrations, "_MAX_PATIENCE", 10 * PATIENCE)
    export = new_export(table("a", column("s", "text")))
    export.rows("a", "id,s", [[f"x{number}", cell] for number in range(9)])
    migration = export.migration()
    migration.observer = held = HeldBack()
    with migration.working_ahead():
        assert held.begun.wait(PATIENCE)
        waiter = Thread(target=migration.wait_for_readers, daemon=True)
        waiter.start()
        waiter.join(0.2 if waits else PATIENCE)
        assert waiter.is_alive() == waits
        held.may_go_on.set()
        waiter.join(PATIENCE)
        assert not waiter.is_alive()
        for step in ("stage", "map_ids", "load"):
            getattr(migration, step)(migration.plan.tables[0])
        assert all(check.passed for check in checks_of(migration, migration.plan.tables[0]).values())
