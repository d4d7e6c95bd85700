"""A migration with faults of many kinds under hostile names, reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.report.document import Document, gather
from xata_pg_assets.report.result import build_report
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import METADATA, Export, column, link, migrate, table
from xata_pg_assets_tests.fix_server import Server

PWN = "document.title=0"  # short enough for a name, and seen from outside
SCRIPT = f"<script>{PWN}</script>"
NO_FILE = SCRIPT  # a table that no file can be named after
ROWS = "x|`<i>`\n; DROP TABLE p; --"
IMAGE = f'q"><img src=x onerror={PWN}>'
PERSON = "ann@example.org"
GENERATED = "rec_cis16ublcpnik5od0000"
VALUES = [SCRIPT, f'"><img src=x onerror={PWN}>', "a|b`c``d\nsec0nd *line* \u202e", "x" * 100]


@dataclass(frozen=True)
class Reported:
    migration: Migration
    conn: psycopg.Connection
    export: Export

    def document(self, **flags: Any) -> Document:
        return document_of(self.migration, self.conn, **flags)


def document_of(migration: Migration, conn: psycopg.Connection, **flags: Any) -> Document:
    report = build_report(
        migration.plan, migration.wanted_layout, conn, url=migration.known_url, source=migration.source_name
    )
    return gather(migration, conn, report, **flags)


def migrated(export: Export) -> Migration:
    """Migrate by a migration that knows where its target is, as the commands have it."""
    migration = export.migration()
    migrate(migration)
    return migration


def hostile_schema() -> XataSchema:
    return XataSchema(
        (
            table("p", column("name"), column("mail", unique=True), column("kind", not_null=True, default="k")),
            table(ROWS, column("t"), column(IMAGE, "int"), link("p", "p"), link("up", ROWS)),
            table(NO_FILE, column("v", "vector", dimension=2), column("m", "multiple"), link("next", "later")),
            table("later", link("back", NO_FILE), link("one", "p", unique=True)),
        )
    )


def write_hostile(export: Export) -> None:
    stamp = ["0", "2020-01-01T00:00:00Z", None]
    export.rows("p", ["id", "name", "mail", "kind", *METADATA], [
        [GENERATED, "Ann", PERSON, "a", *stamp], ["p2", "Bob", "bob@example.org", "b", *stamp],
        ["p2", "Bob", "bob@example.org", "b", *stamp],  # an exact copy
        ["p2", "Bobby", "b@example.org", "b", "1", *stamp[1:]],  # a later version
        ["p3", "Cy", PERSON, "c", *stamp],  # a unique value again
        [None, "Di", "d@example.org", "d", *stamp],
    ])  # fmt: skip
    rows = [[GENERATED, "a", "b4d", "p2", None, *stamp]]
    rows += [[f"r{n}", value, value, "p2", None, *stamp] for n, value in enumerate(VALUES)]
    rows += [
        ["ok1", "fine", "1", GENERATED, "ok1", *stamp], ["ok2", "fine", "2", "gone@example.org", "r0", *stamp],
        [PERSON, "a", "tw1ce", "p2", None, "no", *stamp[1:]],  # two faults
    ]  # fmt: skip
    export.rows(ROWS, ["id", "t", IMAGE, "p", "up", *METADATA], rows)
    export.rows("later", ["id", "back", "one", *METADATA], [["l1", "nowhere", "p2", *stamp]])


@pytest.fixture(scope="session")
def hostile(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    """Reported once for all tests, which change nothing in it."""
    export = Export(tmp_path_factory.mktemp("hostile"), server.new_database(), hostile_schema(), {"naming": "preserve"})
    write_hostile(export)
    migration = migrated(export)
    with connect(export.database.url) as conn:
        yield Reported(migration, conn, export)
