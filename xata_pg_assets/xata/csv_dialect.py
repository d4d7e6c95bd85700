"""CSV files, told apart by looking: the console's, or those of `xreplay`.

Both may lack metadata and have their columns in the order of the alphabet, and then only cells tell: Python's
words and quotes, and brackets without quotes, are never the console's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.console_csv import ConsoleCsv
from xata_pg_assets.xata.csv_head import Head, read_head
from xata_pg_assets.xata.records import ReadOptions, TableReader
from xata_pg_assets.xata.schema import METADATA_COLUMNS, XataTable, XataType
from xata_pg_assets.xata.xreplay_csv import XreplayCsv, layout_of
from xata_pg_assets.xata.xreplay_ids import XreplayIds, is_bare
from xata_pg_assets.xata.xreplay_scan import unquoted

__all__ = ["open_csv"]

# Bytes and records of a file that are looked at
_SAMPLE = 1024 * 1024
_RECORDS = 5_000
# Columns that the two write in different ways
_TELLING = (XataType.MULTIPLE, XataType.JSON, XataType.OBJECT, XataType.VECTOR)

Writer = Literal["console", "xreplay"]


def open_csv(path: AnyPath, file: str, table: XataTable, options: ReadOptions) -> TableReader:
    """Open a table's CSV file with the reader of whoever wrote it.

    Raises:
        ExportError: the file cannot be opened, or its header not used.
    """
    with ByteStream(path, file, options.max_gzip_ratio) as stream:
        if is_bare(stream.read(_SAMPLE), table):
            return XreplayIds(path, file, table, options)
        stream.seek(0)
        head = read_head(stream, file, table)
        if head is None or set(METADATA_COLUMNS) & set(head.columns):
            return ConsoleCsv(path, file, table, options)
        stream.seek(head.size)
        sample = stream.read(_SAMPLE)
    writer = _writer(sample, head, table)
    return (XreplayCsv if writer == "xreplay" else ConsoleCsv)(path, file, table, options)


def _writer(sample: bytes, head: Head, table: XataTable) -> Writer:
    """Tell who wrote a file without metadata.

    What xreplay alone writes decides; then what only another does. A file that shows neither is read as xreplay's,
    which takes the console's cells as well, where a later row might need it.
    """
    hints = set(_hints(sample, head, table))
    if "xreplay" in hints:
        return "xreplay"
    is_sorted = head.cells[0] == "id" and list(head.cells[1:]) == sorted(head.cells[1:])
    is_telling = any(column.type in _TELLING for column in table.columns if column.name in head.columns)
    return "xreplay" if is_sorted and is_telling and "console" not in hints else "console"


def _hints(sample: bytes, head: Head, table: XataTable) -> Iterator[Writer]:
    types = {column.name: column.type for column in table.columns}
    columns = [types.get(name) for name in head.columns]
    cut = layout_of(head, table).cut(sample, at_end=len(sample) < _SAMPLE)
    for row in islice(cut.rows, _RECORDS):
        if len(row) != len(columns):
            continue
        if row[0].startswith(b'"'):
            yield "console"
        for cell, type_ in zip(row, columns, strict=True):
            hint = _hint(cell, type_) if cell and type_ else None
            if hint:
                yield hint


def _hint(cell: bytes, type_: XataType) -> Writer | None:
    """Tell who writes such a cell, if only one of them does."""
    match type_:
        case XataType.BOOL:
            return "xreplay" if cell in (b"True", b"False") else "console"
        case XataType.STRING | XataType.TEXT:
            return None if cell.startswith(b'"') else "console"
        case XataType.VECTOR:
            return "xreplay" if cell.startswith(b"[") and b"," in cell else "console"
        case XataType.JSON:
            return _json_hint(cell)
        case XataType.MULTIPLE | XataType.OBJECT:
            return _python_hint(unquoted(cell))
    return None


def _json_hint(cell: bytes) -> Writer | None:
    if cell.startswith((b"[", b"{")):
        return "xreplay" if b"," in cell or b'"' in cell else None
    return "console" if cell.startswith((b'"[', b'"{')) else None


def _python_hint(cell: bytes) -> Writer | None:
    if cell.startswith((b"['", b"{'")):
        return "xreplay"
    return "console" if cell.startswith((b'["', b'{"')) and b"'" not in cell else None
