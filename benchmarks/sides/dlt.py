"""dlt: a pipeline of CSV files into tables, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from sides import Job
from sides.peer import PEERS, Peer, package_version
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["Dlt"]


class Dlt(Peer):
    """The pipeline of `peers/dlt_csv.py`."""

    name = "dlt"
    title = "dlt"
    does = "CSV into tables whose types it infers"
    leaves_out = "ids and links stay text, lists and vectors too; no keys, constraints or indexes; no checks"

    def version(self, peers: Path) -> str | None:
        return package_version(peers, "dlt", "pandas")

    def environment(self, job: Job, server: EmbeddedServer) -> Mapping[str, str]:  # noqa: ARG002
        return {"DLT_DATA_DIR": str(job.home / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}

    def command(self, job: Job, server: EmbeddedServer) -> list[str]:
        # It wants a password, which the server does not ask for, and a host in its place
        url = f"postgresql://{server.user}:none@{quote(str(server.socket_dir), safe='')}:5432/{server.database}"
        return [str(job.peers), str(PEERS / "dlt_csv.py"), str(job.source), url]
