"""The limit: plain COPY of the finished rows, and the same keys."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter, process_time
from typing import BinaryIO

import psycopg
from measuring import BLOCK, LAYOUT, cpu_seconds
from psycopg import sql

from sides import Job, Outcome, Side
from xata_pg_assets.plan.tables import Plan, TargetTable
from xata_pg_assets.postgres import ddl, keys
from xata_pg_assets.postgres.connection import Connection, connect
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["CopyKeys", "copy_keys"]


class CopyKeys(Side):
    """Loads rows that somebody has finished before."""

    name = "copy"
    title = "COPY and keys"
    does = "COPY of the finished rows, primary and foreign keys, unique constraints, indexes"
    leaves_out = "everything else: it is given the rows that the migration made"
    is_whole = True

    def version(self, peers: Path) -> str:  # noqa: ARG002
        return f"psycopg {psycopg.__version__}"

    def reads(self, job: Job) -> Path:
        return job.finished

    def load(self, job: Job, server: EmbeddedServer) -> Outcome:
        before = cpu_seconds(server) + process_time()
        with connect(server.uri) as conn:
            parts = copy_keys(conn, job.plan, job.finished)
        seconds = sum(sum(part.values()) for part in parts.values())
        return Outcome(seconds, cpu_seconds(server) + process_time() - before, parts)


def copy_keys(conn: Connection, plan: Plan, finished: Path) -> dict[str, dict[str, float]]:
    """Load the finished rows table by table, each in one transaction with its keys; return the seconds of both."""
    parts = {}
    for table in plan.tables:
        with (finished / f"{table.name}.csv").open("rb") as file:
            parts[table.xata_name] = _load(conn, plan, table, file)
    return parts


def _load(conn: Connection, plan: Plan, table: TargetTable, file: BinaryIO) -> dict[str, float]:
    started = perf_counter()
    with conn.transaction():
        for statement in ddl.create_table(LAYOUT, table):
            conn.execute(statement)
        query = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(LAYOUT.target(table))
        with conn.cursor().copy(query) as copy:
            while data := file.read(BLOCK):
                copy.write(data)
        copied = perf_counter()
        for _, statement in keys.wanted(LAYOUT, plan, table):
            conn.execute(statement)
    return {"copy": copied - started, "keys": perf_counter() - copied}
