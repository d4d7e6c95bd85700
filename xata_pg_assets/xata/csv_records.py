"""A block of CSV as columns of texts, and where each of its records stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.csv_blocks import Block, Positions
from xata_pg_assets.xata.csv_head import BOM, Head
from xata_pg_assets.xata.csv_scan import cells_of
from xata_pg_assets.xata.encode import ends_copy
from xata_pg_assets.xata.records import Fault, Reason, Records
from xata_pg_assets.xata.rules import MAX_RAW, printable

__all__ = ["read_block"]

_BLANK = re.compile(rb"[\r\n]*\Z")
_LF, _CR, _COMMA = ord("\n"), ord("\r"), ord(",")
# How a header line may begin in the middle of a file that was put together from several
_REPEATED_ID = pa.array(["id", "\ufeffid", '\ufeff"id"'])


def read_block(block: Block, head: Head, file: str) -> Records:
    """Read a block's records; what is ragged is a fault, a repeated header line is left out."""
    lines = _Lines(block)
    faults: list[Fault] = []
    known: Mapping[str, Mapping[int, Reason]] = {}
    cells = _parsed(block.tidy, len(head.columns))
    if cells is None:
        data, lines.kept, faults = _without_ragged(lines, head)
        cells, known = _parsed_anyhow(data, head, file, block.line)
    columns = dict(zip(head.columns, cells, strict=True))
    rows = len(cells[0])
    headers = _repeated_headers(columns, head)
    if headers:
        columns, known = _without(headers, columns, known, rows)
        lines.kept = np.delete(np.arange(rows) if lines.kept is None else lines.kept, headers)
    is_whole = not faults and not headers and not known
    return Records(
        columns,
        rows=rows - len(headers),
        source_rows=rows + len(faults),
        line_of=lines.line_of,
        raw_of=lines.raw_of,
        duplicate_rows=len(headers),
        faults=faults,
        known=known,
        verbatim=_verbatim(block, head.eol) if is_whole else None,
    )


def _parsed(data: bytes, width: int, kind: Any = None) -> list[Any] | None:
    """Parse records to columns; None where a record is ragged, or a text not UTF-8."""
    kind = kind or pa.string()
    if _BLANK.match(data):
        return [pa.array([], kind) for _ in range(width)]
    if data.startswith(BOM):
        data = BOM + data  # the parser drops one, and this one is text
    if not data.endswith((b"\n", b"\r")):
        data += b"\n"  # without, the parser takes an empty last cell for a quoted one when its neighbour is quoted
    names = [str(place) for place in range(width)]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, kind),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [_one_array(column) for column in table.columns]


def _one_array(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _parsed_anyhow(
    data: bytes, head: Head, file: str, line: int
) -> tuple[list[Any], Mapping[str, Mapping[int, Reason]]]:
    """Parse records that may not all be UTF-8: what is invalid becomes U+FFFD, in cells known to be faulty."""
    width = len(head.columns)
    shown = _parsed(data.decode(errors="replace").encode(), width)
    given = _parsed(data, width, pa.binary())
    if shown is None or given is None:
        raise ExportError(file, line, "cannot be parsed from here on; write the table's file anew")
    known: dict[str, Mapping[int, Reason]] = {}
    for name, bare, text in zip(head.columns, given, shown, strict=True):
        broken = _true_rows(pc.not_equal(bare, text.cast(pa.binary())))
        if broken:
            known[name] = dict.fromkeys(broken, Reason.BAD_ENCODING)
    return shown, known


def _true_rows(mask: Any) -> list[int]:
    rows: list[int] = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False)).tolist()
    return rows


def _repeated_headers(columns: Mapping[str, Any], head: Head) -> list[int]:
    candidates = _true_rows(pc.is_in(columns["id"], value_set=_REPEATED_ID))
    return [row for row in candidates if _is_header([cells[row].as_py() for cells in columns.values()], head)]


def _is_header(cells: list[str | None], head: Head) -> bool:
    first = (cells[0] or "").removeprefix("\ufeff")
    is_quoted = first != cells[0] and first.startswith('"')
    return (first.strip('"') if is_quoted else first, *cells[1:]) == head.cells


def _without(
    dropped: list[int], columns: Mapping[str, Any], known: Mapping[str, Mapping[int, Reason]], rows: int
) -> tuple[dict[str, Any], dict[str, Mapping[int, Reason]]]:
    """Leave rows out, and renumber the faulty cells of the others."""
    kept = np.delete(np.arange(rows), dropped)
    place = {row: index for index, row in enumerate(kept.tolist())} if known else {}
    renumbered = {
        name: {place[row]: reason for row, reason in cells.items() if row in place} for name, cells in known.items()
    }
    return {name: cells.take(pa.array(kept)) for name, cells in columns.items()}, dict(renumbered)


