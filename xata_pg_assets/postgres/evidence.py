"""What the checks ask about the rows of a table, counted in one pass over it.

Staged rows are joined to their new ids, to the rows that their links name, and to what is in the target.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from psycopg import sql
from psycopg.rows import dict_row

from xata_pg_assets.plan.tables import Role, TargetColumn, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import Expected, comma, differ
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "Evidence",
    "compared_columns",
    "evidence_query",
    "gather",
    "listed_parents",
    "lost_or_extra",
    "wrong_cells",
]

# Old ids in the lists of a query, of 64 bytes each
_MOST_LISTED = 1_500_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the checks ask about the rows of a table: counts by what is counted, and the seconds that it took.

    `has_all_links` tells that no link of the export is lost.
    """

    counts: Mapping[str, int]
    has_all_links: bool
    seconds: float


def gather(conn: Connection, expected: Expected) -> Evidence:
    """Gather the evidence for a table whose rows are in, whether or not its keys are made yet.

    Where every link leads to the row that bears the id in the export, one query tells all; only else is each of these
    ids looked up in turn, to tell wrong links from dangling ones.
    """
    started = perf_counter()
    numbers = range(len(expected.table.links))
    counts = _counted(conn, _quick_evidence_query(expected, listed_parents(conn, expected)))
    if counts["found"] == counts["staged"] and not any(counts[f"other_{number}"] for number in numbers):
        right = {f"wrong_{number}": 0 for number in numbers}
        counts = {**counts, **right, **{f"resolved_{number}": counts[f"links_{number}"] for number in numbers}}
    else:
        counts = _counted(conn, evidence_query(expected))
    has_all_links = all(
        counts[f"resolved_{number}"] == counts[f"links_{number}"] and not counts[f"wrong_{number}"]
        for number in numbers
    )
    return Evidence(counts, has_all_links, perf_counter() - started)


def _counted(conn: Connection, query: sql.Composed) -> Mapping[str, int]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query).fetchone() or {}


def compared_columns(table: TargetTable) -> list[TargetColumn]:
    """Return the columns whose cells are compared with the export's; links are the foreign keys' affair."""
    return [column for column in table.columns if column.role is not Role.ID and not column.link]


def evidence_query(expected: Expected) -> sql.Composed:
    """Count rows staged, mapped, found and differing, and of each link, by number, those there are, resolved, wrong."""
    return _counts(expected, _joined(expected), _wrong_links)


def _quick_evidence_query(expected: Expected, listed: Mapping[str, TargetTable]) -> sql.Composed:
    """Count the same, but of the links only those that lead to a row of another id than the export names.

    `listed` are the tables whose old ids are looked up in a list, by the column of the link; the others are joined.
    """
    query = _counts(expected, _joined_by_new_ids(expected, listed), partial(_other_ids, listed))
    if not listed:
        return query
    lists = comma(
        sql.SQL("({}) AS {}").format(
            statements.get("list_old_ids").format(mapping=expected.layout.mapping(parent)),
            sql.Identifier(parent.mapping),
        )
        for parent in dict.fromkeys(listed.values())
    )
    return sql.SQL("WITH listed AS MATERIALIZED (SELECT {}) {}").format(lists, query)


def listed_parents(conn: Connection, expected: Expected) -> dict[str, TargetTable]:
    """Return the tables linked to whose old ids are to be looked up in a list, by the column of the link.

    An array with their old ids in the order of the new ones takes a third of the time of a join. It is worth its making
    for a table with far fewer rows, can be made where no new id was left out, and every process of the query holds one
    for each link: together they are bounded.
    """
    lines, plan = expected.lines, expected.plan
    line = lines.get(expected.table.xata_name)
    few = (line.staged_rows or 0) // 2 if line else 0
    small = [
        (lines[column.link.table].mapped_rows or 0, column.name, plan.by_xata_name[column.link.table])
        for column in expected.table.links
        if column.link and isinstance(expected.rows_there(column), sql.Identifier)  # all that are mapped are there
    ]
    listed, together = dict[str, TargetTable](), 0
    for rows, name, parent in sorted(small, key=lambda each: each[0]):
        together += rows
        if rows <= few and together <= _MOST_LISTED and _highest_id(conn, expected.layout, parent) == rows:
            listed[name] = parent
    return listed


def _highest_id(conn: Connection, layout: Layout, table: TargetTable) -> int:
    row = conn.execute(sql.SQL("SELECT max(new_id) FROM {}").format(layout.mapping(table))).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def wrong_cells(expected: Expected, columns: list[TargetColumn]) -> sql.Composed:
    """Select the cells that differ: row by old id, column, what the export has, what the target has."""
    cells = comma(
        sql.SQL("({}, {}::text, {}::text, {})").format(
            sql.Literal(column.name),
            expected.value(column),
            sql.Identifier("t", column.name),
            differ([expected.compared(column)]),
        )
        for column in columns
    )
    return sql.SQL(
        "SELECT s.id AS old_id, t.id, c.column_name, left(c.export, 80) AS export, left(c.target, 80) AS target"
        " FROM {}{} CROSS JOIN LATERAL (VALUES {}) AS c (column_name, export, target, differs)"
        " WHERE t.id IS NOT NULL AND c.differs ORDER BY t.id"
    ).format(_joined(expected), expected.lists, cells)


