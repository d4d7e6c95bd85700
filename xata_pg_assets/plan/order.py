"""The order in which tables are made, and the cycles that have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from heapq import heappop, heappush

__all__ = ["cycles", "load_order"]

Graph = Mapping[str, Iterable[str]]  # table → the tables it links to


def cycles(links: Graph) -> dict[str, frozenset[str]]:
    """Return for every table the tables it shares a cycle with; itself among them where there is one.

    A link from a table to itself makes no cycle: it needs no other table.

    >>> cycles({"a": ["b"], "b": ["a", "b"], "c": ["a"]}) == {
    ...     "a": {"a", "b"}, "b": {"a", "b"}, "c": frozenset()}
    True
    """
    reachable = {table: _reachable(table, links) for table in links}
    return {
        table: frozenset(other for other in reachable[table] if table in reachable[other])
        if table in reachable[table]
        else frozenset()
        for table in links
    }


def load_order(links: Graph) -> Sequence[str]:
    """Return the tables so that each stands after those it links to, cycles apart; else in the given order.

    >>> load_order({"a": [], "b": ["d"], "c": ["a"], "d": []})
    ['a', 'c', 'd', 'b']
    """
    in_cycle = cycles(links)
    position = {table: index for index, table in enumerate(links)}
    # One node for each cycle, named after its first table
    node = {table: min(in_cycle[table] or {table}, key=position.__getitem__) for table in links}
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(node.values(), ()))
    for table, targets in links.items():
        sorter.add(node[table], *(node[to] for to in targets if node[to] != node[table]))
    members: dict[str, list[str]] = {}
    for table in links:
        members.setdefault(node[table], []).append(table)
    sorter.prepare()
    order: list[str] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, (position[name], name))
        _, first = heappop(ready)
        order.extend(members[first])
        sorter.done(first)
    return order


def _reachable(start: str, links: Graph) -> set[str]:
    """Return the tables that links lead to from `start`, over other tables."""
    found: set[str] = set()
    ahead = [to for to in links[start] if to != start]
    while ahead:
        table = ahead.pop()
        if table not in found:
            found.add(table)
            ahead.extend(to for to in links[table] if to != table)
    return found
