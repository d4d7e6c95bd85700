"""The CSV files of Xata's console: RFC 4180, columns by name, an empty cell for NULL.

A block that COPY would read as we do goes out as it stands in the file; only others are written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from xata_pg_assets.xata.block_reader import BlockReader, Columns, Place
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_blocks import BLOCK_SIZE, Block, cut_blocks
from xata_pg_assets.xata.csv_head import columns_of, read_head
from xata_pg_assets.xata.csv_records import read_block
from xata_pg_assets.xata.csv_scan import mend
from xata_pg_assets.xata.records import ReadOptions, Records
from xata_pg_assets.xata.schema import XataTable

__all__ = ["ConsoleCsv"]


class ConsoleCsv(BlockReader):
    """One table's file, its header read."""

    dialect = "console csv"

    def __init__(
        self, path: Path, file: str, table: XataTable, options: ReadOptions, *, block_size: int = BLOCK_SIZE
    ) -> None:
        self._block_size = block_size
        self._stray_line: int | None = None
        super().__init__(path, file, table, options)

    def _read_head(self, stream: ByteStream) -> Columns:
        head = read_head(stream, self.file, self.table)
        if head is None:
            return Columns()
        self._head, self._eol = head, head.eol
        return columns_of(head, self.table, self._options)

    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        if not self.columns:
            return
        head = self._head
        for block in cut_blocks(stream, self.file, offset=head.size, line=head.line, size=self._block_size):
            place = Place(block.offset, len(block.data), block.line, form=block.mended is not None)
            if self._stray_line is None:
                self._stray_line = block.stray_line
            yield place, read_block(block, head, self.file)

    def _restart(self) -> None:
        self._stray_line = None

    def _own_warnings(self) -> Sequence[str]:
        if self._stray_line is None:
            return ()
        where = f"{self.table.name}: {self.file}:{self._stray_line}"
        return (f"{where}: here a quote stands out of place first; look at what became of it",)

    def _reread(self, data: bytes, place: Place) -> Records:
        mended = mend(data, at_end=True, enough=place.size) if place.form else None
        return read_block(Block(data, place.offset, place.first, mended), self._head, self.file)
