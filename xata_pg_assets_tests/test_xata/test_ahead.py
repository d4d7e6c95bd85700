"""Work ahead: in order, two pieces at first and one after, errors to whoever asks."""

from __future__ import annotations

from threading import Event

import pytest

from xata_pg_assets.xata.ahead import WorkAhead

GENEROUS = 60


class Work:
    """Pieces of work that each wait to be let through."""

    def __init__(self, names: str) -> None:
        self.begun = {name: Event() for name in names}
        self.may_end = {name: Event() for name in names}

    def __call__(self, name: str) -> str:
        self.begun[name].set()
        assert self.may_end[name].wait(GENEROUS)
        if name.isupper():
            raise ValueError(name)
        return name * 2


def test_the_first_two_are_begun_at_once_then_one_after_the_other():
    work = Work("abcd")
    ahead = WorkAhead(work, "abcd")
    assert work.begun["a"].wait(GENEROUS)
    assert work.begun["b"].wait(GENEROUS)
    for name in "ab":
        work.may_end[name].set()
    assert work.begun["c"].wait(GENEROUS)
    assert ahead.take("a").result() == "aa"
    assert not work.begun["d"].is_set()
    assert ahead.take("d") is None  # not begun: the caller's own
    work.may_end["c"].set()
    assert ahead.take("c").result() == "cc"
    assert not work.begun["d"].is_set()


def test_an_error_is_raised_where_the_work_is_asked_for():
    work = Work("Ab")
    ahead = WorkAhead(work, "Ab")
    for event in work.may_end.values():
        event.set()
    with pytest.raises(ValueError, match="A"):
        ahead.take("A").result()
    assert ahead.take("b").result() == "bb"


def test_nothing_is_begun_after_the_end():
    work = Work("abc")
    ahead = WorkAhead(work, "abc")
    assert work.begun["a"].wait(GENEROUS)
    assert work.begun["b"].wait(GENEROUS)
    begun = [ahead.take(name) for name in "ab"]
    ahead.close()
    for event in work.may_end.values():
        event.set()
    assert [future.result() for future in begun] == ["aa", "bb"]
    assert not work.begun["c"].wait(0.2)
