"""Random changes of a migrated database, each the smallest of its kind, and each one that a check must see."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import Role, TargetColumn, TargetTable
from xata_pg_assets.xata.schema import XataType

__all__ = ["MUTATIONS", "Mutation", "Mutator"]


@dataclass(frozen=True)
class Mutation:
    """What was changed, and how a check must name it: by the old id, the column, both, or neither."""

    what: str
    table: str
    old_id: str | None = None
    column: str | None = None


class Mutator:
    """Changes one thing at a time; a change that would be none is tried again elsewhere."""

    def __init__(self, conn: psycopg.Connection, migration: Migration, dice: random.Random) -> None:
        self.conn = conn
        self.layout = migration.layout
        self.plan = migration.plan
        self.dice = dice

    def mutate(self, kind: str) -> Mutation:
        """Do a mutation of a kind."""
        for _ in range(200):
            with suppress(psycopg.IntegrityError), self.conn.transaction():  # a key that refuses it
                if (done := MUTATIONS[kind](self)) is not None:
                    return done
        raise AssertionError(f"no place for: {kind}")

    def execute(self, text: str, *parameters: Any, **names: sql.Composable) -> psycopg.Cursor:
        return self.conn.execute(sql.SQL(text).format(**names), parameters or None)

    def table(self, where: Callable[[TargetTable], object] = lambda _: True) -> TargetTable:
        return self.dice.choice([table for table in self.plan.tables if where(table)])

    def column(self, where: Callable[[TargetColumn], object]) -> tuple[TargetTable, TargetColumn]:
        return self.dice.choice(
            [(table, column) for table in self.plan.tables for column in table.columns if where(column)]
        )

    def row(self, table: TargetTable, column: TargetColumn | None = None) -> tuple[int, str, Any] | None:
        """Return id, old id and a value of a random row, one with a value where a column is given."""
        found = self.execute(
            "SELECT t.id, m.old_id, t.{column}::text FROM {target} AS t JOIN {mapping} AS m ON m.new_id = t.id"
            " WHERE t.{column} IS NOT NULL ORDER BY t.id",
            column=sql.Identifier(column.name if column else "id"),
            target=self.layout.target(table),
            mapping=self.layout.mapping(table),
        ).fetchall()
        return self.dice.choice(found) if found else None

    def set(self, table: TargetTable, column: TargetColumn, id_: int, value: str, *parameters: Any) -> None:
        """Set a cell to an SQL expression."""
        self.execute(
            f"UPDATE {{target}} SET {{column}} = {{value}} WHERE id = {id_}",
            *parameters,
            target=self.layout.target(table),
            value=sql.SQL(value),
            column=sql.Identifier(column.name),
        )

    def free(self, table: TargetTable) -> None:
        """Drop what would refuse a mutation: the database must not do the verifier's work."""
        names = self.conn.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype IN ('u', 'p')",
            (self.layout.mapping(table).as_string(self.conn),),
        ).fetchall()
        for (name,) in names:
            self.execute(
                "ALTER TABLE {mapping} DROP CONSTRAINT {name}",
                mapping=self.layout.mapping(table),
                name=sql.Identifier(name),
            )


def _is_value(column: TargetColumn) -> bool:
    return column.role is not Role.ID and not column.link


_FLIPS: dict[XataType, Callable[[random.Random, str], str]] = {
    XataType.INT: lambda dice, text: str(int(text) ^ (1 << dice.randrange(20))),
    XataType.BOOL: lambda _, text: "false" if text == "true" else "true",
}


def _flip_text(dice: random.Random, text: str) -> str:
    """Change one character, or add one to nothing: case, an accent, a blank at the end, a lookalike."""
    place = dice.randrange(len(text) + 1)
    if place == len(text):
        return text + dice.choice(" \n\u200bx")
    old = text[place]
    return text[:place] + (old.swapcase() if old.swapcase() != old else dice.choice("a\u0430 ")) + text[place + 1 :]


def flip(it: Mutator) -> Mutation | None:
    """Another character, digit or bit in one cell."""
    table, column = it.column(lambda c: _is_value(c) and (c.xata_type in _FLIPS or str(c.type) == "text"))
    if (row := it.row(table, column)) is None:
        return None
    id_, old_id, text = row
    new = _FLIPS.get(column.xata_type, _flip_text)(it.dice, text)
    if new == text:
        return None
    it.set(table, column, id_, f"%s::{column.type}", new)
    return Mutation(f"flip {column.xata_type}", table.name, old_id, column.name)


