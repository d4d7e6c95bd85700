"""Copying the files of one column: each read once, digested on the way, and in the ledger as soon as it is there.

A few files are under way at once, in threads. Their lines in the ledger and their keys in the column are written
together, in one transaction for a handful of files: at no moment does one tell of a copy that the other lacks.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Event
from time import perf_counter
from typing import TypeVar

from psycopg import sql

from xata_pg_assets.files.columns import FileColumn, Stored, stored_objects
from xata_pg_assets.files.matching import Match, Shelf, match_record
from xata_pg_assets.files.names import possible_ids, saved_name
from xata_pg_assets.files.storage import Destination, Folder, SavedFileError
from xata_pg_assets.postgres import file_keys, file_ledger, ledger
from xata_pg_assets.postgres.bootstrap import lock, lock_name
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.file_ledger import FileLine, FileLoad
from xata_pg_assets.postgres.layout import Layout

__all__ = ["Progress", "copy_files", "in_parallel", "shelf_of"]

Progress = Callable[[int, int], None]  # files so far, bytes so far

T = TypeVar("T")
R = TypeVar("R")

_IGNORED = frozenset({".DS_Store", "Thumbs.db"})
# Whichever comes first ends a transaction: a kill then loses so much work at most
_FILES_AT_ONCE = 100
_BYTES_AT_ONCE = 64 << 20


@dataclass(frozen=True, slots=True)
class _Task:
    """One file to see to: its object, its number and key, and the saved file that was found for it."""

    stored: Stored
    n: int
    key: str
    match: Match


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of it; `line` is None where the copy was there already."""

    task: _Task
    line: FileLine | None
    copied: int | None = None

    @property
    def size(self) -> int:
        """The bytes that lie at the destination, as far as is known."""
        line = self.task.stored.line if self.line is None else self.line
        return (line.size or 0) if line and line.key else 0


def copy_files(
    conn: Connection,
    reading: Connection,
    layout: Layout,
    of: FileColumn,
    folder: Folder | None,
    destination: Destination,
    *,
    threads: int,
    progress: Progress,
) -> FileLoad:
    """Copy what is not there yet, and write the keys into the column; `reading` is a second connection.

    Raises:
        TargetError: the destination refuses for good.
        TransientError: the destination cannot be reached.
    """
    return _Copier(conn, reading, layout, of, folder, destination, threads, progress).copy()


