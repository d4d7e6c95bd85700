"""psql alone, as somebody without Python has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from xata_pg_assets.postgres.binaries import FOLDERS, PACKAGE
from xata_pg_assets_tests.fix_server import Database


@dataclass(frozen=True)
class Outcome:
    """How psql ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Psql:
    """Runs scripts, each in a session of its own."""

    program: str

    def __call__(self, database: Database, *arguments: str | Path) -> Outcome:
        command = [self.program, "-X", "-v", "ON_ERROR_STOP=1", "-d", database.url, *map(str, arguments)]
        environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=environment)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def run_all(self, database: Database, folder: Path, but: tuple[str, ...] = ("99_clean_up.sql",)) -> Outcome:
        """Run the scripts of a folder in order, up to the first that fails."""
        outcome = Outcome(0, "", "")
        for script in sorted(folder.glob("[0-9]*.sql")):
            if script.name not in but and not outcome.code:
                outcome = self(database, "-f", script)
        return outcome


@pytest.fixture(scope="session")
def psql() -> Psql:
    found = shutil.which("psql") or next(
        (
            str(path)
            for folder in FOLDERS.values()
            for path in Path(pytest.importorskip(PACKAGE).__file__ or "").parent.glob(f"{folder}/bin/psql")
        ),
        None,
    )
    if found is None:
        pytest.skip("there is no psql on this machine")
    return Psql(found)
