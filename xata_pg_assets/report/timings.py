"""Where the time went: a bar for each table, its steps side by side, the slowest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres.ledger import Entry
from xata_pg_assets.report.escape import columns, cut, visible

__all__ = ["STEPS", "Bar", "Piece", "Timings"]

STEPS: Mapping[str, str] = {
    "reading": "staging_seconds",
    "mapping ids": "mapping_seconds",
    "loading": "load_seconds",
    "checking": "check_seconds",
}
_MOST = 40
_LONGEST = 40
_CHARACTER = 7.25
_BARS = 620.0
_ROW = 22.0


@dataclass(frozen=True, slots=True)
class Piece:
    """One step of a table."""

    number: int
    step: str
    seconds: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One table."""

    name: str
    seconds: float
    y: float
    pieces: Sequence[Piece]

    @property
    def end(self) -> float:
        """Where the bar ends."""
        return max((piece.x + piece.width for piece in self.pieces), default=0.0)


class Timings:
    """The bars, at most 40 of them, and the axis under them."""

    steps = tuple(STEPS)

    def __init__(self, plan: Plan, lines: Mapping[str, Entry]) -> None:
        timed = [(visible(table.name), lines[table.xata_name]) for table in plan.tables if table.xata_name in lines]
        self._lines = sorted(timed, key=lambda pair: -pair[1].seconds)
        self.tables = len(timed)

    @property
    def total(self) -> float:
        """The seconds of all tables; some of them ran at the same time."""
        return sum(line.seconds for _, line in self._lines)

    @property
    def by_step(self) -> Sequence[tuple[str, float]]:
        """The seconds of each step over all tables."""
        return [(step, sum(getattr(line, name) for _, line in self._lines)) for step, name in STEPS.items()]

    @cached_property
    def left(self) -> float:
        """Where the bars begin, right of the names."""
        return 10 + _CHARACTER * max((columns(cut(name, _LONGEST)) for name, _ in self._lines[:_MOST]), default=0)

    @cached_property
    def ticks(self) -> Sequence[tuple[str, float]]:
        """Round numbers of seconds, and where they are."""
        longest = max((line.seconds for _, line in self._lines), default=0.0) or 1.0
        step = next(
            round_ * 10.0**power
            for power in range(-6, 9)
            for round_ in (1, 2, 5)
            if longest <= 5 * round_ * 10.0**power
        )
        return [(f"{n * step:g} s", self.left + n * step / longest * _BARS) for n in range(int(longest / step) + 1)]

    @cached_property
    def bars(self) -> Sequence[Bar]:
        """The bars, the slowest table first."""
        longest = max((line.seconds for _, line in self._lines), default=0.0) or 1.0
        bars = []
        for number, (name, line) in enumerate(self._lines[:_MOST]):
            pieces, x = [], self.left
            for kind, (step, column) in enumerate(STEPS.items()):
                seconds = getattr(line, column)
                width = seconds / longest * _BARS
                pieces.append(Piece(kind, step, seconds, x, width))
                x += width
            bars.append(Bar(cut(name, _LONGEST), line.seconds, number * _ROW, pieces))
        return bars

    @property
    def width(self) -> float:
        """The width of the drawing; right of the longest bar its seconds find room."""
        return self.left + _BARS + 70

    @property
    def height(self) -> float:
        """The height of the drawing."""
        return len(self.bars) * _ROW + 26
