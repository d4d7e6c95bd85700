"""Python literals turned into JSON, without running anything."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping

import msgspec

from xata_pg_assets.xata.json_members import hold_all
from xata_pg_assets.xata.json_split import members

__all__ = ["decode_dict", "to_json"]

# Python's parser takes a hundred bytes for each: so that a line of garbage does not fill the memory
_MAX_PARTS = 200_000

# Its first group is what JSON only puts in other quotes
_TOKEN = re.compile(
    r"""'([^'"\\]*+)'|'(?:[^'\\]++|\\.)*+'|"([^"\\]*+)"|"(?:[^"\\]++|\\.)*+"|\b(?:True|False|None)\b""", re.DOTALL
)
# An escape that Python does not know, or one that it does
_ESCAPE = re.compile(r"""\\(?:([^\n\\'"abfnrtvxuUN0-7])|.)""", re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null"}

_as_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _NoLiteralError(ValueError):
    """Raised for a text that is no Python literal, or one that JSON has no word for."""


def decode_dict(text: bytes) -> Mapping[str, bytes] | None:
    """Return the items of a dict as JSON texts, None where the text is no dict.

    >>> items = decode_dict(b"{'id': 'a', 'l': [\\"it's\\", None], 'f': 1e-07}")
    >>> [bytes(item).decode() for item in items.values()]
    ['"a"', '["it\\'s", null]', '1e-07']
    """
    try:
        translated = _translated(text)
        record: Mapping[str, bytes] = _as_members(translated)
        if hold_all([translated], [record]):
            return record
    except (_NoLiteralError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    items = members(text, _key)
    return None if items is None else {key: _item(item) for key, item in items.items()}


def to_json(text: str) -> str | None:
    """Return a Python literal as JSON, None where it is none.

    >>> to_json("['a', True, 1.5]"), to_json("__import__('os')"), to_json("{1, 2}")
    ('["a", true, 1.5]', None, None)
    """
    return None if text.count(",") > _MAX_PARTS else _evaluated(text)


def _translated(text: bytes) -> bytes:
    """Replace what JSON writes in another way; what is not JSON then, its parser refuses."""
    return _TOKEN.sub(_token, text.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _token(match: re.Match[str]) -> str:
    if match.lastindex:
        return f'"{match[match.lastindex]}"'
    token = match[0]
    value = _WORDS.get(token) or _evaluated(token)
    if value is None:
        raise _NoLiteralError(token)
    return value


def _item(item: bytes) -> bytes:
    """Return an item as JSON; one that is no literal stays as it is, for the judge to refuse."""
    try:
        return _translated(item)
    except _NoLiteralError:
        value = to_json(item.decode(errors="replace"))
        return item if value is None else value.encode()


def _key(token: bytes) -> str | None:
    value = _evaluated(token.decode(errors="replace"))
    return None if value is None else str(json.loads(value))


def _evaluated(text: str) -> str | None:
    try:
        return json.dumps(ast.literal_eval(_ESCAPE.sub(_known_escape, text)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _known_escape(escape: re.Match[str]) -> str:
    r"""Double the backslash of an escape that Python takes literally, but warns of on the terminal.

    >>> _evaluated(r"'\d \\d'")
    '"\\\\d \\\\d"'
    """
    return escape[0] if escape[1] is None else f"\\\\{escape[1]}"
