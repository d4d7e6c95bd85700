"""The commands, each as a process of its own, on a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from xata_pg_assets import __version__
from xata_pg_assets.postgres import embedded
from xata_pg_assets.postgres.checks import CHECKS
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_cli.conftest import SECRET, Folder, XataPg, inherited

COMMANDS = [
    "plan",
    "sql",
    "migrate",
    "index",
    "check",
    "report",
    "erd",
    "ui",
    "schema",
    "clean",
    "references",
    "undo",
    "accept",
    "demo",
    "uri",
    "stop",
]
SCRIPT = Path(sys.executable).with_name("xata-pg")
NOTHING_THERE = "postgresql://me:" + SECRET + "@127.0.0.1:1/nowhere"

TABLE_FACTS = {
    "xata_table": str,
    "table": str,
    "source_rows": int,
    "duplicate_rows": int,
    "rejected_rows": int,
    "target_rows": int,
    "dangling_links": int,
    "seconds": float,
    "columns": list,
    "checks": list,
}


def tables_of(database: Database) -> set[str]:
    return {
        f"{schema}.{name}"
        for schema, name in database.query(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
    }


def is_untouched(database: Database) -> bool:
    """Whether a database has nothing that a migration makes."""
    return (
        tables_of(database) == set()
        and database.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^xata'") == []
    )


def test_the_script_itself_migrates_and_prints_json_alone(migrating):
    command, folder = [SCRIPT, "migrate", "--json"], migrating.folder
    done = subprocess.run(
        command, cwd=folder, env=inherited() | migrating.variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"] is True


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_it_with_the_settings(self, xata_pg, command):
        outcome = xata_pg(command, "--help", env={"COLUMNS": "200"})
        assert (outcome.code, outcome.err) == (0, "")
        assert "Example: " in outcome.out
        assert ("--on-delete-links" in outcome.out) == (command != "demo")

    def test_it_lists_the_commands(self, xata_pg):
        out = xata_pg("--help").out
        assert [name for name in COMMANDS if f"\n│ {name} " not in out] == []

    def test_no_command_shows_it_and_no_empty_error(self, xata_pg):
        outcome = xata_pg()
        assert outcome.code == 2
        assert "Usage:" in outcome.out + outcome.err
        assert "error:" not in outcome.err

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("xata-pg mi", {"migrate"}),
            ("xata-pg migrate --max-", {"--max-rejected-rows", "--max-dangling-links", "--max-gzip-ratio"}),
            ("xata-pg migrate --naming s", {"snake_case"}),
        ],
    )
    def test_a_shell_completes_commands_flags_and_values(self, line, words):
        """As bash asks for it, with the script that `--install-completion` writes."""
        place = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_XATA_PG_COMPLETE": "complete_bash"}
        done = subprocess.run([SCRIPT], env=inherited() | place, capture_output=True, text=True, check=False)
        assert set(done.stdout.split()) == words

    def test_the_version(self, xata_pg):
        assert xata_pg("--version").out == f"xata-pg {__version__}\n"


class TestPlan:
    def test_the_page_shows_names_order_and_size_and_touches_nothing(self, migrating, database):
        before = set(migrating.folder.rglob("*"))
        outcome = migrating("plan")
        assert (outcome.code, outcome.err) == (0, "")
        assert "userTeams" in outcome.out
        assert "userTeams.owner → user_teams.owner_id" in outcome.out
        assert outcome.out.index("\n1 ") < outcome.out.index("\n2 ")
        assert is_untouched(database)
        assert {path.name for path in set(migrating.folder.rglob("*")) - before} <= {"std.out", "std.err"}

    def test_as_json(self, migrating):
        plan = migrating("plan", "--json").report
        assert [table["table"] for table in plan["tables"]] == ["users", "user_teams", "posts"]
        assert plan["tables"][2]["links_to"] == ["users"]
        assert plan["problems"] == plan["cycles"] == []

    def test_sql_is_sql_alone_and_runs_in_an_empty_database(self, migrating, server):
        text = migrating("plan", "--sql").out
        empty = server.new_database()
        with psycopg.connect(empty.url, autocommit=True) as conn:
            conn.execute(text)
        assert {"public.users", "public.posts", "public.user_teams"} <= tables_of(empty)
        assert empty.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == 3

    def test_a_table_that_is_there_already_is_a_problem(self, migrating, database):
        database.query("CREATE TABLE users ()")
        outcome = migrating("plan")
        assert outcome.code == 1
        assert "problem table public.users exists already" in outcome.out
        assert migrating("plan", "--json").code == 1

    def test_names_that_are_not_utf_8_are_shown(self, migrating, export):
        odd = os.fsencode(export.path.parent) + b"/ex\xffport"
        export.path.rename(os.fsdecode(odd))
        Path(os.fsdecode(odd), os.fsdecode(b"no\xfftes.csv")).write_text("id\n")
        for command in ("plan", "migrate"):
            outcome = migrating(command, "--json", "--source", os.fsdecode(odd))
            assert (outcome.code, outcome.err) == (0, "")
            assert outcome.report["source"].endswith("ex\\udcffport")
            assert outcome.report["warnings"][0].startswith("no\\udcfftes.csv: no table of the schema")
            assert migrating(command, "--source", os.fsdecode(odd)).code == 0

    def test_without_an_export_it_plans_the_schema(self, xata_pg, export):
        outcome = xata_pg("plan", "--schema", export.path / "schema.json")
        assert outcome.code == 0
        assert "no source is set" in outcome.out
        assert not (xata_pg.folder / "home" / "postgres").exists()


class TestMigrate:
    def test_the_report_has_the_shape_that_was_promised(self, migrating, database, server):
        started = datetime.now().astimezone()
        outcome = migrating("migrate", "--json")
        assert (outcome.code, outcome.err) == (0, "")
        report = outcome.report
        facts = {
            "ok": bool,
            "exit_code": int,
            "started_at": str,
            "finished_at": str,
            "versions": dict,
            "source": str,
            "target": dict,
            "tables": list,
            "warnings": list,
        }
        assert {name: type(report[name]) for name in facts} == facts
        assert (report["ok"], report["exit_code"], report["warnings"]) == (True, 0, [])
        assert started <= datetime.fromisoformat(report["started_at"]) <= datetime.fromisoformat(report["finished_at"])
        assert list(report["versions"]) == ["xata_pg_assets", "dagster", "postgresql", "pgvector"]
        assert report["versions"]["postgresql"].startswith(str(server.major))
        assert list(report["target"]) == ["host", "database", "schema"]
        for table in report["tables"]:
            assert {name: type(value) for name, value in table.items()} == TABLE_FACTS
            assert table["source_rows"] == table["target_rows"]
            assert [check["name"] for check in table["checks"]] == list(CHECKS)
            for check in table["checks"]:
                assert list(check) == ["name", "passed", "severity", "description"]
                assert (check["passed"], check["severity"]) == (True, "ERROR")
        posts = report["tables"][2]
        assert posts["columns"][:4] == [
            {"xata_column": "id", "column": "id", "type": "bigint"},
            {"xata_column": "title", "column": "title", "type": "text"},
            {"xata_column": "likes", "column": "likes", "type": "bigint"},
            {"xata_column": "author", "column": "author_id", "type": "bigint"},
        ]
        assert [column["column"] for column in posts["columns"]] == [
            name
            for (name,) in database.query(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attnum > 0 ORDER BY attnum"
            )
        ]

    def test_then_report_check_and_a_second_run_say_the_same(self, migrating, database):
        first = migrating("migrate", "--json").report
        rows = database.query("SELECT p::text, xmin::text FROM posts p ORDER BY id")
        counts = ("table", "source_rows", "duplicate_rows", "rejected_rows", "target_rows", "dangling_links", "checks")

        def told(report):
            return [{name: table[name] for name in counts} for table in report["tables"]]

        for command in ("report", "check", "migrate"):
            outcome = migrating(command, "--json")
            assert (outcome.code, told(outcome.report)) == (0, told(first)), command
        assert database.query("SELECT p::text, xmin::text FROM posts p ORDER BY id") == rows

    def test_the_page_ends_with_the_verdict(self, migrating):
        outcome = migrating("migrate")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.splitlines()[-1] == "3 tables, 9 rows. All rows are in, all checks passed."

    @pytest.mark.parametrize("names", ["userTeams,users", "user_teams, users,"])
    def test_only_some_tables_by_either_name(self, migrating, database, names):
        outcome = migrating("migrate", "--json", "--tables", names)
        assert outcome.code == 0
        assert {table["table"] for table in outcome.report["tables"]} == {"users", "user_teams"}
        assert "public.posts" not in tables_of(database)

    def test_rows_that_cannot_be_taken_are_exit_1_and_the_others_are_in(self, migrating, export, database):
        export.rows("posts", "id,title,likes,author", [("p1", "a", "1", "u1"), ("p2", "b", "many", "u1")])
        export.rows("userTeams", "id,label,owner,parent", [("t1", "x", "u9", None)])
        outcome = migrating("migrate", "--json")
        assert (outcome.code, outcome.err, outcome.report["ok"]) == (1, "", False)
        red = {(t["table"], c["name"]) for t in outcome.report["tables"] for c in t["checks"] if not c["passed"]}
        assert red == {("posts", "row_count"), ("user_teams", "foreign_keys")}
        assert database.query("SELECT title, author_id FROM posts") == [("a", 1)]
        assert database.query("SELECT line, reason, value FROM xata_migration.rejected_rows") == [
            (3, "bad_value", "many")
        ]
        assert database.query("SELECT missing_id FROM xata_migration.dangling_links") == [("u9",)]
        allowed = migrating("check", "--json", "--max-rejected-rows", "1", "--max-dangling-links", "1")
        assert (allowed.code, allowed.report["ok"]) == (0, True)

    def test_a_broken_file_is_exit_3_with_file_and_line_and_the_others_are_in(self, migrating, export, database):
        path = export.path / "users.csv"
        path.write_text(path.read_text() + 'u3,"never closed,Eve,0,,\n')
        outcome = migrating("migrate", "--json")
        assert outcome.code == 3
        first, *others = outcome.err.splitlines()
        assert "users.csv:4: " in first
        assert others == [
            f"error: table {name}: left out, for what it depends on failed" for name in ("posts", "user_teams")
        ]
        assert "Traceback" not in outcome.err
        assert all(line.startswith("error: ") for line in outcome.err.splitlines())
        by_name = {table["table"]: table for table in outcome.report["tables"]}
        assert [table["source_rows"] for table in by_name.values()] == [0, 2, 5]
        assert "public.users" not in tables_of(database)
        path.write_text(path.read_text().replace('"never', "never"))
        assert migrating("migrate").code == 0

    @pytest.mark.parametrize("command", ["migrate", "check", "report", "plan"])
    def test_an_unreachable_target_is_exit_3_told_once(self, migrating, command):
        outcome = migrating(command, "--json", env={"XATA_PG_TARGET": NOTHING_THERE})
        assert outcome.code == 3
        assert "127.0.0.1:1/nowhere" in outcome.error
        assert SECRET not in outcome.out + outcome.err
        if command in ("migrate", "check"):
            assert outcome.report["exit_code"] == 3
            assert outcome.report["target"] == {"host": "127.0.0.1", "database": "nowhere", "schema": "public"}

    def test_an_unreachable_target_is_no_page_of_noughts(self, migrating):
        outcome = migrating("migrate", env={"XATA_PG_TARGET": NOTHING_THERE})
        assert (outcome.code, outcome.out) == (3, "Nothing was migrated.\n")
        assert "127.0.0.1:1/nowhere" in outcome.error

    def test_unreachable_records_of_dagster_are_one_line_too(self, migrating):
        outcome = migrating("migrate", "--json", env={"XATA_PG_DAGSTER_URL": NOTHING_THERE + "?connect_timeout=1"})
        assert outcome.code == 3
        assert outcome.error.startswith("setting dagster_url: ")
        assert SECRET not in outcome.out + outcome.err


class TestSql:
    def test_scripts_are_written_and_no_database_is_touched(self, migrating, database, psql):
        outcome = migrating("sql", "my scripts")
        assert (outcome.code, outcome.out) == (0, "")
        assert "README.md says how to run them" in outcome.err
        assert is_untouched(database)
        folder = migrating.folder / "my scripts"
        assert psql.run_all(database, folder).code == 0
        assert database.value("SELECT count(*) FROM posts") == 5
        assert migrating("check").code == 0
        assert migrating("migrate").code == 0

    def test_a_file_that_psql_cannot_read_is_one_line_and_exit_1(self, migrating, export):
        (export.path / "users.csv").rename(export.path / "users.old")
        (export.path / "users.json").write_text('[{"id": "u1"}]')
        outcome = migrating("sql", "scripts")
        assert outcome.code == 1
        (line,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
        assert line.startswith("error: table users: users.json: is ")
        assert "psql alone reads the CSV of the Xata console" in line

    @pytest.mark.parametrize("source", [None, "postgresql://me@localhost/db", "nowhere"])
    def test_without_files_to_read_it_is_exit_2(self, migrating, export, source):
        arguments = ["--schema", export.path / "schema.json"]
        if source is None:
            del migrating.variables["XATA_PG_SOURCE"]
        else:
            arguments += ["--source", source]
        outcome = migrating("sql", "scripts", *arguments)
        assert outcome.code == 2
        assert outcome.error.startswith(("setting source: ", "source nowhere "))
        assert not (migrating.folder / "scripts").exists()


class TestCheck:
    def test_before_any_migration_it_touches_nothing(self, migrating, database):
        outcome = migrating("check", "--json")
        assert (outcome.code, outcome.out) == (2, "")
        assert "run xata-pg migrate" in outcome.error
        assert is_untouched(database)

    def test_a_lost_key_is_a_failed_check_not_an_unfinished_migration(self, migrating, database):
        migrating("migrate")
        database.query("ALTER TABLE posts DROP CONSTRAINT posts_author_id_fkey")
        outcome = migrating("check", "--json")
        assert (outcome.code, outcome.err) == (1, "")
        (posts,) = [table for table in outcome.report["tables"] if table["table"] == "posts"]
        assert [check["name"] for check in posts["checks"] if not check["passed"]] == ["constraints_in_place"]
        assert migrating("migrate").code == 0

    def test_a_changed_cell_is_seen_and_only_there(self, migrating, database):
        migrating("migrate")
        database.query("UPDATE posts SET likes = 99 WHERE id = 2")
        assert migrating("check", "--tables", "users").code == 0
        outcome = migrating("check")
        assert outcome.code == 1
        assert "posts.values_equal: 1 row differs from the export, 0 missing" in outcome.out

    def test_after_clean_the_rows_are_staged_again(self, migrating, database):
        migrating("migrate")
        cleaned = migrating("clean")
        assert (cleaned.code, cleaned.err) == (0, "3 staging tables dropped\n")
        assert database.query("SELECT nspname FROM pg_namespace WHERE nspname = 'xata_staging'") == []
        outcome = migrating("check", "--json")
        assert outcome.code == 0
        (values,) = [c for c in outcome.report["tables"][2]["checks"] if c["name"] == "values_equal"]
        assert values["description"].startswith("25 cells equal")


class TestReferences:
    def test_old_ids_in_texts_are_told_and_stay(self, migrating, export, database):
        old_id = "rec_c0000000000000000000"
        users = [(old_id, "ann@x.org", "Ann"), ("u2", "bob@x.org", f"a friend of {old_id}")]
        export.rows("users", "id,email,name", users)
        export.rows("posts", "id,title,likes,author", [("p1", "/users/" + old_id.replace("c0", "cg"), "1", old_id)])
        export.rows("userTeams", "id,label,owner,parent", [])
        assert migrating("references").code == 2
        migrating("migrate")
        outcome = migrating("references")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.splitlines() == [
            "users.name: 1 old id in 1 row: 1 to users",
            "posts.title: 1 old id in 1 row: 1 to no row",
        ]
        (users, posts) = json.loads(migrating("references", "--json").out)
        assert (users["resolved"], posts["resolved"], posts["unresolved"]) == ({"users": 1}, {}, 1)
        assert old_id in database.value("SELECT name FROM users WHERE id = 2")


class TestUndo:
    def test_nothing_of_it_is_left_and_nothing_else_is_gone(self, migrating, database):
        database.query(
            "CREATE TABLE mine (id int); CREATE SCHEMA xata_staging; CREATE TABLE xata_staging.mine (id int)"
        )
        before = database.query("SELECT oid, nspname FROM pg_namespace ORDER BY 1"), tables_of(database)
        assert migrating("migrate").code == 0
        outcome = migrating("undo", "--yes")
        assert (outcome.code, outcome.err) == (0, "taken out\n")
        assert 'drop table "public"."posts", 5 rows' in outcome.out
        assert 'drop table "xata_migration"."posts_id_mapping"' in outcome.out
        assert (database.query("SELECT oid, nspname FROM pg_namespace ORDER BY 1"), tables_of(database)) == before
        assert migrating("undo", "--yes").code == 2
        assert migrating("migrate").code == 0

    def test_without_an_answer_nothing_is_touched(self, migrating, database):
        migrating("migrate")
        before = tables_of(database)
        outcome = migrating("undo")
        assert outcome.code == 2
        assert "say --yes" in outcome.error
        assert tables_of(database) == before

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ("CREATE VIEW app.v AS SELECT title FROM public.posts", "view app.v"),
            ("CREATE MATERIALIZED VIEW app.v AS TABLE xata_migration.posts_id_mapping", "materialized view app.v"),
            ("CREATE VIEW app.v AS SELECT xata_migration.new_id('posts', 'p1')", "view app.v"),
            ("CREATE TABLE app.t (post bigint REFERENCES public.posts)", "constraint t_post_fkey on table app.t"),
            ("CREATE TABLE app.t (id bigint DEFAULT nextval('public.posts_id_seq'))", "default value for column id of"),
            ("INSERT INTO public.posts (title) VALUES ('mine')", '1 row of your own in "public"."posts"'),
            ("ALTER TABLE public.posts ADD COLUMN mine int", 'column mine of "public"."posts"'),
        ],
    )  # fmt: skip
    def test_what_is_the_users_own_is_named_and_only_force_takes_it(self, migrating, database, change, named):
        migrating("migrate")
        database.query("CREATE SCHEMA app")
        database.query(change)
        before = tables_of(database)
        outcome = migrating("undo", "--yes")
        assert outcome.code == 2
        assert named in outcome.error
        assert f"yours: {named}" in outcome.out
        assert "--force" in outcome.error
        assert tables_of(database) == before
        outcome = migrating("undo", "--yes", "--force")
        assert (outcome.code, outcome.err) == (0, "taken out\n")
        assert tables_of(database) <= {"app.t"}
        assert database.query("SELECT viewname FROM pg_views WHERE schemaname = 'app'") == []

    def test_a_type_that_a_function_of_the_users_has_stops_it_too(self, migrating, database):
        migrating("migrate")
        database.query("CREATE FUNCTION f(public.posts) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        before = tables_of(database)
        outcome = migrating("undo", "--yes")
        assert outcome.code == 2
        assert "an object of your own depends on a migrated table" in outcome.error
        assert tables_of(database) == before

    def test_before_any_migration(self, migrating, database):
        for command in ("undo", "accept"):
            outcome = migrating(command, "--yes")
            assert outcome.code == 2
            assert "run xata-pg migrate" in outcome.error
        assert is_untouched(database)


class TestAccept:
    def test_then_nothing_is_migrated_and_all_can_still_be_looked_at(self, migrating, database, export):
        migrating("migrate")
        outcome = migrating("accept", "--yes")
        assert (outcome.code, outcome.err) == (0, "accepted; 3 staging tables dropped\n")
        rows = database.query("SELECT * FROM xata_migration.loads ORDER BY 1")
        export.rows("posts", "id,title,likes,author", [("p9", "new", "1", "u1")])
        for arguments in (["migrate"], ["migrate", "--json"], ["migrate", "--tables", "posts"]):
            outcome = migrating(*arguments)
            assert (outcome.code, outcome.out) == (2, "")
            assert "was accepted on" in outcome.error
            assert "accept --withdraw" in outcome.error
        assert database.query("SELECT * FROM xata_migration.loads ORDER BY 1") == rows
        assert database.value("SELECT count(*) FROM posts") == 5
        for command in ("check", "report"):
            outcome = migrating(command, "--json")
            assert (outcome.code, outcome.err, outcome.report["ok"]) == (0, "", True)
            assert [table["target_rows"] for table in outcome.report["tables"]] == [2, 2, 5]
        assert "xata_staging" not in {name.partition(".")[0] for name in tables_of(database)}
        outcome = migrating("undo", "--yes")
        assert outcome.code == 2
        assert "accepted on" in outcome.error
        assert migrating("accept", "--withdraw").code == 0
        assert migrating("migrate").code == 0
        assert database.value("SELECT count(*) FROM posts") == 1

    def test_accepted_and_yet_undone_by_force(self, migrating, database):
        migrating("migrate")
        migrating("accept", "--yes")
        assert migrating("undo", "--yes", "--force").code == 0
        assert is_untouched(database)

    def test_a_failed_check_is_not_accepted_unless_by_force(self, migrating, database):
        migrating("migrate")
        database.query("UPDATE posts SET likes = 99 WHERE id = 2")
        migrating("check")
        outcome = migrating("accept", "--yes")
        assert outcome.code == 2
        assert "table posts: check values_equal failed" in outcome.error
        assert "xata_staging.posts" in tables_of(database)
        assert migrating("accept", "--yes", "--force").code == 0


class TestReport:
    def test_nothing_run_is_exit_2(self, migrating, database):
        outcome = migrating("report", "--json")
        assert (outcome.code, outcome.out) == (2, "")
        assert "run xata-pg migrate" in outcome.error
        assert is_untouched(database)

    def test_it_exits_0_after_a_red_migration(self, migrating, export):
        export.rows("posts", "id,title,likes,author", [("p1", "a", "no", "u1")])
        assert migrating("migrate").code == 1
        outcome = migrating("report", "--json")
        assert (outcome.code, outcome.report["exit_code"], outcome.report["ok"]) == (0, 1, False)

    def test_another_schema_is_no_report_of_nothing(self, migrating):
        migrating("migrate", "--tables", "userTeams")
        del migrating.variables["XATA_PG_SOURCE"]
        for command in ("report", "check"):
            outcome = migrating(command)
            assert outcome.code == 2
            assert "--schema" in outcome.error

    def test_as_a_page_and_as_markdown(self, migrating, export):
        export.rows("posts", "id,title,likes,author", [("p1", "a", "s3cret", "u1"), ("p2", "b", "2", "u1")])
        assert migrating("migrate").code == 1
        outcome = migrating("report", "--html", "r.html", "--markdown", "r.md")
        assert (outcome.code, outcome.out) == (0, "")
        assert [line.partition(":")[0] for line in outcome.err.splitlines()] == [
            "report written to r.html",
            "report written to r.md",
        ]
        for name in ("r.html", "r.md"):
            path = migrating.folder / name
            assert path.stat().st_mode & 0o777 == 0o600
            assert "posts.csv:2" in path.read_text()
            assert "s3cret" not in path.read_text()
        values = migrating("report", "--html", "-", "--values")
        assert (values.code, values.err) == (0, "")
        assert values.out.startswith("<!DOCTYPE html>")
        assert "s3cret" in values.out
        assert migrating("report", "--markdown", "-").out.startswith("# Do not switch yet: ")
        both = migrating("report", "--json", "--html", "both.html")
        assert both.report["exit_code"] == 1
        assert (migrating.folder / "both.html").is_file()

    def test_the_page_needs_a_migration_first(self, migrating, database):
        outcome = migrating("report", "--html", "r.html")
        assert (outcome.code, outcome.out) == (2, "")
        assert "run xata-pg migrate" in outcome.error
        assert not (migrating.folder / "r.html").exists()
        assert is_untouched(database)

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--html", "no/where.html"], "flag --html no/where.html: no such file or directory"),
            (["--markdown", "."], "flag --markdown .: is a directory"),
            (["--json", "--html", "-"], "one thing can be printed"),
            (["--markdown", "-", "--html", "-"], "one thing can be printed"),
            (["--values"], "goes with --html or --markdown"),
        ],
    )
    def test_a_wrong_place_is_exit_2(self, migrating, flags, words):
        migrating("migrate", "--tables", "users")
        outcome = migrating("report", *flags)
        assert (outcome.code, outcome.out) == (2, "")
        assert words in outcome.error

    def test_an_unreachable_target_writes_no_page(self, migrating):
        outcome = migrating("report", "--html", "r.html", env={"XATA_PG_TARGET": NOTHING_THERE})
        assert outcome.code == 3
        assert SECRET not in outcome.error
        assert not (migrating.folder / "r.html").exists()


class TestErd:
    def test_it_needs_no_more_than_the_schema(self, xata_pg, export):
        outcome = xata_pg("erd", "--schema", export.path / "schema.json")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("erDiagram\n")
        assert '  users |o--o{ posts : "author_id"\n' in outcome.out
        assert not (xata_pg.folder / "home" / "postgres").exists()

    def test_the_end_of_the_name_says_the_kind(self, migrating, database):
        for name, start in (("d.mmd", "erDiagram\n"), ("d.SVG", "<svg ")):
            outcome = migrating("erd", name)
            assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
            assert (migrating.folder / name).read_text().startswith(start)
        assert is_untouched(database)

    @pytest.mark.parametrize(("name", "words"), [("d.png", ".mmd"), ("no/d.svg", "no such file")])
    def test_another_name_is_exit_2(self, migrating, name, words):
        outcome = migrating("erd", name)
        assert outcome.code == 2
        assert words in outcome.error


class TestEmbedded:
    def test_everything_by_default(self, tmp_path: Path, export: Folder):
        """A relative home, no target: each command finds the server of the one before."""
        assert export.path == tmp_path / "export"
        xata_pg = XataPg(tmp_path)
        home = tmp_path / ".xata_pg"
        for command in ("report", "check", "clean"):
            assert xata_pg(command, "--source", "export").code == 2
        assert xata_pg("stop").err == "it was not running\n"
        assert not home.exists()
        try:
            assert xata_pg("migrate", "--source", "export").code == 0
            assert xata_pg("stop").err == "stopped\n"
            outcome = xata_pg("report", "--source", "export", "--json")
            assert (outcome.code, outcome.report["ok"]) == (0, True)
            uri = xata_pg("uri").out.strip()
            assert Database(uri).value("SELECT count(*) FROM posts") == 5
        finally:
            embedded.destroy(home)

    def test_demo_writes_an_export_that_can_be_planned(self, xata_pg, server: Server):
        demo = xata_pg("demo", "new")
        assert (demo.code, demo.out) == (0, "")
        assert "next: xata-pg migrate --source new" in demo.err
        plan = xata_pg("plan", "--json", "--source", "new", "--target", server.new_database().url).report
        assert (len(plan["tables"]), plan["warnings"], plan["problems"]) == (27, [], [])
        assert all(table["file"] for table in plan["tables"])
        assert xata_pg("demo", "home").code == 2


class TestSchema:
    def test_it_prints_what_it_understood(self, xata_pg, export):
        printed = xata_pg("schema", "--schema", export.path / "schema.json").report
        assert list(printed) == ["tables"]
        assert printed == json.loads((export.path / "schema.json").read_text())
