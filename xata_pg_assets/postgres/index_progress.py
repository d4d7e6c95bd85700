"""How far the building of an index is, as another session sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg

from xata_pg_assets.errors import XataPgError
from xata_pg_assets.postgres.connection import Connection

__all__ = ["watched"]

SECONDS_BETWEEN = 2.0

_PROGRESS = """
    SELECT phase, CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done END,
        CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total END
    FROM pg_stat_progress_create_index WHERE pid = %s
"""


@contextmanager
def watched(
    conn: Connection, reach: Callable[[], Connection], tell: Callable[[str], None], seconds: float = SECONDS_BETWEEN
) -> Iterator[None]:
    """Tell every few seconds how far the index is that the connection builds meanwhile; of a short one nothing.

    The second session is opened only when there is something to tell. What goes wrong with it is no fault of the
    building's, and ends the telling alone.
    """
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    is_over = Event()
    watcher = Thread(target=_watch, args=(row[0] if row else 0, reach, tell, seconds, is_over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _watch(
    pid: int, reach: Callable[[], Connection], tell: Callable[[str], None], seconds: float, is_over: Event
) -> None:
    if is_over.wait(seconds):
        return
    try:
        with reach() as conn:
            while not is_over.is_set():
                row = conn.execute(_PROGRESS, (pid,)).fetchone()
                if row:
                    tell(_sentence(*row))
                is_over.wait(seconds)
    except (XataPgError, psycopg.Error):
        return


def _sentence(phase: str, done: int, total: int) -> str:
    """Say how far it is.

    >>> _sentence("building index: loading tuples", 512, 2048), _sentence("initializing", 0, 0)
    ('building index: loading tuples, 25%', 'initializing')
    """
    return f"{phase}, {100 * done // total}%" if total else phase
