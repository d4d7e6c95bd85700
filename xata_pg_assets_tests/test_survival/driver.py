"""A migration in a process of its own, to be killed: class Migration alone, in the asset graph's order.

Forked from a process that has imported everything, it begins to work at once, so that the moments of a kill spread
over the work and not over Python's start.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from xata_pg_assets.errors import XataPgError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_processes import CONTEXT
from xata_pg_assets_tests.fix_waiting import PATIENCE, until

__all__ = ["Driver", "Ending", "migrate_by_table"]


def migrate_by_table(migration: Migration) -> list[str]:
    """Do what the asset graph does, in its order; return the checks that failed."""
    plan, mapped, red = migration.plan, set[str](), list[str]()

    def map_ids(table: TargetTable) -> None:
        if table.name not in mapped:
            mapped.add(table.name)
            migration.stage(table)
            migration.map_ids(table)

    with migration.working_ahead():
        for table in plan.tables:
            for member in (table, *plan.cycle_of(table)):
                map_ids(member)
                for parent in member.parents:
                    map_ids(plan.by_xata_name[parent])
            migration.load(table)
            if not table.cycle:
                red += _red(migration, table)
        for table in plan.tables:
            if table.cycle:
                red += _red(migration, table)
    return red


def _red(migration: Migration, table: TargetTable) -> list[str]:
    return [f"{table.name}.{check.name}: {check.description}" for check in migration.check(table) if not check.passed]


def _work(schema: XataSchema, flags: Mapping[str, Any], out: Path, is_alone: bool) -> None:
    os.setsid()
    tempfile.tempdir = str(out.parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    migration = Migration(load_settings(flags=flags), schema)
    out.with_suffix(".begun").touch()
    try:
        if is_alone:
            with migration.alone():
                ending = {"red": migrate_by_table(migration)}
        else:
            ending = {"red": migrate_by_table(migration)}
    except XataPgError as error:
        ending = {"error": type(error).__name__, "message": str(error)}
    out.write_text(json.dumps(ending))


@dataclass(frozen=True)
class Ending:
    """How a driver ended: killed, with an error of ours, or with the checks that failed."""

    code: int
    error: str | None = None
    message: str = ""
    red: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        return self.code == 0 and self.error is None and not self.red


class Driver:
    """A migration at work; `folder` takes what it writes."""

    def __init__(self, schema: XataSchema, flags: Mapping[str, Any], folder: Path, *, is_alone: bool = True) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._out = self._folder / "ending.json"
        self.process = CONTEXT.Process(target=_work, args=(schema, dict(flags), self._out, is_alone))
        self.process.start()
        while not self._out.with_suffix(".begun").exists() and self.process.exitcode is None:
            self.process.join(0.002)

    def kill(self) -> None:
        self.process.kill()

    def end(self, timeout: float = PATIENCE) -> Ending:
        """Wait for its end; nothing of it may be left, neither a process nor a temporary file."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.kill()
            pytest.fail("the migration does not end")
        until(lambda: self.process.pid not in map(_session_of, psutil.pids()))
        left = {path.name for path in self._folder.iterdir()} - {"ending.json", "ending.begun"}
        assert not left
        facts = json.loads(self._out.read_text()) if self._out.exists() and self.process.exitcode == 0 else {}
        return Ending(self.process.exitcode, facts.get("error"), facts.get("message", ""), tuple(facts.get("red", ())))


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
