"""Cells given as JSON, turned into the text that the judge takes: whole columns at a time.

What a column plainly holds is told by a vectorised test; only other cells are looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xata_pg_assets.xata.json_cell import (
    JSON_CELLS,
    Cell,
    JsonStrings,
    any_cell,
    id_cell,
    int_cell,
    link_cell,
    scalar_cell,
    text_cell,
    vector_cell,
)
from xata_pg_assets.xata.json_split import compact, string_of
from xata_pg_assets.xata.records import Reason
from xata_pg_assets.xata.rules import printable
from xata_pg_assets.xata.schema import XataColumn, XataType

__all__ = ["Cells", "cells_of", "kind_of", "shown"]

_SURROGATE = re.compile("[\ud800-\udfff]")


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
        return _OTHER_KINDS.get(name, Kind(_is_plain_string, True, any_cell))
    if column.type is XataType.JSON:
        return Kind(_is_no_string, False, JSON_CELLS[strings])
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


_TEXT = Kind(_is_plain_string, True, text_cell)
_INT = Kind(_matches(r"^-?[0-9]+$"), False, int_cell)
_DATETIME = Kind(_is_plain_string, True, scalar_cell)
# Numbers, booleans, lists and objects stand in JSON as the judge takes them
_BARE = Kind(_matches(r"^[-0-9tf\[{]"), False, scalar_cell)
_KINDS = {
    XataType.STRING: _TEXT,
    XataType.TEXT: _TEXT,
    XataType.EMAIL: _TEXT,
    XataType.INT: _INT,
    XataType.DATETIME: _DATETIME,
    XataType.VECTOR: Kind(_matches(r'^\[[^\n"]*$'), False, vector_cell),
    XataType.LINK: Kind(_is_plain_link, True, link_cell),
}
# Columns that no schema lists
_OTHER_KINDS = {
    "id": Kind(_is_plain_string, True, id_cell),
    "xata.version": _INT,
    "xata.createdAt": _DATETIME,
    "xata.updatedAt": _DATETIME,
}
