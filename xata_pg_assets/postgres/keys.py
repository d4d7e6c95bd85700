"""The keys of the target tables: which there should be, which there are, and the making of the rest.

One routine serves the first load, where all are missing, the foreign keys of a cycle, which come with its
later table, and a re-run after somebody dropped one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import uuid4

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import TargetError
from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.postgres import ddl
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import any_row, exists, identity_sequence
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.expected import Expected
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "Key",
    "catalog_type",
    "drop_foreign_keys",
    "drop_unique",
    "ensure",
    "facts_query",
    "is_mapping_keyed",
    "lacking_in_columns",
    "missing",
    "present",
    "present_query",
    "waiting",
    "wanted",
]

_NAMES_IN_CATALOG = {"timestamptz": "timestamp with time zone"}
_DELETE_RULES = {"no action": "a", "restrict": "r", "cascade": "c", "set null": "n"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the catalog tells it: kind is p, u or f for constraints and i for an index."""

    kind: str
    table: str
    column: str
    references: str = ""
    on_delete: str = ""

    def __str__(self) -> str:
        what = {"p": "primary key", "u": "unique constraint", "f": "foreign key", "i": "index"}[self.kind]
        return f"{what} on {self.table}.{self.column}" + (f" to {self.references}" if self.references else "")


def wanted(layout: Layout, plan: Plan, table: TargetTable) -> Iterator[tuple[Key, sql.Composed]]:
    """Return every key that the table should have at last, with the statement that makes it."""
    yield Key("p", table.name, "id"), ddl.add_primary_key(layout, table)
    for column in table.columns:
        if column.unique_constraint:
            yield Key("u", table.name, column.name), ddl.add_unique(layout, table, column)
    for column in ddl.indexed_links(table):
        yield Key("i", table.name, column.name), ddl.create_index(layout, table, column)
    # Each locks the table linked to: always in one order, or two loads at once could wait for each other for ever
    for column in sorted(table.links, key=lambda column: column.link.table if column.link else ""):
        yield foreign_key(plan, table, column), ddl.add_foreign_key(layout, plan, table, column)


def foreign_key(plan: Plan, table: TargetTable, column: TargetColumn) -> Key:
    """Return the foreign key of a link."""
    assert column.link is not None  # noqa: S101
    parent = plan.by_xata_name[column.link.table]
    return Key("f", table.name, column.name, parent.name, _DELETE_RULES[column.link.on_delete])


def present_query(schema: str, table: str) -> sql.Composed:
    """Return the query of a table's single-column keys: kind, column, table referenced, delete rule, name."""
    return statements.get("present_keys").format(schema=sql.Literal(schema), table=sql.Literal(table))


def present(conn: Connection, layout: Layout, table: TargetTable) -> dict[Key, str]:
    """Return the single-column keys that the table has, with their names: constraints that hold, whole indexes."""
    rows = conn.execute(present_query(layout.target_schema, table.name)).fetchall()
    return {Key(kind, table.name, column, references, rule): name for kind, column, references, rule, name in rows}


def missing(conn: Connection, layout: Layout, plan: Plan, table: TargetTable) -> list[tuple[Key, sql.Composed]]:
    """Return what the table lacks; a foreign key to a table that is not made yet is not lacking."""
    there = present(conn, layout, table)
    return [
        (key, statement)
        for key, statement in wanted(layout, plan, table)
        if key not in there and (key.kind != "f" or exists(conn, layout.target(plan.by_name[key.references])))
    ]


def waiting(conn: Connection, expected: Expected, *, in_parts: bool = False) -> frozenset[Key]:
    """Return the foreign keys to tables of the cycle that lack rows still to come; they come back with these.

    Of a table that is loaded in parts, its links to itself may be among them.
    """
    layout, plan, table = expected.layout, expected.plan, expected.table
    later = table.cycle - {table.xata_name} | ({table.xata_name} if in_parts else set())
    return frozenset(
        foreign_key(plan, table, column)
        for column in table.links
        if column.link and column.link.table in later and _waits(conn, layout, expected, column)
    )


def _waits(conn: Connection, layout: Layout, expected: Expected, column: TargetColumn) -> bool:
    assert column.link is not None  # noqa: S101
    parent = expected.plan.by_xata_name[column.link.table]
    if not exists(conn, layout.target(parent)):
        return False
    return any_row(
        conn,
        sql.SQL(
            "SELECT FROM {} AS s JOIN {} AS p ON p.old_id = {}"
            " WHERE NOT EXISTS (SELECT FROM {} AS t WHERE t.id = p.new_id)"
        ).format(
            layout.staging(expected.table),
            expected.rows_there(column),
            sql.Identifier("s", column.staging),
            layout.target(parent),
        ),
    )


def ensure(
    conn: Connection, layout: Layout, plan: Plan, table: TargetTable, but: Collection[Key] = frozenset()
) -> None:
    """Make what the table lacks, `but` for some keys, and the foreign keys to it that waited for it.

    Raises:
        TargetError: the rows do not allow a key; names it.
    """
    for _, mend in lacking_in_columns(conn, layout, table):
        if mend:
            conn.execute(mend)
    for key, statement in missing(conn, layout, plan, table):
        if key not in but:
            _make(conn, layout, table, key, statement)
    for other in plan.cycle_of(table):
        if exists(conn, layout.target(other)):
            for key, statement in missing(conn, layout, plan, other):
                if key.references == table.name:
                    _make(conn, layout, other, key, statement)


