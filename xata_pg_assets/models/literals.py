"""Texts from outside, made safe for a place in source code."""

from __future__ import annotations

import json

from xata_pg_assets.plan.types import Default

__all__ = ["array_literal", "in_comment", "quoted", "sql_expression", "sql_text"]


def quoted(text: str) -> str:
    r"""Write a text in double quotes, as Python, TypeScript and Prisma alike read it.

    >>> print(quoted('say "hi"\n'))
    "say \"hi\"\n"
    """
    # As it stands in a file; but U+2028 and its like end a line in places
    return "".join(
        char if char.isprintable() or not char.isspace() else json.dumps(char)[1:-1]
        for char in json.dumps(text, ensure_ascii=False)
    )


def in_comment(text: str) -> str:
    """Write a text so that no comment ends in it: on one line, and without what closes a block.

    >>> in_comment("two\\nlines */")
    'two lines * /'
    """
    printable = text.replace("\0", "").encode(errors="replace").decode()
    return " ".join(printable.split()).replace("*/", "* /")


def sql_text(text: str) -> str:
    """Write a text as an SQL literal, for a server with standard_conforming_strings, the default since 9.1.

    >>> sql_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def array_literal(items: tuple[str, ...]) -> str:
    r"""Write texts as PostgreSQL writes an array.

    >>> array_literal(("a", 'b"', "NULL", ""))
    '{"a","b\\"","NULL",""}'
    """
    escaped = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "{" + ",".join(f'"{item}"' for item in escaped) + "}"


def sql_expression(default: Default, type_: str) -> str:
    """Write a default as an SQL expression of its type."""
    if default.is_now:
        return "now()"
    text = array_literal(default.value) if isinstance(default.value, tuple) else default.value
    return f"{sql_text(text)}::{type_}"
