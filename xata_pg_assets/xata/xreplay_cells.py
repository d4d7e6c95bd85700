"""The cells of `xreplay`'s CSV, turned into the text that the judge takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from xata_pg_assets.xata.json_text import JsonError, parse
from xata_pg_assets.xata.python_text import to_json
from xata_pg_assets.xata.records import Reason
from xata_pg_assets.xata.rules import printable
from xata_pg_assets.xata.schema import XataType
from xata_pg_assets.xata.xreplay_scan import unquoted

__all__ = ["cells_of", "is_json_string", "text_of"]

_JSON_STRING = re.compile(rb'"(?:[^"\\\r\n]++|\\[^\r\n])*+"')
# A list of strings that Python and JSON write alike but for the quotes
_SIMPLE_LIST = re.compile(r"\[(?:'[^'\"\\\x00-\x1f]*+'(?:, '[^'\"\\\x00-\x1f]*+')*+)?\]")


def cells_of(raws: Sequence[bytes], type_: XataType | None) -> tuple[Any, dict[int, Reason]]:
    """Turn a column's cells into texts, and tell which ones are not UTF-8; an unquoted empty cell is NULL."""
    take = _json_bytes if type_ is XataType.JSON else unquoted
    cells = [take(raw) if raw else None for raw in raws]
    known: dict[int, Reason] = {}
    try:
        texts = pa.array(cells, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        known = {row: Reason.BAD_ENCODING for row, cell in enumerate(cells) if cell is not None and not _is_utf8(cell)}
        texts = pa.array([None if cell is None else cell.decode(errors="replace") for cell in cells], pa.string())
    convert = _CONVERSIONS.get(type_) if type_ else None
    if convert is not None:
        texts = pa.array([text if text is None else convert(text) for text in texts.to_pylist()], pa.string())
    return texts, known


def text_of(raw: bytes, type_: XataType | None) -> str | None:
    """Return a cell as a person is told it, its quotes left out."""
    if not raw:
        return None
    cell = _json_bytes(raw) if type_ is XataType.JSON else unquoted(raw)
    return printable(cell.decode(errors="replace"))


def is_json_string(raw: bytes) -> bool:
    """Tell whether a cell in quotes is a string of JSON, rather than quoted for CSV."""
    return _JSON_STRING.fullmatch(raw) is not None


def _json_bytes(raw: bytes) -> bytes:
    return raw if is_json_string(raw) else unquoted(raw)


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _multiple(text: str) -> str:
    """Turn a list into JSON that is in JSON already, or as Python prints it.

    >>> _multiple('''['a', "it's"]'''), _multiple('["a"]'), _multiple("[sic]")
    ('["a", "it\\'s"]', '["a"]', '[sic]')
    """
    if _SIMPLE_LIST.fullmatch(text):
        return text.replace("'", '"')
    return _object(text)


def _object(text: str) -> str:
    try:
        parse(text)
    except JsonError as error:
        if error.reason is Reason.BAD_VALUE and text.startswith(("[", "{")):
            return to_json(text) or text
    return text


_CONVERSIONS: dict[XataType, Callable[[str], str]] = {XataType.MULTIPLE: _multiple, XataType.OBJECT: _object}
