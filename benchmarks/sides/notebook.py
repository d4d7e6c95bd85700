"""pandas: the notebook that people write, with `to_sql` and a dict of new ids."""

from __future__ import annotations

from pathlib import Path

from sides import Job
from sides.peer import PEERS, Peer, package_version, url
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["Notebook"]


class Notebook(Peer):
    """The script `peers/notebook.py`."""

    name = "pandas"
    title = "pandas notebook"
    does = "new ids by a dict, links mapped, lists as arrays, primary and foreign keys, unique constraints, indexes"
    leaves_out = (
        "NOT NULLs, defaults, identities, delete rules, every check; values as read_csv guesses them; all in memory"
    )

    def version(self, peers: Path) -> str | None:
        return package_version(peers, "pandas", "sqlalchemy", "psycopg")

    def command(self, job: Job, server: EmbeddedServer) -> list[str]:
        return [str(job.peers), str(PEERS / "notebook.py"), str(job.source), url(server, "postgresql+psycopg")]
