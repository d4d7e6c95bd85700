"""Fixed statements, one a file; identifiers are filled in by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from psycopg import sql

__all__ = ["get"]


@cache
def get(name: str) -> sql.SQL:
    """Return the statement of `<name>.sql`, to be completed by `.format()`."""
    text = (files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
    return sql.SQL(text)
