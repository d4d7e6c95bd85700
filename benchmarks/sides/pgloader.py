"""pgloader: CSV into typed tables that its commands make before, keys by SQL after."""

from __future__ import annotations

from pathlib import Path

from measuring import LAYOUT

from sides import Job, header
from sides.peer import Peer, first_line, keep_old_ids
from xata_pg_assets.plan.tables import Plan, TargetTable
from xata_pg_assets.postgres import ddl, keys
from xata_pg_assets.postgres.embedded import EmbeddedServer

__all__ = ["PgLoader"]

_COMMAND = """\
LOAD CSV FROM '{path}' WITH ENCODING UTF-8 ({fields})
INTO postgresql://{user}@unix:{socket_dir}:5432/{database}
TARGET TABLE public."{table}" ({columns})
WITH skip header = 1, fields optionally enclosed by '"', fields escaped by double-quote, fields terminated by ','
BEFORE LOAD DO $$ {create} $$
AFTER LOAD DO {after};
"""


class PgLoader(Peer):
    """One LOAD CSV a table, in one file of commands."""

    name = "pgloader"
    title = "pgloader"
    does = "CSV into typed tables (made by SQL in its commands), primary and foreign keys on the text ids, indexes"
    leaves_out = "ids stay text, lists stay JSON; no defaults; bad rows go to a log file; no checks"

    def version(self, peers: Path) -> str | None:  # noqa: ARG002
        return first_line("pgloader", "--version")

    def command(self, job: Job, server: EmbeddedServer) -> list[str]:
        commands, plan = job.home / "commands.load", keep_old_ids(job.plan)
        texts = [_command(job.source / f"{table.xata_name}.csv", server, plan, table) for table in plan.tables]
        commands.write_text("\n".join(texts), encoding="utf-8")
        return ["pgloader", "--on-error-stop", str(commands)]


def _command(path: Path, server: EmbeddedServer, plan: Plan, table: TargetTable) -> str:
    names = {column.xata_name: f'"{column.name}"' for column in table.columns}
    columns = [names[name] for name in header(path)]
    (create,) = ddl.create_table(LAYOUT, table)
    after = [f"$$ {statement.as_string()} $$" for _, statement in keys.wanted(LAYOUT, plan, table)]
    return _COMMAND.format(
        path=path,
        fields=", ".join(f"{column} [null if blanks]" for column in columns),
        columns=", ".join(columns),
        user=server.user,
        socket_dir=server.socket_dir,
        database=server.database,
        table=table.name,
        create=create.as_string(),
        after=",\n".join(after),
    )
