"""The ways to get an export into PostgreSQL, each measured as the others are."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from measuring import LAYOUT, RunError
from psycopg import sql

from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["Job", "Outcome", "Side", "header"]

Parts = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: the export in `source` has so many `rows` by Xata table.

    `finished` holds the rows of each target table as CSV. `home` is the server's, and for whatever a side writes;
    `peers` is the Python that the peers are installed for. A peer is ended after `limit` seconds.
    """

    source: Path
    finished: Path
    home: Path
    bytecode: Path
    plan: Plan
    rows: Mapping[str, int]
    peers: Path
    limit: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run took: `cpu_seconds` are its own and the server's, `parts` seconds by Xata table and part.

    `memory` in MB: `largest` is the kernel's peak of the largest of its processes.
    """

    seconds: float
    cpu_seconds: float
    parts: Parts = field(default_factory=dict)
    memory: Mapping[str, float] = field(default_factory=dict)


class Side(ABC):
    """One way, as people go it.

    A peer is a tool of others: it may be missing here, has a time limit, and its failure is a result.
    """

    name: str
    title: str
    does: str
    leaves_out: str
    is_peer = False
    # Whether what it makes has every cell that the migration's has
    is_whole = False

    @abstractmethod
    def version(self, peers: Path) -> str | None:
        """Return what runs, with its version; None where it is not installed."""

    def reads(self, job: Job) -> Path:
        """Return the folder that it reads."""
        return job.source

    @abstractmethod
    def load(self, job: Job, server: EmbeddedServer) -> Outcome:
        """Do as much of the job as it can on a new server.

        Raises:
            RunError: it failed.
            TimeoutError: it took longer than it may.
        """

    def prove(self, job: Job, conn: Connection) -> None:
        """Let no time stand for a load that lost a row.

        Raises:
            RunError: it did.
        """
        for table in job.plan.tables:
            found = count(conn, LAYOUT.target(table))
            if found != job.rows[table.xata_name]:
                raise RunError(f"{self.name}: {table.name} has {found} rows of {job.rows[table.xata_name]}")


def count(conn: Connection, table: sql.Composable) -> int:
    """Count the rows of a table."""
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    return int(row[0]) if row else 0


def header(path: Path) -> list[str]:
    """Return the columns of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))
