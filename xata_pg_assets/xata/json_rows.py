"""Records given as JSON texts, turned into blocks of cells by the columns of their table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow.compute as pc

from xata_pg_assets.errors import counted
from xata_pg_assets.xata.block_reader import Columns
from xata_pg_assets.xata.csv_head import column_names
from xata_pg_assets.xata.json_cell import JsonStrings
from xata_pg_assets.xata.json_cells import Cells, cells_of, kind_of, shown
from xata_pg_assets.xata.json_members import Record, decode, decode_all
from xata_pg_assets.xata.json_pages import Form
from xata_pg_assets.xata.json_split import items
from xata_pg_assets.xata.records import Fault, ReadOptions, Reason, Records
from xata_pg_assets.xata.rules import MAX_RAW, printable
from xata_pg_assets.xata.schema import METADATA_COLUMNS, XataTable, XataType

__all__ = ["Decode", "JsonRows", "decode_list"]

Decode = Callable[[bytes], Record | None]

_as_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NESTED = {name.removeprefix("xata.").lower(): name for name in METADATA_COLUMNS}
# How a record begins that is cut later on
_LEADING_ID = re.compile(rb"""\s*\{\s*(["'])id\1\s*:\s*(["'])([^"'\\]+)\2""")

_EPOCH = "1970-01-01T00:00:00.000Z"
# From here on JavaScript knows only some of the integers
_SAFE = 2**53


def decode_list(names: Sequence[str]) -> Decode:
    """Return how rows are decoded that are arrays, their columns named elsewhere."""

    def decode_row(text: bytes) -> Record | None:
        cells: Sequence[bytes] | None
        try:
            cells = _as_elements(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            cells = items(text)  # one that is broken does not spoil the others
        return dict(zip(names, cells, strict=True)) if cells is not None and len(cells) == len(names) else None

    return decode_row


@dataclass(slots=True)
class _Tally:
    """What was seen so far that a person should know."""

    rows: int = 0
    unknown: dict[str, None] = field(default_factory=dict)
    metadata: set[str] = field(default_factory=set)
    epochs: dict[str, int] = field(default_factory=dict)
    beyond: dict[str, int] = field(default_factory=dict)
    exact: set[str] = field(default_factory=set)  # columns whose writer was not JavaScript


class JsonRows:
    """Reads the records of one table; `unknown` are the columns that the schema lacks."""

    def __init__(self, table: XataTable, file: str, options: ReadOptions, unknown: Sequence[str] = ()) -> None:
        self._table = table
        self._file = file
        self._options = options
        self._own = {column.name: column for column in table.columns}
        self._unknown = tuple(unknown)
        names = ("id", *self._own, *METADATA_COLUMNS, *self._unknown)
        self.columns = Columns(columns=names, unknown=self._unknown)
        self._names = frozenset(names)
        self._aliases: dict[str, str] = {}
        self._tally = _Tally()

    def read(
        self, texts: Sequence[bytes], first: int | Sequence[int], form: Form, decode_record: Decode = decode
    ) -> Records:
        """Read records; `first` is the number of the first one, or the line of each."""
        numbers = range(first, first + len(texts)) if isinstance(first, int) else first
        rows: list[Record] = []
        kept: list[int] = []
        faults: list[Fault] = []
        records = decode_all(texts) if decode_record is decode else [decode_record(text) for text in texts]
        nests = iter(decode_all([record["xata"] for record in records if record and self._has_nest(record)]))
        for place, (text, record) in enumerate(zip(texts, records, strict=True)):
            if record is None:
                faults.append(Fault(numbers[place], _leading_id(text), None, None, Reason.RAGGED, raw(text)))
            else:
                rows.append(self._flat(record, next(nests) if self._has_nest(record) else None))
                kept.append(place)
        cells = {name: self._cells(name, rows, form) for name in self.columns.columns}
        self._count(cells, len(rows), form)
        return Records(
            {name: column.values for name, column in cells.items()},
            rows=len(rows),
            source_rows=len(texts),
            line_of=lambda row: numbers[kept[row]],
            raw_of=lambda row: raw(texts[kept[row]]),
            faults=faults,
            known={name: column.known for name, column in cells.items() if column.known},
            value_of=lambda name, row: shown(rows[row].get(name)),
        )

    def unknown_of(self, texts: Sequence[bytes], decode_record: Decode = decode) -> list[str]:
        """Return the names in some records that are not of the schema."""
        for text in texts:
            self._flat(decode_record(text) or {}, None)
        return list(self._tally.unknown)

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the records read so far."""
        table, tally = self._table.name, self._tally
        warnings = [
            f"{table}.{name}: in {self._file}, but not in the schema; left out"
            for name in tally.unknown
            if name not in self._unknown
        ]
        absent = [name for name in METADATA_COLUMNS if name not in tally.metadata]
        if tally.rows and absent:
            warnings.append(f"{table}: {self._file} has no {', '.join(absent)}; NULL in every row")
        warnings += [
            f"{table}.{name}: {_EPOCH} stands in {counted(count, 'row')} and may mean none; it is left as it is"
            for name, count in tally.epochs.items()
        ]
        return warnings + [
            f"{table}.{name}: {counted(count, 'integer')} beyond 2^53, where JavaScript rounds; compare them"
            f" if it wrote {self._file}"
            for name, count in tally.beyond.items()
            if name not in tally.exact
        ]

    def _has_nest(self, record: Record) -> bool:
        return "xata" in record and "xata" not in self._own

    def _flat(self, record: Record, nest: Record | None) -> Record:
        """Take metadata out of their nest, and give every member its Xata name."""
        if record.keys() <= self._names:
            return record
        flat: dict[str, bytes] = {}
        for key, cell in record.items():
            if key == "xata" and nest is not None:
                flat |= {_NESTED[name.lower()]: inner for name, inner in nest.items() if name.lower() in _NESTED}
            elif key in self._names:
                flat[key] = cell
            else:
                self._add_alias(key, cell, flat)
        return flat

    def _add_alias(self, key: str, cell: bytes, flat: dict[str, bytes]) -> None:
        name = self._aliases.get(key)
        if name is None:
            name = self._aliases[key] = column_names([key], self._table)[0]
        if name in self._names:
            flat.setdefault(name, cell)
        elif key != "xata":
            self._tally.unknown[name] = None

    def _cells(self, name: str, rows: Sequence[Record], form: Form) -> Cells:
        strings: JsonStrings = "encoded" if form.kind in ("rest", "log") else self._options.json_strings
        return cells_of([row.get(name) for row in rows], kind_of(name, self._own.get(name), strings))

    def _count(self, cells: Mapping[str, Cells], rows: int, form: Form) -> None:
        tally = self._tally
        tally.rows += rows
        tally.metadata.update(name for name in METADATA_COLUMNS if cells[name].values.null_count < rows)
        if form.kind not in ("sdk", "lines"):
            return
        for name, column in self._own.items():
            if column.type is XataType.DATETIME:
                count = pc.sum(pc.equal(cells[name].values, _EPOCH)).as_py()
                if count:
                    tally.epochs[name] = tally.epochs.get(name, 0) + count
            elif column.type is XataType.INT:
                self._count_beyond(name, cells[name].values)

    def _count_beyond(self, name: str, values: Any) -> None:
        for text in values.filter(pc.greater(pc.binary_length(values), 15)).to_pylist():
            if not _is_int(text) or abs(int(text)) <= _SAFE:
                continue
            if int(float(text)) == int(text):
                self._tally.beyond[name] = self._tally.beyond.get(name, 0) + 1
            else:
                self._tally.exact.add(name)


def raw(text: bytes) -> str:
    """Return a record as a person is shown it; of a long one no more is decoded than may be needed."""
    return printable(text[: 4 * MAX_RAW].decode(errors="replace"))[:MAX_RAW]


def _is_int(text: str | None) -> bool:
    return text is not None and len(text) <= 20 and text.lstrip("-").isdecimal() and text.isascii()


def _leading_id(text: bytes) -> str | None:
    found = _LEADING_ID.match(text)
    return printable(found[3].decode(errors="replace")) if found else None
