"""A block of CSV as columns of texts, and where each of its records stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.csv_blocks import Block, Positions
from xata_pg_assets.xata.csv_head import BOM, Head
from xata_pg_assets.xata.csv_lines import Lines, line_breaks, unquoted
from xata_pg_assets.xata.csv_scan import first_cell
from xata_pg_assets.xata.records import Fault, Reason, Records
from xata_pg_assets.xata.rules import printable

__all__ = ["read_block", "reads_as_copy"]

_BLANK = re.compile(rb"[\r\n]*\Z")
_LF, _CR = ord("\n"), ord("\r")
# A line that ends the data of COPY's CSV format before PostgreSQL 18, within quotes too
_END_OF_COPY = b"\\."
# How a header line may begin in the middle of a file that was put together from several
_REPEATED_ID = pa.array(["id", "\ufeffid", '\ufeff"id"'])


def read_block(block: Block, head: Head, file: str) -> Records:
    """Read a block's records; what is ragged is a fault, a repeated header line is left out."""
    lines = Lines(block)
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
    return Records(
        columns,
        rows=rows - len(headers),
        source_rows=rows + len(faults),
        line_of=lines.line_of,
        raw_of=lines.raw_of,
        duplicate_rows=len(headers),
        faults=faults,
        known=known,
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


def _without_ragged(lines: Lines, head: Head) -> tuple[bytes, Positions, list[Fault]]:
    """Return the records without the ragged ones, which ones are left, and a fault for each of the others."""
    is_ragged = lines.widths != len(head.columns)
    ragged = np.flatnonzero(is_ragged).tolist()
    faults = [
        Fault(lines.line(record), _leading_id(lines, record, head), None, None, Reason.RAGGED, lines.raw(record))
        for record in ragged
    ]
    return lines.tidy_without(ragged), np.flatnonzero(~is_ragged), faults


def _leading_id(lines: Lines, record: int, head: Head) -> str | None:
    """Return the id of a ragged record: it can be told where no cell stands before it."""
    if head.columns[0] != "id":
        return None
    cell = first_cell(lines.bytes_of(record))
    return printable(cell.decode(errors="replace")) if cell else None


def reads_as_copy(block: Block, eol: bytes) -> bool:
    """Tell whether COPY reads a block as it is read here: every line ends alike, none is blank."""
    return block.mended is None and not _ends_copy(block.data) and _is_uniform(block, eol)


def _ends_copy(data: bytes) -> bool:
    """Tell whether COPY might take a line for the end of its data."""
    return data.startswith(_END_OF_COPY) or any(end + _END_OF_COPY in data for end in (b"\n", b"\r"))


def _is_uniform(block: Block, eol: bytes) -> bool:
    return _has_only_feeds(block) if eol == b"\n" else _has_only_pairs(block)


def _has_only_feeds(block: Block) -> bool:
    """Tell whether a line feed ends every line, and none is blank; within quotes anything may stand."""
    text = np.frombuffer(block.data, np.uint8)
    blank = block.feeds[np.flatnonzero(np.diff(block.feeds, prepend=-1) == 1)]
    returns = np.flatnonzero(text == _CR) if b"\r" in block.data else blank[:0]
    return not unquoted(np.concatenate((blank, returns)), block.quotes).size


def _has_only_pairs(block: Block) -> bool:
    """Tell the same of carriage return and line feed."""
    text = np.frombuffer(block.data, np.uint8)
    breaks = line_breaks(text, block.quotes)
    returns, feeds = breaks[::2], breaks[1::2]
    if len(returns) != len(feeds):
        return False
    is_paired = (text[returns] == _CR).all() and (text[feeds] == _LF).all() and (feeds == returns + 1).all()
    return bool(is_paired and (np.diff(returns, prepend=-2) > 2).all())
