"""What the peers share: they are programs of others, run with a time limit, whose failure is a result."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from measuring import RunError, cpu_seconds, run_program

from sides import Job, Outcome, Side
from xata_pg_assets.plan.tables import Plan, Role, TargetColumn
from xata_pg_assets.plan.types import TEXT
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["PEERS", "Peer", "first_line", "keep_old_ids", "package_version", "url"]

PEERS = Path(__file__).parent.parent / "peers"


class Peer(Side):
    """A program that does the job, or a part of it."""

    is_peer = True

    def command(self, job: Job, server: EmbeddedServer) -> Sequence[str]:
        """Return the command that does it, after writing what it reads to `job.home`."""
        raise NotImplementedError

    def environment(self, job: Job, server: EmbeddedServer) -> Mapping[str, str]:  # noqa: ARG002
        """Return the variables that it needs."""
        return {}

    def load(self, job: Job, server: EmbeddedServer) -> Outcome:
        return self.run(job, server, self.command(job, server))

    def run(self, job: Job, server: EmbeddedServer, command: Sequence[str]) -> Outcome:
        """Run the command to its end.

        Raises:
            RunError: it failed.
            TimeoutError: it took longer than it may.
        """
        before = cpu_seconds(server)
        environment = self.environment(job, server)
        with (job.home / "peer.log").open("w+b") as log:
            ended = run_program(command, job.home, log, errors=log, environment=environment, limit=job.limit)
            log.seek(0)
            said = log.read().decode(errors="replace").strip()
        if ended.exit_code:
            raise RunError(f"exit code {ended.exit_code}: {said.splitlines()[-1] if said else 'no word'}")
        cpu = ended.cpu_seconds + cpu_seconds(server) - before
        return Outcome(ended.seconds, cpu, memory={"largest": ended.resident_max})


def keep_old_ids(plan: Plan) -> Plan:
    """Return the plan of one who loads the cells as they are: ids and links are text, lists JSON."""
    tables = [replace(table, columns=tuple(map(_as_it_came, table.columns))) for table in plan.tables]
    return replace(plan, tables=tuple(tables))


def _as_it_came(column: TargetColumn) -> TargetColumn:
    if column.role is Role.ID:
        return replace(column, role=Role.OWN, type=TEXT, not_null=True)
    return replace(column, type=column.staging_type)


def url(server: EmbeddedServer, scheme: str = "postgresql") -> str:
    """Return the server's connection string as SQLAlchemy and Go's clients want it, too."""
    return f"{scheme}://{server.user}@/{server.database}?host={quote(str(server.socket_dir), safe='')}"


def first_line(*command: str) -> str | None:
    """Return the first line that a program prints, None where it is not installed."""
    with suppress(FileNotFoundError):
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return (run.stdout or run.stderr).partition("\n")[0].strip() if run.returncode == 0 else None
    return None


def package_version(peers: Path, *packages: str) -> str | None:
    """Return packages of the peers' Python with their versions, None where one is not installed."""
    program = "import sys, importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"
    return first_line(str(peers), "-c", program, *packages)
