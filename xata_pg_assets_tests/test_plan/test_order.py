"""The load order: parents first, cycles apart, otherwise as the schema has it."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xata_pg_assets.plan.order import cycles, load_order


def on_a_common_cycle(links, one, other):
    return reaches(links, one, other) and reaches(links, other, one)


def reaches(links, start, goal):
    """Tell whether links lead from start to goal, by walking every path without repetition."""
    paths = [[start]]
    while paths:
        path = paths.pop()
        for to in links[path[-1]]:
            if to == goal:
                return True
            if to not in path:
                paths.append([*path, to])
    return False


@st.composite
def graphs(draw):
    tables = [f"t{i}" for i in range(draw(st.integers(1, 7)))]
    return {table: draw(st.lists(st.sampled_from(tables), max_size=3)) for table in tables}


def ring(*tables):
    return {table: [tables[(i + 1) % len(tables)]] for i, table in enumerate(tables)}


def test_no_links_keep_the_schema_order():
    assert list(load_order({"c": [], "a": [], "b": []})) == ["c", "a", "b"]


def test_an_order_that_already_holds_is_kept():
    links = {"z": [], "y": ["z"], "x": [], "w": ["x", "z"], "v": []}
    assert list(load_order(links)) == list(links)


def test_parents_come_first():
    assert list(load_order({"child": ["parent"], "parent": ["grand"], "grand": []})) == [
        "grand",
        "parent",
        "child",
    ]


def test_only_what_must_wait_waits():
    assert list(load_order({"a": ["d"], "b": [], "c": [], "d": [], "e": []})) == ["b", "c", "d", "a", "e"]


def test_every_link_is_an_edge():
    assert list(load_order({"a": ["b", "c", "d"], "b": ["d"], "c": ["b"], "d": []})) == ["d", "b", "c", "a"]


def test_two_links_between_the_same_tables():
    assert list(load_order({"a": ["b", "b"], "b": []})) == ["b", "a"]


def test_a_self_link_is_no_cycle_and_holds_nothing_up():
    links = {"a": ["a", "b"], "b": ["b"]}
    assert cycles(links) == {"a": frozenset(), "b": frozenset()}
    assert list(load_order(links)) == ["b", "a"]


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_cycle(size):
    names = [f"t{i}" for i in range(size)]
    links = ring(*names) | {"child": ["t1"], "parent": []}
    links["t0"] = [*links["t0"], "parent"]
    found = cycles(links)
    assert all(found[name] == set(names) for name in names)
    assert found["child"] == found["parent"] == frozenset()
    assert list(load_order(links)) == ["parent", *names, "child"]


def test_overlapping_cycles_are_one():
    links = {"a": ["b"], "b": ["a", "c"], "c": ["b"], "d": ["c"]}
    found = cycles(links)
    assert found["a"] == found["b"] == found["c"] == {"a", "b", "c"}
    assert found["d"] == frozenset()


def test_two_cycles_joined_by_a_link_are_two():
    links = {"c": ["d", "a"], "d": ["c"], "a": ["b"], "b": ["a"]}
    assert cycles(links) == {"a": {"a", "b"}, "b": {"a", "b"}, "c": {"c", "d"}, "d": {"c", "d"}}
    assert list(load_order(links)) == ["a", "b", "c", "d"]


def test_a_self_link_inside_a_cycle_changes_nothing():
    assert cycles({"a": ["a", "b"], "b": ["a"]}) == {"a": {"a", "b"}, "b": {"a", "b"}}


def test_a_chain_of_many_tables():
    links = {f"t{i}": [f"t{i + 1}"] for i in range(1500)} | {"t1500": []}
    assert list(load_order(links)) == list(reversed(links))


@settings(max_examples=150)
@given(graphs())
def test_cycles_are_the_tables_that_lead_to_each_other(links):
    for table, found in cycles(links).items():
        expected = {other for other in links if other != table and on_a_common_cycle(links, table, other)}
        assert found == (expected | {table} if expected else set())


@settings(max_examples=150)
@given(graphs())
def test_every_table_stands_once_after_its_parents(links):
    order = list(load_order(links))
    assert sorted(order) == sorted(links)
    for table, targets in links.items():
        for to in targets:
            assert order.index(to) <= order.index(table) or on_a_common_cycle(links, table, to)
    assert order == list(load_order(links))


@settings(max_examples=100)
@given(graphs())
def test_an_order_once_made_stays(links):
    """Where the schema already has the load order, nothing moves."""
    order = load_order(links)
    assert load_order({table: links[table] for table in order}) == order


def test_the_schema_order_decides_between_free_tables():
    for tables in permutations("abc"):
        assert list(load_order({table: [] for table in tables})) == list(tables)
