"""Rows of text cells as COPY takes them, encoded a whole block at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xata_pg_assets.xata.records import CopyFormat

__all__ = ["encode", "ends_copy", "with_nulls"]

# A line that ends the data of COPY's CSV format before PostgreSQL 18, within quotes too
_END_OF_COPY = b"\\."
# In order: the backslash first, or it would escape the escapes
_TEXT_ESCAPES = (("\\", r"\\"), ("\n", r"\n"), ("\r", r"\r"), ("\t", r"\t"))


def ends_copy(data: bytes) -> bool:
    r"""Tell whether COPY might take a line of CSV for the end of its data.

    >>> ends_copy(b'"a\n\\.\nb",c'), ends_copy(b'\\.,c'), ends_copy(b'a\\.b')
    (True, True, False)
    """
    return data.startswith(_END_OF_COPY) or any(end + _END_OF_COPY in data for end in (b"\n", b"\r"))


def encode(
    columns: Mapping[str, Any],
    force_null: Collection[str] = (),
    force_not_null: Collection[str] = (),
    eol: bytes = b"\n",
) -> tuple[bytes, CopyFormat]:
    r"""Encode rows as CSV with every value quoted and NULL unquoted, or as text where CSV would not do.

    `columns` are text arrays in order. In CSV, COPY itself is told of `force_null` and `force_not_null`.

    >>> encode({"id": pa.array(["a", "b"]), "t": pa.array([None, 'x"y'])})
    (b'"a",\n"b","x""y"\n', 'csv')
    """
    data = _csv(list(columns.values()), eol.decode())
    if not ends_copy(data):
        return data, "csv"
    return _text(list(with_nulls(columns, force_null, force_not_null).values())), "text"


def with_nulls(
    columns: Mapping[str, Any], force_null: Collection[str], force_not_null: Collection[str]
) -> dict[str, Any]:
    """Do what COPY's FORCE_NULL and FORCE_NOT_NULL do, which its other formats lack."""

    def final(name: str, cells: Any) -> Any:
        if name in force_null:
            return pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
        return pc.fill_null(cells, "") if name in force_not_null else cells

    return {name: final(name, cells) for name, cells in columns.items()}


def _csv(columns: list[Any], eol: str) -> bytes:
    quoted = [_quoted(cells) for cells in columns]
    return _joined(quoted, ",", "", eol)


def _quoted(cells: Any) -> Any:
    doubled = pc.replace_substring(cells, '"', '""') if _holds(cells, '"') else cells
    return pc.binary_join_element_wise('"', doubled, '"', "")


def _text(columns: list[Any]) -> bytes:
    return _joined([_escaped(cells) for cells in columns], "\t", r"\N", "\n")


def _escaped(cells: Any) -> Any:
    for character, escape in _TEXT_ESCAPES:
        if _holds(cells, character):
            cells = pc.replace_substring(cells, character, escape)
    return cells


def _joined(columns: list[Any], delimiter: str, null: str, eol: str) -> bytes:
    rows = pc.binary_join_element_wise(*columns, delimiter, null_handling="replace", null_replacement=null)
    lines = pc.binary_join_element_wise(rows, "", eol)
    data: bytes = lines.buffers()[2].to_pybytes()[: _size(lines)]
    return data


def _size(lines: Any) -> int:
    size: int = pc.sum(pc.binary_length(lines)).as_py()
    return size


def _holds(cells: Any, character: str) -> bool:
    return pc.any(pc.match_substring(cells, character)).as_py() is True
