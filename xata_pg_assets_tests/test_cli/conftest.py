"""xata-pg in processes of its own, forked from one that has imported everything already."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.assets.instance import open_instance
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_json import dump_schema
from xata_pg_assets_tests.fix_export import METADATA, cell, column, link, table
from xata_pg_assets_tests.fix_processes import CONTEXT
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.fix_waiting import PATIENCE

SECRET = "c4nary-p4ss"
MADE = "2024-01-02T03:04:05.678Z"


def _work(
    arguments: Sequence[str], folder: Path, variables: Mapping[str, str], out: Path, err: Path, is_hurried: bool
) -> None:
    from xata_pg_assets.cli import main

    if is_hurried:
        time.sleep = lambda _: None
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["xata-pg", *arguments]
    main()


class Process:
    """A command at work; one in a hurry does not wait between its tries to reach somebody."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        out: Path,
        *,
        is_hurried: bool = False,
    ) -> None:
        self._out, self._err = out, out.with_suffix(".err")
        facts = (arguments, folder, variables, self._out, self._err, is_hurried)
        self.process = CONTEXT.Process(target=_work, args=facts)
        self.process.start()

    def send(self, number: int) -> None:
        os.kill(self.process.pid or 0, number)

    def end(self, timeout: float = PATIENCE) -> Outcome:
        """Wait for its end."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            pytest.fail(f"xata-pg does not end:\n{self._err.read_text()}")
        texts = [path.read_text() if path.exists() else "" for path in (self._out, self._err)]
        return Outcome(self.process.exitcode, *texts)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON that standard output holds, and nothing else."""
        return dict(json.loads(self.out))

    @property
    def error(self) -> str:
        """The one line that an error is."""
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("error: ").rstrip("\n")


def inherited() -> dict[str, str]:
    """Return what a process needs to find the same Python, and none of the settings of whoever runs the tests."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


@dataclass
class XataPg:
    """Runs commands in a folder with an environment of its own."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, env: Mapping[str, str] | None = None, **how: bool) -> Outcome:
        return self.start(*arguments, env=env, **how).end()

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None, **how: bool) -> Process:
        variables = {**inherited(), "HOME": str(self.folder), **self.variables, **(env or {})}
        texts = [str(argument) for argument in arguments]
        return Process(texts, self.folder, variables, self.folder / "std.out", **how)


@dataclass(frozen=True)
class Folder:
    """An export of users, their teams and posts."""

    path: Path

    def rows(self, name: str, header: str, rows: Iterable[Sequence[str | None]]) -> None:
        """Write a table's file; every row gets the same metadata."""
        lines = [[*header.split(","), *METADATA], *([*row, "0", MADE, MADE] for row in rows)]
        text = "".join(",".join(map(cell, line)) + "\n" for line in lines)
        (self.path / f"{name}.csv").write_bytes(text.encode())


SCHEMA = XataSchema(
    (
        table("users", column("email", unique=True), column("name", not_null=True)),
        table("userTeams", column("label"), link("owner", "users"), link("parent", "userTeams")),
        table("posts", column("title"), column("likes", "int"), link("author", "users")),
    )
)


def write_export(path: Path) -> Folder:
    path.mkdir()
    (path / "schema.json").write_text(json.dumps(dump_schema(SCHEMA)))
    export = Folder(path)
    export.rows("users", "id,email,name", [("u1", "ann@x.org", "Ann"), ("u2", "bob@x.org", "Bob, Jr.")])
    export.rows("userTeams", "id,label,owner,parent", [("t1", "all", "u2", None), ("t2", "some", "u1", "t1")])
    export.rows("posts", "id,title,likes,author", [(f"p{n}", f"post {n}", str(n), f"u{n % 2 + 1}") for n in range(5)])
    return export


@pytest.fixture
def export(tmp_path: Path) -> Folder:
    return write_export(tmp_path / "export")


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose Dagster records are made, and hold nothing."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ.copy())
        with open_instance(load_settings(flags={"home": home})):
            pass
    return home


@pytest.fixture
def xata_pg(tmp_path: Path, fresh_home: Path) -> XataPg:
    """xata-pg without any setting but a home."""
    shutil.copytree(fresh_home, tmp_path / "home")
    return XataPg(tmp_path, {"XATA_PG_HOME": str(tmp_path / "home")})


@pytest.fixture
def migrating(xata_pg: XataPg, export: Folder, database: Database) -> XataPg:
    """xata-pg with an export and a database."""
    xata_pg.variables |= {"XATA_PG_SOURCE": str(export.path), "XATA_PG_TARGET": database.url}
    return xata_pg
