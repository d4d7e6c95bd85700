"""The plan as a page that one reads in a minute, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from xata_pg_assets.errors import XataPgError, counted
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.naming import snake_case
from xata_pg_assets.plan.tables import Plan, Role, TargetTable
from xata_pg_assets.report.markup import escape
from xata_pg_assets.xata.export import DIALECTS
from xata_pg_assets.xata.records import TableReader

__all__ = ["describe_plan", "print_plan"]

_FEW = 12
_OTHER_COLUMNS = 48  # what number, rows, size, columns and the blanks between them take
_RULES = ": user-teams is user_teams, a link author is author_id; `xata-pg plan --json` lists them"


def describe_plan(migration: Migration) -> dict[str, Any]:
    """Return tables in load order, cycles, renamings, warnings and what is wrong with the target; touches nothing."""
    plan, heads = migration.plan, migration.heads()
    return {
        "source": migration.source_name,
        "target": migration.describe_target(),
        "tables": [_describe_table(plan, table, heads.get(table.xata_name)) for table in plan.tables],
        "cycles": [list(cycle) for cycle in plan.cycles],
        "search_columns": [
            {"table": table.name, "column": column.column, "search_column": column.name, "index": column.index}
            for table in plan.tables
            for column in table.search_columns
        ],
        "vector_indexes": [
            {"table": table.name, "column": index.column, "index": index.name, "method": index.method}
            for table in plan.tables
            for index in table.vector_indexes
        ],
        "shards": {table.name: table.shards for table in plan.tables if table.shards > 1},
        "renamed": [renaming for table in plan.tables for renaming in _renamings(table)],
        "warnings": [
            *plan.warnings,
            *migration.warnings,
            *migration.head_warnings(heads),
            *migration.target_warnings(),
        ],
        "problems": migration.target_problems(),
        **_describe_files(migration, heads),
    }


def _describe_files(migration: Migration, heads: Mapping[str, TableReader]) -> dict[str, Any]:
    """Return what copying the files would find; nothing where none are set."""
    if not migration.file_columns:
        return {}
    source, destination = migration.files_place
    columns = [
        {
            "xata_table": each.column.table.xata_name,
            "xata_column": each.column.column.xata_name,
            "column": each.column.name,
            "files": each.files,
            "matched": each.matched,
            "missing": each.lost,
            "ambiguous": each.ambiguous,
            "other_size": each.other_size,
            "bytes": each.bytes,
            "all_rows": each.is_whole,
        }
        for each in migration.forecast_files(heads)
    ]
    return {"files": {"source": source, "destination": destination, "columns": columns}}


def _describe_table(plan: Plan, table: TargetTable, head: TableReader | None) -> dict[str, Any]:
    return {
        "xata_table": table.xata_name,
        "table": table.name,
        "file": head.file if head else None,
        "dialect": head.dialect if head else None,
        "bytes": head.size if head else 0,
        "rows_estimated": _estimated_rows(head) if head else 0,
        "columns": [
            {"xata_column": column.xata_name, "column": column.name, "type": str(column.type)}
            for column in table.columns
        ],
        "columns_missing": [column.name for column in head.missing] if head else [],
        "columns_unknown": list(head.unknown) if head else [],
        "links_to": [plan.by_xata_name[name].name for name in table.parents],
    }


def _estimated_rows(reader: TableReader) -> int | None:
    """Estimate a file's records from its first block; None where that says nothing of the rest."""
    if Path(reader.file).suffix.lower() not in (*DIALECTS, ".gz"):
        return None  # a table of a PostgreSQL would be sorted for it, whole
    try:
        batches = reader.batches()
        first = next(batches, None)
        if first is None:
            return 0
        if next(batches, None) is None:
            return first.source_rows
    except XataPgError:  # what is wrong with the file is told by the migration, with its line
        return None
    if reader.file.endswith(".gz") or not first.data:
        return None
    return round(first.source_rows * reader.size / len(first.data))


