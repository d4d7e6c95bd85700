"""What stands in the way of a migration at the target, found without touching it."""

from __future__ import annotations

import re
from contextlib import suppress

from psycopg import errors as pg

from xata_pg_assets.plan.extras import VectorIndex
from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres import access, ledger
from xata_pg_assets.postgres.bootstrap import MINIMUM_VERSION
from xata_pg_assets.postgres.catalog import exists, is_type, name_is_a_type
from xata_pg_assets.postgres.connection import Connection, server_facts
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.search import unknown_language

__all__ = ["problems", "setting_problems"]

# The first version of pgvector that has it
_HNSW, _HALFVEC = (0, 5, 0), (0, 7, 0)


def problems(conn: Connection, layout: Layout, plan: Plan) -> list[str]:
    """Return one line for each thing that would stop the migration, with its mend."""
    found: list[str] = []
    facts = server_facts(conn)
    if facts.version < MINIMUM_VERSION:
        found.append(f"PostgreSQL {facts.version_text} is too old; version 14 or later is needed")
    found += _pgvector_problems(conn, plan, is_there=facts.pgvector_schema is not None)
    for name in (layout.target_schema, layout.work_schema, layout.staging_schema):
        found += _schema_problems(conn, name)
    with suppress(pg.InsufficientPrivilege):  # a schema that may not be looked into is a problem told above
        found += _name_problems(conn, layout, plan)
    return found + setting_problems(conn, layout, plan)


def setting_problems(conn: Connection, layout: Layout, plan: Plan) -> list[str]:
    """Return one line for each thing that the settings ask for and the target does not have, with its mend."""
    found = [_too_old(conn, index) for table in plan.tables for index in table.vector_indexes]
    languages = dict.fromkeys(column.language for table in plan.tables for column in table.search_columns)
    found += [unknown_language(conn, language) for language in languages]
    found += access.problems(conn, layout, plan)
    return [problem for problem in dict.fromkeys(found) if problem]


def _too_old(conn: Connection, index: VectorIndex) -> str | None:
    """Say so where pgvector is too old for the index: the one that is there, or else the one that would be made."""
    row = conn.execute(
        "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
        " (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'))"
    ).fetchone()
    version: str = (row and row[0]) or ""
    numbers = re.findall(r"[0-9]+", version)
    needed, what = (_HALFVEC, "of more than 2,000 dimensions") if index.is_half else (_HNSW, "by hnsw")
    if not numbers or tuple(map(int, numbers)) >= needed or (index.method == "ivfflat" and not index.is_half):
        return None
    return (
        f"setting vector_index: an index {what} needs pgvector {'.'.join(map(str, needed))}, the target has {version}; "
        "have its owner run ALTER EXTENSION vector UPDATE, or set vector_index to "
        f"{'none' if index.is_half else 'ivfflat'}"
    )


def _name_problems(conn: Connection, layout: Layout, plan: Plan) -> list[str]:
    """Return a line for each name that somebody else has already."""
    found: list[str] = []
    lines = ledger.entries(conn, layout) if ledger.exists(conn, layout) else {}
    for table in plan.tables:
        line = lines.get(table.xata_name)
        if exists(conn, layout.target(table)) and (line is None or line.loaded_at is None):
            found.append(
                f"table {layout.target_schema}.{table.name} exists already and was not made by a migration; "
                "rename or drop it, or choose another target_schema"
            )
        elif line is None and is_type(conn, layout.target_schema, table.name):
            found.append(name_is_a_type(layout.target_schema, table.name))
    return found


def _pgvector_problems(conn: Connection, plan: Plan, *, is_there: bool) -> list[str]:
    if is_there or not plan.needs_pgvector:
        return []
    if conn.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone() is None:
        return ["the schema has vector columns and the server does not have pgvector; install it there"]
    row = conn.execute(
        "SELECT rolsuper OR (SELECT bool_or(trusted) FROM pg_available_extension_versions WHERE name = 'vector')"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row and row[0]:
        return []
    return [
        "the extension pgvector is missing and the role may not create it; have a superuser run CREATE EXTENSION vector"
    ]


def _schema_problems(conn: Connection, name: str) -> list[str]:
    row = conn.execute(
        "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %s", (name,)
    ).fetchone()
    if row is not None:
        return (
            []
            if row[0]
            else [f"schema {name}: the role may not create tables in it; GRANT CREATE, USAGE ON SCHEMA {name}"]
        )
    row = conn.execute("SELECT has_database_privilege(current_database(), 'CREATE')").fetchone()
    if row and row[0]:
        return []
    return [f"schema {name}: missing, and the role may not create it; have its owner run CREATE SCHEMA {name}"]
