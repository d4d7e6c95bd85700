"""What the models of every language share: a name for each table, column and relation in it.

A relation is a link seen from both of its tables: `author` of a post, `posts` of a user. Names never meet
within a model, nor the words that its language keeps for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xata_pg_assets.plan.naming import NameSpace, snake_case
from xata_pg_assets.plan.tables import Link, OnDelete, Plan, TargetColumn, TargetTable

__all__ = ["Entity", "Relation", "Style", "camel_case", "make_entities", "pascal_case"]


@dataclass(frozen=True)
class Style:
    """How a language writes names, and which it keeps for itself; `first` goes before a leading digit."""

    entity: Callable[[str], str]
    field: Callable[[str], str]
    reserved_entities: frozenset[str]
    reserved_fields: frozenset[str]
    first: str = "_"


@dataclass(frozen=True, slots=True)
class Relation:
    """A link from `child` to `parent`: `forward` is its name in the child, `backward` in the parent.

    It is ambiguous where other links join the two tables, too, or the two are one.
    """

    child: TargetTable
    parent: TargetTable
    column: TargetColumn
    forward: str
    backward: str
    is_ambiguous: bool

    @property
    def link(self) -> Link:
        """The foreign key."""
        assert self.column.link is not None  # noqa: S101
        return self.column.link

    @property
    def on_delete(self) -> OnDelete:
        """What deleting the parent does."""
        return self.link.on_delete

    @property
    def is_one(self) -> bool:
        """Whether at most one child links to a parent: the link is unique."""
        return self.column.unique_constraint is not None

    @property
    def is_in_cycle(self) -> bool:
        """Whether the parent may need the child in turn."""
        return self.child is not self.parent and self.parent.xata_name in self.child.cycle


@dataclass(frozen=True)
class Entity:
    """A target table as a model: its name, its fields' names by column, its links, and the links to it."""

    table: TargetTable
    name: str
    fields: Mapping[str, str]
    links: tuple[Relation, ...]
    referrers: tuple[Relation, ...]


def make_entities(plan: Plan, style: Style) -> dict[str, Entity]:
    """Name everything in the way of a language; the models by the Xata names of their tables, in load order."""
    names = _Names(plan, style)
    relations = [names.relation(table, column) for table in plan.tables for column in table.links]
    return {
        table.xata_name: Entity(
            table,
            names.entities[table.xata_name],
            names.fields[table.xata_name],
            tuple(relation for relation in relations if relation.child is table),
            tuple(relation for relation in relations if relation.parent is table),
        )
        for table in plan.tables
    }


class _Names:
    """Hands out the names: first those of tables and columns, which nothing should change, then relations."""

    def __init__(self, plan: Plan, style: Style) -> None:
        self._plan, self._style = plan, style
        space = NameSpace()
        self.entities = {
            table.xata_name: space.take(self._free(style.entity(table.name), style.reserved_entities))
            for table in plan.tables
        }
        self._pairs = Counter(_pair(table.xata_name, column) for table in plan.tables for column in table.links)
        self._spaces = {table.xata_name: NameSpace() for table in plan.tables}
        self.fields = {
            table.xata_name: {column.name: self._field(table, column.name) for column in table.columns}
            for table in plan.tables
        }

    def relation(self, child: TargetTable, column: TargetColumn) -> Relation:
        assert column.link is not None  # noqa: S101
        parent = self._plan.by_xata_name[column.link.table]
        base = snake_case(column.name).removesuffix("_id") or column.name
        if self._style.field(base) in self.fields[child.xata_name].values():
            base += "_row"  # naming = "preserve": the column has the link's own name
        is_ambiguous = child is parent or self._pairs[_pair(child.xata_name, column)] > 1
        back = f"{child.name}_by_{base}" if is_ambiguous else child.name
        return Relation(child, parent, column, self._field(child, base), self._field(parent, back), is_ambiguous)

    def _field(self, table: TargetTable, name: str) -> str:
        return self._spaces[table.xata_name].take(self._free(self._style.field(name), self._style.reserved_fields))

    def _free(self, name: str, reserved: frozenset[str]) -> str:
        name = f"{self._style.first}{name}" if not name or name[0].isdigit() else name
        return f"{name}_" if name in reserved else name


def _pair(child: str, column: TargetColumn) -> frozenset[str]:
    assert column.link is not None  # noqa: S101
    return frozenset((child, column.link.table))


def camel_case(name: str) -> str:
    """Write a name as TypeScript's users do.

    >>> camel_case("user_saved_events"), camel_case("_2nd_name")
    ('userSavedEvents', '2ndName')
    """
    words = pascal_case(name)
    return words[:1].lower() + words[1:]


def pascal_case(name: str) -> str:
    """Write a name as classes are named.

    >>> pascal_case("user_saved_events")
    'UserSavedEvents'
    """
    return "".join(word[:1].upper() + word[1:] for word in snake_case(name).split("_"))
