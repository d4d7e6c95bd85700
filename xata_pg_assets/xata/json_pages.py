"""The records of a JSON file, wherever they lie in it: in an array, in pages of answers, or one after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.json_elements import elements
from xata_pg_assets.xata.json_split import KEY, string_of, value_end
from xata_pg_assets.xata.json_window import Window

__all__ = ["Chunk", "Form", "Pages", "walk"]

# Bytes in which the first key of a page is looked for
_AHEAD = 64 * 1024
# Bytes of a page's rows that are looked at first, then twice as many
_FIRST_BLOCK = 128 * 1024
# Lists of pages may stand in lists, but not for ever
_MAX_DEPTH = 8
_ROWS = ("records", "rows")


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
    return Pages(Window(stream, file), own, block_size, forms)


@dataclass(slots=True)
class Pages:
    """Walks through a file; `own` are the names of the table's columns.

    What a page says of itself behind its rows is known at its end only: a walk collects it in `found`, and another
    one may ask for it by `forms`.
    """

    source: Window
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
            named = ", ".join(repr(key)[:40] for key in sorted(keys)[:5]) or "nothing"
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
        while (key := KEY.match(data, position)) is not None:
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


def _keys(text: bytes) -> set[str]:
    """Return the keys of an object."""
    keys: set[str] = set()
    position: int | None = 1
    while position is not None and (key := KEY.match(text, position)) is not None:
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
