"""A table of a PostgreSQL source, read by COPY: the rows come as CSV, are judged as such, and go on as they came."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from xata_pg_assets.errors import ExportError
from xata_pg_assets.plan.tables import METADATA, Plan, TargetTable
from xata_pg_assets.postgres.source import Relation, Source, SourceColumn, find_relations, reading_source
from xata_pg_assets.postgres.source_copy import copy_statement
from xata_pg_assets.xata.block_reader import BlockReader, Columns, Place
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_blocks import Block, cut_blocks
from xata_pg_assets.xata.csv_head import Head
from xata_pg_assets.xata.csv_records import read_block
from xata_pg_assets.xata.records import ReadOptions, Records
from xata_pg_assets.xata.schema import XataSchema, XataTable

__all__ = ["SourceTable", "SourceTables", "find_source_tables"]

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A Xata table's rows in the source; `target` tells what its columns are called in PostgreSQL."""

    source: Source
    relation: Relation
    table: XataTable
    target: TargetTable

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.relation.size

    def open(self, options: ReadOptions) -> SourceReader:
        """Return a reader of the rows.

        Raises:
            ExportError: there is no id, or a column that may not be null is missing.
        """
        return SourceReader(self, options)

    def sha256(self) -> str:
        """Read the rows through and return the digest that a reader of them gives."""
        with self.stream() as stream:
            while stream.read(_PIECE):
                pass
            return stream.sha256

    def columns(self) -> Mapping[str, SourceColumn]:
        """Return the columns that are read, by Xata name."""
        return self.relation.matched_columns(self.table, self.target)

    def stream(self) -> CopyStream:
        """Return the rows as CSV, ordered by old id."""
        columns = self.columns()
        statement = copy_statement(self.relation, self.table, columns, self.source.encoding)
        return CopyStream(self.source, self.relation, statement, list(columns))


@dataclass(frozen=True, slots=True)
class SourceTables:
    """What a source holds: `found` by Xata table name, and the `strangers` that no table claims."""

    source: Source
    found: Mapping[str, SourceTable]
    strangers: tuple[str, ...]


def find_source_tables(source: Source, schema: XataSchema, plan: Plan) -> SourceTables:
    """Find each table's rows: in a table named as in Xata, else as `plan` names it, else as either but for case."""
    relations, strangers = find_relations(source, plan)
    source.keep(relations.values())
    found = {
        table.name: SourceTable(source, relations[table.name], table, plan.by_xata_name[table.name])
        for table in schema.tables
        if table.name in relations
    }
    return SourceTables(source, found, tuple(strangers))


class CopyStream(ByteStream):
    """The bytes of a COPY in the source's snapshot; it begins with the first byte read."""

    def __init__(self, source: Source, relation: Relation, statement: sql.Composed, names: Sequence[str]) -> None:
        self._snapshot = source
        self._file = relation.file
        self._statement = statement
        self._size = relation.size
        self._opened = ExitStack()
        self._copy: psycopg.Copy | None = None
        self._rest = b""
        self._offset = 0
        # Without the names, rows would have the same digest under others
        self._hash = hashlib.sha256(repr(names).encode())

    def close(self) -> None:
        """End the COPY, wherever it is."""
        self._opened.close()

    @property
    def size(self) -> int:
        """Bytes of the table on disk."""
        return self._size

    @property
    def sha256(self) -> str:
        """SHA-256 of the columns' names and the bytes read so far."""
        return self._hash.hexdigest()

    def read(self, size: int) -> bytes:
        """Read so many bytes; fewer only at the end.

        Raises:
            TransientError: the source is gone.
            ExportError: it refuses the statement.
        """
        pieces, length = [self._rest], len(self._rest)
        with reading_source(self._file):
            copy = self._started() if size else None
            while copy is not None and length < size and (piece := copy.read()):
                pieces.append(bytes(piece))
                length += len(piece)
        data = b"".join(pieces)
        data, self._rest = data[:size], data[size:]
        self._offset += len(data)
        self._hash.update(data)
        return data

    def seek(self, offset: int) -> None:
        """Go on to an offset ahead."""
        while self._offset < offset and self.read(min(offset - self._offset, _PIECE)):
            pass

    def _started(self) -> psycopg.Copy:
        if self._copy is None:
            conn = self._snapshot.join()
            self._opened.callback(conn.close)
            self._copy = self._opened.enter_context(conn.cursor().copy(self._statement))
            self._opened.callback(_stop, conn)
        return self._copy


def _stop(conn: psycopg.Connection) -> None:
    """Cancel what still runs: a server in the midst of a sort would not see that nobody listens."""
    if conn.info.transaction_status is TransactionStatus.ACTIVE:
        with suppress(psycopg.Error):
            conn.cancel_safe(timeout=5)
    conn.close()


class SourceReader(BlockReader):
    """Reads a table of the source; its rows have no lines."""

    dialect = "postgresql"

    def __init__(self, table: SourceTable, options: ReadOptions) -> None:
        self._source_table = table
        super().__init__(Path(table.relation.file), table.relation.file, table.table, options)

    def _open(self) -> CopyStream:
        return self._source_table.stream()

    def _read_head(self, stream: ByteStream) -> Columns:  # noqa: ARG002
        names = tuple(self._source_table.columns())
        own = {column.name: column for column in self.table.columns}
        missing = tuple(column for name, column in own.items() if name not in names)
        for column in missing:
            if column.not_null:
                raise ExportError(self.file, None, f"column {column.name} is missing and notNull; add it to the table")
        unknown = tuple(name for name in names if name not in {"id", *own, *METADATA})
        texts = {name for name, column in own.items() if column.type.is_text} | set(unknown)
        self._head = Head((), names, missing, unknown, b"\n", size=0, line=1)
        return Columns(names, missing, unknown, force_null=tuple(name for name in names if name not in texts))

    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        for block in cut_blocks(stream, self.file, offset=0, line=1):
            yield Place(block.offset, len(block.data), 1), self._read(block)

    def _reread(self, data: bytes, place: Place) -> Records:
        return self._read(Block(data, place.offset, place.first))

    def _own_warnings(self) -> Sequence[str]:
        if not self._source_table.relation.has_both_ids or self._source_table.columns()["id"].name == "id":
            return ()
        return [f"{self.table.name}: {self.file} has xata_id and id; the old ids are in xata_id, id is left out"]

    def _read(self, block: Block) -> Records:
        records = read_block(block, self._head, self.file)
        records.line_of = _no_line
        return records


def _no_line(record: int) -> None:  # noqa: ARG001
    return None
