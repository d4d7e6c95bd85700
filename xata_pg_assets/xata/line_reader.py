"""Files of one record a line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from xata_pg_assets.errors import ExportError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.block_reader import MAX_RECORD, BlockReader, Columns, Place, check_encoding
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_head import BOM
from xata_pg_assets.xata.records import ReadOptions, Records
from xata_pg_assets.xata.schema import XataTable

__all__ = ["LineReader", "lines_of"]

_BLOCK_SIZE = 1024 * 1024


class LineReader(BlockReader):
    """A file whose records end with their lines; a line that cannot be read is a fault of its own."""

    def __init__(
        self, path: AnyPath, file: str, table: XataTable, options: ReadOptions, *, block_size: int = _BLOCK_SIZE
    ) -> None:
        self._block_size = block_size
        super().__init__(path, file, table, options)

    @abstractmethod
    def _read_lines(self, texts: Sequence[bytes], lines: Sequence[int]) -> Records:
        """Read records, each with its line."""

    @abstractmethod
    def _columns_of(self, texts: Sequence[bytes]) -> Columns:
        """Tell the columns from the first lines of the file."""

    def _read_head(self, stream: ByteStream) -> Columns:
        for data, _ in self._cut(stream):
            texts, lines = lines_of(data, 1)
            if texts:
                self._first_line = lines[0]
                return self._columns_of(texts)
        return Columns()

    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        line = 1
        if not self.columns:
            return
        for data, offset in self._cut(stream):
            place = Place(offset, len(data), line)
            line += data.count(b"\n")
            yield place, self._reread(data, place)

    def _reread(self, data: bytes, place: Place) -> Records:
        return self._read_lines(*lines_of(data, place.first))

    def _cut(self, stream: ByteStream) -> Iterator[tuple[bytes, int]]:
        """Cut the file into blocks of whole lines; yield each with its offset."""
        buffer = stream.read(self._block_size)
        check_encoding(buffer, self.file)
        offset = len(BOM) if buffer.startswith(BOM) else 0
        buffer, line = buffer[offset:], 1
        while buffer:
            end = buffer.rfind(b"\n") + 1
            if not end:
                self._check_size(buffer, line)
                more = stream.read(max(len(buffer), self._block_size))
                if more:
                    buffer += more
                    continue
                end = len(buffer)
            yield buffer[:end], offset
            line += buffer.count(b"\n", 0, end)
            offset += end
            buffer = buffer[end:] + stream.read(max(self._block_size - len(buffer) + end, 1))

    def _check_size(self, line_so_far: bytes, line: int) -> None:
        if len(line_so_far) >= MAX_RECORD:
            reason = f"the line is longer than {MAX_RECORD >> 20} MB; each record needs a line of its own"
            raise ExportError(self.file, line, reason)


def lines_of(data: bytes, first: int) -> tuple[list[bytes], list[int]]:
    r"""Split data into its lines that are not blank, and tell which lines these are.

    >>> lines_of(b"a\r\n\nb", 5)
    ([b'a', b'b'], [5, 7])
    """
    texts = [line.strip() for line in data.split(b"\n")]
    lines = [number for number, text in enumerate(texts, first) if text]
    return [text for text in texts if text], lines
