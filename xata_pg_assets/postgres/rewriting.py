"""Old ids in texts, lists and JSON rewritten to new ones, by choice, and the proof of it.

Only what is an id as a whole is rewritten: a text, an item of a list, a string value anywhere in JSON. One that
is part of a longer text stays, for nothing proves there where it begins and ends; so does a key of JSON, and an id
that no table has or that several have. A text and an item become the digits of the new id, a string of JSON a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from xata_pg_assets.plan.tables import TargetColumn, TargetTable
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.schema import XataType

__all__ = ["Rewritten", "count_rewritten", "looked_up", "rewritten", "wrong_ids"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of the ids in a column: how many lead to each table, and how many stayed, or are wrong."""

    tables: dict[str, int]
    ambiguous: int
    unresolved: int
    wrong: int


def looked_up(
    layout: Layout, mapped: Sequence[TargetTable], table: TargetTable, column: TargetColumn, alias: sql.Identifier
) -> sql.Composed:
    """Return the join of the staged rows `s` to what their ids become: of all rows at once, which is many times
    quicker than to look each up in the mapping of every table.
    """
    names = {"ids": _ids(layout, mapped), "alias": alias, "staged": sql.Identifier("s", column.staging)}
    if column.xata_type.is_text:
        return sql.SQL(" LEFT JOIN ({ids}) AS {alias} ON {alias}.old_id = {staged}").format(**names)
    kind = "list" if column.xata_type is XataType.MULTIPLE else "json"
    rows = statements.get(f"rewritten_{kind}").format(
        ids=names["ids"], staging=layout.staging(table), cell=sql.Identifier("c", column.staging)
    )
    return sql.SQL(" LEFT JOIN ({rows}) AS {alias} ON {alias}.id = s.id").format(rows=rows, alias=alias)


def rewritten(column: TargetColumn, alias: sql.Identifier) -> sql.Composable:
    """Return the expression of a staged value with its ids rewritten, of the type that is staged."""
    value = sql.SQL("{}.new_id::text" if column.xata_type.is_text else "{}.value").format(alias)
    return sql.SQL("coalesce({}, {})").format(value, sql.Identifier("s", column.staging))


def count_rewritten(
    conn: Connection, layout: Layout, mapped: Sequence[TargetTable], table: TargetTable, column: TargetColumn
) -> Rewritten:
    """Compare each string of the export with what stands in its place in the target."""
    query = sql.SQL("SELECT fate, xata_table, count(*) FROM ({}) AS c WHERE fate IS NOT NULL GROUP BY 1, 2").format(
        _judged(layout, mapped, table, column)
    )
    counts = {(fate, name): count for fate, name, count in conn.execute(query).fetchall()}
    return Rewritten(
        {name: count for (fate, name), count in counts.items() if fate == "rewritten"},
        *(sum(count for (each, _), count in counts.items() if each == fate) for fate in ("ambiguous", "none", "wrong")),
    )


def wrong_ids(
    layout: Layout, mapped: Sequence[TargetTable], table: TargetTable, columns: Sequence[TargetColumn]
) -> sql.Composed:
    """Select the strings of the export in whose place something else stands than should: row, column, both values."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT c.id, {} AS column_name, left(c.old::text, 80) AS export, left(c.new::text, 80) AS target"
            " FROM ({}) AS c WHERE fate = 'wrong'"
        ).format(sql.Literal(column.name), _judged(layout, mapped, table, column))
        for column in columns
    )


def _mappings(layout: Layout, mapped: Sequence[TargetTable]) -> sql.Composed:
    """Select (Xata table, old id, new id) of all tables."""
    return sql.SQL(" UNION ALL ").join(
        [
            sql.SQL("SELECT {}, k.old_id, k.new_id FROM {} AS k").format(
                sql.Literal(other.xata_name), layout.mapping(other)
            )
            for other in mapped
        ]
        or [sql.SQL("SELECT NULL::text, NULL::text, NULL::bigint WHERE false").format()]
    )


def _ids(layout: Layout, mapped: Sequence[TargetTable]) -> sql.Composed:
    """Select each old id with its new one, NULL where several tables have it.

    Not by HAVING: of that PostgreSQL expects next to no row, and loops over all of them for each cell.
    """
    return sql.SQL(
        "SELECT k.old_id, CASE WHEN count(*) = 1 THEN min(k.new_id) END AS new_id"
        " FROM ({}) AS k (xata_table, old_id, new_id) GROUP BY k.old_id"
    ).format(_mappings(layout, mapped))


def _judged(layout: Layout, mapped: Sequence[TargetTable], table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Select (id, old, new, fate, xata_table) of every value in the column that stands by itself.

    It takes another way than the rewriting: nothing is put together again, but value laid beside value.
    """
    kind = "texts" if column.xata_type.is_text else "lists" if column.xata_type is XataType.MULTIPLE else "json"
    pairs = statements.get(f"side_by_side_{kind}").format(
        staged=sql.Identifier("s", column.staging), stored=sql.Identifier("t", column.name)
    )
    return statements.get("judged_ids").format(
        mappings=_mappings(layout, mapped),
        staging=layout.staging(table),
        mapping=layout.mapping(table),
        target=layout.target(table),
        pairs=pairs,
        new_value=sql.SQL("to_jsonb(i.new_id)" if kind == "json" else "to_jsonb(i.new_id::text)"),
    )
