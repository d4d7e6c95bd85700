"""`rewrite_ids` on the command line: the eighth check in the report, and refusals."""

from __future__ import annotations

from xata_pg_assets.postgres.checks import CHECKS
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import Folder, XataPg

REWRITE = ["--rewrite-ids", "posts.title"]


def test_the_report_has_its_check_and_a_run_again_no_change(migrating: XataPg, export: Folder, database: Database):
    export.rows("posts", "id,title,likes,author", [("p1", "u2", "1", "u1"), ("p2", "t1", "2", "u1")])
    for changed in (2, 0):
        outcome = migrating("migrate", "--json", *REWRITE)
        assert (outcome.code, outcome.report["ok"]) == (0, True)
        checks = {table["table"]: table["checks"] for table in outcome.report["tables"]}
        assert [check["name"] for check in checks["users"]] == list(CHECKS)
        assert [check["name"] for check in checks["posts"]] == [*CHECKS, "ids_rewritten"]
        assert checks["posts"][-1]["description"].startswith("2 ids rewritten (1 to userTeams, 1 to users);")
        assert outcome.report["changes"]["posts"]["inserted_rows"] == changed
    assert database.query("SELECT title FROM posts ORDER BY id") == [("2",), ("1",)]
    assert migrating("check", *REWRITE).code == 0
    assert migrating("report", "--html", "report.html", *REWRITE).code == 0
    assert "ids_rewritten" in (migrating.folder / "report.html").read_text()
    database.query("UPDATE posts SET title = 'mine' WHERE id = 1")
    outcome = migrating("check", "--json", *REWRITE)
    assert outcome.code == 1
    red = [check["name"] for each in outcome.report["tables"] for check in each["checks"] if not check["passed"]]
    assert red == ["values_equal", "ids_rewritten"]
    assert migrating("report", "--html", "report.html", *REWRITE).code == 0


def test_with_the_setting_new_the_report_is_not_of_it(migrating: XataPg):
    assert migrating("migrate").code == 0
    report = migrating("report", "--json", *REWRITE).report
    assert report["exit_code"] == 3
    (posts,) = [table for table in report["tables"] if table["table"] == "posts"]
    assert posts["checks"][-1]["description"].startswith("not run")


def test_an_unknown_column(migrating: XataPg):
    outcome = migrating("plan", "--rewrite-ids", "posts.titel")
    assert (outcome.code, outcome.error) == (2, "setting rewrite_ids: there is no column posts.titel; posts has title")
