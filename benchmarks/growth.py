"""How seconds grow with the size: the exponent n of seconds = a * size^n."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from math import log
from typing import Any

__all__ = ["exponents", "fit", "points"]

Point = tuple[float, float]


def exponents(measured: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the exponents by shape and side, where there are two sizes at least.

    `fitted` is of all sizes; `last` of the two largest, where the fixed cost of a start weighs least.
    """
    growth: dict[str, dict[str, dict[str, float]]] = {}
    for shape, sides in points(measured).items():
        several = {name: places for name, places in sides.items() if len(places) > 1}
        if several:
            growth[shape] = {
                name: {"fitted": fit(places), "last": fit(places[-2:])} for name, places in several.items()
            }
    return growth


def points(measured: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[Point]]]:
    """Return the (MB, median seconds) of every side by shape, the smallest size first."""
    found: dict[str, dict[str, list[Point]]] = {}
    for one in measured:
        for name, side in one["sides"].items():
            if side["runs"]:
                insort(
                    found.setdefault(one["shape"], {}).setdefault(name, []), (one["export_megabytes"], side["seconds"])
                )
    return found


def fit(places: Sequence[Point]) -> float:
    """Return the slope of the line through the logarithms that has the least squares.

    >>> round(fit([(10, 3), (100, 30), (1000, 300)]), 6)
    1.0
    >>> round(fit([(1, 2), (2, 8), (4, 32)]), 6)
    2.0
    """
    across, up = [log(size) for size, _ in places], [log(seconds) for _, seconds in places]
    middle, level = sum(across) / len(across), sum(up) / len(up)
    rise = sum((x - middle) * (y - level) for x, y in zip(across, up, strict=True))
    return rise / sum((x - middle) ** 2 for x in across)
