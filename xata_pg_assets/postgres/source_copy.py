"""The statement that reads a table of a PostgreSQL source: every value as the text that an export has for its type."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from xata_pg_assets.plan.tables import METADATA
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.source import Relation, SourceColumn
from xata_pg_assets.xata.schema import XataTable, XataType

__all__ = ["copy_statement"]

_JSON = ("json", "jsonb")
_STRUCTURED = (XataType.JSON, XataType.OBJECT, XataType.FILE, XataType.FILES)
_LISTS = (XataType.MULTIPLE, XataType.VECTOR)
_FRACTIONAL = ("real", "double precision", "numeric")
# The types of PostgreSQL's dates and times that have a form of their own
_DATETIMES = {
    "timestamp with time zone": "source_timestamptz",
    "timestamp without time zone": "source_timestamp",
}


def copy_statement(
    relation: Relation, table: XataTable, columns: Mapping[str, SourceColumn], encoding: str
) -> sql.Composed:
    """Compose the COPY of columns, given by Xata name, ordered by old id.

    Rows of one id come in the order that they lie in, where they lie anywhere.
    """
    types = {column.name: column.type for column in table.columns}
    types |= {name: type_ for name, (_, type_, _) in METADATA.items()}
    cells = [_cell(column, types.get(name)) for name, column in columns.items()]
    if len(cells) == 1:
        cells = [sql.SQL("coalesce({}, '')").format(*cells)]  # a line of one NULL is a blank one
    old_id = sql.Identifier("t", columns["id"].name)
    match relation.kind:
        case "r" | "m":
            place = sql.SQL("t.ctid")
        case "p":
            place = sql.SQL("t.tableoid, t.ctid")
        case _:
            place = sql.SQL('(t.*)::text COLLATE "C"')
    return sql.SQL(
        "COPY (SELECT {cells} FROM {relation} AS t"
        ' ORDER BY {old_id}::text COLLATE "C", {place}) TO STDOUT WITH (FORMAT csv, ENCODING {encoding})'
    ).format(
        cells=sql.SQL(", ").join(cells),
        relation=relation.identifier,
        old_id=old_id,
        place=place,
        encoding=sql.Literal(encoding),
    )


def _cell(column: SourceColumn, type_: XataType | None) -> sql.Composed:
    """Return the text of a column's values, in the form that an export has for the type."""
    template = sql.SQL("{column}::text")
    if type_ is XataType.DATETIME and column.type in _DATETIMES:
        template = statements.get(_DATETIMES[column.type])
    elif type_ is XataType.INT and column.type in _FRACTIONAL:
        template = statements.get("source_integral")
    elif column.type in _JSON and type_ in (*_LISTS, *_STRUCTURED) and type_ is not XataType.JSON:
        template = sql.SQL(f"CASE WHEN {column.type}_typeof({{column}}) <> 'null' THEN {{column}}::text END")
    elif (type_ in _LISTS and column.category == "A") or (
        type_ in _STRUCTURED and column.category != "S" and column.type not in _JSON
    ):
        # not jsonb: its numbers know no -0
        template = sql.SQL("to_json({column})::text")
    return template.format(column=sql.Identifier("t", column.name))
