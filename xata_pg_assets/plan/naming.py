"""How Xata's names become PostgreSQL's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

__all__ = [
    "MAX_BYTES",
    "MAX_TABLE_BYTES",
    "PGVECTOR_TYPES",
    "SYSTEM_COLUMNS",
    "NameSpace",
    "Naming",
    "column_name",
    "cut",
    "snake_case",
    "table_name",
]

Naming = Literal["snake_case", "preserve"]

MAX_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1
MAX_TABLE_BYTES = MAX_BYTES - len("_id_mapping")

# PostgreSQL gives every table these and refuses any other column of such a name
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")

# A table gives its name to a type as well, and in the schema of pgvector these are taken. Nobody knows beforehand
# which schema that is, so that they are taken everywhere
PGVECTOR_TYPES = ("vector", "halfvec", "sparsevec")

_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")


def snake_case(name: str) -> str:
    """Write a Xata name the way PostgreSQL's users write names.

    >>> snake_case("userSavedEvents"), snake_case("HTTPServer"), snake_case("google-maps~id")
    ('user_saved_events', 'http_server', 'google_maps_id')
    >>> snake_case("2ndName"), snake_case("~~")
    ('_2nd_name', '_')
    """
    words = _NOT_ALPHANUMERIC.sub("_", _WORD_BORDER.sub("_", name)).lower().strip("_")
    return f"_{words}" if not words or words[0].isdigit() else words


def cut(name: str, xata_name: str, limit: int = MAX_BYTES, ending: str = "") -> str:
    """Append `ending` and, where the whole exceeds `limit` bytes, cut the name and mark it by a hash.

    The hash is the first 8 hex digits of the SHA-256 of the Xata name, so that two long names that
    differ at their ends only stay two names.

    >>> cut("a" * 70, "a" * 70, ending="_id")[-12:]
    '_6bd5e503_id'
    """
    if len((name + ending).encode()) <= limit:
        return name + ending
    mark = f"_{hashlib.sha256(xata_name.encode()).hexdigest()[:8]}{ending}"
    return _first_bytes(name, limit - len(mark)) + mark


class NameSpace:
    """Hands out names that meet no other: the first free of `base`, `base_2`, `base_3`, …"""

    def __init__(self, taken: Iterable[str] = (), limit: int = MAX_BYTES) -> None:
        self._taken = set(taken)
        self._limit = limit

    def take(self, base: str) -> str:
        """Return the first free name and keep it from others."""
        name, number = base, 1
        while name in self._taken:
            number += 1
            suffix = f"_{number}"
            name = _first_bytes(base, self._limit - len(suffix)) + suffix
        self._taken.add(name)
        return name


def table_name(xata_name: str, naming: Naming) -> str:
    """Return the name a Xata table asks for, before another table may have taken it."""
    name = snake_case(xata_name) if naming == "snake_case" else xata_name
    return cut(name, xata_name, MAX_TABLE_BYTES)


def column_name(xata_name: str, naming: Naming, *, is_link: bool) -> str:
    """Return the name a Xata column asks for, before another column may have taken it."""
    if naming == "preserve":
        return cut(xata_name, xata_name)
    name = snake_case(xata_name)
    if not is_link:
        return cut(name, xata_name)
    return cut(name.removesuffix("_id"), xata_name, ending="_id")


def _first_bytes(text: str, count: int) -> str:
    """Return as much of the text as `count` bytes of UTF-8 hold, whole characters only."""
    return text.encode()[:count].decode(errors="ignore")
