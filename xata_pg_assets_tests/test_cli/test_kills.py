"""Killed or stopped at any moment and run again: the same database as without."""

from __future__ import annotations

import random
import signal
import time

import psycopg
import pytest

from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_cli.conftest import Folder, XataPg

ROWS = 5_000
KILLS = 10
DIGESTS = ("users", "user_teams", "posts")


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


def state(database: Database) -> dict[str, object]:
    """Every row of every migrated table and mapping, the keys, and all that there is beside them."""
    tables = {
        name: database.value(f"SELECT md5(string_agg(t::text, '\n' ORDER BY t::text)) FROM {name} AS t")
        for table in DIGESTS
        for name in (table, f"xata_migration.{table}_id_mapping")
    }
    relations = database.query(
        "SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname !~ '^(pg_|information_schema)' AND c.relname !~ '^pg_toast' ORDER BY 1, 2"
    )
    keys = database.query(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE conrelid <> 0 ORDER BY 1, 2"
    )
    return {**tables, "relations": relations, "keys": keys}


def others_in(database: Database) -> list[tuple[object, ...]]:
    """Sessions and locks that somebody left."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = database.query(
            "SELECT pid, state, query FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        if not found:
            break
        time.sleep(0.05)
    locks = "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
    return found + database.query(f"{locks} WHERE datname = current_database())")


def undisturbed(xata_pg: XataPg, server: Server) -> tuple[dict[str, object], float]:
    """Migrate into another database; return what it holds then, and the seconds that took."""
    database, started = server.new_database(), time.monotonic()
    assert xata_pg("migrate", env={"XATA_PG_TARGET": database.url}).code == 0
    return state(database), time.monotonic() - started


def test_kill_9_at_random_moments(migrating: XataPg, large: Folder, database: Database, server: Server):
    """Each kill hits what the one before left; some fall on a fresh database, some on a loaded one."""
    assert large.path.is_dir()
    wanted, seconds = undisturbed(migrating, server)
    dice = random.Random(1947)
    hits = 0
    for number in range(KILLS):
        if number == KILLS // 2:  # from here on over a finished load that has to change
            assert migrating("migrate").code == 0
            database.query("DELETE FROM posts WHERE id % 5 = 0")
            database.query("UPDATE user_teams SET label = 'wrong' WHERE id % 3 = 0")
        running = migrating.start("migrate")
        running.process.join(dice.uniform(0.05, 0.8) * seconds)
        running.process.kill()
        hits += running.end().code == -signal.SIGKILL
    assert hits >= KILLS - 2
    outcome = migrating("migrate", "--json")
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert state(database) == wanted
    assert others_in(database) == []


def test_ctrl_c_is_one_line_and_the_next_run_goes_on(
    migrating: XataPg, large: Folder, database: Database, server: Server
):
    assert large.path.is_dir()
    wanted, _ = undisturbed(migrating, server)
    assert migrating("migrate", "--tables", "users").code == 0
    database.query("UPDATE users SET name = 'wrong'")
    with psycopg.connect(database.url) as conn:
        conn.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")  # so that it is surely at work
        running = migrating.start("migrate", "--json")
        deadline = time.monotonic() + 60
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while not database.query(waiting):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send(signal.SIGINT)
        outcome = running.end()
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.error == "stopped with 0 of 3 tables done. What was committed stays; running again continues"
    assert others_in(database) == []
    assert migrating("migrate").code == 0
    assert state(database) == wanted
