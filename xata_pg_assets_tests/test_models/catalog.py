"""What a schema holds, as PostgreSQL's catalogs tell: to compare two that should be the same."""

from __future__ import annotations

from typing import Any

from xata_pg_assets_tests.fix_server import Database

_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
        pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind = 'r' AND a.attnum > 0
    ORDER BY c.relname COLLATE "C", a.attnum
"""
_CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = to_regnamespace(quote_ident(%s)) AND contype <> 'n' ORDER BY conname COLLATE "C"
"""
_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s ORDER BY indexname COLLATE "C"
"""


def facts(database: Database, schema: str = "public") -> dict[str, list[tuple[Any, ...]]]:
    """Return columns in order, constraints and indexes of a schema, each by its name."""
    return {
        "columns": database.query(_COLUMNS, schema),
        "constraints": database.query(_CONSTRAINTS, schema),
        "indexes": database.query(_INDEXES, schema),
    }
