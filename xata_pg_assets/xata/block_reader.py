"""What readers of blocks have in common: judging ahead of COPY, and finding staged rows again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from xata_pg_assets.ahead import ahead
from xata_pg_assets.errors import ExportError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.cells import Judge, value_of
from xata_pg_assets.xata.records import Batch, Location, ReadOptions, Records
from xata_pg_assets.xata.schema import XataColumn, XataTable

__all__ = ["MAX_RECORD", "BlockReader", "Columns", "Place", "check_encoding"]

# A longer record is one whose end was lost
MAX_RECORD = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file; the attributes of `TableReader` of the same names."""

    columns: tuple[str, ...] = ()
    missing: tuple[XataColumn, ...] = ()
    unknown: tuple[str, ...] = ()
    force_null: tuple[str, ...] = ()
    force_not_null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block lies in its (decompressed) file, and the line or number of its first record.

    `form` is whatever else its dialect must know to read it again.
    """

    offset: int
    size: int
    first: int
    form: object = None


@dataclass(frozen=True, slots=True)
class _Mark:
    staged: int  # rows before the block
    place: Place


class BlockReader(ABC):
    """A table's file that is read block by block; a dialect says how its blocks are cut and read.

    Raises:
        ExportError: the file cannot be opened, or its head not used.
    """

    dialect: str

    def __init__(self, path: AnyPath, file: str, table: XataTable, options: ReadOptions) -> None:
        self.table = table
        self.file = file
        self._path = path
        self._options = options
        with self._open() as stream:
            self.size = stream.size
            found = self._read_head(stream)
        self.columns = found.columns
        self.missing = found.missing
        self.unknown = found.unknown
        self.force_null = found.force_null
        self.force_not_null = found.force_not_null
        self._judge = self._new_judge()
        self._marks: list[_Mark] = []
        self._sha256 = ""
        self._warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the file as it lies on disk."""
        return self._sha256

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should know of the file."""
        if not self.columns:
            return [f"{self.table.name}: {self.file} is empty; 0 rows"]
        return self._warnings

    def batches(self) -> Iterator[Batch]:
        """Read the whole file; while the caller sends a block, the next one is judged and the one after it read.

        Raises:
            ExportError: the file cannot be read on; names file and line.
        """
        self._marks = []
        self._judge = self._new_judge()
        self._restart()
        with (
            self._open() as stream,
            closing(ahead(self._blocks(stream))) as blocks,
            closing(ahead(self._batches(stream, blocks))) as batches,
        ):
            yield from batches

    def _batches(self, stream: ByteStream, blocks: Iterable[tuple[Place, Records]]) -> Iterator[Batch]:
        staged = 0
        for place, records in blocks:
            batch = self._judge.batch(records)
            batch.size = place.size
            self._marks.append(_Mark(staged, place))
            staged += batch.rows
            yield batch
        while stream.read(1024 * 1024):
            pass
        self._sha256 = stream.sha256
        self._warnings = (*self._judge.warnings, *self._own_warnings())

    def locate(self, staged: Iterable[int]) -> Iterator[Location]:
        """Tell where staged rows stand, by reading their blocks again; one block is held at a time."""
        starts = [mark.staged for mark in self._marks]
        with self._open() as stream:
            for number, rows in groupby(staged, lambda row: bisect_right(starts, row) - 1):
                mark = self._marks[number]
                stream.seek(mark.place.offset)
                records = self._reread(stream.read(mark.place.size), mark.place)
                yield from self._located(records, rows, mark.staged)

    def _located(self, records: Records, rows: Iterator[int], before: int) -> Iterator[Location]:
        good = self._judge.judge(records).good
        for row in rows:
            record = row - before if good is None else int(good[row - before])
            yield Location(records.line_of(record), records.raw_of(record), partial(_value_in, records, record))

    def _new_judge(self) -> Judge:
        return Judge(
            self.table,
            self.columns,
            self._options,
            force_null=self.force_null,
            force_not_null=self.force_not_null,
        )

    def _open(self) -> ByteStream:
        """Open the file at its start."""
        return ByteStream(self._path, self.file, self._options.max_gzip_ratio)

    @abstractmethod
    def _read_head(self, stream: ByteStream) -> Columns:
        """Tell the file's columns from its start; none where it holds nothing."""

    @abstractmethod
    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        """Cut the file into blocks of whole records, and read them."""

    @abstractmethod
    def _reread(self, data: bytes, place: Place) -> Records:
        """Read a block again from its bytes."""

    def _restart(self) -> None:  # noqa: B027
        """Forget what was counted: the file is read from its start."""

    def _own_warnings(self) -> Sequence[str]:
        """Return what the dialect itself has to tell, once the file is read."""
        return ()


def _value_in(records: Records, record: int, column: str) -> str | None:
    return value_of(records, column, record)


def check_encoding(data: bytes, file: str) -> None:
    """Refuse a file that starts as UTF-16 does.

    Raises:
        ExportError: it is UTF-16.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ExportError(file, 1, "the file is UTF-16; save it as UTF-8")
