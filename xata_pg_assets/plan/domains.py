"""Tables that belong together, as their names tell: what a person picks when not everything is wanted at once."""

from __future__ import annotations

from collections.abc import Mapping

from xata_pg_assets.plan.naming import snake_case
from xata_pg_assets.plan.tables import Plan, TargetTable

__all__ = ["domains", "with_upstream"]


def domains(plan: Plan) -> Mapping[str, tuple[TargetTable, ...]]:
    """Return the tables by domain, both in load order; a table of its own has a domain of its own.

    Names tell: what begins with the same word, singular or plural, is one domain. Links cannot: they hold nearly
    all tables of a real schema together. A domain is named after its table of just that word, else after the word.
    """
    groups: dict[str, list[TargetTable]] = {}
    for table in plan.tables:
        groups.setdefault(_word(table), []).append(table)
    named: dict[str, list[TargetTable]] = {}
    for word, tables in groups.items():
        named.setdefault(_name(word, tables), []).extend(tables)  # names of other alphabets may become one
    return {name: tuple(table for table in plan.tables if table in tables) for name, tables in named.items()}


def with_upstream(plan: Plan, tables: tuple[TargetTable, ...]) -> tuple[TargetTable, ...]:
    """Return the tables and all that their links lead to, in load order: what can be migrated by itself."""
    wanted: set[str] = set()
    ahead = [table.xata_name for table in tables]
    while ahead:
        name = ahead.pop()
        if name not in wanted:
            wanted.add(name)
            ahead.extend(plan.by_xata_name[name].parents)
    return tuple(table for table in plan.tables if table.xata_name in wanted)


def _word(table: TargetTable) -> str:
    return _singular(snake_case(table.name).strip("_").partition("_")[0] or table.name)


def _singular(word: str) -> str:
    """Write a word as if it were one thing's; which words meet is all that counts.

    >>> [_singular(word) for word in ("users", "stories", "class", "news")]
    ['user', 'story', 'class', 'new']
    """
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _name(word: str, tables: list[TargetTable]) -> str:
    own = [table.name for table in tables if _singular(snake_case(table.name)) == word]
    return snake_case(own[0] if own else tables[0].name if len(tables) == 1 else word)
