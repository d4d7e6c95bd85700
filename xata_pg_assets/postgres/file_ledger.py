"""The ledger of copied files: a line for each file object, and a line for each file column.

`object` digests what tells one file from another (id, name, size and version, not the signed URL, which every export
has anew), `occurrence` counts the objects of a cell that are the same in all of these, `n` is the number in the key:
a file once copied keeps its key, wherever a newer export has it in its list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from xata_pg_assets.plan.tables import TargetColumn, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "FileLine",
    "FileLoad",
    "analyze",
    "forget_problems",
    "lines_of",
    "load_line",
    "loads",
    "prepare",
    "problems_query",
    "record_load",
    "record_problems",
    "write_lines",
]

_TABLES = ("files", "file_loads")


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line of `files`: a copy, or the problem that there is none."""

    old_id: str
    n: int
    object: str
    occurrence: int
    name: str | None
    size: int | None
    key: str | None = None
    sha256: str | None = None
    saved_as: str | None = None
    destination: str | None = None
    problem: str | None = None
    copied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileLoad:
    """A file column's line: what the last copying and its check did; seconds are wall clock."""

    xata_table: str
    xata_column: str
    destination: str
    files: int = 0
    bytes: int = 0
    copied_files: int = 0
    copied_bytes: int = 0
    unclaimed: int = 0
    copy_seconds: float = 0.0
    copied_at: datetime | None = None
    files_present: dict[str, Any] | None = None
    check_seconds: float = 0.0
    checked_at: datetime | None = None


def prepare(conn: Connection, layout: Layout) -> None:
    """Make the two tables where they are missing: only a migration that copies files has them."""
    with conn.transaction():
        lock(conn, layout, "bootstrap")
        if not all(exists(conn, layout.work(name)) for name in _TABLES):
            conn.execute(
                statements.get("file_tables").format(files=layout.work("files"), file_loads=layout.work("file_loads"))
            )


def write_lines(
    conn: Connection, layout: Layout, table: TargetTable, column: TargetColumn, lines: Iterable[FileLine]
) -> None:
    """Insert lines, or bring those of the same object up to date."""
    rows = [
        _row(table.xata_name, column.xata_name, *(getattr(line, each.name) for each in fields(FileLine)))
        for line in lines
    ]
    if rows:
        conn.execute(statements.get("write_file").format(files=layout.work("files"), lines=_comma(rows)))


def forget_problems(conn: Connection, layout: Layout, table: TargetTable, column: TargetColumn) -> None:
    """Forget what was wrong at the last copying: it is looked for anew."""
    where = sql.SQL(" WHERE xata_table = {} AND xata_column = {} AND ").format(
        sql.Literal(table.xata_name), sql.Literal(column.xata_name)
    )
    files = layout.work("files")
    conn.execute(sql.SQL("DELETE FROM {}").format(files) + where + sql.SQL("key IS NULL"))
    conn.execute(sql.SQL("UPDATE {} SET problem = NULL").format(files) + where + sql.SQL("problem IS NOT NULL"))


def record_problems(
    conn: Connection,
    layout: Layout,
    table: TargetTable,
    column: TargetColumn,
    problems: Iterable[tuple[str, int, str | None]],
) -> None:
    """Write down what is wrong with copies, as (old id, n, problem); None where all is well again."""
    rows = [_row(*each) for each in problems]
    if rows:
        conn.execute(
            sql.SQL(
                "UPDATE {} AS f SET problem = v.problem FROM (VALUES {}) AS v (old_id, n, problem)"
                " WHERE f.xata_table = {} AND f.xata_column = {} AND f.old_id = v.old_id AND f.n = v.n"
                " AND f.problem IS DISTINCT FROM v.problem"
            ).format(layout.work("files"), _comma(rows), sql.Literal(table.xata_name), sql.Literal(column.xata_name))
        )


def problems_query(layout: Layout, table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Select the file objects that have no copy, or a wrong one, and why."""
    return sql.SQL(
        "SELECT old_id, n, name, size, saved_as, problem FROM {} WHERE xata_table = {} AND xata_column = {}"
        " AND problem IS NOT NULL ORDER BY old_id, n"
    ).format(layout.work("files"), sql.Literal(table.xata_name), sql.Literal(column.xata_name))


def loads(conn: Connection, layout: Layout) -> dict[tuple[str, str], FileLoad]:
    """Return the lines of all file columns, by Xata table and column."""
    if not exists(conn, layout.work("file_loads")):
        return {}
    with conn.cursor(row_factory=class_row(FileLoad)) as cur:
        cur.execute(sql.SQL("SELECT * FROM {}").format(layout.work("file_loads")))
        return {(line.xata_table, line.xata_column): line for line in cur}


def lines_of(
    conn: Connection, layout: Layout, table: TargetTable, old_ids: Sequence[str]
) -> dict[tuple[str, str], list[FileLine]]:
    """Return the lines of records, by old id and Xata column.

    Asked for a few records at a time: a join with a ledger that grows meanwhile would be planned for an empty one.
    """
    names = [each.name for each in fields(FileLine)]
    rows = conn.execute(
        sql.SQL("SELECT xata_column, {} FROM {} WHERE xata_table = {} AND old_id = ANY({}::text[])").format(
            _comma(sql.Identifier(name) for name in names),
            layout.work("files"),
            sql.Literal(table.xata_name),
            sql.Literal(list(old_ids)),
        )
    )
    found: dict[tuple[str, str], list[FileLine]] = {}
    for column, *facts in rows:
        line = FileLine(*facts)
        found.setdefault((line.old_id, column), []).append(line)
    return found


def load_line(conn: Connection, layout: Layout, table: TargetTable, column: TargetColumn) -> FileLoad:
    """Return the line of a file column; an empty one where it has none yet."""
    key = (table.xata_name, column.xata_name)
    return loads(conn, layout).get(key) or FileLoad(*key, destination="")


def analyze(conn: Connection, layout: Layout) -> None:
    """Let PostgreSQL know how large the ledger has become: the load and the checks join it."""
    conn.execute(sql.SQL("ANALYZE {}").format(layout.work("files")))


def record_load(conn: Connection, layout: Layout, table: TargetTable, column: TargetColumn, **facts: Any) -> None:
    """Write facts into the line of a file column; the others stay as they are."""
    names = [sql.Identifier(name) for name in facts]
    conn.execute(
        sql.SQL(
            "INSERT INTO {} (xata_table, xata_column, {}) VALUES ({}, {}, {})"
            " ON CONFLICT (xata_table, xata_column) DO UPDATE SET {}"
        ).format(
            layout.work("file_loads"),
            _comma(names),
            sql.Literal(table.xata_name),
            sql.Literal(column.xata_name),
            _comma(sql.Literal(Jsonb(value) if isinstance(value, dict) else value) for value in facts.values()),
            _comma(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in names),
        )
    )


def _row(*values: object) -> sql.Composed:
    """Write values as a row; by themselves and not as parameters, for names may hold a %."""
    return sql.SQL("({})").format(_comma(sql.Literal(value) for value in values))


def _comma(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
