"""Work ahead: what is needed next is made in background threads while the caller works on something else."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition, Thread
from typing import Generic, TypeVar

__all__ = ["MOST_AT_ONCE", "WorkAhead", "ahead", "at_once"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

MOST_AT_ONCE = 4


def at_once() -> int:
    """Return how many pieces of work go on at once: as many as there are cores, 2 at least and 4 at most."""
    return max(2, min(os.cpu_count() or 2, MOST_AT_ONCE))


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield the items of an iterator that runs in a thread, at most one item before the caller.

    The thread ends with the generator, however that ends.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


class WorkAhead(Generic[K, T]):
    """Does pieces of work in the background, each once all is well with those that it needs, several at once.

    `needs` names every piece, those that go first before others, and what each needs; what is not named there is
    there already. `is_good` tells whether others may follow what came of a piece. `kind` sorts the pieces into
    kinds; `limits` says of some how many may run at once. The threads do not keep the process from ending: work
    must be safe to cut off anywhere.
    """

    def __init__(
        self,
        work: Callable[[K], T],
        needs: Mapping[K, Collection[K]],
        *,
        threads: int,
        is_good: Callable[[T], bool] = lambda _: True,
        kind: Callable[[K], Hashable] = lambda _: None,
        limits: Mapping[Hashable, int] | None = None,
    ) -> None:
        self._work = work
        self._needs = {key: [need for need in named if need in needs] for key, named in needs.items()}
        self._is_good = is_good
        self._kind = kind
        self._limits = limits or {}
        self._waiting = dict.fromkeys(needs)
        self._running = set[K]()
        self._ended: dict[K, Future[T]] = {}
        self._good = set[K]()
        self._change = Condition()
        for _ in range(threads):
            Thread(target=self._run, name="work-ahead", daemon=True).start()

    def get(self, key: K, work: Callable[[], T]) -> T:
        """Return what came of a piece, or raise what went wrong with it.

        `work` does it where the background does not: the second time that it is asked for, and where something
        that it needs went wrong.
        """
        with self._change:
            self._change.wait_for(lambda: key not in self._waiting and key not in self._running)
            ended = self._ended.pop(key, None)
        return work() if ended is None else ended.result()

    def wait(self, keys: Collection[K], seconds: float) -> None:
        """Wait until none of the pieces is under way or to come, but not for ever."""
        with self._change:
            self._change.wait_for(
                lambda: not any(key in self._running or key in self._waiting for key in keys), seconds
            )

    def close(self) -> None:
        """Begin nothing more."""
        with self._change:
            self._waiting.clear()
            self._change.notify_all()

    def _run(self) -> None:
        while (key := self._next()) is not None:
            ended: Future[T] = Future()
            is_good = False
            try:
                result = self._work(key)
                is_good = self._is_good(result)
                ended.set_result(result)
            except BaseException as error:  # it belongs to whoever asks for the work
                ended.set_exception(error)
            with self._change:
                self._running.remove(key)
                self._ended[key] = ended
                if is_good:
                    self._good.add(key)
                else:
                    self._forget_followers(key)
                self._change.notify_all()

    def _next(self) -> K | None:
        """Wait for the first piece that may be begun; None where none is left."""
        with self._change:
            while self._waiting:
                key = next(filter(self._may_begin, self._waiting), None)
                if key is not None:
                    del self._waiting[key]
                    self._running.add(key)
                    return key
                self._change.wait()
        return None

    def _may_begin(self, key: K) -> bool:
        if not self._good.issuperset(self._needs[key]):
            return False
        kind = self._kind(key)
        limit = self._limits.get(kind)
        return limit is None or sum(self._kind(other) == kind for other in self._running) < limit

    def _forget_followers(self, key: K) -> None:
        """Leave what needs a piece that went wrong, directly or not, to whoever asks for it."""
        wrong = [key]
        while wrong:
            need = wrong.pop()
            followers = [other for other in self._waiting if need in self._needs[other]]
            for other in followers:
                del self._waiting[other]
            wrong += followers
