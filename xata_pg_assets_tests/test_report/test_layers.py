"""The drawing: nothing lies over anything, lines run as they should, and few of them cross."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xata_pg_assets.report.layers import Line, Point, arrange

Boxes = dict[str, tuple[float, float]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Boxes, list[Line]]:
    sizes = draw(st.lists(st.tuples(st.integers(40, 300), st.integers(40, 400)), min_size=1, max_size=14))
    boxes = {f"t{n}": (float(width), float(height)) for n, (width, height) in enumerate(sizes)}
    names = st.sampled_from(sorted(boxes))
    pairs = draw(st.lists(st.tuples(names, names), max_size=24))
    return boxes, [Line(start, end, 20.0, 10.0) for start, end in pairs]


def rectangles(boxes: Boxes, placed: dict[str, tuple[float, float, float]]) -> dict[str, tuple[float, ...]]:
    return {name: (x, y, x + width, y + boxes[name][1]) for name, (x, y, width) in placed.items()}


def crossings(routes: list[list[Point]]) -> int:
    """Count the pairs of lines that cross; every line is straight between its points here."""
    segments = [segment for route in routes for segment in pairwise(sorted(route))]
    return sum(
        (a[0][1] - b[0][1]) * (a[1][1] - b[1][1]) < 0
        for a, b in combinations(segments, 2)
        if a[0][0] == b[0][0] and a[1][0] == b[1][0]
    )


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_nothing_lies_over_anything(graph):
    boxes, lines = graph
    placed, routes = arrange(boxes, lines)
    found = rectangles(boxes, placed)
    assert placed.keys() == boxes.keys()
    assert all(x >= 0 and y >= 0 and width >= boxes[name][0] for name, (x, y, width) in placed.items())
    for (_, one), (_, other) in combinations(found.items(), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for line, route in zip(lines, routes, strict=True):
        if line.start == line.end:
            assert route == []
            continue
        start, end = found[line.start], found[line.end]
        assert route[0][1] == start[1] + line.start_at
        assert route[-1][1] == end[1] + line.end_at
        sides = (start[2], end[0]) if start[0] < end[0] else (start[0], end[2])
        assert (route[0][0], route[-1][0]) == sides
        for (left, y), (right, to_y) in pairwise(sorted(route)):
            if y == to_y:  # it passes a layer: none of its boxes may lie in the way
                for x1, y1, x2, y2 in found.values():
                    assert x2 <= left or x1 >= right or not y1 < y < y2


@given(graphs())
@settings(deadline=None, max_examples=20, derandomize=True)
def test_the_same_is_drawn_the_same(graph):
    assert arrange(*graph) == arrange(*graph)


def test_boxes_in_an_unlucky_order_are_untangled():
    children, parents = [f"c{n}" for n in range(6)], [f"p{n}" for n in range(6)]
    boxes = dict.fromkeys([*parents, *children], (100.0, 60.0))
    lines = [Line(child, parent, 30.0, 10.0) for child, parent in zip(children, reversed(parents), strict=True)]
    placed, routes = arrange(boxes, lines)
    assert crossings(routes) == 0
    for child, parent in zip(children, reversed(parents), strict=True):
        assert placed[child][1] + 30 == pytest.approx(placed[parent][1] + 10)  # level, for there is room


def test_a_line_over_three_layers_goes_round_what_is_between():
    boxes = dict.fromkeys("abc", (100.0, 200.0))
    placed, routes = arrange(boxes, [Line("b", "a", 20, 20), Line("c", "b", 20, 20), Line("c", "a", 40, 20)])
    assert placed["a"][0] < placed["b"][0] < placed["c"][0]
    around = routes[2][1][1]
    assert not placed["b"][1] < around < placed["b"][1] + 200


def test_it_is_about_as_high_as_wide():
    boxes = {f"t{n}": (200.0, 150.0) for n in range(60)}
    placed, _ = arrange(boxes, [Line(f"t{n}", "t0", 20, 20) for n in range(1, 60)])
    width, height = (max(place[axis] for place in placed.values()) for axis in (0, 1))
    assert 0.5 < height / width < 2


def test_nothing_is_drawn_of_nothing():
    assert arrange({}, []) == ({}, [])
