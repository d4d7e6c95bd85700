"""Scripts as psql reads them: statements, meta-commands, comments and file names that are safe in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from psycopg import sql

from xata_pg_assets import __version__
from xata_pg_assets.postgres.connection import SESSION

__all__ = ["MARK", "Script", "argument", "do", "joined", "raising"]

# The first line of every file, by which those of an earlier run are known
MARK = "-- Written by xata-pg sql"


@dataclass(slots=True)
class Script:
    """One file, put together line by line."""

    name: str
    title: str
    lines: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Write a comment; a name in it can neither end its line nor begin another."""
        self.lines.append(f"\n-- {text.encode('unicode_escape').decode() if not text.isprintable() else text}")

    def command(self, text: str) -> None:
        """Write a meta-command of psql."""
        self.lines.append(text)

    def run(self, *statements: sql.Composable) -> None:
        """Write statements."""
        self.lines += [f"{statement.as_string()};" for statement in statements]

    @property
    def text(self) -> str:
        """The file: its settings, and what it does in one transaction."""
        settings = [f"SET {name} = '{value}';" for name, value in SESSION.items() if name != "client_encoding"]
        return "\n".join(
            [
                f"{MARK} ({__version__}): {self.title}",
                "\\set ON_ERROR_STOP on",
                "\\set AUTOCOMMIT on",
                "\\set QUIET on",
                "\\encoding UTF8",
                *settings,
                "SET client_min_messages = 'warning';",
                "BEGIN;",
                *self.lines,
                "COMMIT;",
                "",
            ]
        )


def do(*parts: sql.Composable, declare: str = "") -> sql.Composed:
    """Return a block of PL/pgSQL; its text is a literal, so nothing in it can end it."""
    body = sql.SQL("{}BEGIN {} END").format(sql.SQL(declare), sql.SQL(" ").join(parts))
    return sql.SQL("DO {}").format(sql.Literal(body.as_string()))


def raising(message: str, hint: str) -> sql.Composed:
    """Return the statement of PL/pgSQL that stops a script with one line and its mend."""
    return sql.SQL("RAISE EXCEPTION USING MESSAGE = {}, HINT = {};").format(sql.Literal(message), sql.Literal(hint))


def argument(text: str) -> str:
    r"""Quote an argument of psql's \copy: quotes are doubled, nothing else is special.

    >>> argument("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def joined(parts: Iterable[sql.Composable], by: str) -> sql.Composed:
    """Join expressions by an operator."""
    return sql.SQL(f" {by} ").join(parts)
