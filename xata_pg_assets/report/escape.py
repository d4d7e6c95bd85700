"""Texts from outside, made fit to be looked at: names and values may hold anything."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["code", "columns", "cut", "escape_markdown", "fence", "visible"]

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#!|~&@$])")
_SIGNS = {"\n": "↵", "\r": "↵", "\t": "⇥"}
# What turns the direction of the text around it, or is not seen at all
_FORMAT = ("Cc", "Cf", "Zl", "Zp", "Cs", "Co")


def visible(text: str) -> str:
    r"""Return the text on one line, with a sign for each character that would be none.

    >>> visible("a\r\nb\u202e")
    'a↵b\ufffd'
    """
    return "".join(_sign(character) for character in text.replace("\r\n", "\n"))


def _sign(character: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _FORMAT else character


def cut(text: str, limit: int) -> str:
    """Return the text, at most so many characters of it.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def columns(text: str) -> int:
    """Return how many columns of a fixed-width font the text takes.

    >>> columns("id"), columns("名前")
    (2, 4)
    """
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def escape_markdown(text: str) -> str:
    r"""Return Markdown that shows the text as it is.

    >>> escape_markdown("a_b|<c>")
    'a\\_b\\|\\<c\\>'
    """
    return _MARKDOWN.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    r"""Return the text as a code span for a cell of a table; nothing for no text.

    >>> print(code("user_id"), code("a`b|c"))
    `user_id` `` a`b\|c ``
    """
    shown = visible(text).replace("|", r"\|")
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if "`" in shown or not shown.strip() or shown != shown.strip() else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}" if shown else ""


def fence(text: str) -> str:
    """Return the ticks of a code block that the text does not end."""
    return "`" * max(3, _longest_run(text) + 1)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
