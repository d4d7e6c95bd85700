"""What copying would find, told beforehand: the file objects of an export's first rows, matched to the saved files.

Nothing is copied and no database is asked, so that only the check after the copying has the last word.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xata_pg_assets.files.columns import FileColumn
from xata_pg_assets.files.copying import shelf_of
from xata_pg_assets.files.matching import FileObject, Match, match_record
from xata_pg_assets.files.storage import Folder
from xata_pg_assets.xata.records import Batch, TableReader

__all__ = ["Forecast", "forecast"]

# So much of a table's file is looked at; more would be the migration itself
_MOST_BYTES = 64 << 20


@dataclass(slots=True)
class Forecast:
    """How many file objects a column has, and what became of the matching; `is_whole`: all rows were looked at."""

    column: FileColumn
    files: int = 0
    matched: int = 0
    lost: int = 0
    ambiguous: int = 0
    other_size: int = 0
    bytes: int = 0
    is_whole: bool = True

    def add(self, match: Match) -> None:
        """Count one object."""
        self.files += 1
        if match.fault is None:
            self.matched += 1
            self.bytes += match.size or 0
        elif match.fault.startswith("lost"):
            self.lost += 1
        elif match.fault.startswith("size"):
            self.other_size += 1
        else:
            self.ambiguous += 1


def forecast(columns: Sequence[FileColumn], reader: TableReader | None, folder: Folder | None) -> list[Forecast]:
    """Tell what is found for the file columns of one table.

    Raises:
        ExportError: the table's file cannot be read on.
    """
    found = {of.column.xata_name: Forecast(of) for of in columns}
    shelf = shelf_of(folder, lambda _saved, _old_id: ())
    read = 0
    for batch in reader.batches() if reader else ():
        if read > _MOST_BYTES:
            for column in found.values():
                column.is_whole = False
            break
        read += len(batch.data)
        for row in _rows(batch, reader.columns if reader else ()):
            objects = [each for name in found for each in _objects(name, row.get(name))]
            for each, match in zip(objects, match_record(row.get("id") or "", objects, shelf), strict=True):
                found[each.column].add(match)
    return list(found.values())


def _objects(column: str, cell: str | None) -> list[FileObject]:
    """Return the file objects of a cell, as `files.columns.Stored` has them."""
    try:
        value = json.loads(cell) if cell else None
    except (ValueError, RecursionError):  # what is wrong with a cell, the migration tells with its line
        return []
    items = value if isinstance(value, list) else [value]
    return [
        FileObject(column, position, _text(item.get("name")), _size(item.get("size")))
        for position, item in enumerate(items, 1)
        if isinstance(item, dict)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _rows(batch: Batch, columns: Sequence[str]) -> Iterator[Mapping[str, str | None]]:
    """Yield the rows of a batch as texts."""
    return (dict(zip(columns, row, strict=True)) for row in _binary_rows(batch.data))


def _binary_rows(data: bytes) -> Iterator[list[str | None]]:
    """Yield text and jsonb fields as texts; those of other types are not looked at."""
    at = 0
    while at < len(data):
        (count,) = struct.unpack_from(">h", data, at)
        at, row = at + 2, list[str | None]()
        for _ in range(count):
            (size,) = struct.unpack_from(">i", data, at)
            at += 4
            field = data[at : at + size] if size >= 0 else None
            at += max(size, 0)
            row.append(None if field is None else field.removeprefix(b"\1").decode(errors="replace"))
        yield row
