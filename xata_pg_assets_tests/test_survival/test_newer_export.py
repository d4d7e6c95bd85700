"""A newer export over a loaded database: what differs is applied and counted, everything else stays where it lies."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from xata_pg_assets_tests.fix_export import Export, NewExport, Result, column, link, migrate, table
from xata_pg_assets_tests.test_cli.conftest import Folder, XataPg, export, fresh_home, migrating, xata_pg
from xata_pg_assets_tests.test_survival.conftest import DONE, times
from xata_pg_assets_tests.test_survival.driver import migrate_by_table
from xata_pg_assets_tests.test_survival.image import row_places

__all__ = ["export", "fresh_home", "migrating", "xata_pg"]

TABLES = (
    table("a", column("u", unique=True), column("n", "int"), column("j", "json"), link("b", "b"), link("up", "a")),
    table("b", column("t"), link("a", "a"), link("c", "c")),
    table("c", column("f", "float"), column("v", "vector", dimension=2)),
)
LINKS = {"a": {"b": "b", "up": "a"}, "b": {"a": "a", "c": "c"}, "c": {}}
OWN = {"a": ("u", "n", "j"), "b": ("t",), "c": ("f", "v")}
Rows = Mapping[str, tuple[str | None, ...]]  # own cells, then links, by old id


def _random_rows(
    dice: random.Random, before: Mapping[str, Rows] | None
) -> dict[str, dict[str, tuple[str | None, ...]]]:
    """Make an export: of the one before, some rows are gone, some changed, and some are new."""
    made: dict[str, dict[str, tuple[str | None, ...]]] = {}
    for name in OWN:
        old = dict((before or {}).get(name, {}))
        ids = [k for k in old if dice.random() < 0.75]
        ids += [f"{name}{dice.randrange(10_000):04}" for _ in range(dice.randrange(12))]
        dice.shuffle(ids)
        same = {k for k in ids if k in old and dice.random() < 0.5}
        made[name] = {k: old[k] if k in same else () for k in ids}
    for name, rows in made.items():
        # Values of the unique column wander: whoever needs one takes any that is free
        free = [str(k) for k in range(60)]
        dice.shuffle(free)
        taken = {cells[0] for cells in rows.values() if cells}
        for k, cells in rows.items():
            if not cells:
                links = [dice.choice([None, "gone", *made[to]]) for to in LINKS[name].values()]
                value = dice.choice([None, next(v for v in free if v not in taken)])
                taken.add(value)
                rows[k] = (*_own(name, dice, value), *links)
    return made


def _own(name: str, dice: random.Random, value: str | None) -> tuple[str | None, ...]:
    if name == "a":
        return value, dice.choice([None, "0", "-7", "bad"]), dice.choice([None, "null", '{"a": 1.50}', "[]"])
    if name == "b":
        return (dice.choice([None, "x", "x ", "NULL"]),)
    return dice.choice([None, "-0.0", "0.0", "0.1"]), dice.choice([None, "[1, 2]", "[-0.0, 0.5]"])


def _good(made: Mapping[str, Rows]) -> dict[str, dict[str, tuple[str | None, ...]]]:
    """Return the rows that can be taken: all but those with a bad number."""
    return {name: {k: cells for k, cells in rows.items() if "bad" not in cells[:2]} for name, rows in made.items()}


def _oracle(made: Mapping[str, Rows]) -> dict[str, dict[str, tuple[object, ...]]]:
    """Return what the database should hold by old id, links as old ids: no SQL, no staging, no numbers."""
    good = _good(made)
    return {
        name: {
            k: tuple(cells[: len(OWN[name])])
            + tuple(
                to if to in good[parent] else None
                for to, parent in zip(cells[len(OWN[name]) :], LINKS[name].values(), strict=True)
            )
            for k, cells in rows.items()
        }
        for name, rows in good.items()
    }


_HELD = {
    "a": "SELECT m.old_id, t.u, t.n::text, t.j::text, b.old_id, up.old_id FROM a AS t"
    " JOIN a_map AS m ON m.new_id = t.id"
    " LEFT JOIN b_map AS b ON b.new_id = t.b_id LEFT JOIN a_map AS up ON up.new_id = t.up_id",
    "b": "SELECT m.old_id, t.t, a.old_id, c.old_id FROM b AS t JOIN b_map AS m ON m.new_id = t.id"
    " LEFT JOIN a_map AS a ON a.new_id = t.a_id LEFT JOIN c_map AS c ON c.new_id = t.c_id",
    "c": "SELECT m.old_id, t.f::text, t.v::text FROM c AS t JOIN c_map AS m ON m.new_id = t.id",
}
_TEXTS = {"-0.0": "-0", "0.0": "0", "[1, 2]": "[1,2]", "[-0.0, 0.5]": "[-0,0.5]"}


@dataclass
class Model:
    """The export and what is known of the database, by Python alone."""

    export: Export
    ids: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in OWN})
    rows: dict[str, dict[str, tuple[object, ...]]] = field(default_factory=lambda: {name: {} for name in OWN})
    own: int = 0

    def write(self, made: Mapping[str, Rows]) -> None:
        for name, rows in made.items():
            lines = [[k, *cells] for k, cells in rows.items()]
            self.export.rows(name, ["id", *OWN[name], *LINKS[name]], lines)

    def follow(self, made: Mapping[str, Rows], order: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        """Give ids as promised, and return how many rows each table has new, changed and gone.

        A link to a row that goes away is NULL from then on, and no change of its own row's load.
        """
        wanted, changes = _oracle(made), {}
        for name in order:
            rows = wanted[name]
            self._unlink(name, set(self.rows[name]) - set(rows))
            highest = max([*self.ids[name].values(), self._highest_own(name)], default=0)
            for old_id in sorted(set(rows) - set(self.ids[name])):
                highest += 1
                self.ids[name][old_id] = highest
            before = self.rows[name]
            changed = sum(1 for k in rows if k in before and rows[k] != before[k])
            changes[name] = (len(set(rows) - set(before)), changed, len(set(before) - set(rows)))
        self.rows = wanted
        return changes

    def _unlink(self, name: str, gone: set[str]) -> None:
        for other, links in LINKS.items():
            targets = [None] * len(OWN[other]) + list(links.values())
            for k, cells in self.rows[other].items():
                self.rows[other][k] = tuple(
                    None if to == name and cell in gone else cell for cell, to in zip(cells, targets, strict=True)
                )

    def _highest_own(self, name: str) -> int:
        if self.export.database.value("SELECT to_regclass(%s) IS NULL", name):
            return 0
        return self.export.database.value(f"SELECT coalesce(max(id), 0) FROM {name}")

    def held(self) -> dict[str, dict[str, tuple[object, ...]]]:
        found = {}
        for name, query in _HELD.items():
            query_ = re.sub(r"\b([abc])_map\b", r"xata_migration.\1_id_mapping", query)
            found[name] = {old_id: tuple(cells) for old_id, *cells in self.export.database.query(query_)}
        return found

    def wanted(self) -> dict[str, dict[str, tuple[object, ...]]]:
        return {
            name: {k: tuple(_TEXTS.get(cell, cell) for cell in cells) for k, cells in rows.items()}
            for name, rows in self.rows.items()
        }

    def mapping(self) -> dict[str, dict[str, int]]:
        query = "SELECT old_id, new_id FROM xata_migration.{}_id_mapping"
        return {name: dict(self.export.database.query(query.format(name))) for name in OWN}


@pytest.mark.parametrize("_", range(times(2, 120)))
def test_any_newer_export_ends_as_the_oracle_says(new_export: NewExport, dice: random.Random, _: int):
    """Rows, links and ids; what the user added stays; the counts are those of the difference."""
    flags = {"max_rejected_rows": 999, "max_dangling_links": 999, "metadata_columns": False}
    on_delete = dice.choice(["set null", "no action", "restrict", "cascade"])
    model = Model(new_export(*TABLES, **flags, on_delete=on_delete))
    made = None
    for generation in range(3):
        made = _random_rows(dice, made)
        model.write(made)
        migration = model.export.migration()
        wanted_changes = model.follow(made, [each.xata_name for each in migration.plan.tables])
        assert migrate_by_table(migration) == []
        assert model.held() == model.wanted()
        assert model.mapping() == model.ids
        lines = _lines(model.export)
        for name, changes in wanted_changes.items():
            assert lines[name] == changes, (name, generation)
        if model.own:
            assert model.export.database.query("SELECT count(*) FROM a WHERE n = 4711") == [(model.own,)]
        model.export.database.query("INSERT INTO a (n) VALUES (4711)")
        model.own += 1
        DONE["random newer export"] += 1


def _lines(export_: Export) -> dict[str, tuple[int, int, int]]:
    query = "SELECT xata_table, inserted_rows, updated_rows, deleted_rows FROM xata_migration.loads"
    return {name: tuple(counts) for name, *counts in export_.database.query(query)}


def test_ten_more_runs_change_no_row(new_export: NewExport, dice: random.Random):
    """Every row of every table lies where it lay, written by the transaction that wrote it: ctid and xmin."""
    flags = {"max_rejected_rows": 999, "max_dangling_links": 999}
    model = Model(new_export(*TABLES, **flags))
    made = _random_rows(dice, None)
    while not (_good(made)["a"] and "gone" in str(made["b"])):
        made = _random_rows(dice, made)
    model.write(made)
    assert migrate(model.export.migration()).red == {}
    before = row_places(model.export.database.url)
    assert sum(map(len, before.values())) > 10
    assert {"a", "b", "c", "a_id_mapping", "dangling_links", "rejected_rows"} <= set(before)
    for _ in range(10):
        assert set(_again(model.export).changes.values()) == {(0, 0, 0)}
        assert row_places(model.export.database.url) == before
        DONE["run over a loaded database that changes no row"] += 1


def _again(export_: Export) -> Result:
    result = migrate(export_.migration())
    assert result.red == {}
    return result


def test_one_table_alone_is_reloaded_and_its_changes_are_told(migrating: XataPg, export: Folder, database: Any):
    """By the command line: counts in JSON and on the terminal, other tables not touched."""
    first = migrating("migrate", "--json").report
    assert first["changes"] == {
        each["table"]: {"inserted_rows": each["target_rows"], "updated_rows": 0, "deleted_rows": 0}
        for each in first["tables"]
    }
    before = row_places(database.url)
    export.rows("posts", "id,title,likes,author", [
        ("p0", "post 0", "0", "u1"), ("p1", "changed", "1", "u2"), ("p9", "new", "9", "u2")
    ])  # fmt: skip
    export.rows("users", "id,email,name", [])  # newer as well, but not asked for
    told = migrating("migrate", "--tables", "posts", "--json").report
    assert told["changes"] == {"posts": {"inserted_rows": 1, "updated_rows": 1, "deleted_rows": 3}}
    after = row_places(database.url)
    assert {name for name in before if before[name] != after[name]} == {"posts", "posts_id_mapping"}
    page = migrating("report").out
    assert page.splitlines()[0].split()[-5:] == ["new", "changed", "gone", "seconds", "checks"]
    (line,) = [line for line in page.splitlines() if line.startswith("posts")]
    assert line.split()[3:6] == ["1", "1", "3"]
    assert json.loads(migrating("report", "--json").out)["ok"]
