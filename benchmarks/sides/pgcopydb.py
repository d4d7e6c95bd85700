"""pgcopydb: copies a PostgreSQL database to another, so it is given one in which the rows are finished."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from measuring import cpu_seconds, new_server

from sides import Job, Outcome
from sides.copy_keys import copy_keys
from sides.peer import Peer, first_line, url
from xata_pg_assets.postgres.binaries import FOLDERS, NEWEST, PACKAGE
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["PgCopyDb"]


class PgCopyDb(Peer):
    """Copies what is finished, from a server beside the measured one."""

    name = "pgcopydb"
    title = "pgcopydb"
    does = "the copy of the finished database to another server, keys and all, two tables and two indexes at once"
    leaves_out = "all of the migration: it reads no CSV"

    def version(self, peers: Path) -> str | None:  # noqa: ARG002
        return first_line("pgcopydb", "--version")

    def reads(self, job: Job) -> Path:
        return job.finished

    def load(self, job: Job, server: EmbeddedServer) -> Outcome:
        with new_server(job.home.with_name("source")) as source:
            with connect(source.uri) as conn:
                copy_keys(conn, job.plan, job.finished)
            before = cpu_seconds(source)
            outcome = self.run(job, server, self._command(job, server, source))
            return Outcome(outcome.seconds, outcome.cpu_seconds + cpu_seconds(source) - before, memory=outcome.memory)

    def environment(self, job: Job, server: EmbeddedServer) -> Mapping[str, str]:  # noqa: ARG002
        """Return a path where pg_dump and pg_restore of the server's version come first."""
        return {"PATH": f"{_programs()}{os.pathsep}{os.environ['PATH']}"}

    def _command(self, job: Job, server: EmbeddedServer, source: EmbeddedServer) -> list[str]:
        ends = ["--source", url(source), "--target", url(server)]
        jobs = ["--table-jobs", "2", "--index-jobs", "2", "--not-consistent"]
        return ["pgcopydb", "clone", *ends, "--dir", str(job.home / "pgcopydb"), *jobs]


def _programs() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(PACKAGE)
    return Path(spec.submodule_search_locations[0]) / FOLDERS[NEWEST] / "bin"
