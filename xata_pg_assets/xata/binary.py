"""Rows of judged cells in COPY's binary format, which spares PostgreSQL the parsing of long vectors.

Only for tables with such vectors: there it saves most of the time that COPY takes. Everywhere else the text that
stands in the file is the quicker way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from xata_pg_assets.xata.rules import text_buffers
from xata_pg_assets.xata.schema import XataTable, XataType

__all__ = ["HEADER", "TRAILER", "BinaryEncoder", "binary_encoder"]

# What a COPY in binary format begins and ends with: https://www.postgresql.org/docs/current/sql-copy.html
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# A vector of so many numbers or more is worth the making of each of its row's fields
_LONG = 64

_NULL = b"\xff\xff\xff\xff"
_SIZE, _COUNT = Struct(">i"), Struct(">h")
_INT, _FLOAT, _BOOL, _JSON, _VECTOR = Struct(">iq"), Struct(">id"), Struct(">i?"), Struct(">iB"), Struct(">ihh")
_JSONB_VERSION = 1
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Every number of a list ends with one of these
_ONE_A_LINE = bytes.maketrans(b",]", b"\n\n")
_METADATA = {
    "xata.version": XataType.INT,
    "xata.createdAt": XataType.DATETIME,
    "xata.updatedAt": XataType.DATETIME,
}

Field = Callable[[str], bytes]


def binary_encoder(table: XataTable, columns: Sequence[str]) -> BinaryEncoder | None:
    """Return what encodes the columns of a file; None where no vector among them is long."""
    own = {column.name: column for column in table.columns if column.name in columns}
    if not any(column.type is XataType.VECTOR and (column.dimension or 0) >= _LONG for column in own.values()):
        return None
    types = _METADATA | {name: column.type for name, column in own.items()}
    dimensions = {name: column.dimension or 0 for name, column in own.items()}
    return BinaryEncoder({name: types.get(name, XataType.TEXT) for name in columns}, dimensions)


class BinaryEncoder:
    """Encodes columns of judged cells as the types of their staging columns: `types` in the file's order."""

    def __init__(self, types: Mapping[str, XataType], dimensions: Mapping[str, int]) -> None:
        self._types = types
        self._dimensions = dimensions
        self._start = _COUNT.pack(len(types))

    def encode(self, columns: Mapping[str, Any]) -> bytes | None:
        """Encode rows, given as text arrays with null for NULL; None where a value has no plain binary form.

        Such is a datetime before year 1: PostgreSQL reads it from text.
        """
        try:
            fields = [self._fields(name, columns[name]) for name in self._types]
        except ValueError:
            return None
        return b"".join(chain.from_iterable(zip(repeat(self._start), *fields, strict=False)))

    def _fields(self, name: str, cells: Any) -> Iterable[bytes]:
        type_ = self._types[name]
        if type_ is XataType.VECTOR:
            return _vectors(cells, self._dimensions[name])
        field = _FIELDS.get(type_, _text)
        return [_NULL if cell is None else field(cell) for cell in cells.to_pylist()]


def _text(cell: str) -> bytes:
    data = cell.encode()
    return _SIZE.pack(len(data)) + data


def _jsonb(cell: str) -> bytes:
    data = cell.encode()
    return _JSON.pack(1 + len(data), _JSONB_VERSION) + data


def _int(cell: str) -> bytes:
    return _INT.pack(8, int(cell))


def _float(cell: str) -> bytes:
    return _FLOAT.pack(8, float(cell))


def _bool(cell: str) -> bytes:
    return _BOOL.pack(1, cell[0] in "tT")


def _datetime(cell: str) -> bytes:
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _INT.pack(8, (moment - _POSTGRES_EPOCH) // _MICROSECOND)


_FIELDS: Mapping[XataType, Field] = {
    XataType.INT: _int,
    XataType.FLOAT: _float,
    XataType.BOOL: _bool,
    XataType.DATETIME: _datetime,
    XataType.MULTIPLE: _jsonb,
    XataType.JSON: _jsonb,
    XataType.OBJECT: _jsonb,
    XataType.FILE: _jsonb,
    XataType.FILES: _jsonb,
}


def _vectors(cells: Any, dimension: int) -> Iterable[bytes]:
    """Encode vectors, each number rounded once to the nearest float4, ties to even, as PostgreSQL rounds it."""
    there = cells.drop_null() if cells.null_count else cells
    start = _VECTOR.pack(4 + 4 * dimension, dimension, 0)
    vectors = (start + vector.tobytes() for vector in _float4s(there).reshape(len(there), dimension).astype(">f4"))
    if not cells.null_count:
        return vectors
    return [next(vectors) if is_there else _NULL for is_there in cells.is_valid().to_pylist()]


def _float4s(cells: Any) -> npt.NDArray[np.float32]:
    """Read all numbers of JSON arrays of numbers."""
    data, _ = text_buffers(cells)
    lines = data.tobytes().translate(_ONE_A_LINE, b"[ \t\r\n")
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends - np.arange(len(ends))
    digits = pa.py_buffer(lines.translate(None, b"\n"))
    numbers = pa.Array.from_buffers(pa.string(), len(ends), [None, pa.py_buffer(offsets), digits])
    float4s: npt.NDArray[np.float32] = numbers.cast(pa.float32()).to_numpy()
    return float4s
