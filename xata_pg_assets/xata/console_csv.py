"""The CSV files of Xata's console: RFC 4180, columns by name, an empty cell for NULL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xata_pg_assets.errors import ExportError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.block_reader import BlockReader, Columns, Place
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_blocks import BLOCK_SIZE, Block, cut_blocks
from xata_pg_assets.xata.csv_head import BOM, Head, columns_of, read_head
from xata_pg_assets.xata.csv_records import read_block, reads_as_copy
from xata_pg_assets.xata.csv_scan import mend
from xata_pg_assets.xata.records import ReadOptions, Records
from xata_pg_assets.xata.schema import XataTable

__all__ = ["ConsoleCsv"]


class ConsoleCsv(BlockReader):
    """One table's file, its header read."""

    dialect = "console csv"

    def __init__(
        self, path: AnyPath, file: str, table: XataTable, options: ReadOptions, *, block_size: int = BLOCK_SIZE
    ) -> None:
        self._block_size = block_size
        self._stray_line: int | None = None
        super().__init__(path, file, table, options)

    @property
    def header(self) -> tuple[str, ...]:
        """The cells of the header as they stand in the file; none where it holds nothing."""
        return self._head.cells if self._head else ()

    def copy_obstacle(self) -> str | None:
        """Say what keeps COPY from reading the whole file as it is read here; None where nothing does."""
        try:
            with self._open() as stream:
                return self._first_obstacle(stream)
        except ExportError as error:
            return f"line {error.line}: {error.reason}" if error.line else error.reason

    def _first_obstacle(self, stream: ByteStream) -> str | None:
        if self._head is None:
            return None
        if stream.read(len(BOM) + 1).removeprefix(BOM)[:1] in (b"\r", b"\n"):
            return "a blank line stands before the header"
        stream.seek(0)
        for block in self._cut(stream):
            if obstacle := self._obstacle_in(block):
                return obstacle
        return None

    def _obstacle_in(self, block: Block) -> str | None:
        records = self._read(block)
        lines = f"between lines {block.line} and {block.line + len(block.feeds)}"
        if records.faults:
            return f"line {records.faults[0].line}: the record has more or fewer cells than the header"
        if records.known:
            return f"{lines} a cell is not UTF-8"
        if b"\0" in block.data:
            return f"{lines} stands a byte 0"
        if not reads_as_copy(block, self._known_head.eol):
            return f"{lines} stands a blank line, a line that begins with \\., or a quote or line end out of place"
        return None

    def _read_head(self, stream: ByteStream) -> Columns:
        self._head = head = read_head(stream, self.file, self.table)
        if head is None:
            return Columns()
        return columns_of(head, self.table, self._options)

    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        for block in self._cut(stream):
            place = Place(block.offset, len(block.data), block.line, form=block.mended is not None)
            if self._stray_line is None:
                self._stray_line = block.stray_line
            yield place, self._read(block)

    def _restart(self) -> None:
        self._stray_line = None

    def _own_warnings(self) -> Sequence[str]:
        if self._stray_line is None:
            return ()
        where = f"{self.table.name}: {self.file}:{self._stray_line}"
        return (f"{where}: here a quote stands out of place first; look at what became of it",)

    def _reread(self, data: bytes, place: Place) -> Records:
        mended = mend(data, at_end=True, enough=place.size) if place.form else None
        return self._read(Block(data, place.offset, place.first, mended))

    def _cut(self, stream: ByteStream) -> Iterator[Block]:
        head = self._head
        if head is None:
            return iter(())
        return cut_blocks(stream, self.file, offset=head.size, line=head.line, size=self._block_size)

    def _read(self, block: Block) -> Records:
        return read_block(block, self._known_head, self.file)

    @property
    def _known_head(self) -> Head:
        assert self._head is not None  # noqa: S101
        return self._head
