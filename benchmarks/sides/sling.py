"""Sling: one replication of every CSV file into a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sides import Job
from sides.peer import Peer, package_version, url
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["Sling"]

PACKAGE = "sling-linux-amd64"


class Sling(Peer):
    """The binary that the package of its name ships."""

    name = "sling"
    title = "Sling"
    does = "CSV into tables whose types it infers, the primary key on the text ids"
    leaves_out = (
        "ids and links stay text, lists and vectors JSON, times lose their zone; no other keys or indexes; no checks"
    )

    def version(self, peers: Path) -> str | None:
        return package_version(peers, PACKAGE)

    def environment(self, job: Job, server: EmbeddedServer) -> Mapping[str, str]:
        home = {"SLING_HOME_DIR": str(job.home / "sling"), "SLING_DISABLE_TELEMETRY": "true"}
        return {**home, "TARGET": f"{url(server)}&sslmode=disable"}

    def command(self, job: Job, server: EmbeddedServer) -> list[str]:  # noqa: ARG002
        replication = job.home / "replication.json"
        streams = {
            (job.source / f"{table.xata_name}.csv").as_uri(): {"object": f"public.{table.name}"}
            for table in job.plan.tables
        }
        defaults = {
            "mode": "full-refresh",
            "source_options": {"format": "csv"},
            "target_options": {"table_keys": {"primary": ["id"]}},
        }
        text = json.dumps({"source": "LOCAL", "target": "TARGET", "defaults": defaults, "streams": streams})
        replication.write_text(text, encoding="utf-8")
        (library,) = (job.peers.parent.parent / "lib").glob("python*")
        binary = library / "site-packages" / "sling_linux_amd64" / "bin" / PACKAGE
        return [str(binary), "run", "-r", str(replication)]
