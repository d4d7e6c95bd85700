"""Text from outside, as it may stand in the markup of a page on the terminal."""

from __future__ import annotations

from rich import markup

from xata_pg_assets.errors import in_one_line

__all__ = ["escape"]


def escape(text: str) -> str:
    r"""Take a text for what it says: no markup, no control character.

    >>> escape("[bold]\x1b")
    '\\[bold]\\x1b'
    """
    return markup.escape(in_one_line(text))
