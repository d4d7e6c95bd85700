"""The procedure migrate_table, which brings over tables that no plan knows of."""

from __future__ import annotations

from psycopg import sql

from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.layout import Layout

__all__ = ["create_procedure"]

_COMMENT = (
    "Bring a table with text ids over to one with bigint ids, its links joined to their own mappings; "
    "may be called again for rows that came later"
)


def create_procedure(layout: Layout) -> list[sql.Composed]:
    """Make the procedure in the work schema; ids are mapped by the statements that the pipeline maps them with."""
    template = {
        "create_mapping": statements.get("create_mapping").format(mapping=sql.SQL("%1$s")),
        "key_mapping": statements.get("key_mapping").format(mapping=sql.SQL("%1$s"), comment=sql.SQL("%2$L")),
        "map_ids": statements.get("map_ids").format(
            mapping=sql.SQL("%1$s"), staging=sql.SQL("%2$s"), highest_used=sql.SQL("%3$s")
        ),
    }
    body = statements.get("migrate_table").format(
        work_schema=sql.Literal(layout.work_schema),
        **{name: sql.Literal(statement.as_string()) for name, statement in template.items()},
    )
    procedure = layout.work("migrate_table")
    return [
        sql.SQL(
            "CREATE OR REPLACE PROCEDURE {}(source_schema text, source_table text, target_schema text,"
            " target_table text, mapping_table text, columns text[], foreign_keys jsonb DEFAULT '[]')"
            " LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS {}"
        ).format(procedure, sql.Literal(body.as_string())),
        sql.SQL("COMMENT ON PROCEDURE {}(text, text, text, text, text, text[], jsonb) IS {}").format(
            procedure, sql.Literal(_COMMENT)
        ),
    ]
