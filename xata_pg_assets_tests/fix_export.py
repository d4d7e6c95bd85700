"""Exports written by the tests, and their migration step by step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres.checks import CheckResult
from xata_pg_assets.postgres.ledger import Entry
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType
from xata_pg_assets_tests.fix_server import Database

METADATA = ("xata.version", "xata.createdAt", "xata.updatedAt")
_NEEDS_QUOTES = re.compile(r'[",\r\n]')


def column(name: str, type_: str = "string", **facts: Any) -> XataColumn:
    return XataColumn(name, XataType(type_), **facts)


def link(name: str, to: str, **facts: Any) -> XataColumn:
    return XataColumn(name, XataType.LINK, link=to, **facts)


def table(name: str, *columns: XataColumn) -> XataTable:
    return XataTable(name, columns)


def cell(value: str | None) -> str:
    """Write a cell: NULL bare, an empty text quoted, others quoted where they must be."""
    if value is None:
        return ""
    return '"' + value.replace('"', '""') + '"' if not value or _NEEDS_QUOTES.search(value) else value


@dataclass
class Export:
    """A folder of files, its schema, and the database that it goes to."""

    folder: Path
    database: Database
    schema: XataSchema
    flags: dict[str, Any] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        """Write a table's file as it stands."""
        (self.folder / f"{name}.csv").write_bytes(text.encode())

    def rows(self, name: str, header: str | Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
        """Write a table's file from cells."""
        names = header.split(",") if isinstance(header, str) else header
        lines = [",".join(cell(value) for value in row) for row in (names, *rows)]
        self.write(name, "".join(f"{line}\n" for line in lines))

    def migration(self, **flags: Any) -> Migration:
        settings = load_settings(
            flags={
                "source": str(self.folder),
                "target": self.database.url,
                "home": self.folder / "home",
                **self.flags,
                **flags,
            }
        )
        return Migration(settings, self.schema)

    def migrate(self, **flags: Any) -> Result:
        """Do what the asset graph does, in its order: every step of every table, checks at last."""
        return migrate(self.migration(**flags))


@dataclass(frozen=True)
class Result:
    """How a migration ended."""

    migration: Migration
    lines: Mapping[str, Entry]
    checks: Mapping[str, Mapping[str, CheckResult]]

    @property
    def red(self) -> dict[str, str]:
        """The checks that failed, as table.check, with their sentences."""
        return {
            f"{name}.{check.name}": check.description
            for name, checks in self.checks.items()
            for check in checks.values()
            if not check.passed
        }

    @property
    def changes(self) -> dict[str, tuple[int | None, ...]]:
        """Rows inserted, updated and deleted, by table."""
        return {name: (line.inserted_rows, line.updated_rows, line.deleted_rows) for name, line in self.lines.items()}


def migrate(migration: Migration) -> Result:
    tables = migration.plan.tables
    for each in tables:
        migration.stage(each)
    for each in tables:
        migration.map_ids(each)
    lines = {each.xata_name: migration.load(each) for each in tables}
    return Result(migration, lines, {each.xata_name: checks_of(migration, each) for each in tables})


def checks_of(migration: Migration, each: TargetTable) -> dict[str, CheckResult]:
    return {check.name: check for check in migration.check(each)}


class NewExport:
    """Makes exports in a test's folder and database."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database

    def __call__(self, *tables: XataTable, **flags: Any) -> Export:
        return Export(self.folder, self.database, XataSchema(tables), flags)


@pytest.fixture
def new_export(tmp_path: Path, database: Database) -> NewExport:
    return NewExport(tmp_path, database)
