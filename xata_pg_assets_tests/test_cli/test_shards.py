"""Shards on the command line: chosen ones, a process killed in the middle of one, and what other commands say."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from dagster import AssetKey

from xata_pg_assets.assets.instance import open_instance
from xata_pg_assets.settings import load_settings
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_cli.conftest import XataPg
from xata_pg_assets_tests.test_cli.test_commands import is_untouched

SHARDS = 5
ALL = {"1", "2", "3", "4", "5"}
POSTS = "SELECT string_agg(t::text, ' ' ORDER BY id) FROM posts AS t"
# Whoever wants the posts for himself
ALONE = "hashtextextended(concat_ws(chr(31), 'xata_pg_assets', 'public', 'xata_migration', 'table posts'), 0)"
DONE = "SELECT shards -> 'done' FROM xata_migration.loads WHERE xata_table = 'posts'"


@pytest.fixture
def sharded(migrating: XataPg) -> XataPg:
    """xata-pg with an export whose five posts are a shard each."""
    (migrating.folder / "xata_pg.toml").write_text(f"[tables.posts]\nshards = {SHARDS}\n")
    return migrating


def materialized(xata_pg: XataPg) -> set[str]:
    """Return the partitions of the posts that Dagster knows as made."""
    with open_instance(load_settings(flags={"home": xata_pg.folder / "home"})) as instance:
        return instance.get_materialized_partitions(AssetKey(["postgres", "posts"]))


@contextmanager
def held_in_the_middle(database: Database, row: int) -> Iterator[None]:
    """Let the shard of a row wait, its row inserted, for as long as the block lasts."""
    database.query(
        "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(4711); RETURN NULL; END'"
    )
    database.query(
        "CREATE TRIGGER wait AFTER INSERT ON xata_staging.posts_building FOR EACH ROW"
        f" WHEN (NEW.id = {row}) EXECUTE FUNCTION public.wait()"
    )
    with psycopg.connect(database.url) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(4711)")
        yield
    database.query("DROP FUNCTION public.wait() CASCADE")


def wait_until(database: Database, query: str) -> None:
    until(lambda: database.value(query))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_the_middle_of_a_shard(sharded: XataPg, database: Database, number: int):
    assert sharded("migrate", "--tables", "users,posts", "--shards", "1").code == 3
    with held_in_the_middle(database, row=3):
        running = sharded.start("migrate", "--tables", "users,posts")
        others = "SELECT count(*) = 4 FROM xata_migration.loads, jsonb_object_keys(shards -> 'done')"
        waiting = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND query ~ 'INSERT'"
        wait_until(database, others)
        wait_until(database, f"{waiting} AND datname = current_database()")
        assert database.value(f"SELECT pg_try_advisory_xact_lock({ALONE})") is False
        running.send(number)
        outcome = running.end()
        assert outcome.code == (-signal.SIGKILL if number == signal.SIGKILL else 3)
        if number == signal.SIGINT:
            assert outcome.err.splitlines()[-1].startswith("error: stopped with ")
        wait_until(database, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'xata_pg_assets'"
                   " AND datname = current_database()")  # fmt: skip
        assert database.value("SELECT count(*) FROM xata_staging.posts_building") == 4
    done = database.value(DONE)
    assert set(done) == ALL - {"3"}
    outcome = sharded("migrate", "--tables", "users,posts", "--json")
    assert (outcome.code, outcome.report["errors"]) == (0, [])
    assert {name: facts for name, facts in database.value(DONE).items() if name != "3"} == done
    assert database.value("SELECT count(*) FROM posts") == 5


def test_chosen_ones_then_the_rest(sharded: XataPg):
    chosen = sharded("migrate", "--tables", "users,posts", "--shards", "4-5,2", "--json")
    (posts,) = [table for table in chosen.report["tables"] if table["table"] == "posts"]
    assert (chosen.code, posts["shards"]) == (3, {"count": 5, "missing": ["1", "3"]})
    text = "posts: shards 1, 3 of 5 are missing; xata-pg migrate --tables posts loads what is missing"
    assert text in chosen.report["warnings"]
    assert materialized(sharded) == {"2", "4", "5"}
    assert sharded("report", "--json").code == 0
    assert "not run: shards 1, 3 of 5 are missing" in sharded("report", "--json").out
    assert "posts: shards 1, 3 of 5 are missing" in json.loads(sharded("plan", "--json").out)["warnings"]
    check = sharded("check", "--tables", "posts")
    assert (check.code, "shards 1, 3 of 5 are missing" in " ".join(check.out.split())) == (3, True)
    rest = sharded("migrate", "--tables", "posts", "--json")
    assert (rest.code, rest.report["changes"]["posts"]["inserted_rows"]) == (0, 5)
    assert materialized(sharded) == ALL
    assert sharded("migrate", "--json").code == 0


def test_the_other_commands_take_a_half_table_for_what_it_is(sharded: XataPg, database: Database):
    assert sharded("migrate", "--tables", "users,posts", "--shards", "1-2").code == 3
    assert "table posts: " in sharded("accept", "--yes").error
    index = sharded("index", "--tables", "posts", "--search", "posts.title")
    assert (index.code, index.error) == (3, "table posts: shards 3-5 of 5 are missing; run xata-pg migrate first")
    assert sharded("clean").err == "3 staging tables dropped\n"
    assert database.value("SELECT shards FROM xata_migration.loads WHERE xata_table = 'posts'") is None
    assert sharded("migrate", "--tables", "users,posts", "--shards", "1-2").code == 3
    undone = sharded("undo", "--yes")
    assert (undone.code, "posts_building" in undone.out) == (0, True)
    assert is_untouched(database)


def test_a_shard_that_fails_is_named_and_those_that_are_in_are_told(sharded: XataPg, database: Database):
    assert sharded("migrate").code == 0
    database.query("ALTER TABLE posts ADD CONSTRAINT small CHECK (id <> 3 OR likes < 100)")
    database.query("UPDATE posts SET likes = -1")
    path = sharded.folder / "export" / "posts.csv"
    path.write_text(path.read_text().replace("post 2,2", "post 2,200"))
    outcome = sharded("migrate", "--json")
    assert outcome.code == 3
    (error,) = outcome.report["errors"]
    assert error.startswith('table posts, shard 3: new row for relation "posts" violates check constraint "small". ')
    assert error.endswith("Table posts: shard 3 of 5 is missing; what is in stays, running again loads the others")
    database.query("ALTER TABLE posts DROP CONSTRAINT small")
    outcome = sharded("migrate", "--json")
    assert (outcome.code, outcome.report["changes"]["posts"]["updated_rows"]) == (0, 5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shards", "1"], "flag --shards: say of which table: --tables posts --shards 3,7-9"),
        (["--tables", "users", "--shards", "1"], "flag --shards: users: loaded at once"),
        (["--tables", "posts", "--shards", "6"], "flag --shards: '6' is no shard; there are 1 to 5"),
        (["--tables", "posts", "--shards", "0-2"], "flag --shards: '0-2' is no shard"),
        (["--tables", "posts", "--shards", "3-2"], "flag --shards: '3-2' ends before it begins; write 2-3"),
        (["--tables", "posts", "--shards", "\u00b2"], "flag --shards: '\u00b2' is no shard"),
        (["--tables", "posts", "--shards", "1-"], "flag --shards: '1-' is no shard"),
        (["--tables", "posts", "--shards", "2-6"], "flag --shards: '2-6' is no shard"),
        (["--tables", "posts", "--shards", "one"], "flag --shards: 'one' is no shard"),
        (["--tables", "posts", "--shards", ""], "flag --shards: '' is no shard"),
    ],
)
def test_wrong_names_are_one_line(sharded: XataPg, database: Database, arguments: list[str], words: str):
    outcome = sharded("migrate", *arguments)
    assert outcome.code == 2
    assert outcome.error.startswith(words)
    assert is_untouched(database)


def test_a_variable_splits_tables_too(migrating: XataPg, database: Database):
    outcome = migrating("migrate", "--json", env={"XATA_PG_TABLES": '{"posts": {"shards": 3}, "users": {"shards": 3}}'})
    assert outcome.code == 0
    shards = {table["table"]: table.get("shards") for table in outcome.report["tables"]}
    whole = {"count": 3, "missing": []}
    assert shards == {"users": whole, "posts": whole, "user_teams": None}
    assert database.value(POSTS).count("post") == 5
