"""The schemas, the extension and the work tables that everything else stands on."""

from __future__ import annotations

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import TargetError
from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres import ddl
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import column_types
from xata_pg_assets.postgres.connection import Connection, server_facts
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "MINIMUM_VERSION",
    "is_ours",
    "lock",
    "lock_name",
    "mark_schema",
    "prepare",
    "share_lock",
    "work_statements",
]

MINIMUM_VERSION = 140000
_MARK = "Made by xata_pg_assets"
_NEW_ID_COMMENT = "The new id of an old one: new_id('<xata table>', '<old id>')"


def prepare(conn: Connection, layout: Layout, plan: Plan) -> Layout:
    """Create what is missing of schemas, extension and work tables; return the layout with pgvector's schema.

    Only what is missing is created, so that a role that owns the schemas and nothing else can work.

    Raises:
        TargetError: the server is too old, or the role may not create what is missing; names the mend.
    """
    facts = server_facts(conn)
    if facts.version < MINIMUM_VERSION:
        raise TargetError(f"target: PostgreSQL {facts.version_text} is too old; version 14 or later is needed")
    with conn.transaction():
        lock(conn, layout, "bootstrap")
        for name in dict.fromkeys((layout.target_schema, layout.work_schema, layout.staging_schema)):
            _create_schema(conn, name)
        if plan.needs_pgvector and facts.pgvector_schema is None:
            _create_pgvector(conn, layout)
        if "shards" not in column_types(conn, layout.work("loads")):  # none yet, or an older version's
            for statement in work_statements(layout):
                conn.execute(statement)
    schema = server_facts(conn).pgvector_schema or layout.pgvector_schema
    return Layout(layout.target_schema, layout.work_schema, layout.staging_schema, schema)


def lock(conn: Connection, layout: Layout, what: str) -> None:
    """Hold off other processes that work at the same thing until the transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock_name(layout, what),))


def share_lock(conn: Connection, layout: Layout, what: str) -> None:
    """Hold off only those that lock the same thing for themselves."""
    conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (lock_name(layout, what),))


def lock_name(layout: Layout, what: str) -> str:
    """Return the name whose hash is the number of an advisory lock."""
    return "\x1f".join(("xata_pg_assets", layout.target_schema, layout.work_schema, what))


def _create_schema(conn: Connection, name: str) -> None:
    if conn.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (name,)).fetchone():
        return
    try:
        for statement in ddl.create_schema(name), mark_schema(name):
            conn.execute(statement)
    except pg.InsufficientPrivilege:
        raise TargetError(
            f"schema {name}: missing, and the role may not create it; "
            f"have its owner run: CREATE SCHEMA {name} AUTHORIZATION {conn.info.user}"
        ) from None


def mark_schema(name: str) -> sql.Composed:
    """Mark a schema as made by a migration, and so to be dropped with it."""
    return sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK))


def is_ours(conn: Connection, name: str) -> bool:
    """Tell whether a migration made the schema."""
    found = conn.execute(
        "SELECT obj_description(oid, 'pg_namespace') = %s FROM pg_namespace WHERE nspname = %s", (_MARK, name)
    ).fetchone()
    return found == (True,)


def _create_pgvector(conn: Connection, layout: Layout) -> None:
    """Make the extension where the layout wants it, if there is such a schema; else in public."""
    mend = "have a superuser run: CREATE EXTENSION vector"
    wanted = conn.execute("SELECT nspname FROM pg_namespace WHERE nspname = %s", (layout.pgvector_schema,)).fetchone()
    schema = layout.pgvector_schema if wanted else "public"
    try:
        conn.execute(sql.SQL("CREATE EXTENSION vector SCHEMA {}").format(sql.Identifier(schema)))
    except (pg.UndefinedFile, pg.FeatureNotSupported):
        raise TargetError(
            "pgvector: the schema has vector columns and the server does not have the extension; install pgvector on it"
        ) from None
    except pg.InsufficientPrivilege:
        raise TargetError(f"pgvector: the role may not create the extension; {mend}") from None


def work_statements(layout: Layout) -> list[sql.Composed]:
    """Return the statements that make the work tables, where they are missing, and the function new_id."""
    names = {name: layout.work(name) for name in ("rejected_rows", "dangling_links", "loads")}
    body = statements.get("new_id").format(loads=layout.work("loads"), work_schema=sql.Literal(layout.work_schema))
    function = sql.SQL(
        "CREATE OR REPLACE FUNCTION {function}(xata_table text, old_id text) RETURNS bigint"
        " LANGUAGE plpgsql STABLE STRICT AS {body};"
        " COMMENT ON FUNCTION {function}(text, text) IS {comment}"
    ).format(
        function=layout.work("new_id"),
        body=sql.Literal(body.as_string()),
        comment=sql.Literal(_NEW_ID_COMMENT),
    )
    return [statements.get("work_tables").format(**names), function]
