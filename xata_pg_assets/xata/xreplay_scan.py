"""Records of `xreplay`'s CSV: vectors and json stand in it without quotes, commas and all.

A record is read by one regular expression made for its table; where that fails, cell by cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

__all__ = ["Cut", "Layout", "Shape", "unquoted"]

# What the cells of a column look like
Shape = Literal["plain", "vector", "json"]

_QUOTED = rb'"(?:[^"]++|"")*+"'
_BARE = rb'[^",\r\n]*+'
_JSON_STRING = rb'"(?:[^"\\\r\n]++|\\[^\r\n])*+"'
_OVER = rb"(?=[,\r\n]|\Z)"
_NO_BRACKET = rb"(?![\[{])"
_VECTOR = rb'\[[^\[\]"\r\n]*+\]'
# Brackets are balanced by a regular expression so far, and beyond that by counting
_DEPTH = 6


def _nested(depth: int) -> bytes:
    inner = rb"|" + _nested(depth - 1) if depth else b""
    return rb'[\[{](?:[^\[\]{}"\r\n]++|' + _JSON_STRING + inner + rb")*+[\]}]"


def _one_of(*kinds: bytes) -> bytes:
    return rb"((?>" + rb"|".join(kind + _OVER for kind in kinds) + rb"))"


_CELLS: dict[Shape, bytes] = {
    "plain": _one_of(_QUOTED, _BARE),
    "vector": _one_of(_VECTOR, _QUOTED, _BARE),
    "json": _one_of(_nested(_DEPTH), _JSON_STRING, _QUOTED, _NO_BRACKET + _BARE),
}
_LINE_END = rb"(?:\r\n?|\n|\Z)"
_ANY_CELL = re.compile(rb'(?:"((?:[^"]++|"")*+)"([^,\r\n]*+)|(?!")([^,\r\n]*+))')
_VECTOR_CELL = re.compile(_VECTOR + _OVER)
_JSON_STRING_CELL = re.compile(_JSON_STRING + _OVER)
# Nothing but what JSON is made of, or a bracket never closed would swallow the records that follow
_JSON_PART = re.compile(
    rb"(?:[ \t\r\n,:]++|" + _JSON_STRING + rb"|[-+0-9.eE]++|true|false|null|([\[{])|([\]}]))", re.DOTALL
)
_UNKNOWN = -1
_LINE_ENDS = b"\r\n"


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole records at the start of some bytes.

    `rows` are their cells as they stand there; a ragged record has as many as it has. `starts` and `ends` are
    without line ends; `size` is what was read.
    """

    rows: list[Sequence[bytes]]
    starts: list[int]
    ends: list[int]
    size: int


@dataclass(frozen=True)
class Layout:
    """The shapes of a table's columns, in the order of its file."""

    shapes: tuple[Shape, ...]

    @cached_property
    def _record(self) -> re.Pattern[bytes]:
        cells = b",".join(_CELLS[shape] for shape in self.shapes)
        return re.compile(rb"(?![\r\n])" + cells + rb"()" + _LINE_END)

    def cut(self, data: bytes, *, at_end: bool, enough: int | None = None) -> Cut:
        """Read records until `enough` bytes are through, or the last whole record is.

        With `at_end` the data's end also ends a record; a quote that is open there does not.
        """
        found = Cut([], [], [], 0)
        position, width, match_record = 0, len(self.shapes) + 1, self._record.match
        while position < (len(data) if enough is None else min(enough, len(data))):
            if data[position] in _LINE_ENDS:
                position += 1
                continue
            record = match_record(data, position)
            if record is not None:
                row: Sequence[bytes] = record.groups()[:-1]
                over, end = record.start(width), record.end()
            else:
                cells = self._cells(data, position, at_end)
                if cells is None:
                    break
                row, over = cells
                end = over + 1
            if not (at_end or end < len(data) or data.endswith(b"\n")):
                break
            found.rows.append(row)
            found.starts.append(position)
            found.ends.append(over)
            position = min(end, len(data))
        return Cut(found.rows, found.starts, found.ends, position)

    def _cells(self, data: bytes, position: int, at_end: bool) -> tuple[list[bytes], int] | None:
        """Read a record cell by cell, and tell where it is over; None where it is not in the data."""
        cells: list[bytes] = []
        while True:
            shape = self.shapes[len(cells)] if len(cells) < len(self.shapes) else "plain"
            end = _bare_end(data, position, shape)
            if end == _UNKNOWN and not at_end:
                return None
            if end is not None and end != _UNKNOWN:
                cells.append(data[position:end])
            elif (cell := _ANY_CELL.match(data, position)) is not None:
                end = cell.end()
                cells.append(data[position:end] if cell[1] is None or not cell[2] else _requoted(cell))
            else:
                return None
            if data[end : end + 1] != b",":
                return cells, end
            position = end + 1


def unquoted(cell: bytes) -> bytes:
    """Return what a cell of CSV says.

    >>> unquoted(b'"a ""b"" c"'), unquoted(b'c"')
    (b'a "b" c', b'c"')
    """
    return cell[1:-1].replace(b'""', b'"') if cell.startswith(b'"') else cell


def _requoted(cell: re.Match[bytes]) -> bytes:
    """Put the quotes of a cell in order that has text behind its closing quote."""
    text = cell[1].replace(b'""', b'"') + cell[2]
    return b'"' + text.replace(b'"', b'""') + b'"'


def _bare_end(data: bytes, position: int, shape: Shape) -> int | None:
    """Return where a vector or a json text ends that stands without quotes; None where there is none.

    `_UNKNOWN` where more bytes might tell.
    """
    if shape == "vector":
        vector = _VECTOR_CELL.match(data, position)
        return vector.end() if vector else None
    if shape != "json":
        return None
    if data[position : position + 1] == b'"':
        string = _JSON_STRING_CELL.match(data, position)
        return string.end() if string else None
    return _brackets_end(data, position) if data[position : position + 1] in (b"[", b"{") else None


def _brackets_end(data: bytes, position: int) -> int | None:
    """Return where the bracket closes that a json text starts with."""
    depth = 0
    while (part := _JSON_PART.match(data, position)) is not None:
        position = part.end()
        if part[1]:
            depth += 1
        elif part[2]:
            depth -= 1
            if depth == 0:
                return position if data[position : position + 1] in (b",", b"\r", b"\n", b"") else None
    return _UNKNOWN if data.find(b"\n", position) < 0 else None
