"""One cell given as JSON, turned into the text that the judge of its type takes, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from xata_pg_assets.xata.json_members import decode
from xata_pg_assets.xata.json_split import compact, string_of
from xata_pg_assets.xata.json_text import JsonError, parse
from xata_pg_assets.xata.records import Reason

__all__ = [
    "JSON_CELLS",
    "Cell",
    "JsonStrings",
    "any_cell",
    "id_cell",
    "int_cell",
    "link_cell",
    "scalar_cell",
    "text_cell",
    "vector_cell",
]

JsonStrings = Literal["auto", "encoded", "plain"]

# The text, None for NULL, and what is wrong with it where something is
Cell = tuple[str | None, Reason | None]

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CONTAINER = ("{", "[")
# Blanks after a bracket or a comma, or before one
_LINE_BREAKS = re.compile(r"(?<=[\[,])[ \t\r\n]+|[ \t\r\n]+(?=[\],])")


def scalar_cell(raw: str) -> Cell:
    """Take a string for what it says, and leave the rest to the judge of the type."""
    value = string_of(raw)
    return (raw if value is None else value), None


def text_cell(raw: str) -> Cell:
    value = string_of(raw)
    return (compact(raw), Reason.BAD_VALUE) if value is None else (value, None)


def any_cell(raw: str) -> Cell:
    """Take whatever a column holds that the schema does not know."""
    value = string_of(raw)
    return (compact(raw) if value is None else value), None


def id_cell(raw: str) -> Cell:
    """Take a string; a number can at least be shown."""
    value = string_of(raw)
    if value is not None:
        return value, None
    return (raw if _NUMBER.fullmatch(raw) else None), Reason.BAD_VALUE


def int_cell(raw: str) -> Cell:
    """Take integral numbers however they are written: 1.0, 1e3.

    >>> [int_cell(raw)[0] for raw in ("1.0", "-12e3", "9007199254740993", "1.5", '"7"')]
    ['1', '-12000', '9007199254740993', '1.5', '7']
    """
    if _NUMBER.fullmatch(raw) and len(raw) < 100:
        number = Decimal(raw)
        if number.adjusted() < 20 and number == number.to_integral_value():
            return str(int(number)), None
    return scalar_cell(raw)


def vector_cell(raw: str) -> Cell:
    """Take a list written over many lines, which the judge would have to take apart.

    >>> vector_cell("[\\n  1,\\n  2.5\\n]")[0]
    '[1,2.5]'
    """
    return (_LINE_BREAKS.sub("", raw), None) if raw.startswith("[") else scalar_cell(raw)


class _Link(msgspec.Struct):
    id: str


_link = msgspec.json.Decoder(_Link).decode


def link_cell(raw: str) -> Cell:
    """Take an id, or the record of that id, whatever else it holds.

    >>> link_cell('{"id": "rec_a", "name": "b"}'), link_cell('{"id": null}')
    (('rec_a', None), ('{"id":null}', <Reason.BAD_VALUE: 'bad_value'>))
    """
    value = _linked_id(raw) if raw.startswith("{") else string_of(raw)
    return (value, None) if value else (compact(raw), Reason.BAD_VALUE)


def _linked_id(raw: str) -> str | None:
    if raw.count('"id"') == 1:
        try:
            return _link(raw).id
        except (msgspec.DecodeError, RecursionError):
            pass
    parts = decode(raw.encode()) or {}
    return string_of(bytes(parts.get("id", b"")).decode())


def encoded_cell(raw: str) -> Cell:
    """Take a string for JSON text."""
    return scalar_cell(raw)


def plain_cell(raw: str) -> Cell:
    """Take a string for a JSON string."""
    return raw, None


def auto_cell(raw: str) -> Cell:
    r"""Take a string for JSON text where it is an object or a list, otherwise for a string.

    >>> [auto_cell(raw)[0] for raw in ('"{\\"a\\": 1}"', '"12"', '"[sic]"', "[1]")]
    ['{"a": 1}', '"12"', '"[sic]"', '[1]']
    """
    value = string_of(raw)
    if value is None or not value.lstrip(" \t\r\n").startswith(_CONTAINER) or not _is_json(value):
        return raw, None
    return value, None


_skip = msgspec.json.Decoder(msgspec.Raw).decode


def _is_json(text: str) -> bool:
    """Tell whether a text is JSON, even such that jsonb cannot hold."""
    try:
        _skip(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    else:
        return True
    try:
        parse(text)
    except JsonError as error:
        return error.reason is not Reason.BAD_VALUE
    return True


JSON_CELLS: dict[JsonStrings, Callable[[str], Cell]] = {
    "auto": auto_cell,
    "encoded": encoded_cell,
    "plain": plain_cell,
}