def swap_cells(it: Mutator) -> Mutation | None:
    """Two rows' cells of a column, one for the other."""
    table, column = it.column(lambda c: _is_value(c) and not c.unique_constraint)
    one, two = it.row(table, column), it.row(table, column)
    if one is None or two is None or one[2] == two[2]:
        return None
    target = it.layout.target(table)
    it.execute(
        "UPDATE {target} AS t SET {column} = o.{column} FROM {target} AS o"
        f" WHERE (t.id, o.id) IN (({one[0]}, {two[0]}), ({two[0]}, {one[0]}))",
        target=target,
        column=sql.Identifier(column.name),
    )
    return Mutation("two cells swapped", table.name, it.dice.choice([one, two])[1], column.name)


def drop_row(it: Mutator) -> Mutation | None:
    table = it.table()
    if (row := it.row(table)) is None:
        return None
    it.execute(f"DELETE FROM {{target}} WHERE id = {row[0]}", target=it.layout.target(table))
    return Mutation("a row dropped", table.name, row[1])


def duplicate_row(it: Mutator) -> Mutation | None:
    """A copy of a row under a new id that the mapping holds, too; one that it does not hold is the user's own."""
    table = it.table(lambda each: not each.unique_columns)
    if (row := it.row(table)) is None:
        return None
    names = sql.SQL(", ").join(sql.Identifier(c.name) for c in table.staged_columns)
    new = it.execute(
        "INSERT INTO {target} ({names}, xata_id)"
        f" SELECT {{names}}, 'made up' FROM {{target}} WHERE id = {row[0]} RETURNING id",
        target=it.layout.target(table),
        names=names,
    ).fetchone()
    it.execute("INSERT INTO {mapping} VALUES (%s, %s)", "made up", new[0], mapping=it.layout.mapping(table))
    return Mutation("a row duplicated under a new id", table.name, "made up")


def null_to_empty(it: Mutator) -> Mutation | None:
    empty = {"text": "''", "text[]": "'{}'", "jsonb": "'null'"}
    table, column = it.column(lambda c: _is_value(c) and str(c.type) in empty and not c.unique_constraint)
    target, name = it.layout.target(table), sql.Identifier(column.name)
    found = it.execute(
        "SELECT t.id, m.old_id FROM {target} AS t JOIN {mapping} AS m ON m.new_id = t.id WHERE t.{name} IS NULL",
        target=target,
        mapping=it.layout.mapping(table),
        name=name,
    ).fetchall()
    if not found:
        return None
    id_, old_id = it.dice.choice(found)
    it.set(table, column, id_, empty[str(column.type)])
    return Mutation("NULL to empty", table.name, old_id, column.name)


def value_to_null(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: _is_value(c) and not c.not_null)
    if (row := it.row(table, column)) is None:
        return None
    it.set(table, column, row[0], "NULL")
    return Mutation("a value to NULL", table.name, row[1], column.name)


def last_bit(it: Mutator) -> Mutation | None:
    """The last bit of a float, sent as its bytes."""
    table, column = it.column(lambda c: str(c.type) == "double precision")
    if (row := it.row(table, column)) is None:
        return None
    value = float(row[2])
    up = math.nextafter(value, math.inf if it.dice.random() < 0.5 else -math.inf)
    it.set(table, column, row[0], "%s::float8", up)
    return Mutation("a float's last bit", table.name, row[1], column.name)


def sign_of_nought(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: str(c.type) == "double precision")
    if (row := it.row(table, column)) is None or float(row[2]) != 0:
        return None
    it.set(table, column, row[0], "%s::float8", "0" if row[2].startswith("-") else "-0")
    return Mutation("the sign of 0.0", table.name, row[1], column.name)


def vector_bit(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.type.name == "vector")
    if (row := it.row(table, column)) is None:
        return None
    values = np.array(row[2].strip("[]").split(","), dtype=np.float32)
    place = it.dice.randrange(len(values))
    values[place] = (
        -values[place] if values[place] == 0 else np.nextafter(values[place], np.float32(9), dtype=np.float32)
    )
    text = "[" + ",".join(repr(float(value)) for value in values) + "]"
    if it.execute("SELECT %s::text::vector::text = %s", text, row[2]).fetchone() == (True,) and "-0" not in text:
        return None
    it.set(table, column, row[0], "%s::text::vector", text)
    return Mutation("a vector element's last bit", table.name, row[1], column.name)


