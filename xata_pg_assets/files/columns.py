"""The file columns of a plan, each with the place of its copies, and what is known of their files so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from xata_pg_assets.files.matching import FileObject
from xata_pg_assets.files.names import key_segment, safe_name
from xata_pg_assets.plan.naming import NameSpace
from xata_pg_assets.plan.tables import Plan, TargetColumn, TargetTable
from xata_pg_assets.postgres.connection import Connection, streamed
from xata_pg_assets.postgres.file_keys import file_columns, objects_query
from xata_pg_assets.postgres.layout import Layout

__all__ = ["FileColumn", "Stored", "file_columns_of", "stored_objects"]

_MOST = 2**63


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
    n: int | None
    key: str | None
    sha256: str | None
    copied_size: int | None
    destination: str | None
    problem: str | None
    taken: Sequence[int]

    @property
    def size(self) -> int | None:
        """The size that Xata tells, None where it tells none."""
        size = self.raw_size
        return size if isinstance(size, int) and 0 <= size < _MOST else None

    @property
    def file(self) -> FileObject:
        """The object as it is matched."""
        return FileObject(self.xata_column, self.position, self.name or "", self.size)


def stored_objects(conn: Connection, layout: Layout, table: TargetTable) -> Iterator[list[Stored]]:
    """Yield the file objects of a table record by record, in bounded memory; needs a transaction."""
    rows = (Stored(*row) for row in streamed(conn, objects_query(layout, table)))
    for _, record in groupby(rows, key=attrgetter("new_id")):
        yield list(record)
