"""A block of CSV as columns of texts, and where each of its records stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_LF, _CR, _COMMA = ord("\n"), ord("\r"), ord(",")
# How a header line may begin in the middle of a file that was put together from several
_REPEATED_ID = pa.array(["id", "\ufeffid", '\ufeff"id"'])


def read_block(block: Block, head: Head, file: str) -> Records:
    """Read a block's records; what is ragged is a fault, a repeated header line is left out."""
    lines = _Lines(block)
    cells, ragged = _parsed(block.tidy, len(head.columns), file, block.line)
    known: dict[str, Mapping[int, Reason]] = {}
    if cells is None:
        cells, ragged, broken = _parsed_anyhow(block.tidy, len(head.columns), file, block.line)
        known = {head.columns[place]: dict.fromkeys(rows, Reason.BAD_ENCODING) for place, rows in broken.items()}
    faults: Sequence[Fault] = ()
    if ragged:
        lines.kept, faults = _without_ragged(lines, head)
    columns = dict(zip(head.columns, cells, strict=True))
    rows = len(cells[0])
    headers = _repeated_headers(columns, head)
    if headers:
        columns, known = _without(headers, columns, known, rows)
        lines.kept = np.delete(np.arange(rows) if lines.kept is None else lines.kept, headers)
    is_whole = not ragged and not headers and not known
    return Records(
        columns,
        rows=rows - len(headers),
        source_rows=rows + ragged,
        line_of=lines.line_of,
        raw_of=lines.raw_of,
        duplicate_rows=len(headers),
        faults=faults,
        known=known,
        verbatim=_verbatim(block, head.eol) if is_whole else None,
    )


def _parsed(data: bytes, width: int, file: str, line: int, kind: Any = None) -> tuple[list[Any] | None, int]:
    """Parse records to columns, and count the ragged ones; None for columns where a text is not UTF-8."""
    ragged = 0

    def skip(_: object) -> str:
        nonlocal ragged
        ragged += 1
        return "skip"

    if not data.strip(b"\r\n"):
        return [pa.array([], kind or pa.string()) for _ in range(width)], 0
    if data.startswith(BOM):
        data = BOM + data  # the parser drops one, and this one is text
    names = [str(place) for place in range(width)]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, kind or pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        if kind is None and not _is_utf8(data):
            return None, 0
        raise ExportError(file, line, f"cannot be parsed from here on ({error}); mend the file") from error
    return [_one_array(column) for column in table.columns], ragged


def _one_array(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parsed_anyhow(data: bytes, width: int, file: str, line: int) -> tuple[list[Any], int, Mapping[int, list[int]]]:
    """Parse records that are not all UTF-8: what is invalid becomes U+FFFD, in the cells told."""
    shown, ragged = _parsed(data.decode(errors="replace").encode(), width, file, line)
    given, _ = _parsed(data, width, file, line, pa.binary())
    assert shown is not None  # noqa: S101
    assert given is not None  # noqa: S101
    broken = {
        place: rows
        for place, (bare, text) in enumerate(zip(given, shown, strict=True))
        if (rows := _true_rows(pc.not_equal(bare, text.cast(pa.binary()))))
    }
    return shown, ragged, broken


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


def _without_ragged(lines: _Lines, head: Head) -> tuple[Positions, list[Fault]]:
    is_ragged = lines.widths != len(head.columns)
    faults = [
        Fault(lines.line(record), _leading_id(lines, record, head), None, None, Reason.RAGGED, lines.raw(record))
        for record in np.flatnonzero(is_ragged).tolist()
    ]
    return np.flatnonzero(~is_ragged), faults


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
    if eol == b"\n" and b"\r" not in data and not data.startswith(b"\n") and b"\n\n" not in data:
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
        return self.block.line + int(np.searchsorted(self._feeds, start))

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

    def _record(self, row: int) -> int:
        return row if self.kept is None else int(self.kept[row])

    @cached_property
    def _feeds(self) -> Positions:
        return np.flatnonzero(np.frombuffer(self.block.data, np.uint8) == _LF)

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
