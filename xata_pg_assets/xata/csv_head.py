"""The header of a CSV file: its columns found again in the schema, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.block_reader import Columns
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_scan import TooManyCellsError, cells_of, mend
from xata_pg_assets.xata.records import ReadOptions
from xata_pg_assets.xata.schema import MAX_COLUMNS, METADATA_COLUMNS, XataColumn, XataTable

__all__ = ["BOM", "Head", "column_names", "columns_of", "read_head"]

BOM = b"\xef\xbb\xbf"
# A header of a table of 400 columns with names of 255 characters is a tenth of it
_MAX_HEAD = 1024 * 1024
_TOO_MANY = f"the header names more columns than the {MAX_COLUMNS:,} that a table can have; is its line end missing?"

_METADATA = {name.lower(): name for name in METADATA_COLUMNS}


@dataclass(frozen=True, slots=True)
class Head:
    """A header line, and what stands before the first record."""

    cells: tuple[str, ...]  # as in the file
    columns: tuple[str, ...]  # Xata names
    missing: tuple[XataColumn, ...]
    unknown: tuple[str, ...]
    eol: bytes  # how COPY is told that lines end
    size: int  # bytes before the first record
    line: int  # of the first record


def read_head(stream: ByteStream, file: str, table: XataTable) -> Head | None:
    """Read the header at the start of a stream; None where the file holds nothing.

    Raises:
        ExportError: the header cannot be used: no `id`, a name twice or none, not UTF-8.
    """
    data = stream.read(_MAX_HEAD)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ExportError(file, 1, "the file is UTF-16; save it as UTF-8")
    start = len(BOM) if data.startswith(BOM) else 0
    start += len(data[start:]) - len(data[start:].lstrip(b"\r\n"))
    if start == len(data):
        return None
    try:
        head = mend(data[start:], at_end=len(data) < _MAX_HEAD, enough=1)
        cells = _cells(head.data, file)
    except TooManyCellsError:
        raise ExportError(file, 1, _TOO_MANY) from None
    if not head.size:
        raise ExportError(file, 1, "the header does not end; close the quote that is open in it")
    if len(cells) > MAX_COLUMNS:
        raise ExportError(file, 1, _TOO_MANY)
    size = start + head.size
    line_end = data[start + head.ends[0] : size]
    columns = column_names(cells, table)
    _check(columns, cells, file)
    own = {column.name for column in table.columns}
    return Head(
        cells=cells,
        columns=columns,
        missing=tuple(column for column in table.columns if column.name not in columns),
        unknown=tuple(name for name in columns if name not in own | {"id", *METADATA_COLUMNS}),
        eol=b"\r\n" if line_end == b"\r\n" else b"\n",
        size=size,
        line=1 + data.count(b"\n", 0, size),
    )


def columns_of(head: Head, table: XataTable, options: ReadOptions) -> Columns:
    """Tell what COPY must make of an empty cell in each column: a text where one may stand, else NULL."""
    text = {column.name for column in table.columns if column.type.is_text} | set(head.unknown)
    kept = {column.name for column in table.columns if column.not_null or options.empty_text == "empty"}
    return Columns(
        columns=head.columns,
        missing=head.missing,
        unknown=head.unknown,
        force_null=tuple(name for name in head.columns if name not in text),
        force_not_null=tuple(name for name in head.columns if name in text & kept),
    )


def column_names(cells: Iterable[str], table: XataTable) -> tuple[str, ...]:
    """Return the Xata names of a header's cells: metadata may be spelled as in PostgreSQL.

    >>> column_names(["id", "xata_createdat", "xata.version"], XataTable("t"))
    ('id', 'xata.createdAt', 'xata.version')
    """
    own = {column.name for column in table.columns}
    return tuple(cell if cell in own else _metadata_name(cell) for cell in cells)


def _metadata_name(cell: str) -> str:
    return _METADATA.get(re.sub(r"^xata_", "xata.", cell.lower()), cell)


def _cells(record: bytes, file: str) -> tuple[str, ...]:
    try:
        return tuple((cell or b"").decode() for cell in cells_of(record))
    except UnicodeDecodeError as error:
        raise ExportError(file, 1, "the header is not UTF-8; save the file as UTF-8") from error


def _check(columns: tuple[str, ...], cells: tuple[str, ...], file: str) -> None:
    if "id" not in columns:
        raise ExportError(file, 1, "the header has no column id; export the table with its ids")
    for place, name in enumerate(columns):
        if "\0" in name:
            raise ExportError(file, 1, f"the name of column {place + 1} holds the byte 0; remove it")
        if not name:
            raise ExportError(file, 1, f"column {place + 1} of the header has no name; name or remove it")
        if columns.index(name) != place:
            raise ExportError(file, 1, f"the header names {_named_twice(name, cells[place])}; keep one of the two")


def _named_twice(name: str, cell: str) -> str:
    return f"column {name} twice" if name == cell else f"column {name} twice, once as {cell}"
