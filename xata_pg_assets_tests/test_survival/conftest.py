"""How long the suite runs, its seed, its stages, and the table of what was done.

The short form runs with all tests. `make survival` sets SURVIVAL=long; SURVIVAL_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from xata_pg_assets.postgres.cluster import find_cluster
from xata_pg_assets_tests.fix_proxy import Proxy
from xata_pg_assets_tests.fix_server import Database, Server, running_server
from xata_pg_assets_tests.test_survival.datasets import Dataset, datasets
from xata_pg_assets_tests.test_survival.driver import Driver, Ending
from xata_pg_assets_tests.test_survival.image import image, leftovers

IS_LONG = os.environ.get("SURVIVAL") == "long"
SEED = int(os.environ.get("SURVIVAL_SEED", "1947"))
DONE: Counter[str] = Counter()
_TALLY = "survival"
_NUMBERS = count(1)


def times(short: int, long: int) -> int:
    """How often something is done, in the short form and in the long one."""
    return long if IS_LONG else short


@pytest.fixture(autouse=True)
def tally(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Note in a test's report what it did: other processes may run tests, too, and only reports reach the summary."""
    before = DONE.copy()
    yield
    record_property(_TALLY, dict(DONE - before))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    done: Counter[str] = Counter()
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", None) == "teardown":
            for number in (value for name, value in report.user_properties if name == _TALLY):
                done.update(number)
    if done:
        terminalreporter.section(f"survival, {'long' if IS_LONG else 'short'} form, SURVIVAL_SEED={SEED}")
        for what, number in sorted(done.items()):
            terminalreporter.write_line(f"{number:7,}  {what}")


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Dice of the test's own, so that tests can be run one by one."""
    return random.Random(f"{SEED} {request.node.name}")


@dataclass(frozen=True)
class Stage:
    """A dataset written to a folder, the database to begin with, and the undisturbed run's image."""

    dataset: Dataset
    folder: Path
    server: Server
    template: str
    seconds: float
    bytes: int
    wanted: dict[str, object]

    def new_database(self, tablespace: str | None = None) -> Database:
        return new_database(self.server, self.template, tablespace)

    def start(self, database: Database, url: str | None = None) -> Driver:
        flags = {**self.dataset.flags, "source": str(self.folder), "target": url or database.url, "home": self.folder}
        return Driver(self.dataset.schema, flags, self.folder.parent)

    def assert_same_after_another_run(self, database: Database) -> None:
        """What this is all about: run again, and the database is the one that an undisturbed run makes."""
        ending = self.start(database).end()
        assert ending.is_green, (self.dataset.name, ending)
        found = image(database.url)
        assert {name for name in self.wanted if found.get(name) != self.wanted[name]} == set()
        assert found == self.wanted
        assert leftovers(database.url, data_dir(self.server)) == []
        drop(self.server, database)


def data_dir(server: Server) -> Path:
    cluster = find_cluster(server.home)
    assert cluster is not None
    return cluster.data_dir


def new_database(server: Server, template: str, tablespace: str | None = None) -> Database:
    name = f"survival_{next(_NUMBERS)}"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    if tablespace:
        statement += sql.SQL(" TABLESPACE {}").format(sql.Identifier(tablespace))
    Database(server.url).query(statement)
    return Database(make_conninfo(server.url, dbname=name))


def drop(server: Server, database: Database) -> None:
    name = database.value("SELECT current_database()")
    Database(server.url).query(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def set_stage(server: Server, dataset: Dataset, folder: Path) -> Stage:
    """Write the export, migrate the one before it, and watch an undisturbed run."""
    template = f"template_{next(_NUMBERS)}"
    Database(server.url).query(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(template)))
    start = Database(make_conninfo(server.url, dbname=template))
    start.query("CREATE EXTENSION vector")
    export = folder / "export"
    export.mkdir()
    stage = Stage(dataset, export, server, template, 0, 0, {})
    if dataset.before:
        dataset.before(export)
        assert _run(stage, start).is_green
    dataset.write(export)
    database = stage.new_database()
    proxy = Proxy(database.url)
    began = time.monotonic()
    ending = stage.start(database, proxy.url).end()
    seconds = time.monotonic() - began
    proxy.close()
    assert ending.is_green, ending
    assert leftovers(database.url, data_dir(server)) == []
    return Stage(dataset, export, server, template, seconds, proxy.bytes, image(database.url))


def _run(stage: Stage, database: Database) -> Ending:
    ending = stage.start(database).end()
    assert leftovers(database.url, data_dir(stage.server)) == []
    return ending


class Moments:
    """Random moments of a run; earlier and earlier ones for as long as the run is over by then.

    The machine may have been busy when a run was timed, and be idle now.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice, self._too_late = dice, 0

    def wait(self, process: BaseProcess, seconds: float) -> None:
        """Wait until a moment of a run that takes so long, or until its process is over."""
        process.join(self._dice.uniform(0, seconds / 2**self._too_late))
        self._too_late = 0 if process.exitcode is None else self._too_late + 1


Stages = Callable[[str], Stage]


def _stages(server: Server, factory: pytest.TempPathFactory) -> Stages:
    known = {dataset.name: dataset for dataset in datasets()}
    made: dict[str, Stage] = {}

    def stage(name: str) -> Stage:
        if name not in made:
            made[name] = set_stage(server, known[name], factory.mktemp(name))
        return made[name]

    return stage


@pytest.fixture(scope="package")
def stages(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """The datasets on the server of all tests."""
    return _stages(server, tmp_path_factory)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Stages]]:
    """A server that may be stopped, and the datasets on it."""
    with running_server() as server:
        yield server, _stages(server, tmp_path_factory)


def shuffled(dice: random.Random, number: int, short: tuple[str, ...] = ("strict", "newer")) -> Iterator[str]:
    """Yield names of datasets, in turn, from a random one on; in the short form of a few."""
    names = [each.name for each in datasets() if IS_LONG or each.name in short]
    first = dice.randrange(len(names))
    return (names[(first + k) % len(names)] for k in range(number))


__all__: list[Any] = [
    "DONE",
    "IS_LONG",
    "Moments",
    "Stage",
    "Stages",
    "data_dir",
    "drop",
    "new_database",
    "shuffled",
    "times",
]
