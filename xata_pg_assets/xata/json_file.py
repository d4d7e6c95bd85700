"""JSON files: an array of records, answers of the REST or the SQL interface, and pages of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from xata_pg_assets.errors import ExportError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.block_reader import BlockReader, Columns, Place
from xata_pg_assets.xata.byte_stream import ByteStream
from xata_pg_assets.xata.json_elements import elements
from xata_pg_assets.xata.json_members import decode
from xata_pg_assets.xata.json_pages import Chunk, Form, Pages, walk
from xata_pg_assets.xata.json_rows import Decode, JsonRows, decode_list
from xata_pg_assets.xata.records import ReadOptions, Records
from xata_pg_assets.xata.schema import XataTable

__all__ = ["JsonFile"]

_BLOCK_SIZE = 1024 * 1024
_DIALECTS = {"sdk": "json (array of records)", "rest": "json (REST answers)", "sql": "json (SQL answers)"}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a block is made of: records of one form, in spans of its bytes."""

    form: Form
    spans: tuple[tuple[int, int], ...]


class JsonFile(BlockReader):
    """One table's JSON file, its first records seen; a record's `line` is its number."""

    def __init__(
        self, path: AnyPath, file: str, table: XataTable, options: ReadOptions, *, block_size: int = _BLOCK_SIZE
    ) -> None:
        self._block_size = block_size
        super().__init__(path, file, table, options)

    def _read_head(self, stream: ByteStream) -> Columns:
        """Read the first records for the columns that the schema lacks."""
        pages = self._walk(stream)
        rows = JsonRows(self.table, self.file, self._options)
        unknown: list[str] = []
        form, seen = None, 0
        for chunk in pages.chunks():
            form = chunk.form
            if chunk.form.names is not None or not chunk.texts[0].startswith(b"["):
                unknown = rows.unknown_of(chunk.texts, self._decode(chunk.texts, chunk.form, chunk.first))
            seen += chunk.size
            if seen >= self._block_size:
                break
        form = pages.found[0] if pages.found else form
        self.dialect = _DIALECTS[form.kind] if form else "json"
        self._rows = JsonRows(self.table, self.file, self._options, unknown)
        return Columns() if pages.is_blank else self._rows.columns

    def _blocks(self, stream: ByteStream) -> Iterator[tuple[Place, Records]]:
        if not self.columns:
            return
        for group in _grouped(self._walk(stream, lambda: self._forms).chunks(), self._block_size):
            first, last = group[0], group[-1]
            parts = tuple((chunk.offset - first.offset, chunk.size) for chunk in group)
            place = Place(first.offset, sum(parts[-1]), first.first, _Parts(first.form, parts))
            texts = first.texts if first is last else [text for chunk in group for text in chunk.texts]
            yield place, self._read(texts, first.first, first.form)

    def _reread(self, data: bytes, place: Place) -> Records:
        parts = cast(_Parts, place.form)
        texts = [
            text for start, size in parts.spans for text in elements(data[start : start + size], at_end=True).texts
        ]
        return self._read(texts, place.first, parts.form)

    def _restart(self) -> None:
        self._rows = JsonRows(self.table, self.file, self._options, self.unknown)

    def _own_warnings(self) -> Sequence[str]:
        return self._rows.warnings

    @cached_property
    def _forms(self) -> list[Form]:
        """What each page of the file says of itself, before its rows or behind them."""
        with self._open() as stream:
            pages = self._walk(stream)
            for _ in pages.chunks():
                pass
            return pages.found

    def _walk(self, stream: ByteStream, forms: Callable[[], Sequence[Form]] | None = None) -> Pages:
        own = {column.name for column in self.table.columns}
        return walk(stream, self.file, own, self._block_size, forms)

    def _read(self, texts: Sequence[bytes], first: int, form: Form) -> Records:
        return self._rows.read(texts, first, form, self._decode(texts, form, first))

    def _decode(self, texts: Sequence[bytes], form: Form, first: int) -> Decode:
        """Return how rows are decoded: as arrays where they are such."""
        if form.kind != "sql" or not texts[0].startswith(b"["):
            return decode
        if form.names is None:
            raise ExportError(
                self.file,
                first,
                f"record {first}: the rows are arrays, and no columns name their cells; ask for objects",
            )
        return decode_list(form.names)


def _grouped(chunks: Iterator[Chunk], size: int) -> Iterator[list[Chunk]]:
    """Put small chunks together: a page holds a few records only."""
    group: list[Chunk] = []
    for chunk in chunks:
        if group and (chunk.form != group[0].form or chunk.offset + chunk.size - group[0].offset > size):
            yield group
            group = []
        group.append(chunk)
    if group:
        yield group
