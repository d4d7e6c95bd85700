"""The page: what is nought everywhere is left out, what is wrong stands out, the verdict is last."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from xata_pg_assets.report.terminal import print_report

# What a first load changes: all rows are new
FIRST = {"inserted_rows": 12345, "updated_rows": 0, "deleted_rows": 0}


def table(name: str = "users", failed: str | None = None, **facts: object) -> dict[str, object]:
    checks = [
        {"name": check, "passed": check != failed, "severity": "ERROR", "description": f"about [{check}]"}
        for check in ("row_count", "not_null")
    ]
    counts = dict.fromkeys(("duplicate_rows", "rejected_rows", "dangling_links"), 0)
    rows = {"source_rows": 12345, "target_rows": 12345}
    return {"table": name, "seconds": 1.5, "checks": checks, **counts, **rows, **facts}


def page(*tables: dict[str, object], code: int = 0, warnings: tuple[str, ...] = ()) -> str:
    console = Console(file=StringIO(), width=160, soft_wrap=True)
    changes = {table["table"]: {name: table.get(name, first) for name, first in FIRST.items()} for table in tables}
    print_report(console, {"tables": list(tables), "changes": changes, "warnings": list(warnings), "exit_code": code})
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_noughts_need_no_column():
    text = page(table())
    assert text.splitlines()[0].split("  ")[0] == "table"
    assert "rejected" not in text
    assert "12,345" in text
    assert "rejected" in page(table(), table("b", rejected_rows=3))


def test_what_a_later_run_changed_is_told():
    assert "changed" not in page(table())
    header, row, *_ = page(table(inserted_rows=7, updated_rows=5, deleted_rows=3)).splitlines()
    assert header.split()[-5:] == ["new", "changed", "gone", "seconds", "checks"]
    assert row.split()[1:6] == ["12,345", "12,345", "7", "5", "3"]


def test_failed_checks_are_told_with_their_sentence():
    assert "users.row_count: about [row_count]\n" in page(table(failed="row_count"), code=1)
    assert "not checked" in page(table(checks=[]), code=3)


def test_where_nothing_was_done_there_is_no_table_of_noughts():
    untouched = table(checks=[], seconds=0.0, source_rows=0, target_rows=0)
    assert page(untouched, untouched, code=3) == "Nothing was migrated.\n"


@pytest.mark.parametrize(("code", "words"), [(0, "all checks passed"), (1, "a check failed"), (3, "Not finished")])
def test_the_verdict_is_last(code, words):
    assert words in page(table(), code=code, warnings=("careful",)).splitlines()[-1]


def test_what_was_left_out_within_the_budgets_is_told():
    assert page(table()).splitlines()[-1].endswith("All rows are in, all checks passed.")
    verdict = page(table(rejected_rows=2), table("b", rejected_rows=1, dangling_links=1200)).splitlines()[-1]
    assert verdict.endswith(
        "All rows are in but 3 rejected, all links but 1,200 dangling, as the settings allow; all checks passed."
    )


def test_brackets_are_text():
    assert "warning a [bold]b[/]" in page(table("[red]x"), warnings=("a [bold]b[/]",))
    assert "[red]x" in page(table("[red]x"))
