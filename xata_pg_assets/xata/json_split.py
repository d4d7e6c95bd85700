r"""The members of an object or a list, cut apart without parsing them: JSON, or what Python prints of a dict.

For records that no parser takes as a whole: nested too deeply, or with one cell that is broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import JSONDecoder

__all__ = ["KEY", "compact", "items", "members", "string_of", "value_end"]

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_PYTHON_STRING = rb"'(?:[^'\\]++|\\.)*+'"
_SPACE = rb"[ \t\r\n]*+"
_OTHER = rb"[^\"'\[\]{},]++"
# What a value is made of; a quote alone is part of nothing
_PIECE = re.compile(rb"(?s)" + _STRING + rb"|[\[{]|([\]}])|(,)|[^\"\[\]{},]++")
_PYTHON_PIECE = re.compile(rb"(?s)" + _STRING + rb"|" + _PYTHON_STRING + rb"|[\[{]|([\]}])|(,)|" + _OTHER)
# A key of JSON, and its colon
KEY = re.compile(rb'(?s)[ \t\r\n]*+("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+')
_KEY = re.compile(rb"(?s)" + _SPACE + rb"(" + _STRING + rb"|" + _PYTHON_STRING + rb")" + _SPACE + rb":" + _SPACE)
_OPEN = re.compile(_SPACE + rb"\{" + _SPACE)
_OPEN_LIST = re.compile(_SPACE + rb"\[" + _SPACE)
_END = re.compile(_SPACE + rb"\Z")
# A line feed within a string is no JSON, and nothing else than what was meant
_decode = JSONDecoder(strict=False).raw_decode
_COMPACT = re.compile(r'("(?:[^"\\]++|\\.)*+")|[ \t\r\n]++', re.DOTALL)


def members(
    text: bytes, key_of: Callable[[bytes], str | None] = lambda key: string_of(key.decode(errors="replace"))
) -> dict[str, bytes] | None:
    """Cut an object apart into its members, as they stand there; None where it is no object.

    Of a key given twice both values stay, with a comma between, which is no JSON and right for no column; unless they
    are the same.

    >>> members(b'{"a": NaN, "b": {"c": [1, "}"]}}')
    {'a': b'NaN', 'b': b'{"c": [1, "}"]}'}
    >>> members(b'{"a": 1, "b"'), members(b"[]")
    (None, None)
    >>> members(b'{"a": 1, "b": 2, "a": 1, "b": 3}')
    {'a': b'1', 'b': b'2,3'}
    """
    opened = _OPEN.match(text)
    if opened is None:
        return None
    found: dict[str, bytes] = {}
    position = opened.end()
    if text[position : position + 1] == b"}":
        return found if _END.match(text, position + 1) else None
    while (key := _KEY.match(text, position)) is not None:
        end = value_end(text, key.end(), python=True)
        name = key_of(key[1])
        if end is None or end == key.end() or name is None:
            return None
        value, earlier = text[key.end() : end].rstrip(), found.get(name)
        found[name] = value if earlier in (None, value) else b"%b,%b" % (earlier, value)
        if text[end : end + 1] == b"}":
            return found if _END.match(text, end + 1) else None
        position = end + 1
    return None


def items(text: bytes) -> list[bytes] | None:
    """Cut a list apart into its items, as they stand there; None where it is no list.

    >>> items(b'[NaN, {"c": [1, "}"]} ]'), items(b"[]"), items(b"[1, "), items(b"{}")
    ([b'NaN', b'{"c": [1, "}"]}'], [], None, None)
    """
    opened = _OPEN_LIST.match(text)
    if opened is None:
        return None
    found: list[bytes] = []
    end = opened.end() if text[opened.end() : opened.end() + 1] == b"]" else None
    position = opened.end()
    while end is None:
        end = value_end(text, position)
        if end is None or not (item := text[position:end].strip()):
            return None
        found.append(item)
        if text[end : end + 1] == b",":
            position, end = end + 1, None
    return found if text[end : end + 1] == b"]" and _END.match(text, end + 1) else None


def value_end(text: bytes, start: int, *, python: bool = False) -> int | None:
    """Return where the comma or bracket stands that ends a value; None where the text ends before.

    >>> value_end(b'[1, 2], 3', 0)
    6
    """
    depth, position = 0, start
    pattern = _PYTHON_PIECE if python else _PIECE
    while (piece := pattern.match(text, position)) is not None:
        closing, comma = piece.span(1)[0] >= 0, piece.span(2)[0] >= 0
        if depth == 0 and (closing or comma):
            return position
        if closing:
            depth -= 1
        elif text[position] in b"[{":
            depth += 1
        position = piece.end()
    return None


def string_of(raw: str) -> str | None:
    r"""Return what a JSON string says, half pairs of surrogates included; None where it is none.

    >>> string_of('"a\\nb"'), string_of("1"), string_of('"a')
    ('a\nb', None, None)
    """
    if not raw.startswith('"'):
        return None
    try:
        value, end = _decode(raw)
    except ValueError:
        return None
    return str(value) if end == len(raw) else None


def compact(raw: str) -> str:
    """Leave out the blanks between the parts of a JSON text.

    >>> compact('{"a b": [1, 2]}')
    '{"a b":[1,2]}'
    """
    return _COMPACT.sub(lambda piece: piece[1] or "", raw)
