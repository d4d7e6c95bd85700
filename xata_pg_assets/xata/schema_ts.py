"""The schema in the client that Xata generates, `xata.ts` or `xata.js`: a literal that is JSON5."""

from __future__ import annotations

import re
from typing import Any

import pyjson5

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_json import schema_of
from xata_pg_assets.xata.schema_text import within

__all__ = ["read_schema_ts"]

# What may hold a bracket that opens nothing. What is never closed runs to the end of its line or file.
_QUIET = re.compile(
    r"""//[^\n]*
      | /\*.*?(?:\*/|\Z)
      | "(?:\\.|[^"\\\n])*"?
      | '(?:\\.|[^'\\\n])*'?
      | `(?:\\.|[^`\\])*`?""",
    re.DOTALL | re.VERBOSE,
)
_DECLARATION = re.compile(r"(?:\b(?:const|let|var)\s+|\bexports\.)tables\b[^=;]*=[\s(]*(?=\[)")
_BRACKET = re.compile(r"[\[\](){}]")
_POSITION = re.compile(r"near (\d+)")


def read_schema_ts(text: str, file: str) -> XataSchema:
    """Read the text of a generated client; SchemaError names the file, and the line of a broken literal."""
    quiet = _QUIET.sub(_blanked, text)
    declaration = _DECLARATION.search(quiet)
    if declaration is None:
        raise SchemaError(f"{file}: no `const tables = […]` in it: give the client that Xata's codegen wrote")
    start = declaration.end()
    end = _end_of_literal(quiet, start)
    if end is None:
        raise SchemaError(f"{file}:{_line(text, start)}: the list of tables is never closed: is the file cut?")
    tables = _decoded(text, start, end, file)
    with within(file):
        return schema_of({"tables": tables})


def _blanked(match: re.Match[str]) -> str:
    """Blank a string or comment, so that places in the text stay what they are."""
    return " " * len(match[0])


def _end_of_literal(quiet: str, start: int) -> int | None:
    depth = 0
    for bracket in _BRACKET.finditer(quiet, start):
        depth += 1 if bracket[0] in "[({" else -1
        if depth == 0:
            return bracket.end()
    return None


def _decoded(text: str, start: int, end: int, file: str) -> Any:
    try:
        return pyjson5.decode(text[start:end])
    except pyjson5.Json5DecoderException as error:
        # The library tells the place only inside its message, counted from 1.
        place = _POSITION.search(str(error))
        line = _line(text, start + int(place[1]) - 1 if place else start)
        reason = "the list of tables is not a plain literal"
        raise SchemaError(f"{file}:{line}: {reason}: give schema.json, or the client as generated") from error


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
