"""The entity-relationship diagram of the new database: as Mermaid's text, and drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.report.escape import columns, cut, visible
from xata_pg_assets.report.layers import Line, Point, arrange

__all__ = ["Box", "Diagram", "Edge", "Row", "mermaid"]

_CHARACTER = 7.25  # the width of a character at 12 px in the usual fixed-width fonts, 0.6 em and some air
_SMALL = 5.5  # the same for the marks, at 9 px
_ROW = 19.0
_HEAD = 26.0
_PAD = 10.0
_LONGEST = 40  # characters of a name that are drawn; the whole of it is in its title
_MARGIN = 28.0
_MARKS = 34.0  # what "FK UQ" takes


@dataclass(frozen=True, slots=True)
class Row:
    """A column of a table: `y` is the middle of its text."""

    name: str
    full_name: str
    type: str
    marks: str
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """A table."""

    name: str
    full_name: str
    x: float
    y: float
    width: float
    height: float
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """A foreign key, as the path of its line and of the signs at its ends."""

    child: str
    parent: str
    title: str
    path: str
    signs: str


class Diagram:
    """The tables of a plan with their columns, each right of those that it links to, cycles apart.

    The columns of Xata's metadata are the same in every table, and left out.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def boxes(self) -> Sequence[Box]:
        """The tables, in the order of the plan."""
        return [self._box(table, *self._drawing[0][table.name]) for table in self._plan.tables]

    @cached_property
    def edges(self) -> Sequence[Edge]:
        """The foreign keys."""
        boxes = {box.full_name: box for box in self.boxes}
        return [
            self._edge(table, column, parent, points, boxes[visible(table.name)])
            for (table, column, parent), points in zip(self._links, self._routes, strict=True)
        ]

    @cached_property
    def width(self) -> float:
        """The width of the drawing, its margins included."""
        return max((box.x + box.width for box in self.boxes), default=0.0) + _MARGIN + self._loop

    @cached_property
    def height(self) -> float:
        """The height of the drawing."""
        lowest = [box.y + box.height for box in self.boxes] + [y for points in self._routes for _, y in points]
        return max(lowest, default=0.0) + _MARGIN

    @property
    def metadata(self) -> Sequence[str]:
        """The names of the columns that are left out."""
        return list(
            dict.fromkeys(
                column.name for table in self._plan.tables for column in table.columns if column.role is Role.METADATA
            )
        )

    @property
    def summary(self) -> str:
        """What is drawn, for who cannot see it."""
        return f"{len(self._plan.tables)} tables and {len(self._links)} foreign keys"

    @property
    def _loop(self) -> float:
        """The room that a link from a table to itself takes at the right."""
        return 26.0 if any(table is parent for table, _, parent in self._links) else 0.0

    @cached_property
    def _links(self) -> Sequence[tuple[TargetTable, TargetColumn, TargetTable]]:
        return [
            (table, column, self._plan.by_xata_name[column.link.table])
            for table in self._plan.tables
            for column in table.links
            if column.link
        ]

    @cached_property
    def _drawing(self) -> tuple[dict[str, tuple[float, float, float]], list[list[Point]]]:
        sizes = {table.name: (_width(table), _height(table)) for table in self._plan.tables}
        lines = [
            Line(table.name, parent.name, _port(table, column), _port(parent, parent.columns[0]))
            for table, column, parent in self._links
        ]
        return arrange(sizes, lines)

    @cached_property
    def _routes(self) -> Sequence[Sequence[Point]]:
        return [[(x + _MARGIN, y + _MARGIN) for x, y in points] for points in self._drawing[1]]

    def _box(self, table: TargetTable, x: float, y: float, width: float) -> Box:
        x, y = x + _MARGIN, y + _MARGIN
        rows = tuple(
            Row(
                cut(visible(column.name), _LONGEST),
                visible(column.name),
                str(column.type),
                " ".join(_marks(column)),
                y + _port(table, column),
            )
            for column in _drawn(table)
        )
        name = visible(table.name)
        return Box(cut(name, _LONGEST), name, x, y, width, _height(table), rows)

    def _edge(
        self, table: TargetTable, column: TargetColumn, parent: TargetTable, points: Sequence[Point], box: Box
    ) -> Edge:
        if not points:  # to itself: a loop at the right side
            x, start, end = box.x + box.width, box.y + _port(table, column), box.y + _port(table, table.columns[0])
            path = f"M{x:.1f} {start:.1f}C{x + 44:.1f} {start:.1f} {x + 44:.1f} {end:.1f} {x:.1f} {end:.1f}"
            points, outward = [(x, start), (x, end)], (1, 1)
        else:
            path = _curve(points)
            to_right = points[0][0] < points[-1][0]
            outward = (1, -1) if to_right else (-1, 1)
        assert column.link is not None  # noqa: S101
        rule = column.link.on_delete.upper()
        names = f"{visible(table.name)}.{visible(column.name)} → {visible(parent.name)}.id"
        return Edge(
            child=visible(table.name),
            parent=visible(parent.name),
            title=f"{names} ON DELETE {rule}",
            path=path,
            signs=_many(*points[0], outward[0], is_one=column.unique_constraint is not None)
            + _one(*points[-1], outward[1], is_needed=column.not_null),
        )