def json_scale(it: Mutator) -> Mutation | None:
    """1.0 → 1.00: the same number, and not what the export holds."""
    table, column = it.column(lambda c: str(c.type) == "jsonb")
    if (row := it.row(table, column)) is None:
        return None
    numbers = list(re.finditer(r"(?<=: )-?\d+(\.\d+)?(?=[,}\]])", row[2]))
    if not numbers:
        return None
    at = it.dice.choice(numbers)
    longer = at.group() + ("0" if "." in at.group() else ".0")
    it.set(table, column, row[0], "%s::jsonb", row[2][: at.start()] + longer + row[2][at.end() :])
    return Mutation("a json number 1.0 to 1.00", table.name, row[1], column.name)


def list_element(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.xata_type is XataType.MULTIPLE)
    if (row := it.row(table, column)) is None:
        return None
    changes = (
        "array_append({name}, NULL)",
        "array_append({name}, '')",
        "array_remove({name}, {name}[1])",
        "array_replace({name}, {name}[1], {name}[1] || ' ')",
        "array_prepend({name}[2], {name}[2:])",
    )
    change = it.dice.choice(changes)
    changed = it.execute(
        f"UPDATE {{target}} SET {{name}} = {change} WHERE id = {row[0]} AND {{name}} IS DISTINCT FROM {change}",
        target=it.layout.target(table),
        name=sql.Identifier(column.name),
    )
    return Mutation("a list element", table.name, row[1], column.name) if changed.rowcount else None


def microsecond(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: str(c.type) == "timestamptz")
    if (row := it.row(table, column)) is None:
        return None
    sign = it.dice.choice("+-")
    it.set(table, column, row[0], f"\"{column.name}\" {sign} interval '1 microsecond'")
    return Mutation("a time by a microsecond", table.name, row[1], column.name)


def metadata(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.role is Role.METADATA)
    if (row := it.row(table, column)) is None:
        return None
    step = "1" if str(column.type) == "bigint" else "interval '1 day'"
    it.set(table, column, row[0], f'"{column.name}" + {step}')
    return Mutation("a metadata column", table.name, row[1], column.name)


def kept_old_id(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.role is Role.OLD_ID)
    if (row := it.row(table, column)) is None:
        return None
    it.set(table, column, row[0], f"\"{column.name}\" || 'x'")
    return Mutation("the old id kept in the table", table.name, row[1], column.name)


def redirect_link(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.link and not c.unique_constraint)
    row, parent = it.row(table, column), it.plan.by_xata_name[column.link.table]
    other = it.row(parent)
    if row is None or other is None or str(other[0]) == row[2]:
        return None
    it.set(table, column, row[0], str(other[0]))
    return Mutation("a link redirected", table.name, row[1], column.name)


def null_link(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.link and not c.not_null)
    if (row := it.row(table, column)) is None:
        return None
    it.set(table, column, row[0], "NULL")
    return Mutation("a link to NULL", table.name, row[1], column.name)


def make_up_link(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.link and not (c.not_null or c.unique_constraint))
    parent = it.row(it.plan.by_xata_name[column.link.table])
    found = it.execute(
        "SELECT t.id, m.old_id FROM {target} AS t JOIN {mapping} AS m ON m.new_id = t.id WHERE t.{name} IS NULL",
        target=it.layout.target(table),
        mapping=it.layout.mapping(table),
        name=sql.Identifier(column.name),
    ).fetchall()
    if not found or parent is None:
        return None
    id_, old_id = it.dice.choice(found)
    it.set(table, column, id_, str(parent[0]))
    return Mutation("a link made up", table.name, old_id, column.name)


def swap_mapping(it: Mutator) -> Mutation | None:
    table = it.table()
    one, two = it.row(table), it.row(table)
    if one is None or two is None or one == two:
        return None
    it.free(table)
    it.execute(
        f"UPDATE {{mapping}} SET new_id = {one[0]} + {two[0]} - new_id WHERE new_id IN ({one[0]}, {two[0]})",
        mapping=it.layout.mapping(table),
    )
    return Mutation("two mapping lines swapped", table.name)


def drop_mapping(it: Mutator) -> Mutation | None:
    table = it.table()
    found = it.execute("SELECT old_id FROM {mapping} ORDER BY new_id", mapping=it.layout.mapping(table)).fetchall()
    if not found:
        return None
    it.execute("DELETE FROM {mapping} WHERE old_id = %s", *it.dice.choice(found), mapping=it.layout.mapping(table))
    return Mutation("a mapping line removed", table.name)


def extra_mapping(it: Mutator) -> Mutation | None:
    table = it.table()
    it.execute("INSERT INTO {mapping} VALUES ('made up', 1000000)", mapping=it.layout.mapping(table))
    return Mutation("a mapping line made up", table.name)


