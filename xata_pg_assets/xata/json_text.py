"""Strict JSON as PostgreSQL's jsonb holds it: what it refuses is refused here, with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from xata_pg_assets.xata.records import Reason

__all__ = ["MAX_DEPTH", "JsonError", "JsonNumber", "parse"]

# PostgreSQL parses JSON by recursion: 16 and 18 take 14,000 levels with their default max_stack_depth
MAX_DEPTH = 6000
# Python's parser recurses as well; deeper texts are judged by one that does not
_SHALLOW = 200
# numeric: digits before the decimal point, and after it
_MAX_DIGITS = 131072
_MAX_SCALE = 16383
_MAX_EXPONENT = 1_000_000

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_ANY_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_LEXEME = re.compile(rf"[ \t\r\n]*({_STRING}|-?[0-9][0-9.eE+-]*|true|false|null|[\[\]{{}},:])[ \t\r\n]*")
# In order: an escaped backslash, a pair of surrogates, the byte 0, half a pair
_ESCAPE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u0000)|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class JsonError(ValueError):
    """Raised when a text is no JSON, or JSON that jsonb cannot hold."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class JsonNumber(str):
    """A number of a JSON text, as it stands there."""

    __slots__ = ()


def parse(text: str) -> object:
    r"""Parse a JSON text; its numbers stay texts. What is nested deeply is judged and returned as None.

    Raises:
        JsonError: `bad_value` for what is no JSON, has a number beyond numeric or is nested too deeply,
            `nul_byte` for \u0000 and `bad_encoding` for half a pair of surrogates.

    >>> parse('{"a": [1e400, "b"]}')
    {'a': ['1e400', 'b']}
    """
    value = None if _is_deep(text) else _parse_shallow(text)
    if "\\u" in text:
        _check_escapes(text)
    return value


def _parse_shallow(text: str) -> object:
    try:
        return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse)
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError(Reason.BAD_VALUE) from error


def _check_escapes(text: str) -> None:
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            raise JsonError(Reason.NUL_BYTE)
        if escape[2]:
            raise JsonError(Reason.BAD_ENCODING)


def _refuse(_: str) -> object:
    raise JsonError(Reason.BAD_VALUE)


def _number(text: str) -> JsonNumber:
    if len(text) > 100 or "e" in text or "E" in text:
        _check_numeric(text)
    return JsonNumber(text)


def _check_numeric(text: str) -> None:
    """Refuse what numeric has no room for: PostgreSQL raises "value overflows numeric format"."""
    parts = _NUMBER.fullmatch(text)
    if parts is None:
        raise JsonError(Reason.BAD_VALUE)
    whole, fraction, exponent = parts[1], parts[2] or "", parts[3] or "0"
    if len(exponent) > 10 or abs(int(exponent)) > _MAX_EXPONENT:
        raise JsonError(Reason.BAD_VALUE)
    scale = len(fraction) - int(exponent)
    significant = (whole + fraction).lstrip("0")
    digits = len(significant) - scale if significant else 0
    if scale > _MAX_SCALE or digits > _MAX_DIGITS:
        raise JsonError(Reason.BAD_VALUE)


def _is_deep(text: str) -> bool:
    """Hold a deeply nested text to the grammar; tell whether it is one."""
    if text.count("[") + text.count("{") <= _SHALLOW:
        return False
    depth = _depth(text)
    if depth > MAX_DEPTH:
        raise JsonError(Reason.BAD_VALUE)
    if depth > _SHALLOW:
        _check_deep(text)
    return depth > _SHALLOW


def _depth(text: str) -> int:
    """Return how deeply a text is nested, at least where it is JSON.

    >>> _depth('[{"a": "]["}, []]')
    2
    """
    depth = deepest = 0
    for bracket in _BRACKET.findall(_ANY_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _lexemes(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        match = _LEXEME.match(text, position)
        if match is None:
            raise JsonError(Reason.BAD_VALUE)
        yield match[1]
        position = match.end()


def _check_deep(text: str) -> None:
    """Hold a text to the grammar of JSON without recursion.

    >>> _check_deep('[{"a": []}, 1]')
    """
    closers: list[str] = []
    state: str | None = "value"
    for lexeme in _lexemes(text):
        kind = _kind(lexeme)
        state = _STEPS[state].get(kind) if state else None
        if kind in "[{":
            closers.append("]" if kind == "[" else "}")
        elif kind in "]}" and (not closers or closers.pop() != kind):
            state = None
        elif kind == "," and state:
            state = None if not closers else "value" if closers[-1] == "]" else "key"
    if closers or state != "after":
        raise JsonError(Reason.BAD_VALUE)


# What may come next, and where it leads; "," leads on by the container it stands in
_VALUE = {"string": "after", "scalar": "after", "[": "item", "{": "member"}
_STEPS: Mapping[str, Mapping[str, str]] = {
    "value": _VALUE,
    "item": _VALUE | {"]": "after"},
    "member": {"string": "colon", "}": "after"},
    "key": {"string": "colon"},
    "colon": {":": "value"},
    "after": {"]": "after", "}": "after", ",": "value"},
}


def _kind(lexeme: str) -> str:
    if lexeme in "[]{},:":
        return lexeme
    if lexeme.startswith('"'):
        return "string"
    if lexeme[0] in "-0123456789":
        _check_numeric(lexeme)
    return "scalar"