def _drawn(table: TargetTable) -> Sequence[TargetColumn]:
    return [column for column in table.columns if column.role is not Role.METADATA]


def _marks(column: TargetColumn) -> Iterator[str]:
    if column.role is Role.ID:
        yield "PK"
        return
    if column.link:
        yield "FK"
    if column.unique_constraint:
        yield "UQ"
    if column.not_null:
        yield "NN"


def _width(table: TargetTable) -> float:
    names = [columns(cut(visible(column.name), _LONGEST)) + len(str(column.type)) for column in _drawn(table)]
    title = columns(cut(visible(table.name), _LONGEST)) * _CHARACTER
    return max(title, _MARKS + (max(names, default=0) + 2) * _CHARACTER) + 2 * _PAD


def _height(table: TargetTable) -> float:
    return _HEAD + _ROW * len(_drawn(table)) + 5


def _port(table: TargetTable, column: TargetColumn) -> float:
    """Return how far below the upper edge of its table a column's middle is."""
    return _HEAD + _ROW * (_drawn(table).index(column) + 0.5)


def _curve(points: Sequence[Point]) -> str:
    """Return a path that is level at every point."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (x + to_x) / 2
        path += f"H{to_x:.1f}" if y == to_y else f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return path


def _many(x: float, y: float, outward: int, *, is_one: bool) -> str:
    """Return the sign of none or many rows, or of none or one, at the end that has the foreign key."""
    tip = x + 10 * outward
    foot = _bar(x + 6 * outward, y) if is_one else f"M{x:.1f} {y - 5:.1f}L{tip:.1f} {y:.1f}L{x:.1f} {y + 5:.1f}"
    return foot + _ring(tip + 4 * outward, y)


def _one(x: float, y: float, outward: int, *, is_needed: bool) -> str:
    """Return the sign of just one row, or of none or one, at the end that is linked to."""
    second = x + 11 * outward
    return _bar(x + 6 * outward, y) + (_bar(second, y) if is_needed else _ring(second + 3 * outward, y))


def _bar(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 5:.1f}V{y + 5:.1f}"


def _ring(x: float, y: float) -> str:
    return f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0"


_NO_WORD = re.compile(r"[^A-Za-z0-9_]+")
# Found by giving them to Mermaid 11
_RESERVED = frozenset({
    "accdescr", "acctitle", "class", "classdef", "direction", "end", "erdiagram", "fk", "many", "one", "only",
    "optionally", "pk", "style", "subgraph", "to", "uk", "zero",
})  # fmt: skip
_TYPES: Mapping[str, str] = {"double precision": "float8"}  # a type is one word here


def mermaid(plan: Plan) -> str:
    """Return the diagram as Mermaid's `erDiagram`; a name that Mermaid cannot take stands in the comment beside it."""
    words = {table.name: _word(table.name, number) for number, table in enumerate(plan.tables)}
    lines = ["erDiagram"]
    for table in plan.tables:
        label = "" if words[table.name] == table.name else f'["{_quotable(table.name)}"]'
        lines.append(f"  {words[table.name]}{label} {{")
        for number, column in enumerate(table.columns):
            lines.append(f"    {_attribute(column, number)}")
        lines.append("  }")
    for table in plan.tables:
        for column in table.links:
            assert column.link is not None  # noqa: S101
            parent = plan.by_xata_name[column.link.table]
            one, many = "||" if column.not_null else "|o", "o|" if column.unique_constraint else "o{"
            lines.append(f'  {words[parent.name]} {one}--{many} {words[table.name]} : "{_quotable(column.name)}"')
    return "\n".join(lines) + "\n"


def _attribute(column: TargetColumn, number: int) -> str:
    word = _word(column.name, number)
    type_ = _TYPES.get(str(column.type), str(column.type))
    keys = ", ".join(mark.replace("UQ", "UK") for mark in _marks(column) if mark != "NN")
    notes = ["not null"] if column.not_null else []
    notes += [] if word == column.name else [_quotable(column.name)]
    parts = [type_, word, keys, f'"{", ".join(notes)}"' if notes else ""]
    return " ".join(part for part in parts if part)


def _word(name: str, number: int) -> str:
    """Return a name as a word that Mermaid takes; the number keeps two of them apart."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and name.lower() not in _RESERVED:
        return name
    return f"n{number}_{_NO_WORD.sub('_', name)}"


def _quotable(name: str) -> str:
    """Return a name for a quoted text, which no quotation mark or entity ends."""
    return re.sub(r'["#;<>`\\%]', "_", visible(name))
