"""Who may read and write the migrated tables, by choice, and row-level security on them.

Only of tables that a migration made, and of a schema that it made, is anything granted: so `undo` takes it all back.
"""

from __future__ import annotations

from psycopg import sql

from xata_pg_assets.plan.tables import Plan, Right, TargetTable
from xata_pg_assets.postgres import bootstrap, ddl
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = ["ensure", "lacking", "problems", "statements_of"]

_PRIVILEGES: dict[Right, tuple[str, ...]] = {
    "none": (),
    "read": ("SELECT",),
    "write": ("DELETE", "INSERT", "SELECT", "UPDATE"),
}


def ensure(conn: Connection, layout: Layout, table: TargetTable) -> None:
    """Bring the privileges and the row-level security of a table to what is asked for."""
    for _, mends in lacking(conn, layout, table):
        for statement in mends:
            conn.execute(statement)


def lacking(conn: Connection, layout: Layout, table: TargetTable) -> list[tuple[str, list[sql.Composed]]]:
    """Return what is otherwise than asked for, each with the statements that mend it."""
    if not (table.grants or table.row_level_security):
        return []
    query = statements.get("table_access").format(
        table=sql.Literal(layout.target(table).as_string(conn)), schema=sql.Literal(layout.target_schema)
    )
    found: list[tuple[str, list[sql.Composed]]] = []
    for role, right in table.grants:
        row = conn.execute(query, {"role": role}).fetchone()
        privileges, may_use = (tuple(row[0]), bool(row[1])) if row else ((), False)
        if privileges != _PRIVILEGES[right]:
            found.append((f"the rights of {role} ({right})", _granting(layout, table, role, right)))
        if right != "none" and not may_use and bootstrap.is_ours(conn, layout.target_schema):
            found.append((f"the right of {role} to use the schema", [_usage(layout, role)]))
    row = conn.execute(
        "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(%s)", (layout.target(table).as_string(conn),)
    ).fetchone()
    if table.row_level_security and row != (True,):
        found.append(("row-level security", [ddl.enable_row_level_security(layout, table)]))
    return found


def statements_of(layout: Layout, table: TargetTable) -> list[sql.Composed]:
    """Return the statements that bring a table to what is asked for, for a target that is not known."""
    made: list[sql.Composed] = []
    for role, right in table.grants:
        made += _granting(layout, table, role, right)
        if right != "none":
            body = sql.SQL("BEGIN IF NOT has_schema_privilege({}, {}, 'USAGE') THEN {}; END IF; END").format(
                sql.Literal(role), sql.Literal(layout.target_schema), _usage(layout, role)
            )
            made.append(sql.SQL("DO {}").format(sql.Literal(body.as_string())))
    if table.row_level_security:
        made.append(ddl.enable_row_level_security(layout, table))
    return made


def problems(conn: Connection, layout: Layout, plan: Plan) -> list[str]:
    """Return a line for each role that is not there, or may not use a schema of somebody else's."""
    found: list[str] = []
    for role, right in dict.fromkeys(pair for table in plan.tables for pair in table.grants):
        if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount == 0:
            found.append(f"setting grants: the target has no role {role}; have it created, or leave it out")
            continue
        if role == conn.info.user:
            found.append(f"setting grants: {role} is the role that migrates and owns the tables; leave it out")
            continue
        may_use = conn.execute(
            "SELECT has_schema_privilege(%s, oid, 'USAGE') FROM pg_namespace WHERE nspname = %s",
            (role, layout.target_schema),
        ).fetchone()
        if right != "none" and may_use == (False,) and not bootstrap.is_ours(conn, layout.target_schema):
            found.append(
                f"setting grants: {role} may not use schema {layout.target_schema}; have its owner run "
                f"GRANT USAGE ON SCHEMA {layout.target_schema} TO {role}"
            )
    return found


def _granting(layout: Layout, table: TargetTable, role: str, right: Right) -> list[sql.Composed]:
    names = {"table": layout.target(table), "role": sql.Identifier(role)}
    made = [sql.SQL("REVOKE ALL ON TABLE {table} FROM {role}").format(**names)]
    if _PRIVILEGES[right]:
        privileges = sql.SQL(", ".join(_PRIVILEGES[right]))  # fixed words
        made.append(sql.SQL("GRANT {privileges} ON TABLE {table} TO {role}").format(privileges=privileges, **names))
    return made


def _usage(layout: Layout, role: str) -> sql.Composed:
    return sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(layout.target_schema), sql.Identifier(role))