def _without_ragged(lines: _Lines, head: Head) -> tuple[bytes, Positions, list[Fault]]:
    """Return the records without the ragged ones, which ones are left, and a fault for each of the others."""
    is_ragged = lines.widths != len(head.columns)
    ragged = np.flatnonzero(is_ragged).tolist()
    faults = [
        Fault(lines.line(record), _leading_id(lines, record, head), None, None, Reason.RAGGED, lines.raw(record))
        for record in ragged
    ]
    return lines.tidy_without(ragged), np.flatnonzero(~is_ragged), faults


def _leading_id(lines: _Lines, record: int, head: Head) -> str | None:
    """Return the id of a ragged record: it can be told where no cell stands before it."""
    if head.columns[0] != "id":
        return None
    cell = cells_of(lines.bytes_of(record))[0]
    return printable(cell.decode(errors="replace")) if cell else None


def _verbatim(block: Block, eol: bytes) -> bytes | None:
    """Return the block as it stands where COPY reads the same from it: every line ends alike, none is blank."""
    if block.mended is not None or ends_copy(block.data) or not _is_uniform(block, eol):
        return None
    return block.data if block.data.endswith(eol) else block.data + eol


def _is_uniform(block: Block, eol: bytes) -> bool:
    data = block.data
    if eol == b"\n" and b"\r" not in data and not data.startswith(b"\n") and (np.diff(block.feeds) > 1).all():
        return True
    text = np.frombuffer(data, np.uint8)
    breaks = _unquoted(np.flatnonzero((text == _LF) | (text == _CR)), block.quotes)
    if not breaks.size:
        return True
    ends = breaks[:: len(eol)]
    if len(breaks) % len(eol) or ends[0] == 0 or (np.diff(ends) <= len(eol)).any():
        return False
    if eol == b"\n":
        return bool((text[breaks] == _LF).all())
    feeds = breaks[1::2]
    return bool((feeds == ends + 1).all() and (text[ends] == _CR).all() and (text[feeds] == _LF).all())


def _unquoted(positions: Positions, quotes: Positions) -> Positions:
    return positions[np.searchsorted(quotes, positions) % 2 == 0] if quotes.size else positions


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Where records start and end, line ends left out; blank lines are none."""

    starts: Positions
    ends: Positions


@dataclass
class _Lines:
    """Where the records of a block stand; looked for only when somebody asks."""

    block: Block
    kept: npt.NDArray[np.int64] | None = None  # the records that are rows; None: all of them

    def line_of(self, row: int) -> int:
        """Return the line where a row's record starts."""
        return self.line(self._record(row))

    def raw_of(self, row: int) -> str:
        """Return a row's record as it stands in the file."""
        return self.raw(self._record(row))

    def line(self, record: int) -> int:
        start = self._given.starts[record]
        return self.block.line + int(np.searchsorted(self.block.feeds, start))

    def raw(self, record: int) -> str:
        # of a long record no more bytes are decoded than may be needed
        return printable(self.bytes_of(record)[: 4 * MAX_RAW].decode(errors="replace"))[:MAX_RAW]

    def bytes_of(self, record: int) -> bytes:
        return self.block.data[self._given.starts[record] : self._given.ends[record]]

    @cached_property
    def widths(self) -> Positions:
        """How many cells each record has."""
        tidy = self._tidy
        commas = np.flatnonzero(np.frombuffer(self.block.tidy, np.uint8) == _COMMA)
        commas = _unquoted(commas, self.block.quotes)
        return np.searchsorted(commas, tidy.ends) - np.searchsorted(commas, tidy.starts) + 1

    def tidy_without(self, records: list[int]) -> bytes:
        """Leave records out of the tidy block; blank lines stay in their places."""
        pieces, kept = list[bytes](), 0
        for record in records:
            pieces.append(self.block.tidy[kept : self._tidy.starts[record]])
            kept = int(self._tidy.ends[record])
        return b"".join([*pieces, self.block.tidy[kept:]])

    def _record(self, row: int) -> int:
        return row if self.kept is None else int(self.kept[row])

    @cached_property
    def _tidy(self) -> _Bounds:
        """Tell records apart: a line feed after a carriage return ends nothing but a blank line."""
        text = np.frombuffer(self.block.tidy, np.uint8)
        breaks = _unquoted(np.flatnonzero((text == _LF) | (text == _CR)), self.block.quotes)
        starts = np.concatenate(([0], breaks + 1))
        ends = np.concatenate((breaks, [len(text)]))
        return _Bounds(starts[starts < ends], ends[starts < ends])

    @cached_property
    def _given(self) -> _Bounds:
        mended = self.block.mended
        if mended is None:
            return self._tidy
        return _Bounds(np.array(mended.starts, np.int64), np.array(mended.ends, np.int64))
