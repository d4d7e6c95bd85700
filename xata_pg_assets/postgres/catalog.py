"""What the target database has, as its catalogs tell."""

from __future__ import annotations

from psycopg import sql

from xata_pg_assets.postgres.connection import Connection

__all__ = [
    "any_row",
    "column_types",
    "count_rows",
    "exists",
    "identity_sequence",
    "is_type",
    "name_is_a_type",
]


def exists(conn: Connection, name: sql.Identifier) -> bool:
    """Tell whether there is a table of that name."""
    return conn.execute("SELECT to_regclass(%s) IS NOT NULL", (name.as_string(conn),)).fetchone() == (True,)


def is_type(conn: Connection, schema: str, name: str) -> bool:
    """Tell whether a type has that name, which a table would give to its rows; types of arrays step aside."""
    return (
        conn.execute(
            "SELECT FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace"
            " WHERE n.nspname = %s AND t.typname = %s AND t.typcategory <> 'A'",
            (schema, name),
        ).rowcount
        > 0
    )


def name_is_a_type(schema: str, name: str) -> str:
    """Say that a table cannot have the name of a type, as an extension brings them, and the mend."""
    return f"table {name}: schema {schema} has a type of this name already; choose another target_schema"


def any_row(conn: Connection, query: sql.Composable) -> bool:
    """Tell whether a query has a row.

    Not by LIMIT 1: PostgreSQL then plans for a first row found soon, which in a clean table never comes, and
    loops over a table that has no index.
    """
    found = conn.execute(sql.SQL("WITH found AS MATERIALIZED ({}) SELECT FROM found LIMIT 1").format(query))
    return found.rowcount > 0


def count_rows(conn: Connection, name: sql.Identifier) -> int:
    """Count a table's rows."""
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
    return int(row[0]) if row else 0


def column_types(conn: Connection, name: sql.Identifier) -> dict[str, str]:
    """Return a table's columns in order, with their types as PostgreSQL writes them."""
    return dict(
        conn.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (name.as_string(conn),),
        ).fetchall()
    )


def identity_sequence(conn: Connection, name: sql.Identifier) -> tuple[str, str] | None:
    """Return schema and name of the sequence behind a table's `id`, None where it is no identity."""
    return conn.execute(
        "SELECT n.nspname, s.relname FROM pg_class AS s JOIN pg_namespace AS n ON n.oid = s.relnamespace"
        " WHERE s.oid = pg_get_serial_sequence(%s, 'id')::regclass",
        (name.as_string(conn),),
    ).fetchone()
