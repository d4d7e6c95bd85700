"""A reader of CSV, one character at a time, and of texts in COPY's binary format: slow and simple."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from xata_pg_assets.xata import cells
from xata_pg_assets.xata.binary import BinaryEncoder
from xata_pg_assets.xata.schema import XataTable, XataType

Cell = str | None


class OpenQuoteError(Exception):
    """A quote is never closed; `line` is where its record starts."""

    def __init__(self, line: int) -> None:
        self.line = line


@dataclass
class Record:
    line: int
    cells: list[Cell]
    raw: str


def parse_csv(text: str, line: int = 1) -> list[Record]:
    """Read records as Python's csv module does, but tell a quoted empty cell from an unquoted one."""
    records = []
    position = 0
    while position < len(text):
        start = position
        found: list[Cell] = []
        while True:
            cell, position = _cell(text, position, line)
            found.append(cell)
            if position >= len(text) or text[position] != ",":
                break
            position += 1
        if position > start:
            records.append(Record(line, found, text[start:position]))
        if text[position : position + 2] == "\r\n":
            position += 1
        position += 1
        line += text.count("\n", start, position)
    return records


def _cell(text: str, position: int, line: int) -> tuple[Cell, int]:
    out = ""
    if text[position : position + 1] == '"':
        position += 1
        while True:
            if position >= len(text):
                raise OpenQuoteError(line)
            if text[position] == '"':
                if text[position + 1 : position + 2] != '"':
                    break
                position += 1
            out += text[position]
            position += 1
        position += 1
        is_quoted = True
    else:
        is_quoted = False
    while position < len(text) and text[position] not in ",\r\n":
        out += text[position]
        position += 1
    return (out if out or is_quoted else None), position


def rows_of(data: bytes) -> list[list[Cell]]:
    """Read rows of texts in COPY's binary format."""
    rows, position = list[list[Cell]](), 0
    while position < len(data):
        row: list[Cell] = []
        width = int.from_bytes(data[position : position + 2])
        position += 2
        for _ in range(width):
            size = int.from_bytes(data[position : position + 4], signed=True)
            position += 4
            row.append(None if size < 0 else data[position : position + size].decode())
            position += max(size, 0)
        rows.append(row)
    return rows


@contextmanager
def as_texts() -> Iterator[None]:
    """Encode every cell as a text, which `rows_of` reads; test_binary has the other types."""

    def encoder(table: XataTable, columns: Sequence[str]) -> BinaryEncoder:  # noqa: ARG001
        return BinaryEncoder(dict.fromkeys(columns, XataType.TEXT), {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "binary_encoder", encoder)
        yield
