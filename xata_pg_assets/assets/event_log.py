"""Dagster's SQLite event log, quicker: engines are made once for each file, and a run's events committed in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from time import sleep
from typing import Any

from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, NullPool, create_engine

__all__ = ["SqliteEventLog"]

_BUSY_SECONDS = 60

# How long an event waits at most until other processes see it, and how long they may then write themselves
_GROUP_SECONDS, _GAP_SECONDS = 0.2, 0.005


class SqliteEventLog(SqliteEventLogStorage):
    """The same files in the same place, so that either class reads what the other wrote.

    A migration of 27 tables stores about a thousand events, each in several transactions; an engine and a
    connection for each of them was half of the processor time of the whole run.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._tables = set[str]()
        self._group: dict[str, Connection] | None = None
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> SqliteEventLog:
        """Make the storage that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    def has_table(self, table_name: str) -> bool:
        """Tell whether the index has a table, which is asked for every event; none is ever dropped."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def in_groups(self) -> Iterator[None]:
        """Commit what is stored a few times a second, not event by event.

        A process that is killed meanwhile takes the events of the last moment with it.
        """
        self._group = {}
        is_over = Event()
        committer = Thread(target=self._commit_until, args=(is_over,), name="event-log", daemon=True)
        committer.start()
        try:
            yield
        finally:
            is_over.set()
            committer.join()
            with self._db_lock:
                group, self._group = self._group, None
                for connection in group.values():
                    connection.commit()
                    connection.close()

    def _commit_until(self, is_over: Event) -> None:
        while not is_over.wait(_GROUP_SECONDS):
            with self._db_lock:
                for connection in (self._group or {}).values():
                    connection.commit()
                sleep(_GAP_SECONDS)  # or no other process would ever find the file unlocked

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if self._group is None:
                with engine.begin() as connection:
                    yield connection
                return
            # SQLite undoes a statement that fails, and the run ends with its error: what it had stored before stays
            if shard not in self._group:
                self._group[shard] = engine.connect()
            connection = self._group[shard]
            if not connection.in_transaction():
                connection.begin()  # or Dagster begins one of its own, and commits it
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            options = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
            engine = create_engine(self.conn_string_for_shard(shard), poolclass=NullPool, connect_args=options)
            self._initdb(engine)
            self._engines[shard] = engine
        return self._engines[shard]
