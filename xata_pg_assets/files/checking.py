"""The check `files_present`: every file object of a column has its copy, whole, and tells its key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any

from xata_pg_assets.errors import counted
from xata_pg_assets.files.columns import FileColumn, Stored, stored_objects
from xata_pg_assets.files.copying import in_parallel
from xata_pg_assets.files.storage import Destination
from xata_pg_assets.postgres import file_ledger, ledger
from xata_pg_assets.postgres.checks import CELL_LIMIT, SAMPLE, CheckResult
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = ["FILES_PRESENT", "KINDS", "check_files"]

FILES_PRESENT = ("files_present", "Every file of the column is at the destination, whole, and its key in the column")

# How a problem begins, and what it is called
KINDS = {
    "lost": "lost",
    "ambiguous": "ambiguous",
    "size": "of another size than Xata tells",
    "unreadable": "unreadable",
    "uncopied": "not copied yet",
    "gone": "gone from the destination",
    "key": "without their key in the column",
}
_LINES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Finding:
    """A file object, and what is wrong with it."""

    stored: Stored
    problem: str | None


def check_files(
    conn: Connection, reading: Connection, layout: Layout, of: FileColumn, destination: Destination, *, threads: int
) -> CheckResult:
    """Look for the copy of every file object, write down what is wrong, and how the check ended.

    Raises:
        TransientError: the destination cannot be reached.
    """
    started = perf_counter()
    findings = in_parallel(
        lambda stored: _Finding(stored, _problem(stored, destination)), _own(reading, layout, of), threads
    )
    kinds, size, rows = Counter[str](), 0, list[dict[str, Any]]()
    while chunk := list(islice(findings, _LINES_AT_ONCE)):
        for each in chunk:
            kinds[each.problem.partition(":")[0] if each.problem else "present"] += 1
            copy = each.stored.copy
            size += copy.size or 0 if copy and not each.problem else 0
            if each.problem and len(rows) < SAMPLE:
                rows.append(_row(each))
        _write_down(conn, layout, of, chunk)
    result = CheckResult(
        FILES_PRESENT[0],
        not kinds.keys() - {"present"},
        _sentence(kinds, size, destination),
        tuple(rows),
        {"files": kinds.total(), **{f"files {name}": kinds[kind] for kind, name in KINDS.items() if kinds[kind]}},
        file_ledger.problems_query(layout, of.table, of.column).as_string(conn) if rows else None,
    )
    file_ledger.record_load(
        conn,
        layout,
        of.table,
        of.column,
        destination=destination.name,
        files=kinds.total(),
        bytes=size,
        files_present={"passed": result.passed, "severity": result.severity, "description": result.description},
        check_seconds=perf_counter() - started,
        checked_at=ledger.now(),
    )
    return result


def _own(reading: Connection, layout: Layout, of: FileColumn) -> Iterator[Stored]:
    with reading.transaction():
        for record in stored_objects(reading, layout, of.table):
            yield from (each for each in record if each.xata_column == of.column.xata_name)


def _problem(stored: Stored, destination: Destination) -> str | None:
    """Say what is wrong with a file, None where nothing is; runs in a thread."""
    copy = stored.copy
    if copy is None or copy.key is None:
        return (stored.line and stored.line.problem) or "uncopied: materialize the files of the column"
    if copy.destination != destination.name:
        return f"uncopied: it was copied to {copy.destination}"
    size = destination.size(copy.key)
    if size is None:
        return "gone: nothing lies at the destination under its key"
    if size != copy.size:
        return f"gone: under its key lie {counted(size, 'byte')} of {copy.size:,}"
    if stored.written != copy.key:
        there = "lacks it" if stored.written is None else "has another one, or a field of this name from Xata"
        return f"key: the column {there}"
    return None


def _write_down(conn: Connection, layout: Layout, of: FileColumn, findings: Iterable[_Finding]) -> None:
    lines = [(each.stored.old_id, each.stored.line.n, each.problem) for each in findings if each.stored.line]
    with conn.transaction():
        file_ledger.record_problems(conn, layout, of.table, of.column, lines)


def _row(finding: _Finding) -> dict[str, Any]:
    stored = finding.stored
    return {
        "old_id": stored.old_id,
        "position": stored.position,
        "name": (stored.name or "")[:CELL_LIMIT],
        "size": stored.size,
        "problem": finding.problem,
    }


def _sentence(kinds: Counter[str], size: int, destination: Destination) -> str:
    total, present = kinds.total(), kinds["present"]
    if not total:
        return "no files in this column"
    whole = f"{size / 1e6:,.1f} MB" if size >= 1e5 else counted(size, "byte")
    if present == total:
        return f"{counted(total, 'file')} at {destination.name}, {whole}"
    wrong = ", ".join(f"{kinds[kind]:,} {name}" for kind, name in KINDS.items() if kinds[kind])
    return f"{present:,} of {counted(total, 'file')} at {destination.name}, {whole}; {wrong}"
