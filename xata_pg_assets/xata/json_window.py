"""The part of a JSON file that is being looked at, value by value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.block_reader import MAX_RECORD, check_encoding
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_head import BOM
from xata_pg_assets.xata.json_split import KEY, string_of, value_end

__all__ = ["Window"]

# Bytes read at once, at least
_AHEAD = 64 * 1024
_BLANK = re.compile(rb"[ \t\r\n]*+")


@dataclass(slots=True)
class Window:
    """The part of a file that is being looked at; `record` is the number of the next record."""

    stream: ByteStream
    file: str
    record: int = 1
    offset: int = 0
    _buffer: bytes = b""
    _position: int = 0  # in the buffer, of what is at `offset`
    _at_end: bool = False

    def peek(self) -> bytes | None:
        """Return the next byte that is no blank, None at the end of the file."""
        while True:
            blank = _BLANK.match(self._buffer, self._position)
            self.take(blank.end() - self._position if blank else 0)
            if self._position < len(self._buffer):
                return self._buffer[self._position : self._position + 1]
            if not self._more():
                return None

    def take(self, size: int) -> None:
        """Go on behind so many bytes."""
        self._position += size
        self.offset += size

    def ahead(self, size: int) -> bytes:
        """Return the next bytes; fewer only at the end of the file."""
        self._fill(size)
        return self._buffer[self._position : self._position + size]

    def key(self) -> str | None:
        """Take a key and its colon."""
        while (key := KEY.match(self._buffer, self._position)) is None or key.end() == len(self._buffer):
            if not self._more():
                self.fail("is no JSON from here on: a key is expected; export it again")
        self.take(key.end() - self._position)
        return string_of(key[1].decode(errors="replace"))

    def value(self) -> bytes:
        """Return the value that comes next; it is not taken."""
        is_object = self.peek() == b"{"  # which may be the last thing in the file
        while (size := _size(self._buffer[self._position :], is_object)) is None:
            if not self._more():
                self.fail("ends too early; export it again")
        return self._buffer[self._position : self._position + size]

    def next(self, closing: bytes) -> None:
        """Go on to the next element or member, or to the closing bracket."""
        byte = self.peek()
        if byte == b",":
            self.take(1)
            byte = self.peek()
        elif byte is not None and byte != closing:
            self.fail("lacks a comma here; export it again")
        if byte is None:
            self.fail("ends too early; export it again")

    def check_open(self, wanted: int) -> None:
        """Raise when no more bytes will end the record that comes next."""
        if self._at_end and len(self._buffer) - self._position <= wanted:
            self.fail("ends before this record does; export it again")
        self._check_size(wanted)

    def fail(self, reason: str) -> NoReturn:
        """Tell that the file cannot be read on.

        Raises:
            ExportError: always.
        """
        raise ExportError(self.file, self.record, f"record {self.record}: the file {reason}")

    def _fill(self, wanted: int) -> None:
        held = len(self._buffer) - self._position
        if self._at_end or held >= wanted:
            return
        more = self.stream.read(wanted - held)
        self._at_end = len(more) < wanted - held
        self._buffer = self._buffer[self._position :] + more
        self._position = 0
        if self.offset == 0:
            check_encoding(self._buffer, self.file)
            self.take(len(BOM) if self._buffer.startswith(BOM) else 0)

    def _more(self) -> bool:
        """Read on; tell whether there was more."""
        held = len(self._buffer) - self._position
        self._check_size(held)
        self._fill(max(2 * held, _AHEAD))
        return len(self._buffer) - self._position > held

    def _check_size(self, size: int) -> None:
        if size >= MAX_RECORD:
            self.fail(f"has a record longer than {MAX_RECORD >> 20} MB; close the bracket or quote that is open in it")


def _size(text: bytes, is_object: bool) -> int | None:
    """Return the size of the value at the start of a text, None where it does not end in it."""
    return _closed(text) if is_object else value_end(text, 0)


def _closed(text: bytes) -> int | None:
    """Return the size of the object at the start of a text, None where it is not closed."""
    position = 1
    while (end := value_end(text, position)) is not None:
        if text[end : end + 1] != b",":
            return end + 1
        position = end + 1
    return None
