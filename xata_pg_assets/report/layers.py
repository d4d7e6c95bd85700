"""A layered drawing of boxes and the lines between them: what hangs on a box stands to the right of it.

Sugiyama's method, as Graphviz and ELK do it: layers, an order in each layer with few crossings, then heights. Boxes
have sizes and lines end at given heights of them, like a foreign key at its column. The drawing depends on nothing but
what is given, so the same plan is drawn the same.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

__all__ = ["Line", "Point", "arrange"]

Point = tuple[float, float]

_SWEEPS = 24
_COLUMN_GAP = 96.0
_BOX_GAP = 26.0
_LANE = 10.0  # the height that a line takes where it passes a layer
_STRAIGHT = 8.0  # how much dearer a bend in a passing line is than a slant between two boxes
_SLACK = 1.1  # how much higher than its fullest layer the drawing may be, for straighter lines
_HIGH = 1.25  # how high a layer may be for the width of the whole


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two boxes, and how far below their upper edges it ends."""

    start: str
    end: str
    start_at: float
    end_at: float


@dataclass(slots=True, eq=False)
class _Spot:
    """A box in its layer, or the place where a line passes one."""

    name: str | None
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    before: list[tuple[_Spot, float, float]] = field(default_factory=list)  # neighbour, its port, own port
    after: list[tuple[_Spot, float, float]] = field(default_factory=list)


