"""The result of a migration, read from the ledger: the same for the terminal, for JSON and for any page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets import __version__
from xata_pg_assets.errors import ExitCode
from xata_pg_assets.files.checking import FILES_PRESENT
from xata_pg_assets.files.columns import FileColumn
from xata_pg_assets.plan.tables import Plan, TargetTable
from xata_pg_assets.postgres import file_ledger, ledger
from xata_pg_assets.postgres.checks import CHECKS, checks_of
from xata_pg_assets.postgres.connection import Connection, ServerFacts, plain_text_warning, server_facts
from xata_pg_assets.postgres.layout import Layout

__all__ = ["NOT_RUN", "Report", "build_report", "exit_code", "run_only"]

Report = dict[str, Any]

NOT_RUN = "not run"  # begins the description of a check that was not


def build_report(
    plan: Plan,
    layout: Layout,
    conn: Connection | None,
    *,
    url: str,
    source: str,
    tables: Sequence[TargetTable] | None = None,
    errors: Sequence[str] = (),
    warnings: Iterable[str] = (),
    files: Sequence[FileColumn] = (),
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
) -> Report:
    """Build the report of the tables (all by default); without a connection it holds what is known without one."""
    lines = ledger.entries(conn, layout) if conn and ledger.exists(conn, layout) else {}
    facts = server_facts(conn) if conn else None
    chosen = [
        (table, lines.get(table.xata_name) or ledger.Entry(table.xata_name, table.name, table.mapping))
        for table in (plan.tables if tables is None else tables)
    ]
    code = exit_code([line for _, line in chosen], errors)
    if any(checks_of(table).keys() - line.checks.keys() for table, line in chosen):
        code = ExitCode.NOT_FINISHED
    copies = _files(conn, layout, [of for of in files if any(of.table is table for table, _ in chosen)])
    code = _with_files(code, copies)
    all_warnings = [*plan.warnings, *warnings, *(text for _, line in chosen for text in line.staging_warnings)]
    all_warnings += [
        f"{table.xata_name}: {line.unfinished}; xata-pg migrate --tables {table.xata_name} loads what is missing"
        for table, line in chosen
        if line.unfinished
    ]
    insecure = plain_text_warning(conn) if conn else None
    if insecure:
        all_warnings.append(insecure)
    return {
        "ok": code is ExitCode.OK,
        "exit_code": int(code),
        "started_at": _iso(started_at or _first(line.staged_at for _, line in chosen)),
        "finished_at": _iso(finished_at or _last(line.checked_at for _, line in chosen)),
        "versions": _versions(facts),
        "source": source or next((line.source for _, line in chosen if line.source), ""),
        "target": _target(url, layout),
        "tables": [_table(table, line) for table, line in chosen],
        "changes": {table.name: _changes(line) for table, line in chosen},
        **({"files": copies} if copies else {}),
        "warnings": list(dict.fromkeys(all_warnings)),
        "errors": list(errors),
    }


def exit_code(lines: Iterable[ledger.Entry], errors: Sequence[str]) -> ExitCode:
    """Return how the migration stands: not finished, a check failed, or all well."""
    code = ExitCode.OK
    for line in lines:
        if line.loaded_at is None or len(line.checks) < len(CHECKS):
            return ExitCode.NOT_FINISHED
        if any(not check["passed"] and check["severity"] == "ERROR" for check in line.checks.values()):
            code = ExitCode.CHECK_FAILED
    return ExitCode.NOT_FINISHED if errors else code


def _files(conn: Connection | None, layout: Layout, columns: Sequence[FileColumn]) -> list[Report]:
    """Return what is known of the file columns; nothing where none is copied."""
    lines = file_ledger.loads(conn, layout) if conn and columns else {}
    return [_file_column(of, lines.get((of.table.xata_name, of.column.xata_name))) for of in columns]


def _file_column(of: FileColumn, line: file_ledger.FileLoad | None) -> Report:
    missing = "checked" if line and line.copied_at else "copied"
    check = line.files_present if line and line.files_present else None
    return {
        "xata_table": of.table.xata_name,
        "xata_column": of.column.xata_name,
        "table": of.table.name,
        "column": of.column.name,
        "destination": line.destination if line else "",
        "files": line.files if line else 0,
        "bytes": line.bytes if line else 0,
        "copied_files": line.copied_files if line else 0,
        "copied_bytes": line.copied_bytes if line else 0,
        "unclaimed_files": line.unclaimed if line else 0,
        "seconds": round(line.copy_seconds + line.check_seconds, 3) if line else 0.0,
        "check": {
            "name": FILES_PRESENT[0],
            **(
                check
                or {"passed": False, "severity": "ERROR", "description": f"{NOT_RUN}: the files were not {missing}"}
            ),
        },
    }


def _with_files(code: ExitCode, copies: Sequence[Report]) -> ExitCode:
    """Return how the migration stands, its files counted in."""
    checks = [column["check"] for column in copies]
    if any(check["description"].startswith(NOT_RUN) for check in checks):
        return ExitCode.NOT_FINISHED
    if code is ExitCode.OK and not all(check["passed"] for check in checks):
        return ExitCode.CHECK_FAILED
    return code


def run_only(report: Report) -> Report:
    """Return a report without the checks that were not run."""
    tables = [
        {**table, "checks": [check for check in table["checks"] if not check["description"].startswith(NOT_RUN)]}
        for table in report["tables"]
    ]
    return {**report, "tables": tables}


def _table(table: TargetTable, line: ledger.Entry) -> Mapping[str, Any]:
    return {
        "xata_table": table.xata_name,
        "table": table.name,
        "source_rows": line.source_rows,
        "duplicate_rows": line.duplicate_rows,
        "rejected_rows": line.rejected_rows,
        "target_rows": line.target_rows or 0,
        "dangling_links": line.dangling_links,
        "seconds": round(line.seconds, 3),
        **_shards(line),
        "columns": [
            {"xata_column": column.xata_name, "column": column.name, "type": str(column.type)}
            for column in table.columns
        ],
        "checks": [{"name": name, **(line.checks.get(name) or _not_run(line))} for name in checks_of(table)],
    }


def _shards(line: ledger.Entry) -> Mapping[str, Any]:
    """Return how far the shards of a table are; nothing of one that is loaded at once."""
    shards = line.in_shards
    return {"shards": {"count": shards.count, "missing": line.missing_shards}} if shards else {}


def _not_run(line: ledger.Entry) -> Mapping[str, Any]:
    """Return a check that was not run: nobody may take it for one that passed."""
    if line.unfinished:
        return {"passed": False, "severity": "ERROR", "description": f"{NOT_RUN}: {line.unfinished}"}
    missing = "staged" if line.staged_at is None else "loaded" if line.loaded_at is None else "checked"
    return {"passed": False, "severity": "ERROR", "description": f"{NOT_RUN}: the table was not {missing}"}


def _changes(line: ledger.Entry) -> Mapping[str, int]:
    """Return what the last load of a table did."""
    return {
        "inserted_rows": line.inserted_rows or 0,
        "updated_rows": line.updated_rows or 0,
        "deleted_rows": line.deleted_rows or 0,
    }


def _versions(facts: ServerFacts | None) -> Mapping[str, str | None]:
    return {
        "xata_pg_assets": __version__,
        "dagster": version("dagster"),
        "postgresql": facts.version_text if facts else None,
        "pgvector": facts.pgvector_version if facts else None,
    }


def _target(url: str, layout: Layout) -> Mapping[str, str]:
    parts = conninfo_to_dict(url) if url else {}
    return {
        "host": str(parts.get("host") or "localhost"),
        "database": str(parts.get("dbname") or ""),
        "schema": layout.target_schema,
    }


def _first(times: Iterable[datetime | None]) -> datetime | None:
    return min((time for time in times if time), default=None)


def _last(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time), default=None)


def _iso(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None
