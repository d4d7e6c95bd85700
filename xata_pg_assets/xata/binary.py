"""Rows of judged cells in COPY's binary format: whole columns at a time, so that PostgreSQL need parse no text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xata_pg_assets.xata.rules import text_buffers
from xata_pg_assets.xata.schema import XataTable, XataType
from xata_pg_assets.xata.values import microseconds

__all__ = ["HEADER", "TRAILER", "BinaryEncoder", "binary_encoder"]

# What a COPY in binary format begins and ends with: https://www.postgresql.org/docs/current/sql-copy.html
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_VECTOR = Struct(">hh")
_JSONB_VERSION = b"\1"
# PostgreSQL counts from the year 2000
_POSTGRES_EPOCH = microseconds("2000-01-01T00:00:00Z")
_TRUE = pa.array(["t", "T"])
_NOTHING = pa.scalar(b"", pa.binary())
# Every number of a list ends with one of these
_ONE_A_LINE = bytes.maketrans(b",]", b"\n\n")
_METADATA = {
    "xata.version": XataType.INT,
    "xata.createdAt": XataType.DATETIME,
    "xata.updatedAt": XataType.DATETIME,
}

Bools = npt.NDArray[np.bool_]
Column = npt.NDArray[Any]  # values of one width, each of them there
Piece = Any  # a Column, or a binary array


def binary_encoder(table: XataTable, columns: Sequence[str]) -> BinaryEncoder:
    """Return what encodes the columns of a file."""
    own = {column.name: column for column in table.columns if column.name in columns}
    types = _METADATA | {name: column.type for name, column in own.items()}
    dimensions = {name: column.dimension or 0 for name, column in own.items()}
    return BinaryEncoder({name: types.get(name, XataType.TEXT) for name in columns}, dimensions)


class BinaryEncoder:
    """Encodes columns of judged cells as the types of their staging columns: `types` in the file's order."""

    def __init__(self, types: Mapping[str, XataType], dimensions: Mapping[str, int]) -> None:
        self._types = types
        self._dimensions = dimensions

    def encode(self, columns: Mapping[str, Any]) -> bytes:
        """Encode rows, given as text arrays with null for NULL."""
        rows = len(next(iter(columns.values())))
        pieces: list[Piece] = [np.full(rows, len(self._types), ">i2")]
        pieces += chain.from_iterable(self._field(name, columns[name]) for name in self._types)
        joined = pc.binary_join_element_wise(*_merged(pieces), _NOTHING, null_handling="replace")
        data: bytes = joined.buffers()[2].to_pybytes()
        return data

    def _field(self, name: str, cells: Any) -> list[Piece]:
        """Return what makes up the column's fields, piece by piece: first comes the size, -1 for NULL."""
        type_ = self._types[name]
        is_there: Bools = cells.is_valid().to_numpy(zero_copy_only=False)
        if type_ is XataType.VECTOR:
            dimension = self._dimensions[name]
            head = _VECTOR.pack(dimension, 0) * int(is_there.sum())
            numbers = _fixed(_float4s(cells.drop_null()), 4 * dimension, is_there)
            return [_sizes(4 + 4 * dimension, is_there), _fixed(head, 4, is_there), numbers]
        if type_ in _FIXED:
            values = _FIXED[type_](cells.drop_null())
            width = values.itemsize
            return [_sizes(width, is_there), values if is_there.all() else _fixed(values.tobytes(), width, is_there)]
        _, offsets = text_buffers(cells)
        text = cells.cast(pa.binary())
        if type_ in _JSONB:
            version = _fixed(_JSONB_VERSION * int(is_there.sum()), 1, is_there)
            return [_sizes(np.diff(offsets) + 1, is_there), version, text]
        return [_sizes(np.diff(offsets), is_there), text]


def _sizes(sizes: int | npt.NDArray[np.int64], is_there: Bools) -> Column:
    return np.where(is_there, sizes, -1).astype(">i4")


def _merged(pieces: Iterable[Piece]) -> Iterator[Any]:
    """Join pieces of one width that stand side by side: each piece less saves a step for every row."""
    for is_column, run in groupby(pieces, lambda piece: isinstance(piece, np.ndarray)):
        if is_column:
            columns = list(run)
            rows = np.empty(len(columns[0]), [(str(place), column.dtype) for place, column in enumerate(columns)])
            for place, column in enumerate(columns):
                rows[str(place)] = column
            yield _fixed(rows.tobytes(), rows.itemsize, np.ones(len(rows), np.bool_))
        else:
            yield from run


def _fixed(data: bytes, width: int, is_there: Bools) -> Any:
    """Return values of one width as an array, with nothing where no value is."""
    offsets = np.zeros(len(is_there) + 1, np.int32)
    np.cumsum(is_there, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets * np.int32(width)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(is_there), buffers)


def _ints(cells: Any) -> Column:
    ints: Column = cells.cast(pa.int64()).to_numpy()
    return ints.astype(">i8")


def _floats(cells: Any) -> Column:
    floats: Column = cells.cast(pa.float64()).to_numpy()
    return floats.astype(">f8")


def _bools(cells: Any) -> Column:
    bools: Column = pc.is_in(pc.utf8_slice_codeunits(cells, 0, 1), value_set=_TRUE).to_numpy(zero_copy_only=False)
    return bools


def _datetimes(cells: Any) -> Column:
    try:
        moments = cells.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        moments = np.array([microseconds(cell) for cell in cells.to_pylist()], np.int64)
    since_2000: Column = moments - _POSTGRES_EPOCH
    return since_2000.astype(">i8")


# What makes of cells that are all there the values that PostgreSQL receives
_FIXED: Mapping[XataType, Callable[[Any], Column]] = {
    XataType.INT: _ints,
    XataType.FLOAT: _floats,
    XataType.BOOL: _bools,
    XataType.DATETIME: _datetimes,
}
_JSONB = frozenset((XataType.MULTIPLE, XataType.JSON, XataType.OBJECT, XataType.FILE, XataType.FILES))


def _float4s(cells: Any) -> bytes:
    """Read all numbers of JSON arrays of numbers, each rounded once to the nearest float4, ties to even."""
    data, _ = text_buffers(cells)
    lines = data.tobytes().translate(_ONE_A_LINE, b"[ \t\r\n")
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends - np.arange(len(ends))
    digits = pa.py_buffer(lines.translate(None, b"\n"))
    numbers = pa.Array.from_buffers(pa.string(), len(ends), [None, pa.py_buffer(offsets), digits])
    float4s: npt.NDArray[np.float32] = numbers.cast(pa.float32()).to_numpy()
    return float4s.astype(">f4").tobytes()