def print_plan(console: Console, description: dict[str, Any]) -> None:
    """Print the page."""
    source = description["source"] or "the schema alone, for no source is set,"
    console.print(f"from [bold]{escape(source)}[/] to [bold]{escape(description['target'])}[/]")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    tables = description["tables"]
    grid.add_column("", no_wrap=True)
    grid.add_column("table", no_wrap=True)
    for title in ("rows, about", "size", "columns"):
        grid.add_column(title, justify="right", no_wrap=True)
    grid.add_column("read as", no_wrap=True)
    grid.add_column("links to", no_wrap=True)
    # Where it is narrow, what a table links to is cut: rich would cut all columns
    others = max(len(table["table"]) + len(table["dialect"] or "no file") for table in tables)
    room = max(console.width - others - _OTHER_COLUMNS, 8)
    for number, table in enumerate(tables, 1):
        grid.add_row(
            str(number),
            escape(table["table"]),
            "?" if table["rows_estimated"] is None else f"{table['rows_estimated']:,}",
            f"{table['bytes'] / 1e6:,.2f} MB" if table["file"] else "",
            str(len(table["columns"])),
            table["dialect"] or ("no file" if description["source"] else ""),
            escape(_cut(", ".join(table["links_to"]), room)),
        )
    console.print(grid)
    for cycle in description["cycles"]:
        console.print(f"cycle: {escape(' → '.join([*cycle, cycle[0]]))}; its foreign keys come with the later table")
    for each in description["search_columns"]:
        console.print(f"search: {escape(each['table'])}.{escape(each['search_column'])}, of {escape(each['column'])}")
    for each in description["vector_indexes"]:
        console.print(f"vector index: {escape(each['table'])}.{escape(each['column'])}, by {each['method']}")
    for name, count in description["shards"].items():
        console.print(f"shards: {escape(name)} is loaded in {count}")
    _print_renamings(console, description["renamed"])
    _print_files(console, description.get("files"))
    # What a person must not miss stands last, where the eye is
    for warning in description["warnings"]:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    for problem in description["problems"]:
        console.print(f"[red]problem[/] {escape(problem)}")
    verdict = "[red]It would not go through.[/]" if description["problems"] else "[green]Nothing stands in the way.[/]"
    rows = sum(table["bytes"] for table in description["tables"])
    console.print(f"{counted(len(description['tables']), 'table')}, {rows / 1e6:,.1f} MB. {verdict}")


def _print_files(console: Console, files: dict[str, Any] | None) -> None:
    """Print what copying the files would find."""
    if files is None:
        return
    console.print(
        f"files from [bold]{escape(files['source'])}[/] to [bold]{escape(files['destination'] or 'nowhere yet')}[/]"
    )
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("column", no_wrap=True)
    for title in ("files", "matched", "missing", "ambiguous", "other size", "to copy"):
        grid.add_column(title, justify="right", no_wrap=True)
    for column in files["columns"]:
        numbers = [column[name] for name in ("files", "matched", "missing", "ambiguous", "other_size")]
        more = "" if column["all_rows"] else " at least"
        grid.add_row(
            escape(column["column"]), *(f"{number:,}" for number in numbers), f"{column['bytes'] / 1e6:,.2f} MB{more}"
        )
    console.print(grid)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _print_renamings(console: Console, renamed: list[dict[str, str]]) -> None:
    """Print all names that change where they are few, else the rules and what does not follow them."""
    if not renamed:
        return
    shown = renamed if len(renamed) <= _FEW else [each for each in renamed if not _is_by_rule(each)]
    changes = "1 name changes" if len(renamed) == 1 else f"{len(renamed)} names change"
    console.print(f"{changes}{':' if len(renamed) <= _FEW else _RULES}")
    for renaming in shown:
        console.print(f"  {escape(renaming['from'])} → {escape(renaming['to'])}")


def _is_by_rule(renaming: dict[str, str]) -> bool:
    name, new = (renaming[end].rpartition(".")[2] for end in ("from", "to"))
    return new.removesuffix("_id") == snake_case(name).removesuffix("_id")


def _renamings(table: TargetTable) -> list[dict[str, str]]:
    renamed = [{"from": table.xata_name, "to": table.name}] if table.xata_name != table.name else []
    return renamed + [
        {"from": f"{table.xata_name}.{column.xata_name}", "to": f"{table.name}.{column.name}"}
        for column in table.columns
        if column.role is Role.OWN and column.name != column.xata_name
    ]
