"""The records of a JSON file, wherever they lie in it: in an array, in pages of answers, or one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import msgspec

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.block_reader import MAX_RECORD, check_encoding
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_head import BOM
from xata_pg_assets.xata.json_elements import elements
from xata_pg_assets.xata.json_split import string_of, value_end

__all__ = ["Chunk", "Form", "Pages", "walk"]

# Bytes in which the first key of a page is looked for
_AHEAD = 64 * 1024
# Bytes of a page's rows that are looked at first, then twice as many
_FIRST_BLOCK = 128 * 1024
# Lists of pages may stand in lists, but not for ever
_MAX_DEPTH = 8
_ROWS = ("records", "rows")
_BLANK = re.compile(rb"[ \t\r\n]*+")
_KEY = re.compile(rb'[ \t\r\n]*+("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Form:
    """Which of Xata's interfaces wrote a record; `names` are the columns of rows given as arrays."""

    kind: Literal["sdk", "rest", "sql", "lines", "log"]
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some whole records of one array: where their bytes lie, and which one is the first."""

    offset: int
    size: int
    first: int
    form: Form
    texts: list[bytes]


def walk(
    stream: ByteStream,
    file: str,
    own: Collection[str],
    block_size: int,
    forms: Callable[[], Sequence[Form]] | None = None,
) -> Pages:
    """Walk through a file from its start."""
    return Pages(_Window(stream, file), own, block_size, forms)


@dataclass(slots=True)
class Pages:
    """Walks through a file; `own` are the names of the table's columns.

    What a page says of itself behind its rows is known at its end only: a walk collects it in `found`, and another
    one may ask for it by `forms`.
    """

    source: _Window
    own: Collection[str]
    block_size: int
    forms: Callable[[], Sequence[Form]] | None = None
    found: list[Form] = field(default_factory=list)
    is_blank: bool = True

    def chunks(self) -> Iterator[Chunk]:
        """Yield every record of the file.

        Raises:
            ExportError: the file is no JSON, or ends too early.
        """
        while (byte := self.source.peek()) is not None:
            self.is_blank = False
            if byte == b"[":
                yield from self._array(1)
            elif byte == b"{":
                yield from self._answer()
            else:
                self.source.fail("is no JSON from here on; an array of records is expected")

    def _array(self, depth: int) -> Iterator[Chunk]:
        """Walk through an array of records, or of pages."""
        source = self.source
        if depth > _MAX_DEPTH:
            source.fail("has arrays in arrays in arrays, and no record; an array of records is expected")
        source.take(1)
        while (byte := source.peek()) != b"]":
            if byte == b"[":
                yield from self._array(depth + 1)
            elif byte == b"{" and self._is_page():
                yield from self._page()
            else:
                yield from self._rows(Form("sdk"))
                return
            source.next(b"]")
        source.take(1)

    def _answer(self) -> Iterator[Chunk]:
        """Walk through a page that stands alone, or take a single record."""
        if self._is_page():
            yield from self._page()
            return
        text = self.source.value()
        keys = _keys(text)
        if "id" not in keys:
            named = ", ".join(sorted(keys)[:5]) or "nothing"
            self.source.fail(f"holds no records here, but an object of {named}; export the table again")
        yield Chunk(self.source.offset, len(text), self.source.record, Form("sdk"), [text])
        self.source.record += 1
        self.source.take(len(text))

    def _page(self) -> Iterator[Chunk]:
        """Walk through an answer of the REST interface, or of SQL's."""
        source, number = self.source, len(self.found)
        self.found.append(Form("rest"))
        source.take(1)
        while source.peek() != b"}":
            name = source.key()
            if name in _ROWS and source.peek() == b"[":
                source.take(1)
                if name == "rows" and self.found[number].kind == "rest":
                    self.found[number] = Form("sql")
                yield from self._rows(self._form(number))
            else:
                value = source.value()
                if name == "columns":
                    self.found[number] = Form("sql", _column_names(value))
                source.take(len(value))
            source.next(b"}")
        source.take(1)

    def _form(self, number: int) -> Form:
        """Return what is known of a page, asking for what stands behind its rows."""
        form = self.found[number]
        return form if form.names or self.forms is None else self.forms()[number]

    def _rows(self, form: Form) -> Iterator[Chunk]:
        """Take the records up to the bracket that closes their array."""
        source, wanted = self.source, min(_FIRST_BLOCK, self.block_size)
        while True:
            found = elements(source.ahead(wanted))
            if found.texts:
                yield Chunk(source.offset, found.size, source.record, form, found.texts)
                source.record += len(found.texts)
            elif not found.closed:
                source.check_open(wanted)
            source.take(found.end)
            if found.closed:
                return
            wanted = min(2 * wanted, self.block_size) if found.texts else 2 * wanted

    def _is_page(self) -> bool:
        """Tell a page from a record: it has rows, and no id."""
        data = self.source.ahead(_AHEAD)
        has_rows = False
        position = 1
        while (key := _KEY.match(data, position)) is not None:
            name = string_of(key[1].decode(errors="replace"))
            if name == "id":
                return False
            has_rows |= name in _ROWS and data[key.end() : key.end() + 1] == b"["
            if has_rows and name not in self.own:
                return True
            end = value_end(data, key.end())
            if end is None or data[end : end + 1] != b",":
                break
            position = end + 1
        return has_rows


@dataclass(slots=True)
class _Window:
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
        while (key := _KEY.match(self._buffer, self._position)) is None or key.end() == len(self._buffer):
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


def _keys(text: bytes) -> set[str]:
    """Return the keys of an object."""
    keys: set[str] = set()
    position: int | None = 1
    while position is not None and (key := _KEY.match(text, position)) is not None:
        keys.add(string_of(key[1].decode(errors="replace")) or "")
        end = value_end(text, key.end())
        position = None if end is None else end + 1
    return keys


def _column_names(text: bytes) -> tuple[str, ...] | None:
    """Return the names of an answer's columns: a list of objects, or an object by name."""
    try:
        columns = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(columns, dict):
        return tuple(columns)
    if isinstance(columns, list) and all(isinstance(column, dict) and "name" in column for column in columns):
        return tuple(str(column["name"]) for column in columns)
    return None