def lost_or_extra(layout: Layout, table: TargetTable) -> sql.Composed:
    """Select the rows that only the export has, and the rows that only the target has."""
    return statements.get("lost_or_extra").format(
        staging=layout.staging(table), mapping=layout.mapping(table), target=layout.target(table)
    )


def _counts(
    expected: Expected,
    source: sql.Composable,
    of_link: Callable[[Expected, int, TargetColumn], Mapping[str, sql.Composable]],
) -> sql.Composed:
    """Count staged, mapped, found and differing rows, the links of each column, and what is asked of it."""
    parts: dict[str, sql.Composable] = {
        "staged": sql.SQL("count(*)"),
        "mapped": sql.SQL("count(m.new_id)"),
        "found": sql.SQL("count(t.id)"),
        "differing": sql.SQL("count(*) FILTER (WHERE t.id IS NOT NULL AND {})").format(
            differ(expected.compared(column) for column in compared_columns(expected.table))
        ),
    }
    for number, column in enumerate(expected.table.links):
        parts[f"links_{number}"] = sql.SQL("count({})").format(sql.Identifier("s", column.staging))
        parts |= of_link(expected, number, column)
    return sql.SQL("SELECT {} FROM {}").format(
        comma(sql.SQL("{} AS {}").format(part, sql.Identifier(name)) for name, part in parts.items()), source
    )


def _wrong_links(expected: Expected, number: int, column: TargetColumn) -> Mapping[str, sql.Composable]:
    """Count the rows whose link is not what it should be, and the links whose row is there."""
    return {
        f"wrong_{number}": sql.SQL("count(*) FILTER (WHERE t.id IS NOT NULL AND {} IS DISTINCT FROM {})").format(
            sql.Identifier("t", column.name), expected.value(column)
        ),
        f"resolved_{number}": sql.SQL("count({})").format(expected.value(column)),
    }


def _other_ids(
    listed: Mapping[str, TargetTable], _: Expected, number: int, column: TargetColumn
) -> Mapping[str, sql.Composable]:
    """Count the rows whose link leads to a row of another id than the export names, or to any where it names none."""
    staged, stored = sql.Identifier("s", column.staging), sql.Identifier("t", column.name)
    if column.name not in listed:
        is_other = sql.SQL("{} IS DISTINCT FROM {}").format(sql.Identifier(f"p{number}", "old_id"), staged)
    else:  # a subscript is an integer, a new id may be larger
        is_other = sql.SQL(
            "CASE WHEN {stored} BETWEEN 1 AND {most} THEN ((SELECT {list} FROM listed))[{stored}::integer]"
            " IS DISTINCT FROM {staged} ELSE true END"
        ).format(
            stored=stored,
            most=sql.Literal(_MOST_LISTED),
            list=sql.Identifier(listed[column.name].mapping),
            staged=staged,
        )
    return {
        f"other_{number}": sql.SQL(
            "count(*) FILTER (WHERE t.id IS NOT NULL AND CASE WHEN {} IS NULL THEN {} IS NOT NULL ELSE {} END)"
        ).format(staged, stored, is_other)
    }


def _joined(expected: Expected) -> sql.Composed:
    """Every staged row, with what should be and what is in the target."""
    return sql.SQL("{} AS s LEFT JOIN {} AS m ON m.old_id = s.id{} LEFT JOIN {} AS t ON t.id = m.new_id{}").format(
        expected.layout.staging(expected.table),
        expected.layout.mapping(expected.table),
        expected.parents,
        expected.layout.target(expected.table),
        expected.rewriting,
    )


def _joined_by_new_ids(expected: Expected, but: Collection[str]) -> sql.Composed:
    """The same, but with the rows that the target's links lead to: numbers are quicker to join than texts.

    `but` are the columns of links that need no join.
    """
    links = sql.SQL("").join(
        sql.SQL(" LEFT JOIN {} AS {} ON {} = {}").format(
            expected.rows_there(column),
            sql.Identifier(f"p{number}"),
            sql.Identifier(f"p{number}", "new_id"),
            sql.Identifier("t", column.name),
        )
        for number, column in enumerate(expected.table.links)
        if column.name not in but
    )
    return sql.SQL("{} AS s LEFT JOIN {} AS m ON m.old_id = s.id LEFT JOIN {} AS t ON t.id = m.new_id{}{}").format(
        expected.layout.staging(expected.table),
        expected.layout.mapping(expected.table),
        expected.layout.target(expected.table),
        links,
        expected.rewriting,
    )
