"""What may pass is tried again, with longer and longer waits; what may not, is not; and a lost target ends the run."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from xata_pg_assets.errors import TargetError, TransientError, UnreachableError
from xata_pg_assets.postgres import embedded, loading
from xata_pg_assets.postgres.cluster import find_cluster
from xata_pg_assets.postgres.postmaster import Postmaster, while_alive
from xata_pg_assets_tests.fix_export import Export
from xata_pg_assets_tests.fix_proxy import Proxy, at_statement
from xata_pg_assets_tests.fix_server import running_server
from xata_pg_assets_tests.test_assets.conftest import instance, own_environment, run, shapes
from xata_pg_assets_tests.test_assets.test_factories import NAMES, failures, made
from xata_pg_assets_tests.test_survival.conftest import DONE

__all__ = ["instance", "own_environment", "shapes"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; none is waited."""
    asked: list[float] = []
    monkeypatch.setattr("xata_pg_assets.migration.sleep", asked.append)
    monkeypatch.setattr("dagster._core.execution.plan.active.time.sleep", lambda _: None)
    return asked


def test_a_target_that_is_lost_is_waited_for_once_and_then_the_run_ends(
    shapes: Export, instance: dg.DagsterInstance, waits: list[float]
):
    """Five tables have ten steps that need nothing of each other; one of them waits, for all."""
    proxy = Proxy(shapes.database.url)
    migration = shapes.migration(target=proxy.url)

    def lose() -> None:
        proxy.is_down = True
        proxy.cut()

    proxy.arm(at_statement(b"COPY ", 1, is_sent=False), lose)
    result = run(migration, instance)
    assert proxy.has_struck
    proxy.close()
    assert not result.success
    assert waits == [1, 2, 4, 8, 16]
    told = set(failures(result).values())
    assert len(told) == 1, told
    assert all("is the server up?" in line for line in told)
    assert run(shapes.migration(), instance).success
    DONE["target lost in a run for good"] += 1


def test_a_target_that_comes_back_is_taken_up_again(
    shapes: Export, instance: dg.DagsterInstance, waits: list[float], monkeypatch: pytest.MonkeyPatch
):
    proxy = Proxy(shapes.database.url)

    def lose() -> None:
        proxy.is_down = True
        proxy.cut()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        proxy.is_down = len(waits) < 3

    monkeypatch.setattr("xata_pg_assets.migration.sleep", wait)
    proxy.arm(at_statement(b"CREATE TABLE", 1, is_sent=False), lose)
    result = run(shapes.migration(target=proxy.url), instance)
    assert proxy.has_struck
    proxy.close()
    assert waits == [1, 2, 4]
    assert result.success
    assert {f"postgres/{name}" for name in NAMES} <= set(made(result))
    DONE["target lost in a run and back again"] += 1


def test_a_session_that_is_ended_is_tried_again_with_backoff(
    shapes: Export, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    """A real one: the administrator ends the session in the middle of each of the first loads."""
    migration, ended = shapes.migration(), []
    next_id = loading.raise_identity

    def terminated(conn: psycopg.Connection, *rest: object) -> None:
        if len(ended) < 3 and shapes.database.value("SELECT to_regclass('users') IS NULL"):
            ended.append(conn.info.backend_pid)
            shapes.database.query("SELECT pg_terminate_backend(%s, 10000)", ended[-1])
        next_id(conn, *rest)

    monkeypatch.setattr(loading, "raise_identity", terminated)
    monkeypatch.setattr("dagster._core.execution.plan.active.time.sleep", lambda _: None)
    monkeypatch.setattr("dagster._core.execution.plan.active.time.time", _running_clock())
    result = run(migration, instance)
    assert result.success
    assert len(ended) == 3
    waits = [e.event_specific_data.seconds_to_wait for e in result.all_events if e.is_step_up_for_retry]
    assert waits == [1, 2, 4]


def _running_clock():
    """A clock that goes on by a minute whenever it is asked: waits are over at once."""
    minutes = iter(range(10**9))
    return lambda: next(minutes) * 60.0


def test_a_refusal_is_not_tried_again(shapes: Export, instance: dg.DagsterInstance):
    shapes.database.query("CREATE TABLE user_teams (id bigint)")  # somebody else's
    result = run(shapes.migration(), instance)
    assert not result.success
    assert [event for event in result.all_events if event.is_step_up_for_retry] == []
    assert list(failures(result)) == ["postgres__user_teams"]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1/0", TargetError),
        ("SELECT pg_terminate_backend(pg_backend_pid())", TransientError),
        ("SET statement_timeout = 1; SELECT pg_sleep(60)", TransientError),
        ("SET lock_timeout = 1; SELECT pg_advisory_lock(1)", TransientError),
        ("SELECT * FROM nothing", TargetError),
    ],
)
def test_what_passes_and_what_does_not_are_two_classes(shapes: Export, statement: str, error: type[Exception]):
    with psycopg.connect(shapes.database.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        first, _, second = statement.rpartition("; ")
        with pytest.raises(error) as raised, shapes.migration().reading() as conn:
            conn.execute(first or "SELECT 1").connection.execute(second)
    assert type(raised.value) is error


def test_an_address_where_nobody_listens_is_unreachable(shapes: Export):
    with (
        pytest.raises(UnreachableError, match="is the server up"),
        shapes.migration(target="postgresql://nobody@127.0.0.1:1/none").reading(),
    ):
        pass


def test_an_embedded_server_that_died_is_started_again_in_the_run(
    shapes: Export, instance: dg.DagsterInstance, waits: list[float]
):
    with running_server() as server:
        migration = shapes.migration(target=None, home=server.home)
        step, struck = migration.map_ids, []

        def dying(table: object) -> object:
            if not struck:
                cluster = find_cluster(server.home)
                assert cluster is not None
                postmaster = Postmaster.read(cluster.data_dir / "postmaster.pid")
                assert postmaster is not None
                struck.append(postmaster.end(gently=False))
                for _ in while_alive(cluster.data_dir):
                    pass
            return step(table)

        migration.map_ids = dying
        result = run(migration, instance)
        assert struck == [True]
        assert result.success, failures(result)
        assert embedded.is_running(server.home)
        assert waits == [1]
    DONE["embedded server that died in a run"] += 1
