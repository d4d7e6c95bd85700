"""Migrated tables for a notebook or an asset of one's own: `read_table`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import pandas as pd
from psycopg import sql
from pydantic import SecretStr

from xata_pg_assets.errors import UsageError
from xata_pg_assets.postgres import embedded
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.cluster import find_cluster
from xata_pg_assets.postgres.connection import Connection, connect, describe_target, translated
from xata_pg_assets.postgres.frames import read_frames
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.settings import Settings, load_settings

__all__ = ["read_table"]


@overload
def read_table(
    name: str,
    target: str | None = None,
    *,
    settings: Settings | None = None,
    columns: Sequence[str] | None = None,
    chunk_rows: None = None,
) -> pd.DataFrame: ...


@overload
def read_table(
    name: str,
    target: str | None = None,
    *,
    settings: Settings | None = None,
    columns: Sequence[str] | None = None,
    chunk_rows: int,
) -> Iterator[pd.DataFrame]: ...


def read_table(
    name: str,
    target: str | None = None,
    *,
    settings: Settings | None = None,
    columns: Sequence[str] | None = None,
    chunk_rows: int | None = None,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """Read a migrated table, by its Xata or its new name, in the order of its ids.

    The database is that of `target`, a PostgreSQL URL, or else of `settings`, which default to what xata-pg itself
    would take: variables, then xata_pg.toml in this folder. `columns` are names in PostgreSQL, all by default.
    With `chunk_rows` it returns an iterator of frames of so many rows, and the memory needed is that of one.
    The dtypes are in `postgres/frames.py`.

    Raises:
        UsageError: there is no such table or column, or nothing was migrated yet.
        TransientError: the database cannot be reached.
        TargetError: it refuses, or holds a time that a frame cannot.
    """
    if settings is None:
        settings = load_settings(flags={"target": target})
    elif target is not None:
        settings = settings.model_copy(update={"target": SecretStr(target)})
    frames = _frames(settings, name, columns, chunk_rows)
    if chunk_rows is not None:
        return frames
    (frame,) = frames
    return frame


def _frames(
    settings: Settings, name: str, columns: Sequence[str] | None, chunk_rows: int | None
) -> Iterator[pd.DataFrame]:
    url = _url(settings)
    with translated(f"table {name}"), connect(url) as conn:
        layout = Layout(settings.target_schema, settings.work_schema)
        table = sql.Identifier(layout.target_schema, _target_name(conn, layout, name))
        if not exists(conn, table):
            raise UsageError(f"table {name}: not in schema {layout.target_schema} of {describe_target(url)}")
        yield from read_frames(conn, table, columns, chunk_rows)


def _url(settings: Settings) -> str:
    """Return where the target is; no server is made only to find nothing in it."""
    if settings.target is not None:
        return settings.target.get_secret_value()
    if find_cluster(settings.home.expanduser().resolve()) is None:
        raise UsageError("nothing was migrated into this target yet; run xata-pg migrate, or name another target")
    return embedded.ensure_running(settings.home).uri


def _target_name(conn: Connection, layout: Layout, name: str) -> str:
    """Return what a Xata table is called in the target, as the ledger has it; any other name stays."""
    ledger = layout.work("loads")
    if not exists(conn, ledger):
        return name
    row = conn.execute(sql.SQL("SELECT target_table FROM {} WHERE xata_table = %s").format(ledger), (name,)).fetchone()
    return str(row[0]) if row else name
