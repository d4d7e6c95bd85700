"""What every export dialect is read into, and what the judge makes of it.

A dialect reads its file into blocks of `Records`: cells as text, NULL as null. The judge holds the
cells to the rules of their types and turns a block into a `Batch`: rows that COPY takes, and faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

import pyarrow as pa

from xata_pg_assets.xata.schema import XataColumn, XataTable

__all__ = [
    "Batch",
    "EmptyText",
    "Fault",
    "Location",
    "ReadOptions",
    "Reason",
    "Records",
    "TableReader",
]

EmptyText = Literal["null", "empty"]


class Reason(StrEnum):
    """Why a row was rejected."""

    RAGGED = "ragged"
    BAD_VALUE = "bad_value"
    NULL_NOT_ALLOWED = "null_not_allowed"
    MISSING_ID = "missing_id"
    DUPLICATE_ID = "duplicate_id"
    DUPLICATE_VALUE = "duplicate_value"
    BAD_DIMENSION = "bad_dimension"
    NUL_BYTE = "nul_byte"
    BAD_ENCODING = "bad_encoding"
    VALUE_TOO_LONG = "value_too_long"
    DANGLING_LINK = "dangling_link"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one record; a record may have several.

    `line` is where the record starts in its file (1 is the first), `column` a Xata name, `value` the
    cell as it came, `raw` the record as it came, cut at 10,000 characters.
    """

    line: int | None
    old_id: str | None
    column: str | None
    value: str | None
    reason: Reason
    raw: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where a staged row stands in its file, and how; `value_of` tells a cell of it as it came, by Xata name.

    It holds on to the block around it: not to be kept.
    """

    line: int | None
    raw: str
    value_of: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How the cells of an export are understood.

    `thorough` judges also what PostgreSQL would refuse by itself (JSON texts): the slower way, taken
    once COPY has refused a table. `max_gzip_ratio` is how many bytes each byte of a .gz may become; 0: any number.
    """

    empty_text: EmptyText = "null"
    json_strings: Literal["auto", "encoded", "plain"] = "auto"
    thorough: bool = False
    max_gzip_ratio: int = 1000


@dataclass(slots=True)
class Records:
    """A block of records: `columns` holds one text array per column of the file, null where NULL.

    `line_of(i)` and `raw_of(i)` tell where the i-th record of the block starts and how it stands there.
    `faults` are those of records that have no cells (ragged ones); `source_rows` counts these and the
    dropped repeated headers (`duplicate_rows`), too. `known` are faulty cells that the dialect found itself,
    by column and row; the judge adds the rest. `value_of(column, i)` tells a cell as it came, where `columns` may
    hold it in another form.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    source_rows: int
    line_of: Callable[[int], int | None]
    raw_of: Callable[[int], str]
    duplicate_rows: int = 0
    faults: Sequence[Fault] = ()
    known: Mapping[str, Mapping[int, Reason]] = field(default_factory=dict)
    value_of: Callable[[str, int], str | None] | None = None


@dataclass(slots=True)
class Batch:
    """Rows for COPY in binary format, in the order of the reader's columns, and what was left out of them.

    `data` lacks the header and the trailer; `size` is how many bytes the block took in the (decompressed) file.
    """

    data: bytes
    rows: int
    source_rows: int
    duplicate_rows: int = 0
    faults: Sequence[Fault] = ()
    size: int = 0


class TableReader(Protocol):
    """One table of an export, opened: its head is read, its rows are not."""

    table: XataTable
    file: str  # relative to the source
    dialect: str
    columns: tuple[str, ...]  # Xata names as in the file, the order of a batch's cells; `id` among them
    missing: tuple[XataColumn, ...]  # of the schema, not in the file
    unknown: tuple[str, ...]  # in the file, not of the schema
    force_null: tuple[str, ...]  # columns where "" is NULL
    force_not_null: tuple[str, ...]  # columns where NULL is ""
    size: int  # bytes of the file

    def batches(self) -> Iterator[Batch]:
        """Read the whole file from its start, in order, in bounded memory.

        Raises:
            ExportError: the file cannot be read on; names file and line.
        """
        ...

    def locate(self, staged: Iterable[int]) -> Iterator[Location]:
        """Tell where rows stand that went into a batch, one by one: `staged` counts them from 0 over all batches.

        Only after `batches` is exhausted; reads again only the blocks concerned, each once where `staged` ascends.
        """
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, known once `batches` is exhausted."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should know, known once `batches` is exhausted; names table and column."""
        ...
