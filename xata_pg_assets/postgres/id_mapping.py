"""Old ids get new ones: bigint surrogate keys, given once and for ever."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import duplicates, ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.loading import raise_identity
from xata_pg_assets.xata.records import TableReader

__all__ = ["map_ids", "mapping_statements", "tally", "tally_query"]

# Until the transaction ends; where none is allowed none is used
_ONE_HELPER_MORE = (
    "SELECT set_config(name, least(setting::int + sign(setting::int), max_val::int)::text, true)"
    " FROM pg_settings WHERE name = 'max_parallel_workers_per_gather'"
)


def map_ids(conn: Connection, layout: Layout, table: TargetTable, read_again: Callable[[], TableReader | None]) -> int:
    """Give a new id to every staged row that has none, in the order of the old ids; return how many.

    The first ids are 1…n; later ones start above every number ever mapped or used in the target, so that
    none comes twice. A line of the mapping is never changed and never removed. Where old ids stand twice in the
    export, that is settled first; `read_again` then opens the file and reads it through.
    """
    started = perf_counter()
    mapping = layout.mapping(table)
    with conn.transaction():
        lock(conn, layout, f"table {table.name}")
        # A table that no load made yet is somebody else's, and will be refused
        is_loaded = ledger.entry(conn, layout, table).loaded_at is not None and exists(conn, layout.target(table))
        mapped = 0
        if not exists(conn, mapping):
            try:
                # The primary key finds ids that stand twice for nothing
                with conn.transaction():
                    mapped = _make_mapping(conn, layout, table, is_loaded=is_loaded)
            except pg.UniqueViolation:
                duplicates.settle(conn, layout, table, read_again())
                mapped = _make_mapping(conn, layout, table, is_loaded=is_loaded)
        elif exists(conn, layout.staging(table)):
            if duplicates.ids_stand_twice(conn, layout, table):
                duplicates.settle(conn, layout, table, read_again())
            mapped = conn.execute(mapping_statements(layout, table, is_loaded=is_loaded)[2]).rowcount
        if mapped and is_loaded:
            # until the load is through, a row of the user's own must not take a number that is given
            raise_identity(conn, layout, table)
        lines, digest = tally(conn, mapping)
        ledger.record(
            conn,
            layout,
            table,
            mapped_rows=lines,
            mapping_digest=digest,
            mapping_seconds=perf_counter() - started,
            mapped_at=ledger.now(),
        )
    return mapped


def tally(conn: Connection, mapping: sql.Identifier) -> tuple[int, int | None]:
    """Count the lines of a mapping and digest them, in whatever order: no two mappings of a table are alike."""
    return conn.execute(tally_query(mapping)).fetchone() or (0, None)


def tally_query(mapping: sql.Identifier) -> sql.Composed:
    """Return the query of `tally`: lines and digest."""
    return statements.get("mapping_digest").format(mapping=mapping)


def _make_mapping(conn: Connection, layout: Layout, table: TargetTable, *, is_loaded: bool) -> int:
    """Make the mapping of all staged rows; its keys come after the rows, which is quicker."""
    make, key, _ = mapping_statements(layout, table, is_loaded=is_loaded)
    if not exists(conn, layout.staging(table)):
        make = statements.get("create_mapping").format(mapping=layout.mapping(table))
    conn.execute(_ONE_HELPER_MORE)  # the others sort, this process numbers and writes
    mapped = conn.execute(make).rowcount
    conn.execute(key)
    return max(mapped, 0)  # -1: nothing was there to be mapped


def mapping_statements(
    layout: Layout, table: TargetTable, *, is_loaded: bool = False
) -> tuple[sql.Composed, sql.Composed, sql.Composed]:
    """Return the statements that make the mapping, give it its keys, and add what came later to it."""
    names = {
        "mapping": layout.mapping(table),
        "staging": layout.staging(table),
        "highest_used": _highest_used(layout, table, is_loaded),
    }
    comment = sql.Literal(f"The new id of every old id of the Xata table {table.xata_name}")
    return (
        statements.get("make_mapping").format(**names),
        statements.get("key_mapping").format(mapping=names["mapping"], comment=comment),
        statements.get("map_ids").format(**names),
    )


def _highest_used(layout: Layout, table: TargetTable, is_loaded: bool) -> sql.Composable:
    """Return the highest id in the target: rows that the user added have numbers, too."""
    if not is_loaded:
        return sql.SQL("0")
    return sql.SQL("(SELECT max(id) FROM {})").format(layout.target(table))
