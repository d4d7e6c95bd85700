"""What the hosts of PostgreSQL ask of a connection: a session that lasts, encryption, patience."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from xata_pg_assets.settings import Preset

__all__ = ["EXTENSION_SCHEMAS", "is_transaction_pooled", "known_transaction_pooler", "with_encryption"]

EXTENSION_SCHEMAS = {"supabase": "extensions"}  # where a host wants extensions to be
_SUPABASE, _NEON = (".supabase.co", ".supabase.com"), (".neon.tech",)
_SUPABASE_POOLER_PORT = "6543"
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "")
_ROUNDS = 3


def with_encryption(url: str, preset: Preset) -> str:
    """Return the URL so that a host over the network is reached encrypted, where it says nothing of that."""
    parts = conninfo_to_dict(url)
    if preset == "plain" or {"sslmode", "service"} & parts.keys() or "PGSSLMODE" in os.environ:
        return url
    hosts = _each(parts, "hostaddr" if "hostaddr" in parts else "host", "PGHOST")
    if all(host in _LOOPBACK or host.startswith(("/", "@")) for host in hosts):
        return url  # it does not leave the machine: a database to try on, or the near end of a tunnel
    return make_conninfo(url, sslmode="require")


def known_transaction_pooler(url: str, preset: Preset | None = None) -> str | None:
    """Say so, with the mend, where host and port are those of a transaction pooler; nothing is connected to."""
    parts = conninfo_to_dict(url)
    hosts, ports = _each(parts, "host", "PGHOST"), _each(parts, "port", "PGPORT")
    if (preset == "supabase" or any(host.endswith(_SUPABASE) for host in hosts)) and _SUPABASE_POOLER_PORT in ports:
        return (
            f"port {_SUPABASE_POOLER_PORT} is Supabase's transaction pooler, which keeps no session; "
            "take the direct connection or the session pooler, port 5432"
        )
    if any(host.partition(".")[0].endswith("-pooler") and (preset == "neon" or host.endswith(_NEON)) for host in hosts):
        return "this is Neon's pooler, which keeps no session; take the connection string without -pooler in its host"
    return None


def is_transaction_pooled(conn: psycopg.Connection[Any], reach: Callable[[], psycopg.Connection[Any]]) -> bool:
    """Tell whether a pooler gives the connection another session for each transaction; changes nothing in any.

    A server tells its client the number of the process that serves it, a pooler some number of its own. Behind one, two
    connections are asked in turn which process serves them: with sessions of their own these are two, and stay;
    else one process serves both, whether the pool has a single idle one or takes the last used first, or it changes
    from one question to the next.
    """
    number = _process(conn)
    if number == conn.info.backend_pid:
        return False
    first, second = {number}, set[int]()
    with suppress(psycopg.OperationalError), reach() as other:  # no room for a second one: nothing more is known
        for _ in range(_ROUNDS):
            second.add(_process(other))
            first.add(_process(conn))
    return len(first) > 1 or len(second) > 1 or bool(first & second)


def _process(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _each(parts: dict[str, Any], name: str, variable: str) -> list[str]:
    """Return the hosts or ports of a connection string, of which there may be several."""
    return str(parts.get(name) or os.environ.get(variable) or "").split(",")
