"""Old ids get new ones: bigint surrogate keys, given once and for ever."""

from __future__ import annotations

from time import perf_counter

from psycopg import sql

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock
from xata_pg_assets.postgres.catalog import count_rows, exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.loading import raise_identity

__all__ = ["map_ids"]


def map_ids(conn: Connection, layout: Layout, table: TargetTable) -> int:
    """Give a new id to every staged row that has none, in the order of the old ids; return how many.

    The first ids are 1…n; later ones start above every number ever mapped or used in the target, so that
    none comes twice. A line of the mapping is never changed and never removed.
    """
    started = perf_counter()
    mapping = layout.mapping(table)
    names = {"mapping": mapping, "staging": layout.staging(table)}
    with conn.transaction():
        lock(conn, layout, f"table {table.name}")
        is_first = not exists(conn, mapping)
        # A table that no load made yet is somebody else's, and will be refused
        is_loaded = ledger.entry(conn, layout, table).loaded_at is not None and exists(conn, layout.target(table))
        if is_first:
            conn.execute(statements.get("create_mapping").format(**names))
        mapped = 0
        if exists(conn, layout.staging(table)):
            mapped = conn.execute(
                statements.get("map_ids").format(**names, highest_used=_highest_used(layout, table, is_loaded))
            ).rowcount
        if is_first:
            comment = f"The new id of every old id of the Xata table {table.xata_name}"
            conn.execute(statements.get("key_mapping").format(**names, comment=sql.Literal(comment)))
        if mapped:
            conn.execute(sql.SQL("ANALYZE {}").format(mapping))
        if mapped and is_loaded:
            # until the load is through, a row of the user's own must not take a number that is given
            raise_identity(conn, layout, table)
        ledger.record(
            conn,
            layout,
            table,
            mapped_rows=count_rows(conn, mapping),
            mapping_seconds=perf_counter() - started,
            mapped_at=ledger.now(),
        )
    return mapped


def _highest_used(layout: Layout, table: TargetTable, is_loaded: bool) -> sql.Composable:
    """Return the highest id in the target: rows that the user added have numbers, too."""
    if not is_loaded:
        return sql.SQL("0")
    return sql.SQL("(SELECT max(id) FROM {})").format(layout.target(table))
