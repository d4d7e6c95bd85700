"""A CSV file cut into blocks of whole records, as fast as quotes can be counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_scan import MAX_CELLS, Mended, TooManyCellsError, mend

__all__ = ["BLOCK_SIZE", "MAX_RECORD", "Block", "Positions", "cut_blocks"]

BLOCK_SIZE = 2 * 1024 * 1024
# A longer record is one whose quote is never closed
MAX_RECORD = 64 * 1024 * 1024
# Bytes first given to the careful road; twice as many each time it must soon be taken again
_CAREFUL = 64 * 1024

Positions = npt.NDArray[np.int64]

_QUOTE, _LF = ord('"'), ord("\n")
_BEFORE_OPENING = np.isin(np.arange(256), [ord(character) for character in ',\r\n"'])
_AFTER_CLOSING = _BEFORE_OPENING


@dataclass
class Block:
    """Whole records of a file: their bytes, where they stand, and how they read where quotes are out of place."""

    data: bytes
    offset: int
    line: int
    mended: Mended | None = None

    @property
    def tidy(self) -> bytes:
        """The same records with every quote in its place."""
        return self.data if self.mended is None else self.mended.data

    @property
    def stray_line(self) -> int | None:
        """The line of the first record with a quote out of place, None where there is none."""
        if self.mended is None or self.mended.stray is None:
            return None
        return self.line + int(np.searchsorted(self.feeds, self.mended.stray))

    @cached_property
    def quotes(self) -> Positions:
        """Where the quotes of the tidy records stand."""
        return _quotes(self.tidy)

    @cached_property
    def feeds(self) -> Positions:
        """Where the line feeds of the records stand."""
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == _LF)


def cut_blocks(stream: ByteStream, file: str, *, offset: int, line: int, size: int = BLOCK_SIZE) -> Iterator[Block]:
    """Cut the stream from an offset on into blocks of about `size` bytes.

    Raises:
        ExportError: a quote is never closed, or a record is longer than `MAX_RECORD`.
    """
    stream.read(offset)
    cutter = _Cutter(stream, file, offset, line, size)
    while (block := cutter.next()) is not None:
        yield block


@dataclass(slots=True)
class _Cutter:
    stream: ByteStream
    file: str
    offset: int
    line: int
    size: int
    buffer: bytes = b""
    at_end: bool = False
    careful: int = _CAREFUL

    def next(self) -> Block | None:
        """Return the next block: as large as asked for, smaller around quotes out of place."""
        wanted = self.size
        while True:
            self._fill(wanted)
            if not self.buffer:
                return None
            block = self._cut()
            if block is not None:
                return block
            self._check_open(wanted)
            wanted *= 2

    def _fill(self, wanted: int) -> None:
        if not self.at_end and len(self.buffer) < wanted:
            more = self.stream.read(wanted - len(self.buffer))
            self.at_end = len(more) < wanted - len(self.buffer)
            self.buffer += more

    def _cut(self) -> Block | None:
        """Cut a block off the buffer; None when it holds no whole record."""
        quotes = _quotes(self.buffer)
        stray = _first_stray(self.buffer, quotes)
        if stray is None and self.at_end and len(quotes) % 2 == 0:
            return self._take(len(self.buffer), quotes)
        end = _last_border(self.buffer, quotes, len(self.buffer) if stray is None else int(quotes[stray]))
        if end:
            if 2 * end >= self.size:
                self.careful = _CAREFUL
            return self._take(end, quotes)
        return None if stray is None else self._cut_carefully()

    def _cut_carefully(self) -> Block | None:
        try:
            mended = mend(self.buffer, at_end=self.at_end, enough=self.careful)
        except TooManyCellsError:
            reason = f"a record with quotes out of place and more than {MAX_CELLS:,} cells; write its line end"
            raise ExportError(self.file, self.line, reason) from None
        if not mended.size:
            return None
        self.careful = min(2 * self.careful, self.size)
        block = self._take(mended.size)
        block.mended = mended
        return block

    def _take(self, size: int, quotes: Positions | None = None) -> Block:
        block = Block(self.buffer[:size], self.offset, self.line)
        if quotes is not None:
            block.quotes = quotes[: np.searchsorted(quotes, size)]
        self.buffer = self.buffer[size:]
        self.offset += size
        self.line += len(block.feeds)
        return block

    def _check_open(self, wanted: int) -> None:
        """Raise when the record at the start of the buffer will not end."""
        if self.at_end:
            raise ExportError(self.file, self.line, "a quote is opened in this record and never closed; close it")
        if wanted >= MAX_RECORD:
            reason = f"the record is longer than {MAX_RECORD >> 20} MB; close the quote that is open in it"
            raise ExportError(self.file, self.line, reason)


def _quotes(data: bytes) -> Positions:
    if b'"' not in data:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)


def _first_stray(data: bytes, quotes: Positions) -> int | None:
    """Return which quote is the first that neither opens nor closes a cell, nor stands doubled in one."""
    if not quotes.size:
        return None
    text = np.frombuffer(data, np.uint8)
    opening, closing = quotes[0::2], quotes[1::2]
    before = text[np.maximum(opening - 1, 0)]
    after = text[np.minimum(closing + 1, len(data) - 1)]
    stray_opening = np.flatnonzero(~(_BEFORE_OPENING[before] | (opening == 0)))
    stray_closing = np.flatnonzero(~(_AFTER_CLOSING[after] | (closing == len(data) - 1)))
    strays = [2 * int(found[0]) + odd for odd, found in enumerate((stray_opening, stray_closing)) if found.size]
    return min(strays) if strays else None


def _last_border(data: bytes, quotes: Positions, before: int) -> int:
    """Return where the last whole record that lies before an offset ends, 0 if none does.

    A line feed ends it; a carriage return only where there is no line feed, for what follows may be one.
    """
    return _border_by(b"\n", data, quotes, before) or _border_by(b"\r", data, quotes, min(before, len(data) - 1))


def _border_by(line_end: bytes, data: bytes, quotes: Positions, before: int) -> int:
    while (found := data.rfind(line_end, 0, before)) >= 0:
        opened = int(np.searchsorted(quotes, found))
        if opened % 2 == 0:
            return found + 1
        before = int(quotes[opened - 1])
    return 0
