"""The plan as a page that one reads in a minute, and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import Role, TargetTable

__all__ = ["describe_plan", "print_plan"]


def describe_plan(migration: Migration) -> dict[str, Any]:
    """Return tables in load order, cycles, renamings, warnings and what is wrong with the target; touches nothing."""
    plan, heads = migration.plan, migration.heads()
    return {
        "source": migration.source_name,
        "target": migration.describe_target(),
        "tables": [
            {
                "xata_table": table.xata_name,
                "table": table.name,
                "file": heads[table.xata_name].file if table.xata_name in heads else None,
                "dialect": heads[table.xata_name].dialect if table.xata_name in heads else None,
                "bytes": heads[table.xata_name].size if table.xata_name in heads else 0,
                "columns": [
                    {"xata_column": column.xata_name, "column": column.name, "type": str(column.type)}
                    for column in table.columns
                ],
                "links_to": [plan.by_xata_name[name].name for name in table.parents],
            }
            for table in plan.tables
        ],
        "cycles": [list(cycle) for cycle in plan.cycles],
        "renamed": [renaming for table in plan.tables for renaming in _renamings(table)],
        "warnings": [*plan.warnings, *migration.warnings, *migration.head_warnings(heads)],
        "problems": migration.target_problems(),
    }


def print_plan(console: Console, description: dict[str, Any]) -> None:
    """Print the page."""
    source = description["source"] or "the schema alone, for no source is set,"
    console.print(f"from [bold]{escape(source)}[/] to [bold]{escape(description['target'])}[/]")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "Xata table", "table", "columns", "links to", "file"):
        grid.add_column(name)
    grid.add_column("size", justify="right")
    for number, table in enumerate(description["tables"], 1):
        grid.add_row(
            str(number),
            escape(table["xata_table"]),
            escape(table["table"]),
            str(len(table["columns"])),
            escape(", ".join(table["links_to"])),
            escape(table["file"] or "-"),
            f"{table['bytes'] / 1e6:,.2f} MB" if table["file"] else "",
        )
    console.print(grid)
    for cycle in description["cycles"]:
        console.print(f"cycle: {escape(' → '.join([*cycle, cycle[0]]))}; its foreign keys come with the later table")
    if description["renamed"]:
        console.print(f"{len(description['renamed'])} names change:")
        for renaming in description["renamed"]:
            console.print(f"  {escape(renaming['from'])} → {escape(renaming['to'])}")
    for warning in description["warnings"]:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    for problem in description["problems"]:
        console.print(f"[red]problem[/] {escape(problem)}")


def _renamings(table: TargetTable) -> list[dict[str, str]]:
    renamed = [{"from": table.xata_name, "to": table.name}] if table.xata_name != table.name else []
    return renamed + [
        {"from": f"{table.xata_name}.{column.xata_name}", "to": f"{table.name}.{column.name}"}
        for column in table.columns
        if column.role is Role.OWN and column.name != column.xata_name
    ]
