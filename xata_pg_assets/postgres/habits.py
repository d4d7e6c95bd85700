"""What an application was used to from Xata, by choice: versions that count, ids of Xata's form, old ids looked up.

The migration itself is not touched by it: its sessions carry a setting that the triggers look at.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from xata_pg_assets.plan.naming import NameSpace
from xata_pg_assets.plan.tables import OLD_ID, TargetTable
from xata_pg_assets.postgres import bootstrap
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import MIGRATING, Connection
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.postgres.keys import facts_query
from xata_pg_assets.postgres.layout import Layout

__all__ = ["COUNTER", "ROUTINES", "ensure", "lacking", "lookup_view", "statements_of"]

TRIGGER = "xata_touch"
COUNTER = "xata_id_counter"
ROUTINES = (TRIGGER, "new_xata_id")


def lookup_view(layout: Layout, table_name: str) -> sql.Identifier:
    """The view that finds rows of a table by their old ids."""
    return layout.work(f"{table_name}_lookup")


def ensure(conn: Connection, layout: Layout, table: TargetTable) -> None:
    """Make what the table lacks of the habits that are asked for."""
    wanting = lacking(conn, layout, table)
    if not wanting:
        return
    bootstrap.lock(conn, layout, "habits")
    for name, statement in _routines(layout):
        if name in table.habits and not _is_routine(conn, layout, name):
            conn.execute(statement)
    for _, statement in wanting:
        conn.execute(statement)


def lacking(conn: Connection, layout: Layout, table: TargetTable) -> list[tuple[str, sql.Composed]]:
    """Return what the table lacks of the habits that are asked for, each with the statement that makes it."""
    return [
        (what, statement)
        for habit, what, statement in _of_table(layout, table)
        if not _is_there(conn, layout, table, habit)
    ]


def statements_of(layout: Layout, table: TargetTable) -> list[sql.Composed]:
    """Return all statements that give a table its habits, for a target that has none of them."""
    routines = [statement for name, statement in _routines(layout) if name in table.habits]
    return [*routines, *(statement for _, _, statement in _of_table(layout, table))]


def _of_table(layout: Layout, table: TargetTable) -> Iterator[tuple[str, str, sql.Composed]]:
    name = layout.target(table)
    if TRIGGER in table.habits:
        yield (
            TRIGGER,
            f"the trigger {TRIGGER}",
            sql.SQL(
                "CREATE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW"
                " WHEN (current_setting({}, true) IS DISTINCT FROM 'on') EXECUTE FUNCTION {}()"
            ).format(sql.Identifier(TRIGGER), name, sql.Literal(MIGRATING), layout.work(TRIGGER)),
        )
    if "new_xata_id" in table.habits:
        yield (
            "new_xata_id",
            f"the default of {OLD_ID}",
            sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}()").format(
                name, sql.Identifier(OLD_ID), layout.work("new_xata_id")
            ),
        )
    if "lookup" in table.habits:
        old_id = NameSpace(column.name for column in table.columns).take("old_id")
        yield (
            "lookup",
            f"the view {table.name}_lookup",
            sql.SQL("CREATE VIEW {} AS SELECT m.old_id AS {}, {} FROM {} AS t JOIN {} AS m ON m.new_id = t.id").format(
                lookup_view(layout, table.name),
                sql.Identifier(old_id),
                # By name: a search column beside them can be made anew
                comma(sql.Identifier("t", column.name) for column in table.columns),
                name,
                layout.mapping(table),
            ),
        )


def _routines(layout: Layout) -> Iterator[tuple[str, sql.Composed]]:
    yield (
        TRIGGER,
        sql.SQL(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql"
            " SET search_path = pg_catalog, pg_temp AS {}"
        ).format(layout.work(TRIGGER), sql.Literal(statements.get("xata_touch").as_string())),
    )
    counter = layout.work(COUNTER)
    body = statements.get("xata_id").format(counter=sql.Literal(counter.as_string()))
    yield (
        "new_xata_id",
        sql.SQL(
            "CREATE SEQUENCE IF NOT EXISTS {} MINVALUE 0 MAXVALUE 16777215 CYCLE;"
            " CREATE OR REPLACE FUNCTION {}() RETURNS text LANGUAGE sql VOLATILE"
            " SET search_path = pg_catalog, pg_temp AS {}"
        ).format(counter, layout.work("new_xata_id"), sql.Literal(body.as_string())),
    )


def _is_there(conn: Connection, layout: Layout, table: TargetTable, habit: str) -> bool:
    if habit == TRIGGER:
        query = statements.get("table_triggers").format(table=sql.Literal(layout.target(table).as_string(conn)))
        return (TRIGGER,) in conn.execute(query).fetchall()
    if habit == "lookup":
        return exists(conn, lookup_view(layout, table.name))
    facts = conn.execute(facts_query(layout.target_schema, table.name)).fetchall()
    return any(name == OLD_ID and default is not None for name, _, default, *_ in facts)


def _is_routine(conn: Connection, layout: Layout, name: str) -> bool:
    text = (layout.work(name) + sql.SQL("()")).as_string(conn)
    return conn.execute("SELECT to_regprocedure(%s) IS NOT NULL", (text,)).fetchone() == (True,)
