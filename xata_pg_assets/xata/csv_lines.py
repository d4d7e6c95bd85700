"""Where the records of a block of CSV stand; looked for only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from xata_pg_assets.xata.csv_blocks import Block, Positions
from xata_pg_assets.xata.rules import MAX_RAW, printable

__all__ = ["Lines", "line_breaks", "unquoted"]

_LF, _CR, _COMMA = ord("\n"), ord("\r"), ord(",")


def line_breaks(text: npt.NDArray[np.uint8], quotes: Positions) -> Positions:
    """Return where line feeds and carriage returns stand that are not within quotes."""
    return unquoted(np.flatnonzero((text == _LF) | (text == _CR)), quotes)


def unquoted(positions: Positions, quotes: Positions) -> Positions:
    """Return those positions that are not within quotes."""
    return positions[np.searchsorted(quotes, positions) % 2 == 0] if quotes.size else positions


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Where records start and end, line ends left out; blank lines are none."""

    starts: Positions
    ends: Positions


@dataclass
class Lines:
    """Tells lines and records of a block's rows."""

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
        commas = unquoted(commas, self.block.quotes)
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
        breaks = line_breaks(text, self.block.quotes)
        starts = np.concatenate(([0], breaks + 1))
        ends = np.concatenate((breaks, [len(text)]))
        return _Bounds(starts[starts < ends], ends[starts < ends])

    @cached_property
    def _given(self) -> _Bounds:
        mended = self.block.mended
        if mended is None:
            return self._tidy
        return _Bounds(np.array(mended.starts, np.int64), np.array(mended.ends, np.int64))
