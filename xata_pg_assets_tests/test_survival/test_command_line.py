"""The whole command line, Dagster and all: killed or stopped at any moment and run again, the same database."""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import Folder, XataPg, export, fresh_home, migrating, xata_pg
from xata_pg_assets_tests.test_survival.conftest import DONE, Moments, data_dir, times
from xata_pg_assets_tests.test_survival.image import image, leftovers

__all__ = ["export", "fresh_home", "migrating", "xata_pg"]

ROWS = 2_000


@pytest.fixture
def large(export: Folder) -> Folder:
    """Enough rows that a load takes long enough to be hit."""
    users = [(f"u{n:06}", f"{n}@x.org", f"name {n}") for n in range(ROWS)]
    teams = [(f"t{n:06}", f"team {n}", f"u{n * 7 % ROWS:06}", f"t{n // 2:06}") for n in range(ROWS // 2)]
    posts = [(f"p{n:06}", f"post, {n}", str(n), f"u{n * 3 % ROWS:06}") for n in range(2 * ROWS)]
    export.rows("users", "id,email,name", users)
    export.rows("userTeams", "id,label,owner,parent", teams)
    export.rows("posts", "id,title,likes,author", posts)
    return export


def undisturbed(xata_pg: XataPg, server: Server) -> tuple[dict[str, object], float]:
    """Migrate into another database; return what it holds then, and the seconds that took."""
    database, started = server.new_database(), time.monotonic()
    assert xata_pg("migrate", env={"XATA_PG_TARGET": database.url}).code == 0
    return image(database.url), time.monotonic() - started


def test_kill_9_at_random_moments(
    migrating: XataPg, large: Folder, database: Database, server: Server, dice: random.Random
):
    """Each kill hits what the one before left; some fall on a fresh database, some on a loaded one."""
    assert large.path.is_dir()
    wanted, seconds = undisturbed(migrating, server)
    kills, hits, moments = times(2, 16), 0, Moments(dice)
    for number in range(5 * kills):
        if number == kills // 2:  # from here on over a finished load that has to change
            assert migrating("migrate").code == 0
            database.query("DELETE FROM posts WHERE id % 5 = 0")
            database.query("UPDATE user_teams SET label = 'wrong' WHERE id % 3 = 0")
        running = migrating.start("migrate")
        moments.wait(running.process, 0.9 * seconds)
        running.process.kill()
        hit = running.end().code == -signal.SIGKILL
        hits += hit
        DONE["SIGKILL of xata-pg migrate"] += hit
        if hits == kills:
            break
    assert hits == kills
    outcome = migrating("migrate", "--json")
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert image(database.url) == wanted
    assert leftovers(database.url, data_dir(server)) == []


@contextmanager
def held_up(database: Database, table: str) -> Iterator[Callable[[], None]]:
    """Keep a table from everybody; gives what waits until somebody wants it."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    def until_wanted() -> None:
        until(lambda: database.query(waiting))

    with psycopg.connect(database.url) as conn:
        conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(*table.split("."))))
        yield until_wanted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_to_be_stopped_before_the_first_step_is_one_line(
    migrating: XataPg, large: Folder, database: Database, number: signal.Signals
):
    assert large.path.is_dir()
    assert migrating("migrate").code == 0
    with held_up(database, "xata_migration.loads") as until_wanted:
        running = migrating.start("migrate", "--json")
        until_wanted()
        running.send(number)
        outcome = running.end()
    assert (outcome.code, outcome.out) == (3, "")
    assert re.fullmatch("stopped.*; running again continues", outcome.error)


def test_ctrl_c_is_one_line_and_the_next_run_goes_on(
    migrating: XataPg, large: Folder, database: Database, server: Server
):
    assert large.path.is_dir()
    wanted, _ = undisturbed(migrating, server)
    assert migrating("migrate", "--tables", "users").code == 0
    database.query("UPDATE users SET name = 'wrong'")
    with held_up(database, "users") as until_wanted:  # so that it is surely at work
        running = migrating.start("migrate", "--json")
        until_wanted()
        running.send(signal.SIGINT)
        outcome = running.end()
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.error == "stopped with 0 of 3 tables done. What was committed stays; running again continues"
    assert leftovers(database.url, data_dir(server)) == []
    assert migrating("migrate").code == 0
    assert image(database.url) == wanted
