"""Tables of the target as pandas frames, each value as exactly as a frame can hold it.

| PostgreSQL | dtype | NULL |
|---|---|---|
| bigint, integer, smallint | Int64, Int32, Int16 | NA |
| double precision, real | Float64, Float32 | NA |
| boolean | boolean | NA |
| text, varchar | string (Arrow) | NA |
| timestamptz | datetime64[us, UTC] | NaT |
| text[] | object: lists | None |
| jsonb, json | object: what json.loads makes of it | None |
| vector | object: numpy arrays of float32 | None |
| any other | object: what psycopg makes of it | None |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from psycopg import Cursor, sql
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from xata_pg_assets.errors import TargetError, UsageError
from xata_pg_assets.postgres.connection import Connection

__all__ = ["read_frames"]

_FETCHED = 10_000  # rows at a time, where the caller wants them all
_TIMESTAMPTZ = 1184
# PostgreSQL counts from 2000, numpy from 1970; both ends of its range are infinities
_EPOCH = 946_684_800_000_000
_NAT = -(2**63)
_PLAIN: Mapping[str, Any] = {
    "int8": "Int64",
    "int4": "Int32",
    "int2": "Int16",
    "float8": "Float64",
    "float4": "Float32",
    "bool": "boolean",
    "text": pd.StringDtype("pyarrow"),
    "varchar": pd.StringDtype("pyarrow"),
}
_COLUMNS = """
    SELECT a.attname, t.typname, t.oid FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def read_frames(
    conn: Connection, table: sql.Identifier, columns: Sequence[str] | None, chunk_rows: int | None
) -> Iterator[pd.DataFrame]:
    """Read a table in the order of its ids, as of one moment, in frames of `chunk_rows` rows or in a single one.

    There is one frame at least, empty where the table is. The index counts on from frame to frame.

    Raises:
        UsageError: the table has no such column, or chunks would have no row.
        TargetError: a time is beyond what a frame can hold.
    """
    if chunk_rows is not None and chunk_rows < 1:
        raise UsageError(f"argument chunk_rows: {chunk_rows} is no number of rows; write 1 or more")
    types = _types(conn, table)
    names = list(types) if columns is None else list(columns)
    for name in names:
        if name not in types:
            raise UsageError(
                f"column {name}: table {table.as_string()} has none of this name; it has {', '.join(types)}"
            )
    with conn.transaction(), conn.cursor("read_table", binary=True) as cur:
        _adapt(cur, {oid for name, oid in types.values() if name == "vector"})
        selected = sql.SQL(", ").join(map(sql.Identifier, names))
        # Without an id it is a table of the user's own, and has the order it has
        order = sql.SQL(" ORDER BY id") if "id" in types else sql.SQL("")
        cur.execute(sql.SQL("SELECT {} FROM {}{}").format(selected, table, order))
        kinds = {name: types[name][0] for name in names}
        if chunk_rows is None:
            yield pd.concat(_frames(cur, kinds, _FETCHED))
        else:
            yield from _frames(cur, kinds, chunk_rows)


def _types(conn: Connection, table: sql.Identifier) -> dict[str, tuple[str, int]]:
    """Return a table's columns in order, each with the name and the number of its type."""
    return {name: (type_, oid) for name, type_, oid in conn.execute(_COLUMNS, (table.as_string(conn),))}


def _frames(cur: Cursor[Any], kinds: Mapping[str, str], size: int) -> Iterator[pd.DataFrame]:
    done, rows = 0, cur.fetchmany(size)
    while rows or not done:
        columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(kinds)
        yield pd.DataFrame(
            {name: _series(name, kinds[name], values) for name, values in zip(kinds, columns, strict=True)},
            index=pd.RangeIndex(done, done + len(rows)),
        )
        if not rows:
            return
        done, rows = done + len(rows), cur.fetchmany(size)


def _series(name: str, type_: str, values: Sequence[Any]) -> Any:
    """Return a column's values as an array of its dtype."""
    if type_ in _PLAIN:
        return pd.array(list(values), dtype=_PLAIN[type_])
    if type_ == "timestamptz":
        micros = np.array([_NAT if value is None else _since_1970(name, value) for value in values], dtype=np.int64)
        return pd.DatetimeIndex(micros.view("M8[us]")).tz_localize("UTC")
    objects = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):  # one by one: numpy would make a matrix of lists as long as each other
        objects[place] = value
    return objects


def _since_1970(name: str, value: int) -> int:
    moment = value + _EPOCH
    if abs(value) >= 2**63 - 1 or moment >= 2**63:
        raise TargetError(f"column {name}: holds a time that a frame cannot: infinity, or after the year 294246")
    return moment


def _adapt(cur: Cursor[Any], vectors: set[int]) -> None:
    """Read times as numbers, for Python has none before the year 1 and after 9999, and vectors as arrays."""
    cur.adapters.register_loader(_TIMESTAMPTZ, _Microseconds)
    for oid in vectors:
        cur.adapters.register_loader(oid, _Vector)


class _Microseconds(Loader):
    """A time as microseconds since 2000."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(bytes(data), "big", signed=True)


class _Vector(Loader):
    """A vector: two bytes for its dimension, two unused, then its numbers."""

    format = Format.BINARY

    def load(self, data: Buffer) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.frombuffer(bytes(data), dtype=">f4", offset=4).astype(np.float32)
