"""The records of a JSON file, wherever they lie in it: in an array, in pages of answers, or one after another."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import msgspec

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata.block_reader import MAX_RECORD, check_encoding
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.csv_head import BOM
from xata_pg_assets.xata.json_elements import elements
from xata_pg_assets.xata.json_split import string_of, value_end

__all__ = ["Chunk", "Form", "Pages"]

# Bytes in which the first key of a page is looked for
_AHEAD = 64 * 1024
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


@dataclass(slots=True)
class Pages:
    """Walks through a file; `own` are the names of the table's columns.

    What a page says of itself behind its rows is known at its end only: a walk collects it in `found`, and a
    second one is given it as `forms`.
    """

    stream: ByteStream
    file: str
    own: Collection[str]
    block_size: int
    forms: Sequence[Form] | None = None
    found: list[Form] = field(default_factory=list)
    _buffer: bytes = b""
    _offset: int = 0
    _at_end: bool = False
    _record: int = 1

    def chunks(self) -> Iterator[Chunk]:
        """Yield every record of the file.

        Raises:
            ExportError: the file is no JSON, or ends too early.
        """
        self._fill(self.block_size)
        check_encoding(self._buffer, self.file)
        if self._buffer.startswith(BOM):
            self._take(len(BOM))
        while (byte := self._peek()) is not None:
            if byte == b"[":
                yield from self._array(1)
            elif byte == b"{":
                yield from self._answer()
            else:
                self._fail("is no JSON from here on; an array of records is expected")

    def _array(self, depth: int) -> Iterator[Chunk]:
        """Walk through an array of records, or of pages."""
        if depth > _MAX_DEPTH:
            self._fail(f"has arrays in arrays, {depth} deep, and no record; an array of records is expected")
        self._take(1)
        while (byte := self._peek()) != b"]":
            if byte == b"[":
                yield from self._array(depth + 1)
            elif byte == b"{" and self._is_page():
                yield from self._page()
            else:
                yield from self._rows(Form("sdk"))
                return
            self._next(b"]")
        self._take(1)

    def _answer(self) -> Iterator[Chunk]:
        """Walk through a page that stands alone, or take a single record."""
        if self._is_page():
            yield from self._page()
            return
        size = self._value_size()
        text = self._buffer[:size]
        keys = set(_keys(text))
        if "id" not in keys:
            self._fail(f"holds neither records nor rows, but {', '.join(sorted(keys)) or 'nothing'}; export it again")
        yield Chunk(self._offset, size, self._record, Form("sdk"), [text])
        self._record += 1
        self._take(size)

    def _page(self) -> Iterator[Chunk]:
        """Walk through an answer of the REST interface, or of SQL's."""
        number = len(self.found)
        self.found.append(Form("rest"))
        self._take(1)
        while self._peek() != b"}":
            name = self._key()
            if name in _ROWS and self._peek() == b"[":
                self._take(1)
                if name == "rows" and self.found[number].kind == "rest":
                    self.found[number] = Form("sql")
                yield from self._rows(self.found[number] if self.forms is None else self.forms[number])
            else:
                size = self._value_size()
                if name == "columns":
                    self.found[number] = Form("sql", _column_names(self._buffer[:size]))
                self._take(size)
            self._next(b"}")
        self._take(1)

    def _rows(self, form: Form) -> Iterator[Chunk]:
        """Take the records up to the bracket that closes their array."""
        wanted = self.block_size
        while True:
            self._fill(wanted)
            found = elements(self._buffer)
            if found.texts:
                yield Chunk(self._offset, found.size, self._record, form, found.texts)
                self._record += len(found.texts)
            if not found.end and not found.closed:
                self._check_open(wanted)
                wanted *= 2
                continue
            self._take(found.end)
            if found.closed:
                return
            wanted = self.block_size

    def _is_page(self) -> bool:
        """Tell a page from a record: it has rows, and no id."""
        self._fill(_AHEAD)
        has_rows = False
        position = 1
        while (key := _KEY.match(self._buffer, position)) is not None:
            name = string_of(key[1].decode(errors="replace"))
            if name == "id":
                return False
            has_rows |= name in _ROWS and self._buffer[key.end() : key.end() + 1] == b"["
            if has_rows and name not in self.own:
                return True
            end = value_end(self._buffer, key.end())
            if end is None or self._buffer[end : end + 1] != b",":
                break
            position = end + 1
        return has_rows

    def _key(self) -> str | None:
        while (key := _KEY.match(self._buffer)) is None or key.end() == len(self._buffer):
            if not self._more():
                self._fail("is no JSON from here on: a key of an answer is expected; export it again")
        self._take(key.end())
        return string_of(key[1].decode(errors="replace"))

    def _value_size(self) -> int:
        """Return how long the value at the start of the buffer is."""
        if self._buffer[:1] == b"{":  # may be the last thing in the file
            while (size := _closed(self._buffer)) is None:
                if not self._more():
                    self._fail("ends too early; export it again")
            return size
        while (end := value_end(self._buffer, 0)) is None:
            if not self._more():
                self._fail("ends too early; export it again")
        return end

    def _next(self, closing: bytes) -> None:
        """Go on to the next member, or to the closing bracket."""
        byte = self._peek()
        if byte == b",":
            self._take(1)
            byte = self._peek()
        elif byte != closing:
            self._fail("ends too early; export it again" if byte is None else "has no comma where one is expected")
        if byte is None:
            self._fail("ends too early; export it again")

    def _peek(self) -> bytes | None:
        """Return the next byte that is no blank, None at the end of the file."""
        while True:
            blank = _BLANK.match(self._buffer)
            self._take(blank.end() if blank else 0)
            if self._buffer:
                return self._buffer[:1]
            if not self._more():
                return None

    def _take(self, size: int) -> None:
        self._buffer = self._buffer[size:]
        self._offset += size

    def _fill(self, wanted: int) -> None:
        if not self._at_end and len(self._buffer) < wanted:
            more = self.stream.read(wanted - len(self._buffer))
            self._at_end = len(more) < wanted - len(self._buffer)
            self._buffer += more

    def _more(self) -> bool:
        """Read on; tell whether there was more."""
        size = len(self._buffer)
        if size >= MAX_RECORD:
            self._fail(f"has a value longer than {MAX_RECORD >> 20} MB; close what is open in it")
        self._fill(max(2 * size, self.block_size))
        return len(self._buffer) > size

    def _check_open(self, wanted: int) -> None:
        if self._at_end:
            self._fail("ends before this record does; export it again")
        if wanted >= MAX_RECORD:
            self._fail(f"has a record longer than {MAX_RECORD >> 20} MB; close what is open in it")

    def _fail(self, reason: str) -> NoReturn:
        raise ExportError(self.file, self._record, f"record {self._record}: the file {reason}")


def _closed(text: bytes) -> int | None:
    """Return the size of the object at the start of a text, None where it is not closed."""
    position = 1
    while (end := value_end(text, position)) is not None:
        if text[end : end + 1] != b",":
            return end + 1
        position = end + 1
    return None


def _keys(text: bytes) -> Iterator[str]:
    position: int | None = 1
    while position is not None and (key := _KEY.match(text, position)) is not None:
        yield string_of(key[1].decode(errors="replace")) or ""
        end = value_end(text, key.end())
        position = None if end is None else end + 1


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
