"""Work ahead: each piece after what it needs, no more at once than may be, errors to whoever asks."""

from __future__ import annotations

import sys
from threading import Event, Thread

import pytest

from xata_pg_assets.ahead import WorkAhead
from xata_pg_assets_tests.fix_waiting import PATIENCE


class Work:
    """Pieces of work that each wait to be let through; capital letters fail, digits are no good to others."""

    def __init__(self, names: str) -> None:
        self.begun = {name: Event() for name in names}
        self.may_end = {name: Event() for name in names}

    def __call__(self, name: str) -> str:
        self.begun[name].set()
        assert self.may_end[name].wait(PATIENCE)
        if name.isupper():
            raise ValueError(name)
        return name * 2

    def begins(self, names: str) -> bool:
        return all(self.begun[name].wait(PATIENCE) for name in names)

    def let_through(self, names: str) -> None:
        for name in names:
            self.may_end[name].set()

    def __getitem__(self, names: str) -> list[bool]:
        return [self.begun[name].is_set() for name in names]


def working_on(work: Work, needs: dict[str, str], **more) -> WorkAhead[str, str]:
    return WorkAhead(work, needs, is_good=lambda text: not text.isdigit(), **{"threads": 2, **more})


def of_the_caller() -> str:
    return "mine"


def test_as_many_as_there_are_threads_in_their_order():
    work = Work("abcd")
    ahead = working_on(work, dict.fromkeys("abcd", ""))
    assert work.begins("ab")
    assert work["cd"] == [False, False]
    work.let_through("b")
    assert work.begins("c")
    assert work["d"] == [False]
    work.let_through("acd")
    assert [ahead.get(name, of_the_caller) for name in "dcba"] == ["dd", "cc", "bb", "aa"]


def test_a_piece_waits_for_what_it_needs_and_goes_before_later_ones():
    work = Work("abcd")
    ahead = working_on(work, {"a": "", "b": "ac", "c": "", "d": "x"}, threads=2)
    assert work.begins("ac")
    work.let_through("a")
    assert work.begins("d")  # its need is none of ours; b still waits for c
    assert work["b"] == [False]
    work.let_through("cd")
    assert work.begins("b")
    work.let_through("b")
    assert ahead.get("b", of_the_caller) == "bb"


def test_no_more_of_a_kind_than_its_limit():
    work = Work("abcx")
    ahead = working_on(
        work,
        dict.fromkeys("abcx", ""),
        threads=4,
        kind=lambda name: "letters" if name in "abc" else "x",
        limits={"letters": 2},
    )
    assert work.begins("abx")
    assert work["c"] == [False]
    work.let_through("abcx")
    assert ahead.get("c", of_the_caller) == "cc"


@pytest.mark.parametrize("bad", ["A", "1"])
def test_what_needs_a_piece_that_went_wrong_is_the_callers(bad):
    work = Work(f"{bad}bcd")
    ahead = working_on(work, {bad: "", "b": bad, "c": "b", "d": ""})
    work.let_through(f"{bad}d")
    if bad == "A":
        with pytest.raises(ValueError, match="A"):
            ahead.get(bad, of_the_caller)
        assert ahead.get(bad, of_the_caller) == "mine"  # asked for again: the background did it once
    else:
        assert ahead.get(bad, of_the_caller) == "11"
    assert [ahead.get(name, of_the_caller) for name in "bcd"] == ["mine", "mine", "dd"]
    assert work["bc"] == [False, False]


def test_who_waits_for_a_piece_is_told_when_it_will_not_come():
    work = Work("Ab")
    ahead = working_on(work, {"A": "", "b": "A"})
    got: list[str] = []
    asking = Thread(target=lambda: got.append(ahead.get("b", of_the_caller)), daemon=True)
    asking.start()
    assert work.begins("A")
    work.let_through("A")
    asking.join(PATIENCE)
    assert got == ["mine"]


def test_a_long_chain_after_a_piece_that_went_wrong_is_the_callers():
    def work(number: int) -> int:
        raise ValueError(number)

    length = 3 * sys.getrecursionlimit()
    ahead = WorkAhead(work, {number: [number - 1] for number in range(length)}, threads=2)
    got: list[str] = []
    asking = Thread(target=lambda: got.append(ahead.get(length - 1, of_the_caller)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    assert got == ["mine"]


def test_nobody_waits_for_ever_for_a_piece_that_cannot_be_judged():
    def judge(text: str) -> bool:
        raise ValueError(text)

    ahead = WorkAhead(str, {1: []}, threads=1, is_good=judge)
    got: list[BaseException | None] = []

    def ask() -> None:
        try:
            ahead.get(1, of_the_caller)
        except ValueError as error:
            got.append(error)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    assert [str(error) for error in got] == ["1"]


def test_nothing_is_begun_after_the_end():
    work = Work("abc")
    ahead = working_on(work, dict.fromkeys("abc", ""))
    assert work.begins("ab")
    ahead.close()
    work.let_through("abc")
    assert [ahead.get(name, of_the_caller) for name in "abc"] == ["aa", "bb", "mine"]
    assert not work.begun["c"].is_set()


def test_waiting_for_some_pieces_ends_with_them_and_not_with_others():
    work = Work("abc")
    ahead = working_on(work, dict.fromkeys("abc", ""))
    waiter = Thread(target=ahead.wait, args=("bc", PATIENCE), daemon=True)
    waiter.start()
    assert work.begins("ab")
    work.let_through("b")
    assert work.begins("c")
    waiter.join(0.05)
    assert waiter.is_alive()
    work.let_through("c")
    waiter.join(PATIENCE)
    assert not waiter.is_alive()
    ahead.wait("a", 0)  # is patient no longer than that
    work.let_through("a")
