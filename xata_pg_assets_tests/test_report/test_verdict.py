"""The verdict: one sentence, and the gravest thing first."""

from __future__ import annotations

from typing import Any

from xata_pg_assets.postgres.checks import CHECKS
from xata_pg_assets.report.verdict import judge

REJECTED = (
    "3 rows in the export = 2 in the table + 1 rejected + 0 copies; 3 rejected in all, 0 allowed (max_rejected_rows)"
)
DANGLING = (
    "1 links lead to the rows the export names, 2 to rows that are not there; 2 in all, 0 allowed (max_dangling_links)"
)


def table(name: str, *, red: dict[str, str] | None = None, **facts: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("rejected_rows", "duplicate_rows", "dangling_links"), 0)
    red = red or {}
    checks = [{"name": check, "passed": check not in red, "description": red.get(check, "")} for check in CHECKS]
    return {"table": name, "source_rows": 2, "target_rows": 2, "checks": checks, **counts, **facts}


def verdict(code: int, *tables: dict[str, Any], errors: tuple[str, ...] = ()):
    return judge({"exit_code": code, "tables": list(tables), "errors": list(errors)})


def test_all_is_well():
    found = verdict(0, table("a"), table("b", source_rows=1998, target_rows=1998))
    assert found.sentence == "You may switch: all 2,000 rows of 2 tables are in, all 14 checks passed."
    assert (found.tone, found.problems) == ("good", [])


def test_copies_are_no_loss():
    found = verdict(0, table("a", source_rows=5, duplicate_rows=3))
    assert found.reason == "all 2 rows of 1 table are in (and 3 exact copies dropped), all 7 checks passed."


def test_what_is_allowed_is_told():
    found = verdict(0, table("a", source_rows=3, rejected_rows=1, dangling_links=2))
    assert found.tone == "fair"
    assert found.sentence == (
        "You may switch: 2 of 3 rows of 1 table are in, all 7 checks passed;"
        " 1 rejected row and 2 dangling links within what the settings allow."
    )


def test_what_is_wrong_stands_in_order_of_gravity():
    found = verdict(
        1,
        table("a", red={"foreign_keys": DANGLING, "constraints_in_place": "lacking"}, dangling_links=2),
        table("b", red={"row_count": REJECTED}, rejected_rows=1),
        table("c", red={"row_count": REJECTED, "values_equal": "1 rows differ"}, rejected_rows=2),
        table("d", red={"row_count": "the law is broken"}),
    )
    assert found.sentence == "Do not switch yet: 3 rejected rows; 2 dangling links; 6 of 28 checks failed."
    assert [(problem.table, problem.what) for problem in found.problems] == [
        ("d", "row_count"),
        ("c", "values_equal"),
        ("a", "constraints_in_place"),
        (None, "3 rejected rows, more than max_rejected_rows allows"),
        (None, "2 dangling links, more than max_dangling_links allows"),
    ]
    assert found.problems[3].text.startswith("b 1, c 2; ")


def test_a_migration_that_did_not_come_to_its_end():
    found = verdict(3, table("a"), table("b", checks=[]), errors=("b.csv:4: cut",))
    assert found.sentence == "Do not switch yet: 1 of 2 tables are not finished."
    assert [(problem.table, problem.what) for problem in found.problems] == [(None, "error"), ("b", "not finished")]
    assert verdict(3, table("a"), errors=("gone",)).reason == "a table failed."