@dataclass
class _Copier:
    """Copies the files of one column."""

    conn: Connection
    reading: Connection
    layout: Layout
    of: FileColumn
    folder: Folder | None
    destination: Destination
    threads: int
    progress: Progress

    def copy(self) -> FileLoad:
        started = perf_counter()
        table, column = self.of.table, self.of.column
        # Held by the session: two runs on one column would copy every file twice
        name = lock_name(self.layout, f"files {self.of.name}")
        self.conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
        with self.conn.transaction():
            file_ledger.forget_problems(self.conn, self.layout, table, column)
        self.destination.begin()
        files = size = copied = copied_size = 0
        for done in self._all():
            files += 1
            size += done.size
            copied += done.copied is not None
            copied_size += done.copied or 0
            self.progress(files, size)
        self.destination.end()
        with self.conn.transaction():
            file_ledger.analyze(self.conn, self.layout)
            file_ledger.record_load(
                self.conn,
                self.layout,
                table,
                column,
                destination=self.destination.name,
                files=files,
                bytes=size,
                copied_files=copied,
                copied_bytes=copied_size,
                unclaimed=len(self.unclaimed),
                copy_seconds=perf_counter() - started,
                copied_at=ledger.now(),
                files_present=None,
            )
        return file_ledger.load_line(self.conn, self.layout, table, column)

    def _all(self) -> Iterator[_Done]:
        """Yield every file once what became of it is written down."""
        waiting: list[_Done] = []
        stop = Event()
        try:
            for done in in_parallel(lambda task: self._see_to(task, stop), self._tasks(), self.threads, stop):
                waiting.append(done)
                if len(waiting) >= _FILES_AT_ONCE or sum(each.copied or 0 for each in waiting) >= _BYTES_AT_ONCE:
                    self._write(waiting)
                    yield from waiting
                    waiting = []
        except BaseException:
            self._write(waiting)  # what is copied is copied
            raise
        self._write(waiting)
        yield from waiting

    def _tasks(self) -> Iterator[_Task]:
        shelf = self._shelf
        with self.reading.transaction():
            for record in stored_objects(self.reading, self.layout, self.of.table):
                matches = match_record(record[0].old_id, [each.file for each in record], shelf)
                self.unclaimed.difference_update(match.saved for match in matches if match.saved)
                taken = set[int]()
                for stored, match in zip(record, matches, strict=True):
                    if stored.xata_column == self.of.column.xata_name:
                        yield self._task(stored, match, taken)

    def _task(self, stored: Stored, match: Match, taken: set[int]) -> _Task:
        """Give an object its number: the one it has, else its position, else the next that is free."""
        if stored.line:
            n = stored.line.n
        else:
            taken.update(stored.taken)
            n = stored.position if stored.position not in taken else max(taken) + 1
            taken.add(n)
        key = stored.copy.key if stored.copy else None
        return _Task(stored, n, key or self.of.key(stored.new_id, n, stored.name or ""), match)

    def _see_to(self, task: _Task, stop: Event) -> _Done:
        """Copy a file, unless it is there; runs in a thread."""
        stored, match = task.stored, task.match
        copy = stored.copy
        if copy and copy.destination == self.destination.name and self.destination.size(task.key) == copy.size:
            return _Done(task, None)
        line = FileLine(stored.old_id, task.n, stored.object, stored.occurrence, stored.name, stored.size)
        if self.folder is None or match.saved is None or match.size is None or match.fault:
            fault = match.fault or "lost: no saved file"
            return _Done(task, replace(line, saved_as=match.saved, problem=fault))
        chunks = _until(stop, self.folder.read(match.saved))
        try:
            copied = self.destination.write(task.key, chunks, match.size)
        except SavedFileError as error:
            return _Done(task, replace(line, saved_as=match.saved, problem=f"unreadable: {match.saved}: {error}"))
        line = replace(
            line,
            size=copied.size,
            key=task.key,
            sha256=copied.sha256,
            saved_as=match.saved,
            destination=self.destination.name,
            copied_at=ledger.now(),
        )
        return _Done(task, line, copied.size)

    def _write(self, finished: Sequence[_Done]) -> None:
        """Write lines and keys, together."""
        lines = [_storable(each.line) for each in finished if each.line]
        new_ids = [each.task.stored.new_id for each in finished if self._lacks_key(each)]
        if not lines and not new_ids:
            return
        table, column = self.of.table, self.of.column
        with self.conn.transaction():
            lock(self.conn, self.layout, f"table {table.name}")
            file_ledger.write_lines(self.conn, self.layout, table, column, lines)
            if new_ids:
                file_keys.write_keys(self.conn, self.layout, table, column, new_ids)

    def _lacks_key(self, done: _Done) -> bool:
        has_copy = done.line is None or done.line.key is not None
        return has_copy and done.task.stored.written is None

    @cached_property
    def unclaimed(self) -> set[str]:
        """The saved files of the table that no object was found for, so far."""
        return set(self.folder.names - _IGNORED) if self.folder else set()

    @property
    def _shelf(self) -> Shelf:
        return shelf_of(self.folder, self._rivals)

    def _rivals(self, saved: str, old_id: str) -> list[str]:
        """Return other records that the script would have saved a file of under the same name."""
        others = [each for each in possible_ids(saved) if each and each != old_id]
        if not others:
            return []
        table = self.of.table
        rows = self.conn.execute(
            sql.SQL("SELECT old_id, name FROM ({}) AS o (id, old_id, c, p, d, oc, name) WHERE old_id = ANY({})").format(
                file_keys.objects_query(self.layout, table), sql.Literal(others)
            )
        )
        return [other for other, name in rows if name and saved_name(name, other) == saved]


def _storable(line: FileLine) -> FileLine:
    """Write what is not UTF-8 in the names of saved files as U+FFFD: a database holds text."""
    return replace(line, saved_as=_text(line.saved_as), problem=_text(line.problem))


def _text(name: str | None) -> str | None:
    return name and os.fsencode(name).decode(errors="replace")


def shelf_of(folder: Folder | None, rivals: Callable[[str, str], Sequence[str]]) -> Shelf:
    """Return a table's saved files as they are matched; those that bear an id are looked for only where one is."""
    if folder is None:
        return Shelf(lambda _: None, lambda _: (), rivals)
    by_id: dict[str, list[str]] = {}

    def bearing(old_id: str) -> Sequence[str]:
        if not by_id:
            for name in sorted(folder.names):
                for each in possible_ids(name):
                    by_id.setdefault(each, []).append(name)
        return by_id.get(old_id, ())

    return Shelf(folder.size, bearing, rivals)


def in_parallel(work: Callable[[T], R], items: Iterable[T], threads: int, stop: Event | None = None) -> Iterator[R]:
    """Yield the results of work done in threads, in order; no more is begun ahead than keeps them busy."""
    with ThreadPoolExecutor(threads, thread_name_prefix="files") as pool:
        coming: deque[Future[R]] = deque()
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) >= 4 * threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            if stop is not None:
                stop.set()
            pool.shutdown(cancel_futures=True)


def _until(stop: Event, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks as long as nobody wants an end."""
    for chunk in chunks:
        if stop.is_set():
            raise SavedFileError("the copying was stopped")
        yield chunk
