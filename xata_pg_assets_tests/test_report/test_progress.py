"""Progress: a live line where somebody watches, plain lines of what took long where nobody does."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from xata_pg_assets.plan.tables import make_plan
from xata_pg_assets.report import progress
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import table

(USERS,) = make_plan(XataSchema((table("users"),))).tables


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [0.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: times[0])
    return times


@pytest.mark.parametrize(("seconds", "text"), [(0.5, ""), (2.0, "loading users: 2.0 s\n")])
def test_where_nobody_watches(clock, seconds, text):
    console = Console(file=StringIO(), width=80)
    with progress.progress(console) as observer:
        observer.begin(USERS, "loading", None)
        clock[0] = seconds
        observer.advance(USERS, 5, 5)
        observer.end(USERS, "loading")
    assert console.file.getvalue() == text


def test_on_a_terminal_it_counts_and_leaves_nothing(clock):
    console = Console(file=StringIO(), width=120, force_terminal=True)
    with progress.progress(console) as observer:
        observer.begin(USERS, "staging", 1000)
        clock[0] = 2.0
        observer.advance(USERS, 10_000, 500)
        observer._progress.refresh()
        seen = console.file.getvalue()
        observer.end(USERS, "staging")
        observer.end(USERS, "staging")
    assert "reading users" in seen
    assert "10,000 rows, 5,000/s" in seen
