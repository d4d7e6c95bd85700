"""One run of one side: a new server, its files in the page cache, and the proof that the rows arrived."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from measuring import LAYOUT, MB, RunError, export_folder, make_export, megabytes, new_server, plan_of, warm
from psycopg import sql
from sides import Job, Outcome, Side
from sides.ours import Ours

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import keys
from xata_pg_assets.postgres.connection import Connection, connect

__all__ = ["measure", "new_job", "warm_up"]

# To compare every cell of a larger export would take longer than to load it
COMPARED = 15 * MB


def new_job(
    kept: Path, scratch: Path, shape: str, size: int, peers: Path = Path(sys.executable), limit: float = 600
) -> Job:
    """Make the export of a shape and a size in MB, unless it is there; its finished rows come with a migration."""
    source = export_folder(kept, shape, size)
    rows = make_export(source, size, shape)
    finished = scratch / f"finished-{shape}-{size}"
    return Job(source, finished, scratch / "home", kept / "bytecode", plan_of(source), rows, peers, limit)


def warm_up(kept: Path, scratch: Path) -> None:
    """Migrate very little, so that Python's modules are compiled, as those of an installed program are."""
    job = new_job(kept, scratch, "mixed", 1)
    measure(Ours(), job)
    shutil.rmtree(job.finished)


def measure(side: Side, job: Job) -> Outcome:
    """Let a side do the job once.

    Raises:
        RunError: it failed, or rows are missing or wrong.
        TimeoutError: it took longer than it may.
    """
    home = job.home.with_name(side.name)
    with new_server(home) as server:
        warm(side.reads(job))
        outcome = side.load(replace(job, home=home), server)
        with connect(server.uri) as conn:
            side.prove(job, conn)
            if side.is_whole and megabytes(job.finished) * MB <= COMPARED:
                for table in job.plan.tables:
                    _compare(side, job, conn, table)
    return outcome


def _compare(side: Side, job: Job, conn: Connection, table: TargetTable) -> None:
    """Compare a table with the migration's, row by row and both ways.

    Raises:
        RunError: they differ.
    """
    made = LAYOUT.target(table)
    finished = sql.Identifier("pg_temp", table.name)
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {})").format(sql.Identifier(table.name), made))
        with (
            (job.finished / f"{table.name}.csv").open("rb") as file,
            conn.cursor().copy(sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(finished)) as copy,
        ):
            shutil.copyfileobj(file, copy)
        row = conn.execute(
            sql.SQL(
                "SELECT count(*) FROM ((TABLE {made} EXCEPT ALL TABLE {finished})"
                " UNION ALL (TABLE {finished} EXCEPT ALL TABLE {made})) AS differing"
            ).format(made=made, finished=finished)
        ).fetchone()
    if row is None or row[0]:
        raise RunError(f"{side.name}: {table.name} differs from the migration's in {row and row[0]} rows")
    _compare_keys(side, job, conn, table)


def _compare_keys(side: Side, job: Job, conn: Connection, table: TargetTable) -> None:
    there = keys.present(conn, LAYOUT, table)
    lacking = [str(key) for key, _ in keys.wanted(LAYOUT, job.plan, table) if key not in there]
    if lacking:
        raise RunError(f"{side.name}: {table.name} lacks {', '.join(lacking)}")