def _drop_key(it: Mutator, kinds: str) -> Mutation | None:
    table = it.table()
    found = it.conn.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = ANY(%s) ORDER BY conname",
        (it.layout.target(table).as_string(it.conn), list(kinds)),
    ).fetchall()
    if not found:
        return None
    (name,) = it.dice.choice(found)
    it.execute(
        "ALTER TABLE {target} DROP CONSTRAINT {name} CASCADE", target=it.layout.target(table), name=sql.Identifier(name)
    )
    return Mutation(f"a constraint dropped ({kinds})", table.name)


def drop_constraint(it: Mutator) -> Mutation | None:
    return _drop_key(it, it.dice.choice(["u", "f", "p"]))


def drop_index(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.link and not c.unique_constraint)
    it.execute("DROP INDEX {index}", index=sql.Identifier(it.layout.target_schema, column.link.index))
    return Mutation("an index dropped", table.name, None, column.name)


def drop_not_null(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.not_null)
    it.execute(
        "ALTER TABLE {target} ALTER COLUMN {column} DROP NOT NULL",
        target=it.layout.target(table),
        column=sql.Identifier(column.name),
    )
    return Mutation("a NOT NULL dropped", table.name, None, column.name)


def _default(it: Mutator, change: str, what: str) -> Mutation | None:
    table, column = it.column(lambda c: c.default)
    it.execute(
        f"ALTER TABLE {{target}} ALTER COLUMN {{column}} {change}",
        target=it.layout.target(table),
        column=sql.Identifier(column.name),
    )
    return Mutation(what, table.name, None, column.name)


def drop_default(it: Mutator) -> Mutation | None:
    return _default(it, "DROP DEFAULT", "a default dropped")


def change_default(it: Mutator) -> Mutation | None:
    return _default(it, "SET DEFAULT NULL", "a default changed") if it.dice.random() < 0.2 else _other_default(it)


_OTHERS = {
    "text": "'other'",
    "bigint": "43",
    "double precision": "0.25",
    "boolean": "NOT true",
    "jsonb": "'{\"o\": 1}'",
    "timestamptz": "'2001-01-01Z'",
    "text[]": "'{o}'",
}


def _other_default(it: Mutator) -> Mutation | None:
    table, column = it.column(lambda c: c.default and str(c.type) in _OTHERS)
    it.execute(
        "ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {value}",
        value=sql.SQL(_OTHERS[str(column.type)]),
        target=it.layout.target(table),
        column=sql.Identifier(column.name),
    )
    return Mutation("a default changed", table.name, None, column.name)


def change_identity(it: Mutator) -> Mutation | None:
    table = it.table()
    change = it.dice.choice(
        [
            "DROP IDENTITY",
            "SET GENERATED ALWAYS",
            "SET INCREMENT BY -1",
            "SET CYCLE",
            "RESTART WITH 1",
            "SET MAXVALUE 99",
        ]
    )
    it.execute(f"ALTER TABLE {{target}} ALTER COLUMN id {change}", target=it.layout.target(table))
    return Mutation(f"the identity: {change}", table.name, None, "id")


def _drop_line(it: Mutator, name: str) -> Mutation | None:
    found = it.execute("SELECT ctid::text, xata_table FROM {name} ORDER BY ctid", name=it.layout.work(name)).fetchall()
    place, xata_table = it.dice.choice(found)
    change = it.dice.choice(["DELETE FROM {name}", "UPDATE {name} SET old_id = old_id || 'x'"])
    done = it.execute(f"{change} WHERE ctid = %s::tid AND old_id IS NOT NULL", place, name=it.layout.work(name))
    return Mutation(f"a line of {name}", it.plan.by_xata_name[xata_table].name) if done.rowcount else None


def rejected_line(it: Mutator) -> Mutation | None:
    return _drop_line(it, "rejected_rows")


def dangling_line(it: Mutator) -> Mutation | None:
    return _drop_line(it, "dangling_links")


MUTATIONS: dict[str, Callable[[Mutator], Mutation | None]] = {
    each.__name__: each
    for each in (
        flip, swap_cells, drop_row, duplicate_row, null_to_empty, value_to_null, last_bit, sign_of_nought, vector_bit,
        json_scale, list_element, microsecond, metadata, kept_old_id, redirect_link, null_link, make_up_link,
        swap_mapping, drop_mapping, extra_mapping, drop_constraint, drop_index, drop_not_null, drop_default,
        change_default, change_identity, rejected_line, dangling_line,
    )
}  # fmt: skip
