"""The report as data: figures from the ledger, the verdict, and no password."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from xata_pg_assets.errors import ExitCode
from xata_pg_assets.plan.tables import make_plan
from xata_pg_assets.postgres.checks import CHECKS
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.ledger import Entry
from xata_pg_assets.report.result import build_report, exit_code
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import column, table

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
GREEN = {name: {"passed": True, "severity": "ERROR", "description": ""} for name in CHECKS}
PLAN = make_plan(XataSchema((table("Users", column("x")), table("b"))))


def line(**facts: object) -> Entry:
    return Entry("Users", "users", "users_id_mapping", **{"loaded_at": NOON, "checks": GREEN, **facts})


def failed(severity: str) -> dict[str, object]:
    return {**GREEN, "row_count": {"passed": False, "severity": severity, "description": "no"}}


@pytest.mark.parametrize(
    ("lines", "errors", "code"),
    [
        ([], [], ExitCode.OK),
        ([line(), line()], [], ExitCode.OK),
        ([line(), line(checks=failed("ERROR"))], [], ExitCode.CHECK_FAILED),
        ([line(checks=failed("WARN"))], [], ExitCode.OK),
        ([line(loaded_at=None)], [], ExitCode.NOT_FINISHED),
        ([line(checks={})], [], ExitCode.NOT_FINISHED),
        ([line(checks=failed("ERROR")), line(loaded_at=None)], [], ExitCode.NOT_FINISHED),
        ([line()], ["a table failed"], ExitCode.NOT_FINISHED),
        ([line(checks=failed("ERROR"))], ["a table failed"], ExitCode.NOT_FINISHED),
    ],
)
def test_exit_code(lines, errors, code):
    assert exit_code(lines, errors) is code


def test_without_a_connection_it_holds_what_is_known_without_one():
    report = build_report(
        PLAN,
        Layout(),
        None,
        url="postgresql://me:c4nary@db.example.org:5433/app?sslmode=require",
        source="export",
        errors=["gone"],
        warnings=["a", "b", "a"],
        started_at=datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        finished_at=NOON,
    )
    assert "c4nary" not in str(report)
    assert (report["ok"], report["exit_code"]) == (False, 3)
    assert report["target"] == {"host": "db.example.org", "database": "app", "schema": "public"}
    assert report["started_at"] == report["finished_at"] == "2024-05-01T12:00:00.000Z"
    assert report["warnings"] == ["a", "b"]
    assert [(each["xata_table"], each["table"]) for each in report["tables"]] == [("Users", "users"), ("b", "b")]
    assert {each["target_rows"] for each in report["tables"]} == {0}
    assert (report["versions"]["postgresql"], report["versions"]["pgvector"]) == (None, None)


def test_only_the_tables_asked_for():
    report = build_report(PLAN, Layout(), None, url="", source="", tables=PLAN.tables[1:])
    assert [each["table"] for each in report["tables"]] == ["b"]


def test_a_table_that_was_not_checked_has_all_seven_checks_and_none_that_passed():
    report = build_report(PLAN, Layout(), None, url="", source="")
    for each in report["tables"]:
        assert [check["name"] for check in each["checks"]] == list(CHECKS)
        assert {(check["passed"], check["severity"], check["description"]) for check in each["checks"]} == {
            (False, "ERROR", "not run: the table was not staged")
        }
