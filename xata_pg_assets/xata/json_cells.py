"""Cells given as JSON, turned into the text that the judge takes: whole columns at a time.

What a column plainly holds is told by a vectorised test; only other cells are looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xata_pg_assets.xata.json_split import compact, members, string_of
from xata_pg_assets.xata.json_text import JsonError, parse
from xata_pg_assets.xata.records import Reason
from xata_pg_assets.xata.rules import printable
from xata_pg_assets.xata.schema import XataColumn, XataType

__all__ = ["Cells", "JsonStrings", "cells_of", "kind_of", "shown"]

JsonStrings = Literal["auto", "encoded", "plain"]

# The text, None for NULL, and what is wrong with it where something is
Cell = tuple[str | None, Reason | None]

_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CONTAINER = ("{", "[")


@dataclass(frozen=True, slots=True)
class Kind:
    """How the cells of a column are taken from JSON.

    `is_plain` finds those that are right as they stand, without their quotes where they are `quoted`.
    """

    is_plain: Callable[[Any], Any]
    quoted: bool
    exact: Callable[[str], Cell]


@dataclass(frozen=True, slots=True)
class Cells:
    """A column as the judge takes it, and the cells in it that are known to be faulty."""

    values: Any
    known: dict[int, Reason]


def kind_of(name: str, column: XataColumn | None, strings: JsonStrings) -> Kind:
    """Return how a column is taken from JSON; `strings` says what a string in a json column means."""
    if column is None:
        return _OTHER_KINDS.get(name, Kind(_is_plain_string, True, _any_cell))
    if column.type is XataType.JSON:
        return Kind(_is_no_string, False, _JSON_CELLS[strings])
    return _KINDS.get(column.type, _BARE)


def cells_of(raws: Sequence[bytes | None], kind: Kind) -> Cells:
    """Turn a column's JSON texts into cells; JSON's null is NULL."""
    texts, known = _texts(raws)
    texts = pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)
    plain = kind.is_plain(texts)
    values = _unquoted(pc.if_else(plain, texts, pa.scalar(None, pa.string()))) if kind.quoted else texts
    rows = np.flatnonzero(pc.fill_null(pc.invert(plain), False).to_numpy(zero_copy_only=False))
    if not rows.size and not known:
        return Cells(values, known)
    rows = np.union1d(rows, np.array(list(known), np.int64))
    patches: list[str | None] = []
    for row, raw in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        text, reason = kind.exact(raw)
        if reason is None and row not in known and text is not None and _SURROGATE.search(text):
            reason = Reason.BAD_ENCODING
        if reason is not None:
            known.setdefault(row, reason)
        patches.append(printable(text) if row in known and known[row] is Reason.BAD_ENCODING else text)
    mask = np.zeros(len(values), dtype=bool)
    mask[rows] = True
    return Cells(pc.replace_with_mask(values, pa.array(mask), pa.array(patches, pa.string())), known)


def shown(raw: bytes | None) -> str | None:
    """Return a cell as a person is told it: a string says what it says, all else is compact JSON."""
    text = "null" if raw is None else str(raw, "utf-8", "replace")
    if text == "null":
        return None
    value = string_of(text)
    return printable(compact(text) if value is None else value)


def _texts(raws: Sequence[bytes | None]) -> tuple[Any, dict[int, Reason]]:
    try:
        return pa.array([None if raw is None else str(raw, "utf-8") for raw in raws], pa.string()), {}
    except UnicodeDecodeError:
        pass
    texts = [None if raw is None else str(raw, "utf-8", "replace") for raw in raws]
    known = {
        row: Reason.BAD_ENCODING
        for row, (raw, text) in enumerate(zip(raws, texts, strict=True))
        if raw is not None and text is not None and text.encode() != bytes(raw)
    }
    return pa.array(texts, pa.string()), known


def _unquoted(texts: Any) -> Any:
    return pc.binary_slice(texts.cast(pa.binary()), 1, -1).cast(pa.string())


def _matches(pattern: str) -> Callable[[Any], Any]:
    return lambda texts: pc.match_substring_regex(texts, pattern)


# A string without an escape in it
_is_plain_string = _matches(r'^"[^"\\]*"$')


def _is_plain_link(texts: Any) -> Any:
    return pc.and_(_is_plain_string(texts), pc.not_equal(texts, '""'))


def _is_no_string(texts: Any) -> Any:
    return pc.invert(pc.starts_with(texts, '"'))


def _scalar_cell(raw: str) -> Cell:
    """Take a string for what it says, and leave the rest to the judge of the type."""
    value = string_of(raw)
    return (raw if value is None else value), None


def _text_cell(raw: str) -> Cell:
    value = string_of(raw)
    return (compact(raw), Reason.BAD_VALUE) if value is None else (value, None)


def _any_cell(raw: str) -> Cell:
    """Take whatever a column holds that the schema does not know."""
    value = string_of(raw)
    return (compact(raw) if value is None else value), None


def _id_cell(raw: str) -> Cell:
    """Take a string; a number can at least be shown."""
    value = string_of(raw)
    if value is not None:
        return value, None
    return (raw if _NUMBER.fullmatch(raw) else None), Reason.BAD_VALUE


def _int_cell(raw: str) -> Cell:
    """Take integral numbers however they are written: 1.0, 1e3.

    >>> [_int_cell(raw)[0] for raw in ("1.0", "-12e3", "9007199254740993", "1.5", '"7"')]
    ['1', '-12000', '9007199254740993', '1.5', '7']
    """
    if _NUMBER.fullmatch(raw) and len(raw) < 100:
        number = Decimal(raw)
        if number.adjusted() < 20 and number == number.to_integral_value():
            return str(int(number)), None
    return _scalar_cell(raw)


class _Link(msgspec.Struct):
    id: str


_link = msgspec.json.Decoder(_Link).decode


def _link_cell(raw: str) -> Cell:
    """Take an id, or the record of that id, whatever else it holds.

    >>> _link_cell('{"id": "rec_a", "name": "b"}'), _link_cell('{"id": null}')
    (('rec_a', None), ('{"id":null}', <Reason.BAD_VALUE: 'bad_value'>))
    """
    value = _linked_id(raw) if raw.startswith("{") else string_of(raw)
    return (value, None) if value else (compact(raw), Reason.BAD_VALUE)


def _linked_id(raw: str) -> str | None:
    try:
        return _link(raw).id
    except (msgspec.DecodeError, RecursionError):
        parts = members(raw.encode()) or {}
        return string_of(parts.get("id", b"").decode())


def _encoded_cell(raw: str) -> Cell:
    """Take a string for JSON text."""
    return _scalar_cell(raw)


def _plain_cell(raw: str) -> Cell:
    """Take a string for a JSON string."""
    return raw, None


def _auto_cell(raw: str) -> Cell:
    r"""Take a string for JSON text where it is an object or a list, otherwise for a string.

    >>> [_auto_cell(raw)[0] for raw in ('"{\\"a\\": 1}"', '"12"', '"[sic]"', "[1]")]
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


_JSON_CELLS: dict[JsonStrings, Callable[[str], Cell]] = {
    "auto": _auto_cell,
    "encoded": _encoded_cell,
    "plain": _plain_cell,
}

_TEXT = Kind(_is_plain_string, True, _text_cell)
_INT = Kind(_matches(r"^-?[0-9]+$"), False, _int_cell)
_DATETIME = Kind(_is_plain_string, True, _scalar_cell)
# Numbers, booleans, lists and objects stand in JSON as the judge takes them
_BARE = Kind(_matches(r"^[-0-9tf\[{]"), False, _scalar_cell)
_KINDS = {
    XataType.STRING: _TEXT,
    XataType.TEXT: _TEXT,
    XataType.EMAIL: _TEXT,
    XataType.INT: _INT,
    XataType.DATETIME: _DATETIME,
    XataType.LINK: Kind(_is_plain_link, True, _link_cell),
}
# Columns that no schema lists
_OTHER_KINDS = {
    "id": Kind(_is_plain_string, True, _id_cell),
    "xata.version": _INT,
    "xata.createdAt": _DATETIME,
    "xata.updatedAt": _DATETIME,
}
