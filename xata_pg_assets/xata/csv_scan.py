"""CSV with quotes in odd places, read as Python's csv module reads it and rewritten with quotes in order.

Exact and slow: only for the parts of a file whose quotes are not those of RFC 4180.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MAX_CELLS", "Mended", "TooManyCellsError", "cells_of", "first_cell", "mend"]

_QUOTED = rb'"(?:[^"]++|"")*+"'
_TIDY_CELL = rb"(?:" + _QUOTED + rb'|[^",\r\n]*+)'
_LINE_END = rb"(?:\r\n?|\n|\Z)"
# A record without a quote out of place
_TIDY_RECORD = re.compile(rb"(?:" + _TIDY_CELL + rb",)*+" + _TIDY_CELL + _LINE_END)
# Either quoted, with what follows the closing quote, or unquoted, with any quotes in it
_CELL = re.compile(rb'(?:"((?:[^"]++|"")*+)"([^,\r\n]*+)|(?!")([^,\r\n]*+))(,|' + _LINE_END + rb")")


# Each cell of a record that is mended is an object; a table has 1,600 columns at most
MAX_CELLS = 100_000


class TooManyCellsError(ValueError):
    """Raised for a record with quotes out of place and more cells than any table has columns."""


@dataclass(frozen=True, slots=True)
class Mended:
    """Records with their quotes in order; blank lines stay.

    `starts` and `ends` are offsets of the original, of the records that are not blank, line ends left out; `stray`
    is that of the first record with a quote out of place.
    """

    data: bytes
    starts: list[int]
    ends: list[int]
    size: int  # of the original that was read, always whole records
    stray: int | None = None


@dataclass(slots=True)
class _Cell:
    """A cell: where it stands with its delimiter, whether its quotes are in order, and what it says."""

    start: int
    end: int
    delimiter: bytes
    is_tidy: bool
    text: bytes | None  # None: empty and unquoted


def cells_of(record: bytes) -> list[bytes | None]:
    """Split one record into its cells, None where one is empty and unquoted.

    >>> cells_of(b'a,"b ""c"" d",,"",5" disk,"x"y"z')
    [b'a', b'b "c" d', None, b'', b'5" disk', b'xy"z']
    """
    record = record.rstrip(b"\r\n")
    return [cell.text for cell in _cells(record, 0, at_end=True) or ()]


def first_cell(record: bytes) -> bytes | None:
    """Return the first cell of a record, whatever follows it.

    >>> first_cell(b'"a",b')
    b'a'
    """
    return next(cell.text for cell in _each_cell(record, 0))


def mend(data: bytes, *, at_end: bool, enough: int) -> Mended:
    """Read records from the start of `data` until `enough` bytes are through, or the last whole one is.

    With `at_end` the data's end also ends a record; a quote that is open there does not.

    Raises:
        TooManyCellsError: a record that needs it has more than `MAX_CELLS`.
    """
    pieces: list[bytes] = []
    stray: int | None = None
    starts: list[int] = []
    ends: list[int] = []
    position = kept = 0
    while position < min(enough, len(data)):
        end = _tidy_end(data, position, at_end)
        if end is None:
            cells = _cells(data, position, at_end)
            if cells is None:
                break
            end = cells[-1].end
            if stray is None and not all(cell.is_tidy for cell in cells):
                stray = position
            for cell in cells:
                if not cell.is_tidy:
                    pieces += data[kept : cell.start], _requoted(cell)
                    kept = cell.end
            length = end - len(cells[-1].delimiter)
        else:
            length = _without_line_end(data, position, end)
        if length > position:
            starts.append(position)
            ends.append(length)
        position = end
    pieces.append(data[kept:position])
    return Mended(b"".join(pieces), starts, ends, position, stray)


def _tidy_end(data: bytes, position: int, at_end: bool) -> int | None:
    """Return where a tidy record ends, its line end included; None when it is not tidy or not whole."""
    record = _TIDY_RECORD.match(data, position)
    if record is None or not _is_whole(data, record.end(), at_end):
        return None
    return record.end()


def _is_whole(data: bytes, end: int, at_end: bool) -> bool:
    """Tell whether a record is over: at the end of the data a line feed might follow, or more of it."""
    return at_end or end < len(data) or data.endswith(b"\n")


def _without_line_end(data: bytes, start: int, end: int) -> int:
    if end > start and data[end - 1] == 0x0A:
        end -= 1
    if end > start and data[end - 1] == 0x0D:
        end -= 1
    return end


def _cells(data: bytes, position: int, at_end: bool) -> list[_Cell] | None:
    """Read the cells of one record; None when it is not whole."""
    cells: list[_Cell] = []
    for cell in _each_cell(data, position):
        cells.append(cell)
        if cell.delimiter != b",":
            return cells if _is_whole(data, cell.end, at_end) else None
        if len(cells) > MAX_CELLS:
            raise TooManyCellsError
    return None


def _each_cell(data: bytes, position: int) -> Iterator[_Cell]:
    while (match := _CELL.match(data, position)) is not None:
        quoted, tail, bare, delimiter = match.groups()
        if quoted is None:
            yield _Cell(position, match.end(), delimiter, b'"' not in bare, bare or None)
        else:
            yield _Cell(position, match.end(), delimiter, not tail, quoted.replace(b'""', b'"') + tail)
        position = match.end()


def _requoted(cell: _Cell) -> bytes:
    return b'"' + (cell.text or b"").replace(b'"', b'""') + b'"' + cell.delimiter
