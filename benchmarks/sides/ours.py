"""The migration: the whole `xata-pg migrate`, from the start of Python to its end, every check included."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring import LAYOUT, Ended, RunError, cpu_seconds, run_program
from peak_memory import PeakMemory
from psycopg import sql

from sides import Job, Outcome, Side
from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres.connection import Connection, connect
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["Migrated", "Ours", "migrate", "prove", "stages"]


@dataclass(frozen=True, slots=True)
class Migrated:
    """One run of `xata-pg migrate`: its report and what it took; the CPU time is ours and the server's."""

    report: dict[str, Any]
    ended: Ended
    cpu_seconds: float
    memory: PeakMemory


class Ours(Side):
    """All of it; leaves the finished rows for other sides to load."""

    name = "ours"
    title = "xata-pg migrate"
    does = "all of it: every cell judged before and compared after, seven checks a table, a report, re-runs"
    leaves_out = "nothing"

    def version(self, peers: Path) -> str:  # noqa: ARG002
        return f"xata_pg_assets {version('xata-pg-assets')}, Dagster {version('dagster')}"

    def load(self, job: Job, server: EmbeddedServer) -> Outcome:
        run = migrate(job.home, job.source, server, job.bytecode)
        prove(run.report, job.rows)
        with connect(server.uri) as conn:
            parts = stages(conn)
            if not job.finished.exists():
                _write_finished(conn, job.plan, job.finished)
        memory = {"largest": run.ended.resident_max, "together": run.memory.ours, "server": run.memory.server}
        return Outcome(run.ended.seconds, run.cpu_seconds, parts, memory)


def migrate(home: Path, source: Path, server: EmbeddedServer, bytecode: Path, *, exit_code: int = 0) -> Migrated:
    """Migrate an export into the running server of `home`; Python keeps its bytecode from run to run.

    Raises:
        RunError: it ended with another exit code.
    """
    program = Path(sys.executable).with_name("xata-pg")
    command = [str(program), "migrate", "--source", str(source), "--home", str(home), "--json"]
    environment = {"PYTHONPYCACHEPREFIX": str(bytecode)}
    memory, before = PeakMemory(server.data_dir), cpu_seconds(server)
    with tempfile.TemporaryFile() as output:
        ended = run_program(command, home, output, environment=environment, watching=memory.watching)
        if ended.exit_code != exit_code:
            raise RunError(f"xata-pg migrate: exit code {ended.exit_code}")
        output.seek(0)
        report = json.loads(output.read())
    return Migrated(report, ended, ended.cpu_seconds + cpu_seconds(server) - before, memory)


def prove(report: dict[str, Any], rows: Mapping[str, int]) -> None:
    """Let no time stand for a migration that lost a row or failed a check.

    Raises:
        RunError: it did.
    """
    red = [
        f"{table['xata_table']}.{check['name']}"
        for table in report["tables"]
        for check in table["checks"]
        if not check["passed"]
    ]
    unchecked = [table["xata_table"] for table in report["tables"] if len(table["checks"]) != 7]
    arrived = {table["xata_table"]: table["target_rows"] for table in report["tables"]}
    if not report["ok"] or red or unchecked or arrived != rows:
        raise RunError(f"red: {red}, unchecked: {unchecked}, rows: {arrived} of {dict(rows)}")


def stages(conn: Connection) -> dict[str, dict[str, float]]:
    """Return what the ledger has of the seconds that each table took, by stage."""
    return {
        name: {
            "staging": line.staging_seconds,
            "mapping": line.mapping_seconds,
            "loading": line.load_seconds,
            "checking": line.check_seconds,
        }
        for name, line in ledger.entries(conn, LAYOUT).items()
    }


def _write_finished(conn: Connection, plan: Plan, folder: Path) -> None:
    """Keep the rows of every target table as a CSV file."""
    folder.mkdir()
    for table in plan.tables:
        query = sql.SQL("COPY {} TO STDOUT (FORMAT csv)").format(LAYOUT.target(table))
        with (folder / f"{table.name}.csv").open("wb") as file, conn.cursor().copy(query) as copy:
            for data in copy:
                file.write(data)
