"""The CSV files of `xreplay`: columns by name, lists and dicts as Python prints them, vectors and json unquoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xata_pg_assets.errors import ExportError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.block_reader import MAX_RECORD, BlockReader, Columns, Place
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_head import BOM, Head, columns_of, read_head
from xata_pg_assets.xata.records import Fault, ReadOptions, Reason, Records
from xata_pg_assets.xata.rules import MAX_RAW, printable
from xata_pg_assets.xata.schema import XataTable, XataType
from xata_pg_assets.xata.xreplay_cells import cells_of, text_of
from xata_pg_assets.xata.xreplay_scan import Cut, Layout, Shape, unquoted

__all__ = ["XreplayCsv", "layout_of"]

_BLOCK_SIZE = 1024 * 1024
_SHAPES: dict[XataType, Shape] = {XataType.VECTOR: "vector", XataType.JSON: "json"}


class XreplayCsv(BlockReader):
    """One table's file, its header read."""

    dialect = "xreplay csv"

    def __init__(
        self, path: AnyPath, file: str, table: XataTable, options: ReadOptions, *, block_size: int = _BLOCK_SIZE
    ) -> None:
        self._block_size = block_size
        self._types = {column.name: column.type for column in table.columns}
        super().__init__(path, file, table, options)

    def _read_head(self, stream: ByteStream) -> Columns:
        head = read_head(stream, self.file, self.table)
        if head is None:
            return Columns()
        self._head = head
        self._layout = layout_of(head, self.table)
        return columns_of(head, self.table, self._options)

    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        if not self.columns:
            return
        offset, line = self._head.size, self._head.line
        stream.read(offset)  # not a seek: every byte goes into the hash
        buffer, wanted, at_end = b"", self._block_size, False
        while True:
            if not at_end:
                more = stream.read(wanted - len(buffer))
                at_end = len(more) < wanted - len(buffer)
                buffer += more
            cut = self._layout.cut(buffer, at_end=at_end)
            if cut.size:
                data = buffer[: cut.size]
                yield Place(offset, cut.size, line), self._records(data, line, cut)
                offset += cut.size
                line += data.count(b"\n")
                buffer, wanted = buffer[cut.size :], self._block_size
            elif not buffer and at_end:
                return
            else:
                self._check_open(wanted, line, at_end=at_end)
                wanted *= 2

    def _check_open(self, wanted: int, line: int, *, at_end: bool) -> None:
        """Raise when the record at the start of the buffer will not end."""
        if at_end:
            raise ExportError(self.file, line, "a quote is opened in this record and never closed; close it")
        if wanted >= MAX_RECORD:
            reason = f"the record is longer than {MAX_RECORD >> 20} MB; close the quote that is open in it"
            raise ExportError(self.file, line, reason)

    def _reread(self, data: bytes, place: Place) -> Records:
        return self._records(data, place.first, self._layout.cut(data, at_end=True))

    def _records(self, data: bytes, line: int, cut: Cut) -> Records:
        feeds = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        lines = (line + np.searchsorted(feeds, cut.starts)).tolist()
        kept, faults, headers = self._sorted(data, cut, lines)
        rows = [cut.rows[record] for record in kept]
        columns, known = {}, {}
        for place, name in enumerate(self.columns):
            columns[name], broken = cells_of([row[place] for row in rows], self._types.get(name))
            if broken:
                known[name] = broken
        places = {name: place for place, name in enumerate(self.columns)}
        return Records(
            columns,
            rows=len(rows),
            source_rows=len(cut.rows),
            line_of=lambda row: lines[kept[row]],
            raw_of=lambda row: _raw(data, cut, kept[row]),
            duplicate_rows=headers,
            faults=faults,
            known=known,
            value_of=lambda name, row: text_of(rows[row][places[name]], self._types.get(name)),
        )

    def _sorted(self, data: bytes, cut: Cut, lines: Sequence[int]) -> tuple[list[int], list[Fault], int]:
        """Tell the records that are rows, the faults of those that are ragged, and how many are headers."""
        kept, faults, headers = list[int](), list[Fault](), 0
        width = len(self.columns)
        for record, row in enumerate(cut.rows):
            if len(row) != width:
                old_id = text_of(row[0], None) if self.columns[0] == "id" else None
                faults.append(Fault(lines[record], old_id, None, None, Reason.RAGGED, _raw(data, cut, record)))
            elif self._is_header(row):
                headers += 1
            else:
                kept.append(record)
        return kept, faults, headers

    def _is_header(self, row: Sequence[bytes]) -> bool:
        first = row[0].removeprefix(BOM)
        return first.strip(b'"') == self._head.cells[0].encode() and self._head.cells[1:] == tuple(
            unquoted(cell).decode(errors="replace") for cell in row[1:]
        )


def layout_of(head: Head, table: XataTable) -> Layout:
    """Return what the cells of each column look like, in the order of the file."""
    types = {column.name: column.type for column in table.columns}
    return Layout(tuple(_SHAPES.get(types.get(name, XataType.TEXT), "plain") for name in head.columns))


def _raw(data: bytes, cut: Cut, record: int) -> str:
    # of a long record no more bytes are decoded than may be needed
    start, end = cut.starts[record], cut.ends[record]
    return printable(data[start : min(end, start + 4 * MAX_RAW)].decode(errors="replace"))[:MAX_RAW]
