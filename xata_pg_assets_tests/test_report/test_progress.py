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


def test_where_nobody_watches_a_long_file_is_told_of_every_ten_seconds(clock):
    console = Console(file=StringIO(), width=80)
    with progress.progress(console) as observer:
        observer.expect(3)
        observer.begin(USERS, "staging", 1000)
        for seconds in range(0, 21, 5):
            clock[0] = seconds
            observer.advance(USERS, 100 * seconds, 40 * seconds)
    assert console.file.getvalue().splitlines() == [
        "reading users: 1,000 rows, 40 %, 100 rows/s, about 15 s to go",
        "reading users: 2,000 rows, 80 %, 100 rows/s, about 5.0 s to go",
    ]


def test_a_table_is_done_when_it_is_checked():
    console = Console(file=StringIO(), width=120, force_terminal=True)
    with progress.progress(console) as observer:
        observer.expect(3)
        for step in ("staging", "mapping", "loading"):
            observer.begin(USERS, step, None)
            observer.end(USERS, step)
        assert observer.done == 0
        observer.begin(USERS, "checking", None)
        observer.end(USERS, "checking")
        observer._progress.refresh()
        assert observer.done == 1
    assert "1 of 3 done" in console.file.getvalue()


def test_on_a_terminal_it_counts_and_leaves_nothing(clock):
    console = Console(file=StringIO(), width=160, force_terminal=True)
    with progress.progress(console) as observer:
        observer.begin(USERS, "staging", 1000)
        clock[0] = 2.0
        observer.advance(USERS, 10_000, 500)
        observer._progress.refresh()
        seen = console.file.getvalue()
        observer.end(USERS, "staging")
        observer.end(USERS, "staging")
    assert "reading users" in seen
    assert "10,000 rows, 50 %, 5,000 rows/s, about 2.0 s to go" in seen
