"""The file columns of a plan, each with the place of its copies, and what is known of their files so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter

from psycopg.rows import TupleRow

from xata_pg_assets.files.matching import FileObject
from xata_pg_assets.files.names import key_segment, safe_name
from xata_pg_assets.plan.naming import NameSpace
from xata_pg_assets.plan.tables import Plan, TargetColumn, TargetTable
from xata_pg_assets.postgres import file_ledger
from xata_pg_assets.postgres.connection import Connection, streamed
from xata_pg_assets.postgres.file_keys import file_columns, objects_query
from xata_pg_assets.postgres.file_ledger import FileLine
from xata_pg_assets.postgres.layout import Layout

__all__ = ["FileColumn", "Stored", "file_columns_of", "stored_objects"]

_MOST = 2**63
_RECORDS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column whose files are copied; `place` is its table's and its own name as parts of a key."""

    table: TargetTable
    column: TargetColumn
    place: tuple[str, str]

    @property
    def name(self) -> str:
        """The name of its asset."""
        return f"{self.table.name}.{self.column.name}"

    @property
    def xata_name(self) -> str:
        """Its name in messages, as Xata has it."""
        return f"{self.table.xata_name}.{self.column.xata_name}"

    @property
    def work(self) -> str:
        """What no two runs do at once, as the name of a folder."""
        return ".".join(self.place)

    def key(self, new_id: int, n: int, name: str) -> str:
        """Return the key of a copy, relative to the destination."""
        table, column = self.place
        return f"{table}/{new_id}/{column}/{n}-{safe_name(name)}"


def file_columns_of(plan: Plan) -> list[FileColumn]:
    """Return the file columns of all tables, in load order; no two share a place, in whatever case."""
    tables, found = NameSpace(limit=255), list[FileColumn]()
    for table in plan.tables:
        columns = NameSpace(limit=255)
        place = tables.take(key_segment(table.name)) if file_columns(table) else ""
        found += [
            FileColumn(table, column, (place, columns.take(key_segment(column.name)))) for column in file_columns(table)
        ]
    return found


@dataclass(frozen=True, slots=True)
class Stored:
    """A file object as the target has it, beside its line in the ledger.

    `written` is the field `key` of the object; `taken` are the numbers that its record and column have given.
    """

    new_id: int
    old_id: str
    xata_column: str
    position: int
    object: str
    occurrence: int
    name: str | None
    raw_size: int | float | None
    written: str | None
    line: FileLine | None
    taken: frozenset[int]

    @property
    def size(self) -> int | None:
        """The size that Xata tells, None where it tells none."""
        size = self.raw_size
        return size if isinstance(size, int) and 0 <= size < _MOST else None

    @property
    def file(self) -> FileObject:
        """The object as it is matched."""
        return FileObject(self.xata_column, self.position, self.name or "", self.size)

    @property
    def copy(self) -> FileLine | None:
        """Its line, if that tells of a copy."""
        return self.line if self.line and self.line.key is not None else None


def stored_objects(conn: Connection, layout: Layout, table: TargetTable) -> Iterator[list[Stored]]:
    """Yield the file objects of a table record by record, in bounded memory; needs a transaction."""
    rows = streamed(conn, objects_query(layout, table))
    records = (list(record) for _, record in groupby(rows, key=itemgetter(0)))
    while some := list(islice(records, _RECORDS_AT_ONCE)):
        lines = file_ledger.lines_of(conn, layout, table, [record[0][1] for record in some])
        for record in some:
            yield [_stored(row, lines.get((row[1], row[2]), ())) for row in record]


def _stored(row: TupleRow, lines: Sequence[FileLine]) -> Stored:
    new_id, old_id, column, position, digest, occurrence, name, size, written = row
    line = next((line for line in lines if (line.object, line.occurrence) == (digest, occurrence)), None)
    taken = frozenset(line.n for line in lines)
    return Stored(new_id, old_id, column, position, digest, occurrence, name, size, written, line, taken)
