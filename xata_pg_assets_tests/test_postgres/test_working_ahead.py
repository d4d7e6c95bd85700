"""The steps of a migration done ahead, and what waits for them."""

from __future__ import annotations

import threading
from threading import Event, Thread
from typing import Any

import pytest

from xata_pg_assets import migration as migrations
from xata_pg_assets.errors import TargetError
from xata_pg_assets.migration import Migration, Nobody
from xata_pg_assets.plan.tables import Plan, TargetTable
from xata_pg_assets.postgres import checks, evidence, ledger
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection, connect
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets_tests.fix_export import Export, NewExport, checks_of, column, link, table
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


class TestChecksBeforeTheTableIsSeen:
    """A table's first checks run in the transaction that makes it."""

    @pytest.fixture
    def export(self, new_export: NewExport) -> Export:
        export = new_export(table("a", column("n", "int"), link("p", "p")), table("p"))
        export.rows("p", "id", [["p1"], ["p2"]])
        export.rows("a", "id,n,p", [[f"a{number}", str(number), f"p{number % 3}"] for number in range(9)])
        return export

    def test_nobody_sees_it_before(self, export: Export, monkeypatch: pytest.MonkeyPatch):
        seen, run_checks = dict[str, bool](), checks.run_checks

        def watched(conn: Connection, layout: Layout, plan: Plan, of: TargetTable, *args: Any, **more: Any) -> Any:
            with connect(export.database.url) as other:
                seen[of.name] = exists(other, layout.target(of))
            return run_checks(conn, layout, plan, of, *args, **more)

        monkeypatch.setattr(checks, "run_checks", watched)
        migration = export.migration(max_dangling_links=3)
        assert _migrated_ahead(migration) == {"a": set(), "p": set()}
        assert seen == {"a": False, "p": False}
        assert migration.line(migration.plan.by_xata_name["a"]).dangling_links == 3
        assert _migrated_ahead(migration) == {"a": set(), "p": set()}
        assert seen == {"a": True, "p": True}  # of a table that is there already

    @pytest.mark.parametrize("what", ["gather", "run_checks"])
    def test_an_error_in_them_loses_no_row(self, export: Export, monkeypatch: pytest.MonkeyPatch, what: str):
        module: Any = {"gather": evidence, "run_checks": checks}[what]
        whole, failed = getattr(module, what), set[str]()

        def failing_first(conn: Connection, *args: Any, **more: Any) -> Any:
            of = args[0].table if what == "gather" else args[2]
            if of.name in failed:
                return whole(conn, *args, **more)
            failed.add(of.name)
            return conn.execute("SELECT 1/0")

        monkeypatch.setattr(module, what, failing_first)
        assert _migrated_ahead(export.migration(max_dangling_links=3)) == {"a": set(), "p": set()}
        assert failed == {"a", "p"}

    def test_a_cancel_amid_them_stops_the_load(self, export: Export, monkeypatch: pytest.MonkeyPatch):
        begun = Event()

        def endless(conn: Connection, *_: object) -> None:
            begun.set()
            conn.execute("SELECT pg_sleep(3600)")

        def stopped() -> None:
            with migration.working_ahead():
                assert begun.wait(PATIENCE)
                raise KeyboardInterrupt

        monkeypatch.setattr(evidence, "gather", endless)
        migration = export.migration()
        with pytest.raises(KeyboardInterrupt):
            stopped()
        for thread in threading.enumerate():
            if thread.name == "work-ahead":
                thread.join(PATIENCE)
        with connect(export.database.url) as other:
            assert not any(exists(other, migration.layout.target(each)) for each in migration.plan.tables)

    def test_links_that_a_second_try_lost_are_told(self, export: Export):
        export.rows("a", "id,n,p", [[f"a{number}", str(number), f"p{number % 2 + 1}"] for number in range(9)])
        migration = export.migration(max_dangling_links=9)
        p, a = (migration.plan.by_xata_name[name] for name in "pa")
        with migration.working_ahead([p]):
            assert migration.load(p).target_rows == 2
        with connect(export.database.url) as conn:
            conn.execute("DELETE FROM public.p WHERE id = 1")
        with migration.working_ahead([a]):
            assert migration.load(a).dangling_links == 5
        with connect(export.database.url) as conn:
            missing = conn.execute(
                "SELECT missing_id, count(*) FROM xata_migration.dangling_links GROUP BY 1 ORDER BY 1"
            )
            assert missing.fetchall() == [("p1", 5)]

    def test_none_is_left_for_the_next_time(self, export: Export):
        migration = export.migration(max_dangling_links=3)
        with migration.working_ahead([]):  # nothing in the background: nobody asks for the checks
            for step in (migration.stage, migration.map_ids, migration.load):
                for each in migration.plan.tables:
                    step(each)
        with connect(export.database.url) as conn:
            conn.execute("UPDATE public.a SET n = 77 WHERE id = 1")
        assert not checks_of(migration, migration.plan.by_xata_name["a"])["values_equal"].passed

    def test_those_of_a_load_that_failed_are_of_no_table(self, export: Export, monkeypatch: pytest.MonkeyPatch):
        record = ledger.record

        def failing_at_last(conn: Connection, layout: Layout, of: TargetTable, **facts: Any) -> None:
            record(conn, layout, of, **facts)
            if facts.get("checks"):
                conn.execute("CREATE TABLE public.late (id int, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
                conn.execute("INSERT INTO public.late VALUES (1), (1)")

        monkeypatch.setattr(ledger, "record", failing_at_last)
        migration = export.migration()
        of_p = migration.plan.by_xata_name["p"]
        with migration.working_ahead([of_p]):
            with pytest.raises(TargetError, match="late"):
                migration.load(of_p)
            monkeypatch.setattr(ledger, "record", record)
            assert not any(check.passed for check in checks_of(migration, of_p).values())


def _migrated_ahead(migration: Migration) -> dict[str, set[str]]:
    """Migrate; return the red checks of each table."""
    with migration.working_ahead():
        return {
            each.name: {check.name for check in migration.check(each) if not check.passed}
            for each in migration.plan.tables
        }
