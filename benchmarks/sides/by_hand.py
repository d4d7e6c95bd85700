"""What an expert writes by hand for one clean export: typed staging by COPY, id maps, CREATE TABLE AS with joins."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter, process_time

import psycopg
from measuring import BLOCK, LAYOUT, cpu_seconds
from psycopg import sql

from sides import Job, Outcome, Side, header
from xata_pg_assets.plan.tables import Role, TargetColumn, TargetTable
from xata_pg_assets.plan.types import TEXT
from xata_pg_assets.postgres import ddl, keys
from xata_pg_assets.postgres.connection import Connection, connect
from xata_pg_assets.postgres.embedded import EmbeddedServer
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.xata.schema import XataType

__all__ = ["ByHand"]


class ByHand(Side):
    """The fixed statements of one job, on one connection."""

    name = "hand"
    title = "SQL by hand"
    does = "ids numbered and links joined to them, lists as arrays, the same keys"
    leaves_out = "every check; a bad cell ends it, a dangling link becomes NULL unnoticed; no report, no second run"
    is_whole = True

    def version(self, peers: Path) -> str:  # noqa: ARG002
        return f"psycopg {psycopg.__version__}"

    def load(self, job: Job, server: EmbeddedServer) -> Outcome:
        before, started = cpu_seconds(server) + process_time(), perf_counter()
        with connect(server.uri) as conn:
            for table in job.plan.tables:
                with conn.transaction():
                    _stage(conn, table, job.source / f"{table.xata_name}.csv")
                    _number(conn, table)
                    for statement in ddl.create_table_as(LAYOUT, table, _rows(table)):
                        conn.execute(statement)
                    for _, statement in keys.wanted(LAYOUT, job.plan, table):
                        conn.execute(statement)
                    _set_identity(conn, table)
                    conn.execute(sql.SQL("DROP TABLE {}").format(_staging(table)))
        seconds = perf_counter() - started
        return Outcome(seconds, cpu_seconds(server) + process_time() - before)


def _staging(table: TargetTable) -> sql.Identifier:
    return sql.Identifier("public", f"{table.name}_staging")


def _ids(xata_name: str) -> sql.Identifier:
    return sql.Identifier("public", f"{xata_name}_ids")


def _stage(conn: Connection, table: TargetTable, path: Path) -> None:
    columns = [(sql.Identifier("id"), LAYOUT.type(TEXT))]
    columns += [(sql.Identifier(each.xata_name), LAYOUT.type(each.staging_type)) for each in table.staged_columns]
    definitions = comma(sql.SQL("{} {}").format(name, type_) for name, type_ in columns)
    conn.execute(sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(_staging(table), definitions))
    texts = [each.xata_name for each in table.staged_columns if each.not_null and each.type == TEXT]
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER{})").format(
        _staging(table), comma(map(sql.Identifier, header(path))), _force_not_null(texts)
    )
    with path.open("rb") as file, conn.cursor().copy(query) as copy:
        while data := file.read(BLOCK):
            copy.write(data)


def _force_not_null(columns: list[str]) -> sql.Composable:
    names = comma(map(sql.Identifier, columns))
    return sql.SQL(", FORCE_NOT_NULL ({})").format(names) if columns else sql.SQL("")


def _number(conn: Connection, table: TargetTable) -> None:
    conn.execute(
        sql.SQL(
            'CREATE TABLE {ids} AS SELECT id AS old_id, row_number() OVER (ORDER BY id COLLATE "C") AS new_id FROM {}'
        ).format(_staging(table), ids=_ids(table.xata_name))
    )
    conn.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (old_id)").format(_ids(table.xata_name)))


def _rows(table: TargetTable) -> sql.Composed:
    """Select the table's rows; a list is taken apart beside them, for a subquery would not run in parallel."""
    joins = [sql.SQL(" JOIN {} AS ids ON ids.old_id = s.id").format(_ids(table.xata_name))]
    for column in table.columns:
        alias, staged = sql.Identifier(f"of {column.name}"), sql.Identifier("s", column.xata_name)
        if column.link:
            join = sql.SQL(" LEFT JOIN {} AS {alias} ON {alias}.old_id = {}")
            joins.append(join.format(_ids(column.link.table), staged, alias=alias))
        elif column.xata_type is XataType.MULTIPLE:
            join = sql.SQL(
                " LEFT JOIN LATERAL jsonb_to_record(jsonb_build_object('list', {})) AS {} (list text[]) ON true"
            )
            joins.append(join.format(staged, alias))
    values = comma(ddl.cast(LAYOUT, column, _value(column)) for column in table.columns)
    return sql.SQL("SELECT {} FROM {} AS s{}").format(values, _staging(table), sql.SQL("").join(joins))


def _value(column: TargetColumn) -> sql.Composable:
    if column.role is Role.ID:
        return sql.SQL("ids.new_id")
    if column.link:
        return sql.Identifier(f"of {column.name}", "new_id")
    if column.xata_type is XataType.MULTIPLE:
        return sql.Identifier(f"of {column.name}", "list")
    return sql.Identifier("s", column.xata_name)


def _set_identity(conn: Connection, table: TargetTable) -> None:
    conn.execute(
        sql.SQL("SELECT setval({}::regclass, max(id)) FROM {}").format(
            sql.Literal(f'public."{table.sequence}"'), LAYOUT.target(table)
        )
    )
