"""What a migrated database holds, as one value to compare; and what a run that died left behind."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
from psycopg import sql

from xata_pg_assets_tests.fix_waiting import PATIENCE

__all__ = ["image", "leftovers", "row_places"]

_OURS = "n.nspname IN ('public', 'xata_migration', 'xata_staging')"
_RELATIONS = f"""
SELECT n.nspname, c.relname, c.relkind::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_OURS} ORDER BY 1, 2"""
_CONSTRAINTS = f"""
SELECT n.nspname, t.relname, c.conname, pg_get_constraintdef(c.oid), c.convalidated
FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE {_OURS} ORDER BY 1, 2, 3"""
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('public', 'xata_migration') ORDER BY 1"
_COLUMNS = f"""
SELECT n.nspname, t.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
    pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute AS a JOIN pg_class AS t ON t.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
WHERE {_OURS} AND t.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2, a.attnum"""
_SEQUENCES = """
SELECT sequencename, coalesce(last_value, start_value - 1) FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"""
# All of the ledger but its times, what the last run changed (a run after a kill has less to change) and the sentences
# of the checks (they tell sums over all tables as these stood at that moment)
_LEDGER = """
SELECT xata_table, target_table, mapping_table, source, file, dialect, sha256, fingerprint, staged_rows, source_rows,
    duplicate_rows, rejected_rows, rejected_digest, staging_warnings, mapped_rows, mapping_digest, target_rows,
    dangling_links, dangling_digest,
    (SELECT jsonb_object_agg(key, value -> 'passed') FROM jsonb_each(checks))
FROM xata_migration.loads ORDER BY 1"""


def image(url: str) -> dict[str, object]:
    """Digest every row of every table, and list relations, keys, columns, next ids and the ledger's figures."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET TimeZone = 'UTC'")
        relations = conn.execute(_RELATIONS).fetchall()
        tables = [(schema, name) for schema, name, kind in relations if kind == "r" and name != "loads"]
        return {
            **{".".join(table): _digest(conn, sql.Identifier(*table)) for table in tables},
            "relations": relations,
            "constraints": conn.execute(_CONSTRAINTS).fetchall(),
            "indexes": conn.execute(_INDEXES).fetchall(),
            "columns": conn.execute(_COLUMNS).fetchall(),
            "next ids": conn.execute(_SEQUENCES).fetchall(),
            "ledger": conn.execute(_LEDGER).fetchall(),
        }


def _digest(conn: psycopg.Connection, table: sql.Identifier) -> tuple[int, str]:
    query = """SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text COLLATE "C")) FROM {} AS t"""
    return conn.execute(sql.SQL(query).format(table)).fetchone()


def row_places(url: str) -> dict[str, list[tuple[str, str]]]:
    """Return where every row lies and which transaction wrote it, the ledger and staging apart."""
    with psycopg.connect(url, autocommit=True) as conn:
        relations = conn.execute(_RELATIONS).fetchall()
        return {
            name: conn.execute(
                sql.SQL("SELECT ctid::text, xmin::text FROM {} ORDER BY ctid").format(sql.Identifier(schema, name))
            ).fetchall()
            for schema, name, kind in relations
            if kind == "r" and name != "loads" and schema != "xata_staging"
        }


def leftovers(url: str, data_dir: Path) -> list[object]:
    """Return sessions, advisory locks, prepared transactions and temporary files that somebody left.

    The server ends what a killed client had begun within seconds; it is given minutes.
    """
    deadline = time.monotonic() + PATIENCE
    while (found := _left(url, data_dir)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _left(url: str, data_dir: Path) -> list[object]:
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(
            "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
        found += conn.execute(
            "SELECT locktype, mode FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
        found += conn.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()").fetchall()
    return found + [path.name for path in (data_dir / "base" / "pgsql_tmp").glob("*")]
