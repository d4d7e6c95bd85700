"""The report and the plan as a page on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from xata_pg_assets.errors import ExitCode, counted
from xata_pg_assets.report.markup import escape
from xata_pg_assets.report.result import NOT_RUN, Report
from xata_pg_assets.report.verdict import what_is_in

__all__ = ["print_report"]

_COUNTS = {
    "in the export": "source_rows",
    "in the table": "target_rows",
    "rejected": "rejected_rows",
    "copies": "duplicate_rows",
    "dangling": "dangling_links",
}
# What the last load did: told where it was not the first
_CHANGES = {"new": "inserted_rows", "changed": "updated_rows", "gone": "deleted_rows"}
_VERDICTS = {
    1: "[bold red]Done, but a check failed.[/]",
    3: "[bold red]Not finished. What was committed stays; running again continues.[/]",
}


def print_report(console: Console, report: Report) -> None:
    """Print the tables, what stands out, and the verdict last, where the eye is."""
    tables = [{**table, **report["changes"][table["table"]]} for table in report["tables"]]
    if report["exit_code"] == ExitCode.NOT_FINISHED and not any(table["seconds"] for table in tables):
        console.print("[bold red]Nothing was migrated.[/]")
        return
    # What is nought everywhere needs no column
    counts = {
        title: key
        for title, key in _COUNTS.items()
        if key in ("source_rows", "target_rows") or any(table[key] for table in tables)
    }
    if any(
        table["updated_rows"] or table["deleted_rows"] or table["inserted_rows"] != table["target_rows"]
        for table in tables
    ):
        counts |= _CHANGES
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("table", no_wrap=True)
    for title in (*counts, "seconds"):
        grid.add_column(title, justify="right", no_wrap=True)
    grid.add_column("checks", no_wrap=True)
    for table in tables:
        numbers = [f"{table[key]:,}" for key in counts.values()]
        grid.add_row(escape(table["table"]), *numbers, f"{table['seconds']:.2f}", _checks(table))
    console.print(grid)
    for table in report["tables"]:
        for check in table["checks"]:
            if not check["passed"] and _was_run(check):
                console.print(f"[red]{escape(table['table'])}.{check['name']}[/]: {escape(check['description'])}")
    for column in report.get("files", ()):
        _print_files(console, column)
    for warning in report["warnings"]:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    rows = sum(table["target_rows"] for table in report["tables"])
    console.print(f"{counted(len(report['tables']), 'table')}, {counted(rows, 'row')}. {_verdict(report)}")


def _verdict(report: Report) -> str:
    if report["exit_code"] != ExitCode.OK:
        return _VERDICTS[report["exit_code"]]
    left_out = any(table["rejected_rows"] or table["dangling_links"] for table in report["tables"])
    return f"[bold {'yellow' if left_out else 'green'}]{what_is_in(report)}[/]"


def _print_files(console: Console, column: dict[str, Any]) -> None:
    """Print the end of a file column, and what of its folder was left."""
    check, name = column["check"], escape(f"{column['table']}.{column['column']}")
    tone = "green" if check["passed"] else "red"
    copied = f" ({column['copied_files']:,} copied now)" if _was_run(check) else ""
    console.print(f"[{tone}]files of {name}[/]: {escape(check['description'])}{copied}")


def _checks(table: dict[str, Any]) -> str:
    if not any(_was_run(check) for check in table["checks"]):
        return "[red]not checked[/]"
    failed = [check["name"] for check in table["checks"] if not check["passed"]]
    passed = len(table["checks"]) - len(failed)
    return f"[green]{passed} passed[/]" if not failed else f"[red]{', '.join(failed)}[/]"


def _was_run(check: dict[str, Any]) -> bool:
    return not check["description"].startswith(NOT_RUN)