def arrange(
    boxes: Mapping[str, tuple[float, float]], lines: Sequence[Line]
) -> tuple[dict[str, tuple[float, float, float]], list[list[Point]]]:
    """Place boxes of (width, height); return the (x, y, width) of each, and the points that each line goes through.

    Boxes of one layer are made as wide as the widest, so that no line starts behind another box. A line from a box
    to itself gets no points. Boxes come in an order in which those that others hang on are first;
    of a cycle any may be.
    """
    joined = {name for line in lines if line.start != line.end for name in (line.start, line.end)}
    layer_of = _layers({name: size for name, size in boxes.items() if name in joined}, lines)
    layers: list[list[_Spot]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    spots = {name: _Spot(name, *size) for name, size in boxes.items()}
    for name, layer in layer_of.items():
        layers[layer].append(spots[name])
    chains = [_chain(line, spots, layer_of, layers) for line in lines]
    _untangle(layers)
    _set_heights(layers)
    _add_single(layers, [spot for name, spot in spots.items() if name not in joined], _full(boxes.values()))
    _set_columns(layers)
    return {name: (spot.x, spot.y, spot.width) for name, spot in spots.items()}, [
        _points(line, spots, chain) for line, chain in zip(lines, chains, strict=True)
    ]


def _layers(boxes: Mapping[str, tuple[float, float]], lines: Iterable[Line]) -> dict[str, int]:
    """Put each box right of those before it that it shares a line with, and none in a layer that is full."""
    neighbours: dict[str, set[str]] = {name: set() for name in boxes}
    for line in lines:
        if line.start != line.end:
            neighbours[line.start].add(line.end)
            neighbours[line.end].add(line.start)
    full = _full(boxes.values())
    heights: list[float] = []
    found: dict[str, int] = {}
    for name, (_, height) in boxes.items():
        layer = max((found[other] + 1 for other in neighbours[name] if other in found), default=0)
        while layer < len(heights) and heights[layer] and heights[layer] + height > full:
            layer += 1
        heights += [0.0] * (layer + 1 - len(heights))
        heights[layer] += height + _BOX_GAP
        found[name] = layer
    return found


def _full(sizes: Iterable[tuple[float, float]]) -> float:
    """Return the height at which a layer is full, for a drawing that is about as high as wide."""
    return sqrt(_HIGH * sum((width + _COLUMN_GAP) * (height + _BOX_GAP) for width, height in sizes))


def _between(line: Line, layer_of: Mapping[str, int]) -> range:
    """Return the layers that a line passes, in its direction."""
    start, end = layer_of[line.start], layer_of[line.end]
    return range(start + 1, end) if start < end else range(start - 1, end, -1)


def _chain(
    line: Line, spots: Mapping[str, _Spot], layer_of: Mapping[str, int], layers: list[list[_Spot]]
) -> list[_Spot]:
    """Make the line's spots in the layers it passes, and join them; return them in its direction."""
    if line.start == line.end:
        return []
    passed = []
    for number in _between(line, layer_of):
        spot = _Spot(None, 0.0, _LANE)
        layers[number].append(spot)
        passed.append(spot)
    ports = [line.start_at, *[_LANE / 2] * len(passed), line.end_at]
    joined = list(zip([spots[line.start], *passed, spots[line.end]], ports, strict=True))
    if layer_of[line.start] > layer_of[line.end]:
        joined.reverse()
    for (left, left_port), (right, right_port) in pairwise(joined):
        left.after.append((right, right_port, left_port))
        right.before.append((left, left_port, right_port))
    return passed


def _untangle(layers: list[list[_Spot]]) -> None:
    """Order each layer by the middle of its neighbours, back and forth; the order with the fewest crossings stays."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers if forward else reversed(layers):
            place = {other: index for whole in layers for index, other in enumerate(whole)}
            keys = {spot: _middle(spot.before if forward else spot.after, place) for spot in layer}
            # One that has no neighbours on this side keeps its place among the others
            free = iter(sorted((spot for spot in layer if keys[spot] is not None), key=lambda spot: keys[spot] or 0.0))
            layer[:] = [spot if keys[spot] is None else next(free) for spot in layer]
        if (crossings := _crossings(layers)) < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _middle(neighbours: Sequence[tuple[_Spot, float, float]], place: Mapping[_Spot, int]) -> float | None:
    """Return the mean place of the neighbours, a line's end within a box counted as a part of one place."""
    if not neighbours:
        return None
    return sum(place[other] + port / (other.height + 1) for other, port, _ in neighbours) / len(neighbours)


def _crossings(layers: Sequence[Sequence[_Spot]]) -> int:
    """Count the pairs of lines that cross between two layers."""
    count = 0
    for left, right in pairwise(layers):
        place = {spot: index for index, spot in enumerate(right)}
        ends = [
            (index + own / (spot.height + 1), place[other] + port / (other.height + 1))
            for index, spot in enumerate(left)
            for other, port, own in spot.after
        ]
        seen: list[float] = []
        for _, end in sorted(ends):
            count += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return count


def _set_heights(layers: Sequence[Sequence[_Spot]]) -> None:
    """Bring each spot as near to its neighbours as the order, the gaps and the height of the fullest layer allow."""
    highest = max((_stack(layer) for layer in layers), default=0.0) * _SLACK
    for sweep in range(2 * _SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wished, weights, offsets, offset = list[float](), list[float](), list[float](), 0.0
            for spot in layer:
                joined = [*spot.before, *spot.after]
                wished.append(sum(other.y + port - own for other, port, own in joined) / len(joined) - offset)
                weights.append(len(joined) * (_STRAIGHT if spot.name is None else 1.0))
                offsets.append(offset)
                offset += spot.height + _gap(spot)
            for spot, y, offset in zip(layer, _rising(wished, weights), offsets, strict=True):
                spot.y = min(max(y, 0.0), highest - _stack(layer)) + offset
    top = min((spot.y for layer in layers for spot in layer), default=0.0)
    for layer in layers:
        for spot in layer:
            spot.y -= top


def _stack(layer: Sequence[_Spot]) -> float:
    """Return how high a layer is at least."""
    return sum(spot.height + _gap(spot) for spot in layer)


def _gap(spot: _Spot) -> float:
    return 0.0 if spot.name is None else _BOX_GAP


def _rising(wished: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the values that never fall and are nearest to the wished ones (isotonic regression, by pooling).

    >>> _rising([1.0, 5.0, 3.0, 9.0], [1.0, 1.0, 1.0, 1.0])
    [1.0, 4.0, 4.0, 9.0]
    """
    pools: list[tuple[float, float, int]] = []  # value, weight, length
    for value, weight in zip(wished, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            last = pools.pop()
            total = last[1] + pool[1]
            pool = ((last[0] * last[1] + pool[0] * pool[1]) / total, total, last[2] + pool[2])
        pools.append(pool)
    return [value for value, _, length in pools for _ in range(length)]


def _add_single(layers: list[list[_Spot]], spots: Iterable[_Spot], full: float) -> None:
    """Put what no line leads to where there is most room: under a layer, or in one of its own."""
    bottoms = [layer[-1].y + layer[-1].height + _BOX_GAP for layer in layers]
    limit = max([full, *bottoms]) * _HIGH  # rather a little higher than wider, for wider is drawn smaller
    for spot in spots:
        place = bottoms.index(min(bottoms)) if bottoms else 0
        if not bottoms or bottoms[place] + spot.height > limit:
            place = len(layers)
            layers.append([])
            bottoms.append(0.0)
        layers[place].append(spot)
        spot.y = bottoms[place]
        bottoms[place] += spot.height + _BOX_GAP


def _set_columns(layers: Sequence[Sequence[_Spot]]) -> None:
    """Set the layers beside each other, each as wide as its widest box."""
    x = 0.0
    for layer in layers:
        width = max(spot.width for spot in layer)
        for spot in layer:
            spot.x, spot.width = x, width
        x += width + _COLUMN_GAP


def _points(line: Line, spots: Mapping[str, _Spot], passed: Sequence[_Spot]) -> list[Point]:
    """Return where the line leaves, where it enters and leaves each layer that it passes, and where it ends."""
    if line.start == line.end:
        return []
    start, end = spots[line.start], spots[line.end]
    to_right = start.x < end.x
    points = [(start.x + start.width * to_right, start.y + line.start_at)]
    for spot in passed:
        edges = [(spot.x, spot.y + _LANE / 2), (spot.x + spot.width, spot.y + _LANE / 2)]
        points += edges if to_right else reversed(edges)
    points.append((end.x + end.width * (not to_right), end.y + line.end_at))
    return points
