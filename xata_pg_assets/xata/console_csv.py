"""The CSV files of Xata's console: RFC 4180, columns by name, an empty cell for NULL.

A block that COPY would read as we do goes out as it stands in the file; only others are written anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.ahead import ahead
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.cells import Judge
from xata_pg_assets.xata.csv_blocks import BLOCK_SIZE, Block, cut_blocks
from xata_pg_assets.xata.csv_head import BOM, Head, read_head
from xata_pg_assets.xata.csv_records import read_block, reads_as_copy
from xata_pg_assets.xata.csv_scan import mend
from xata_pg_assets.xata.records import Batch, Location, ReadOptions, Records
from xata_pg_assets.xata.schema import XataTable

__all__ = ["ConsoleCsv"]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A block that was read: where it lies, and what was staged before it."""

    staged: int
    offset: int
    size: int
    line: int
    is_mended: bool


class ConsoleCsv:
    """One table's file, its header read.

    Raises:
        ExportError: the file cannot be opened, or its header not used.
    """

    dialect = "console csv"

    def __init__(
        self, path: Path, file: str, table: XataTable, options: ReadOptions, *, block_size: int = BLOCK_SIZE
    ) -> None:
        self.table = table
        self.file = file
        self._path = path
        self._options = options
        self._block_size = block_size
        with ByteStream(path, file) as stream:
            self.size = stream.size
            self._head = read_head(stream, file, table)
        self.columns = self._head.columns if self._head else ()
        self.missing = self._head.missing if self._head else ()
        self.unknown = self._head.unknown if self._head else ()
        text = {column.name for column in table.columns if column.type.is_text} | set(self.unknown)
        kept = {column.name for column in table.columns if column.not_null or options.empty_text == "empty"}
        self.force_null = tuple(name for name in self.columns if name not in text)
        self.force_not_null = tuple(name for name in self.columns if name in text & kept)
        self._judge = self._new_judge()
        self._marks: list[_Mark] = []
        self._sha256 = ""

    @property
    def header(self) -> tuple[str, ...]:
        """The cells of the header as they stand in the file; none where it holds nothing."""
        return self._head.cells if self._head else ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the file as it lies on disk."""
        return self._sha256

    @property
    def warnings(self) -> Sequence[str]:
        """Datetimes without an offset, by column; a file without a header."""
        if self._head is None:
            return [f"{self.table.name}: {self.file} is empty; 0 rows"]
        return self._judge.warnings

    def batches(self) -> Iterator[Batch]:
        """Read the whole file; the next block is read and judged while the caller sends this one.

        Raises:
            ExportError: the file cannot be read on; names file and line.
        """
        self._marks = []
        self._judge = self._new_judge()
        with ByteStream(self._path, self.file) as stream, closing(ahead(self._batches(stream))) as batches:
            yield from batches

    def _batches(self, stream: ByteStream) -> Iterator[Batch]:
        staged = 0
        for block in self._blocks(stream):
            batch = self._judge.batch(self._read(block))
            mark = _Mark(staged, block.offset, len(block.data), block.line, block.mended is not None)
            self._marks.append(mark)
            staged += batch.rows
            yield batch
        self._sha256 = stream.sha256

    def _blocks(self, stream: ByteStream) -> Iterator[Block]:
        head = self._head
        if head is None:
            stream.read(self.size)
            return iter(())
        return cut_blocks(stream, self.file, offset=head.size, line=head.line, size=self._block_size)

    def copy_obstacle(self) -> str | None:
        """Say what keeps COPY from reading the whole file as it is read here; None where nothing does."""
        try:
            with ByteStream(self._path, self.file) as stream:
                return self._first_obstacle(stream)
        except ExportError as error:
            return f"line {error.line}: {error.reason}" if error.line else error.reason

    def _first_obstacle(self, stream: ByteStream) -> str | None:
        if self._head is None:
            return None
        if stream.read(len(BOM) + 1).removeprefix(BOM)[:1] in (b"\r", b"\n"):
            return "a blank line stands before the header"
        stream.seek(0)
        for block in self._blocks(stream):
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

    def locate(self, staged: Sequence[int]) -> Mapping[int, Location]:
        """Tell where staged rows stand, by reading their blocks again."""
        starts = [mark.staged for mark in self._marks]
        by_block = groupby(sorted(set(staged)), lambda row: bisect_right(starts, row) - 1)
        found: dict[int, Location] = {}
        with ByteStream(self._path, self.file) as stream:
            for place, rows in by_block:
                mark = self._marks[place]
                found |= self._located(self._read(_reread(stream, mark)), rows, mark.staged)
        return found

    def _located(self, records: Records, rows: Iterator[int], before: int) -> dict[int, Location]:
        good = self._judge.judge(records).good
        found: dict[int, Location] = {}
        for row in rows:
            record = row - before if good is None else int(good[row - before])
            found[row] = Location(records.line_of(record), records.raw_of(record))
        return found

    def _read(self, block: Block) -> Records:
        return read_block(block, self._known_head, self.file)

    @property
    def _known_head(self) -> Head:
        assert self._head is not None  # noqa: S101
        return self._head

    def _new_judge(self) -> Judge:
        return Judge(
            self.table,
            self.columns,
            self._options,
            force_null=self.force_null,
            force_not_null=self.force_not_null,
            eol=self._head.eol if self._head else b"\n",
        )


def _reread(stream: ByteStream, mark: _Mark) -> Block:
    stream.seek(mark.offset)
    data = stream.read(mark.size)
    return Block(data, mark.offset, mark.line, mend(data, at_end=True, enough=mark.size) if mark.is_mended else None)
