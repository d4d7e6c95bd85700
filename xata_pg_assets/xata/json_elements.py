"""The elements of a JSON array, found in its bytes as fast as brackets can be counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Elements", "elements"]

_QUOTE, _SLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_STEP = np.zeros(256, np.int8)
_STEP[[ord("["), ord("{")]] = 1
_STEP[[ord("]"), ord("}")]] = -1
_IS_STRUCTURE = _STEP != 0
_IS_STRUCTURE[_COMMA] = True

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Elements:
    """The whole elements at the start of some bytes.

    They lie in the first `size` bytes; `end` is where the next one, or the bracket that closes the array, may
    stand. `closed` tells whether that bracket was found: `end` is then behind it.
    """

    texts: list[bytes]
    size: int
    end: int
    closed: bool


def elements(data: bytes, *, at_end: bool = False) -> Elements:
    """Find elements in bytes that follow an array's opening bracket, or a comma in it.

    With `at_end` the last element needs no comma behind it.

    >>> elements(b'1, {"a": [2, "]"]}, 3')
    Elements(texts=[b'1', b'{"a": [2, "]"]}'], size=18, end=19, closed=False)
    >>> elements(b'1 , 2 ], 3')
    Elements(texts=[b'1', b'2'], size=6, end=7, closed=True)
    """
    text = np.frombuffer(data, np.uint8)
    places = _outside_strings(np.flatnonzero(_IS_STRUCTURE[text]), _quotes(text, data))
    depths = np.cumsum(_STEP[text[places]], dtype=np.int64)
    closing = np.flatnonzero(depths < 0)
    closed = bool(closing.size)
    if closed:
        places, depths, close = places[: closing[0]], depths[: closing[0]], int(places[closing[0]])
    commas = places[(depths == 0) & (text[places] == _COMMA)].tolist()
    starts = [0, *(comma + 1 for comma in commas)]
    texts = [data[start:end].strip() for start, end in zip(starts, commas, strict=False)]
    if not closed and not at_end:
        return Elements(texts, commas[-1] if commas else 0, starts[-1], closed=False)
    end = close if closed else len(data)
    if last := data[starts[-1] : end].strip():
        return Elements([*texts, last], end, end + closed, closed)
    return Elements(texts, commas[-1] if commas else 0, end + closed, closed)


def _quotes(text: npt.NDArray[np.uint8], data: bytes) -> Positions:
    """Return where strings begin and end: the quotes before which no odd number of backslashes stands."""
    quotes = np.flatnonzero(text == _QUOTE)
    if b"\\" not in data:
        return quotes
    slashes = np.flatnonzero(text == _SLASH)
    breaks = np.flatnonzero(np.diff(slashes) != 1)
    firsts = slashes[np.concatenate(([0], breaks + 1))]
    lasts = slashes[np.concatenate((breaks, [len(slashes) - 1]))]
    is_escaped = np.zeros(len(text) + 1, dtype=bool)
    is_escaped[lasts[(lasts - firsts) % 2 == 0] + 1] = True
    unescaped: Positions = quotes[~is_escaped[quotes]]
    return unescaped


def _outside_strings(places: Positions, quotes: Positions) -> Positions:
    outside: Positions = places[np.searchsorted(quotes, places) % 2 == 0]
    return outside
