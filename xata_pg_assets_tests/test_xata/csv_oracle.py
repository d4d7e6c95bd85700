"""Readers of CSV and of COPY's text format, one character at a time: slow, simple, and nobody else's code."""

from __future__ import annotations

from dataclasses import dataclass

from xata_pg_assets.xata.records import Batch

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
        cells: list[Cell] = []
        while True:
            cell, position = _cell(text, position, line)
            cells.append(cell)
            if position >= len(text) or text[position] != ",":
                break
            position += 1
        if position > start:
            records.append(Record(line, cells, text[start:position]))
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


def rows_of(batch: Batch) -> list[list[Cell]]:
    """Read a batch as COPY does, FORCE_NULL and FORCE_NOT_NULL aside."""
    if batch.format == "csv":
        return [record.cells for record in parse_csv(batch.data.decode())]
    lines = batch.data.decode().split("\n")
    assert lines.pop() == ""
    return [[_unescaped(cell) for cell in line.split("\t")] for line in lines]


def _unescaped(cell: str) -> Cell:
    if cell == r"\N":
        return None
    out, position = "", 0
    while position < len(cell):
        character = cell[position]
        if character == "\\":
            position += 1
            character = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}[cell[position]]
        out += character
        position += 1
    return out