def facts_query(schema: str, table: str) -> sql.Composed:
    """Return the query of a table's columns: name, NOT NULL, default, identity (`d`: by default), type."""
    return statements.get("column_facts").format(schema=sql.Literal(schema), table=sql.Literal(table))


def catalog_type(column: TargetColumn) -> str:
    """Return the column's type as the catalog writes it, without its schema."""
    return _NAMES_IN_CATALOG.get(str(column.type), str(column.type))


def lacking_in_columns(conn: Connection, layout: Layout, table: TargetTable) -> list[tuple[str, sql.Composed | None]]:
    """Return what the columns lack, each with the statement that mends it; None where only a person can."""
    rows = conn.execute(facts_query(layout.target_schema, table.name)).fetchall()
    there = {name: facts for name, *facts in rows}
    defaults = _planned_defaults(conn, layout, table)
    lacking: list[tuple[str, sql.Composed | None]] = []
    for column in table.columns:
        if column.name not in there:
            lacking.append((f"column {column.name}", None))
            continue
        is_not_null, default, identity, type_ = there[column.name]
        if type_.rpartition(".")[2] != catalog_type(column):
            lacking.append((f"type {column.type} of {column.name} (it is {type_})", None))
        if (column.not_null or column.role is Role.ID) and not is_not_null:
            lacking.append((f"NOT NULL on {column.name}", ddl.set_not_null(layout, table, column)))
        if column.default and default != defaults.get(column.name):
            lacking.append((f"the default of {column.name}", ddl.set_default(layout, table, column)))
        if column.role is Role.ID and not identity:
            lacking.append(("the identity of id", ddl.add_identity(layout, table)))
        elif column.role is Role.ID and not (identity == "d" and _counts_by_one(conn, layout, table)):
            lacking.append(("the identity of id as it was made", ddl.set_identity(layout, table)))
    return lacking


def _planned_defaults(conn: Connection, layout: Layout, table: TargetTable) -> dict[str, str]:
    """Return the planned defaults as the catalog writes them, which is by the server's version and the type."""
    if not any(column.default for column in table.columns):
        return {}
    probe = f"probe_{uuid4().hex}"
    with conn.transaction(force_rollback=True):
        conn.execute(ddl.create_defaults_probe(layout, sql.Identifier(layout.work_schema, probe), table))
        rows = conn.execute(facts_query(layout.work_schema, probe)).fetchall()
    return {name: default for name, _, default, *_ in rows}


def _counts_by_one(conn: Connection, layout: Layout, table: TargetTable) -> bool:
    """Tell whether the sequence of the identity goes up by one, as far as bigint goes."""
    name = identity_sequence(conn, layout.target(table))
    if name is None:
        return False
    row = conn.execute(
        "SELECT seqincrement = 1 AND NOT seqcycle AND seqmax = 9223372036854775807"
        " FROM pg_sequence WHERE seqrelid = to_regclass(%s)",
        (sql.Identifier(*name).as_string(conn),),
    ).fetchone()
    return row == (True,)


def is_mapping_keyed(conn: Connection, layout: Layout, table: TargetTable) -> bool:
    """Tell whether unique indexes keep the id mapping one to one."""
    rows = conn.execute(present_query(layout.work_schema, table.mapping))
    return {("p", "old_id"), ("u", "new_id")} <= {(kind, column) for kind, column, *_ in rows}


def drop_foreign_keys(conn: Connection, layout: Layout, table: TargetTable, keys: Collection[Key]) -> None:
    """Drop those of the foreign keys that there are."""
    wanted_ones = {(key.column, key.references) for key in keys}
    for key, name in present(conn, layout, table).items():
        if key.kind == "f" and (key.column, key.references) in wanted_ones:
            _drop(conn, layout, table, name)


def drop_unique(conn: Connection, layout: Layout, table: TargetTable) -> None:
    """Drop the unique constraints of the export's columns, for `ensure` to make them again.

    Raises:
        TargetError: something of the user's depends on one.
    """
    columns = {column.name for column in table.unique_columns}
    for key, name in present(conn, layout, table).items():
        if key.kind == "u" and key.column in columns:
            try:
                _drop(conn, layout, table, name)
            except pg.DependentObjectsStillExist:
                raise TargetError(
                    f"table {table.name}: the new export swaps values of the unique column {key.column}, which "
                    "cannot be done while an object of yours depends on its constraint; drop that object first"
                ) from None


def _make(conn: Connection, layout: Layout, table: TargetTable, key: Key, statement: sql.Composed) -> None:
    for other, name in present(conn, layout, table).items() if key.kind == "f" else ():
        if (other.kind, other.column, other.references) == (key.kind, key.column, key.references):
            _drop(conn, layout, table, name)  # the same foreign key under another delete rule
    try:
        conn.execute(statement)
    except pg.UniqueViolation:
        raise TargetError(
            f"table {key.table}: no {key} can be made, a value stands twice; look at the rows added by hand"
        ) from None


def _drop(conn: Connection, layout: Layout, table: TargetTable, constraint: str) -> None:
    conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(layout.target(table), sql.Identifier(constraint)))
