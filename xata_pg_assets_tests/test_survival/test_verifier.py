"""The verifier verified: random mutations of a migrated database, and every one is caught and named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres.checks import Budgets, CheckResult, run_checks
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import METADATA, Export, column, link, migrate, table
from xata_pg_assets_tests.fix_server import Server
from xata_pg_assets_tests.test_survival.conftest import DONE, times
from xata_pg_assets_tests.test_survival.mutations import MUTATIONS, Mutator

ROWS = 40
_VALUES = (
    column("u", unique=True), column("q", not_null=True, default="z"), column("t", default="it's \\ so"),
    column("i", "int", default="42"), column("f", "float", default="0.5"), column("g", "float"),
    column("b", "bool", default="true"), column("d", "datetime", default="now"), column("e", "email"),
    column("o", "datetime", default="2020-01-01T00:00:00Z"), column("m", "multiple", default='["a", "b,c"]'),
    column("j", "json", default='{"a": 1.0}'), column("v", "vector", dimension=4),
)  # fmt: skip
_SCHEMA = XataSchema(
    (
        table("all", *_VALUES, link("up", "all"), link("twin", "left")),
        table("left", column("n", "int"), link("right", "right"), link("all", "all")),
        table("right", column("t"), link("left", "left", unique=True), link("all", "all", not_null=True)),
        table("bare"),
        table("alike", column("t")),
    )
)
_TEXTS = ("", "text", "Text ", "Straße", "日本", "a\nb", "x" * 200, None, "NULL", "0")
_FLOATS = ("0.0", "-0.0", "0.1", "1e300", "-5e-324", "3", None)


def _all(k: int, dice: random.Random) -> list[str | None]:
    times = [None, "0001-01-01T00:00:00Z", f"20{k % 90 + 10}-03-04T05:06:07.{k:06}Z"]
    json = [None, "null", f'{{"k": {k}, "n": {k}.50, "l": [1.0, {{"x": 2}}]}}', '{"a": 0.10}']
    lists = [None, "[]", f'["{k}", "", "a,b"]', '["x", "y"]']
    vectors = [None, f"[{k}, 0, -0.0, 0.1]", "[1e-7, 1, 2, 3]"]
    return [
        f"r{k:03}", f"u{k}", f"q{k % 7}", dice.choice(_TEXTS), dice.choice([None, str(k), "-9223372036854775808", "0"]),
        dice.choice(_FLOATS), dice.choice(_FLOATS), dice.choice([None, "true", "false"]), dice.choice(times),
        dice.choice([None, f"{k}@x.org"]), dice.choice(times), dice.choice(lists), dice.choice(json),
        dice.choice(vectors), dice.choice([None, f"r{k // 2:03}", "gone"]), dice.choice([None, f"l{k:03}"]),
        str(k % 3), f"2020-01-01T00:00:00.{k:06}Z", dice.choice([None, "2021-01-01T00:00:00Z"]),
    ]  # fmt: skip


def _write(export: Export, dice: random.Random, *, but: int) -> None:
    """Write all files; rows divisible by `but` are not there."""
    numbers = [k for k in range(ROWS) if k % but]
    header = ["id", *(each.name for each in _VALUES), "up", "twin", *METADATA]
    rows = [_all(k, dice) for k in numbers]
    bad = [
        ["bad1", "b1", None, *["x"] * (len(header) - 3)],
        ["bad2", "b2", "q", "t", "1.5", *[None] * (len(header) - 5)],
    ]
    export.rows("all", header, [*rows, *bad])
    export.rows("left", "id,n,right,all", [
        [f"l{k:03}", str(k), f"h{k:03}" if k % 4 else "gone", f"r{k * 7 % ROWS:03}" if k % 5 else None] for k in numbers
    ])  # fmt: skip
    export.rows("right", "id,t,left,all", [
        [f"h{k:03}", f"{k % 3}", f"l{k:03}" if k % 3 else None, rows[k % len(rows)][0]] for k in numbers
    ])  # fmt: skip
    export.rows("bare", "id", [[f"e{k}"] for k in numbers])
    export.rows("alike", "id,t", [[f"s{k}", "same"] for k in numbers])


@dataclass(frozen=True)
class Migrated:
    migration: Migration
    conn: psycopg.Connection

    def red(self, name: str) -> list[CheckResult]:
        """Return the checks of a table that fail."""
        plan, settings = self.migration.plan, self.migration.settings
        budgets = Budgets(settings.max_rejected_rows, settings.max_dangling_links)
        results = run_checks(self.conn, self.migration.layout, plan, plan.by_name[name], budgets=budgets)
        return [check for check in results if not check.passed]

    def all_red(self) -> list[CheckResult]:
        return [check for table in self.migration.plan.tables for check in self.red(table.name)]


@pytest.fixture(scope="module")
def migrated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    """A database that was migrated twice, the second time with rows gone and new, and that has rows of the user's."""
    flags = {"keep_old_id": True, "max_rejected_rows": 99, "max_dangling_links": 99}
    export = Export(tmp_path_factory.mktemp("export"), server.new_database(), _SCHEMA, flags)
    _write(export, random.Random("old"), but=9)
    assert migrate(export.migration()).red == {}
    export.database.query("INSERT INTO bare DEFAULT VALUES")
    export.database.query("""INSERT INTO "all" (u, q) VALUES ('my own', 'mine')""")
    _write(export, random.Random("new"), but=11)
    migration = export.migration()
    assert migrate(migration).red == {}
    with connect(export.database.url) as conn:
        conn.execute("SET search_path = public, xata_migration")
        yield Migrated(migration, conn)


def test_every_mutation_is_caught_and_named(migrated: Migrated, dice: random.Random):
    mutator = Mutator(migrated.conn, migrated.migration, dice)
    missed: list[object] = []
    number = times(112, 1008)
    for kind in [kind for _ in range(number // len(MUTATIONS)) for kind in MUTATIONS]:
        with migrated.conn.transaction(force_rollback=True):
            mutation = mutator.mutate(kind)
            red = migrated.red(mutation.table)
        if not any(_names(check, mutation) for check in red):
            missed.append((mutation, red))
        DONE[f"mutation: {kind}"] += 1
    assert missed == []


def _names(check: CheckResult, mutation) -> bool:
    """Whether a failed check names the cell: the row by its old id, the column by its name."""
    if mutation.old_id is None:
        return mutation.column is None or mutation.column in check.description
    return any(
        row.get("old_id") == mutation.old_id and mutation.column in (None, row.get("column_name")) for row in check.rows
    )


def test_no_false_alarm(migrated: Migrated):
    assert migrated.all_red() == []
    with migrated.conn.transaction(force_rollback=True):
        migrated.conn.execute("INSERT INTO bare DEFAULT VALUES")  # a row of the user's own, the identity moved on
        migrated.conn.execute("UPDATE \"all\" SET t = 'changed' WHERE u = 'my own'")
        migrated.conn.execute('CREATE INDEX my_own ON "all" (t)')
        assert migrated.all_red() == []
