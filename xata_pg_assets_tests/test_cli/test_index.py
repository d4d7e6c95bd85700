"""`xata-pg index`, and the settings of search and vectors on the command line."""

from __future__ import annotations

import pytest

from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg

SEARCH = ["--search", "posts.title,userTeams.label"]
COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'tsvector' ORDER BY table_name"
)
BOTH = [("posts", "title_search"), ("user_teams", "label_search")]


def test_migrate_makes_them_after_its_tables(migrating: XataPg, database: Database):
    outcome = migrating("migrate", "--json", *SEARCH)
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert database.query(COLUMNS) == BOTH
    again = migrating("migrate", "--json", *SEARCH)
    assert set(map(str, again.report["changes"].values())) == {str(dict.fromkeys(
        ("inserted_rows", "updated_rows", "deleted_rows"), 0))}  # fmt: skip
    assert migrating("check").code == 0  # without the setting, too


def test_later_and_alone(migrating: XataPg, database: Database):
    migrating("migrate")
    outcome = migrating("index", "--tables", "posts", *SEARCH)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.startswith("posts: search columns title_search: made in ")
    assert database.query(COLUMNS) == BOTH[:1]
    outcome = migrating("index", env={"XATA_PG_SEARCH": "posts.title, userTeams.label"})
    assert "posts: search columns title_search: there already, left as it is\n" in outcome.err
    assert database.query(COLUMNS) == BOTH


def test_the_settings_file_has_a_list(migrating: XataPg, database: Database):
    (migrating.folder / "xata_pg.toml").write_text('search = ["posts.title"]\nsearch_language = "german"\n')
    assert migrating("migrate").code == 0
    assert database.query(COLUMNS) == BOTH[:1]


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ([], "settings vector_index and search: they ask for nothing here; set one of them"),
        (["--search", "posts.titel"], "setting search: there is no column posts.titel; posts has title"),
        (["--search", "posts.title,"], "setting search: it is empty; leave it out, or say what it is"),
        (["--search", "posts.title"], "nothing was migrated into this target yet; run xata-pg migrate"),
        (["--vector-index", "btree"], "setting vector_index: input should be 'none', 'hnsw' or 'ivfflat'"),
    ],
)
def test_what_cannot_be_is_refused(migrating: XataPg, flags: list[str], error: str):
    outcome = migrating("index", *flags)
    assert (outcome.code, outcome.error) == (2, error)


def test_one_that_fails_is_told_and_the_tables_stay(migrating: XataPg, database: Database):
    migrating("migrate")
    database.query("ALTER TABLE posts ADD COLUMN title_search text")
    outcome = migrating("migrate", "--json", *SEARCH)
    assert outcome.code == 3
    (error,) = outcome.report["errors"]
    assert "posts: has a column title_search already" in error
    assert all(check["passed"] for table in outcome.report["tables"] for check in table["checks"])
    assert ("user_teams", "label_search") in database.query(COLUMNS)


def test_plan_prints_their_statements(migrating: XataPg, database: Database):
    statements = migrating("plan", "--sql", *SEARCH).out
    database.query(statements)
    assert database.query(COLUMNS) == BOTH


def test_plan_tells_of_them(migrating: XataPg):
    outcome = migrating("plan", "--json", *SEARCH)
    told = [(each["table"], each["search_column"]) for each in outcome.report["search_columns"]]
    assert sorted(told) == BOTH
    assert "search: posts.title_search, of title\n" in migrating("plan", *SEARCH).out
