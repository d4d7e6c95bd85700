"""Work ahead: what is needed next is made in a background thread while the caller works on something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Generic, TypeVar

__all__ = ["WorkAhead", "ahead"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


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
    """Does pieces of work in the background, in the order in which they will be asked for.

    The first two are begun at once, while the caller has nothing to do yet; then one after the other.
    The threads do not keep the process from ending: work must be safe to cut off anywhere.
    """

    def __init__(self, work: Callable[[K], T], keys: Iterable[K]) -> None:
        self._work = work
        self._coming: dict[K, Future[T]] = {key: Future() for key in keys}
        self._waiting = deque(self._coming.items())
        for run in (self._all, self._next):
            Thread(target=run, name="work-ahead", daemon=True).start()

    def take(self, key: K) -> Future[T] | None:
        """Return the work, begun or done; None where it was not begun yet, and is now the caller's."""
        coming = self._coming.pop(key, None)
        return None if coming is None or coming.cancel() else coming

    def close(self) -> None:
        """Begin nothing more."""
        self._waiting.clear()

    def _all(self) -> None:
        while self._waiting:
            self._next()

    def _next(self) -> None:
        try:
            key, future = self._waiting.popleft()
        except IndexError:
            return
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._work(key))
        except BaseException as error:  # the caller's, when it asks for the work
            future.set_exception(error)
