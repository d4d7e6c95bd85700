"""The plan: which target tables a Xata schema becomes, with every name, type and key decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Literal

from xata_pg_assets.errors import UsageError
from xata_pg_assets.plan.extras import (
    Distance,
    IndexMethod,
    SearchColumn,
    VectorIndex,
    chosen_columns,
    search_columns,
    vector_indexes,
)
from xata_pg_assets.plan.naming import (
    MAX_TABLE_BYTES,
    PGVECTOR_TYPES,
    SYSTEM_COLUMNS,
    NameSpace,
    Naming,
    column_name,
    cut,
    table_name,
)
from xata_pg_assets.plan.order import cycles, load_order
from xata_pg_assets.plan.shards import one_number
from xata_pg_assets.plan.types import (
    BIGINT,
    TEXT,
    TIMESTAMPTZ,
    ColumnType,
    Default,
    default_of,
    staging_type,
    target_type,
)
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType

__all__ = [
    "Habit",
    "Link",
    "OnDelete",
    "Plan",
    "PlanOptions",
    "Right",
    "Role",
    "TargetColumn",
    "TargetTable",
    "make_plan",
]

OnDelete = Literal["set null", "no action", "restrict", "cascade"]
Right = Literal["none", "read", "write"]
Habit = Literal["xata_touch", "new_xata_id", "lookup"]

METADATA: Mapping[str, tuple[str, XataType, ColumnType]] = {
    "xata.version": ("xata_version", XataType.INT, BIGINT),
    "xata.createdAt": ("xata_createdat", XataType.DATETIME, TIMESTAMPTZ),
    "xata.updatedAt": ("xata_updatedat", XataType.DATETIME, TIMESTAMPTZ),
}
OLD_ID = "xata_id"
# The staging column that counts the rows from 0 in the order of their file
ORDINAL = "xata.ordinal"
RESERVED = ("id", *(name for name, _, _ in METADATA.values()), OLD_ID, *SYSTEM_COLUMNS)


class Role(StrEnum):
    """What a column of a target table is there for."""

    ID = "id"
    OWN = "own"
    METADATA = "metadata"
    OLD_ID = "old id"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The settings that shape the target tables."""

    naming: Naming = "snake_case"
    metadata_columns: bool = True
    keep_old_id: bool = False
    on_delete: OnDelete = "set null"
    on_delete_links: Mapping[str, OnDelete] = field(default_factory=dict)
    metadata_triggers: bool = False
    new_xata_ids: bool = False
    lookup_views: bool = False
    vector_index: IndexMethod | Literal["none"] = "none"
    vector_distance: Distance = "cosine"
    search: tuple[str, ...] = ()
    search_language: str = "simple"
    rewrite_ids: tuple[str, ...] = ()
    grants: Mapping[str, Right] = field(default_factory=dict)
    row_level_security: bool = False
    shards: Mapping[str, int] = field(default_factory=dict)

    @property
    def habits(self) -> tuple[Habit, ...]:
        """What the tables keep of Xata's ways.

        Raises:
            UsageError: a habit needs columns that are left out.
        """
        if self.metadata_triggers and not self.metadata_columns:
            raise UsageError("setting metadata_triggers: needs metadata_columns; set that to true")
        if self.new_xata_ids and not self.keep_old_id:
            raise UsageError("setting new_xata_ids: needs keep_old_id; set that to true")
        asked: dict[Habit, bool] = {
            "xata_touch": self.metadata_triggers,
            "new_xata_id": self.new_xata_ids,
            "lookup": self.lookup_views,
        }
        return tuple(habit for habit, is_asked in asked.items() if is_asked)


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key to the table of the given Xata name."""

    table: str
    on_delete: OnDelete
    constraint: str
    index: str


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """One column of a target table and of its staging table.

    `staging` and `staging_type` are those of the export's column, landed under its Xata name.
    `unique_constraint` names the constraint of a unique column.
    """

    xata_name: str
    name: str
    role: Role
    xata_type: XataType
    type: ColumnType
    staging: str
    staging_type: ColumnType
    link: Link | None = None
    not_null: bool = False
    unique_constraint: str | None = None
    default: Default | None = None
    description: str | None = None


@dataclass(frozen=True)
class TargetTable:
    """One target table, with the names of everything that is made for it.

    `cycle` holds the Xata names of the tables it shares a cycle with, itself among them; `rewritten` are the columns
    whose old ids become new ones.
    """

    xata_name: str
    name: str
    staging: str
    mapping: str
    primary_key: str
    sequence: str
    columns: tuple[TargetColumn, ...]
    cycle: frozenset[str] = frozenset()
    habits: tuple[Habit, ...] = ()
    grants: tuple[tuple[str, Right], ...] = ()
    row_level_security: bool = False
    rewritten: tuple[TargetColumn, ...] = ()
    # Made after the table, and no part of what it is
    vector_indexes: tuple[VectorIndex, ...] = field(default=(), repr=False)
    search_columns: tuple[SearchColumn, ...] = field(default=(), repr=False)
    # How it is loaded; `building` is what it is called in the staging schema until all its shards are in
    shards: int = field(default=1, repr=False)
    building: str = field(default="", repr=False)

    @cached_property
    def links(self) -> tuple[TargetColumn, ...]:
        """The columns that are foreign keys."""
        return tuple(column for column in self.columns if column.link)

    @cached_property
    def unique_columns(self) -> tuple[TargetColumn, ...]:
        """The columns of the export that are unique; the ids are not among them."""
        return tuple(column for column in self.columns if column.unique_constraint and column.role is Role.OWN)

    @cached_property
    def staged_columns(self) -> tuple[TargetColumn, ...]:
        """The export's columns: own and metadata, the id apart."""
        return tuple(column for column in self.columns if column.role in (Role.OWN, Role.METADATA))

    @cached_property
    def value_columns(self) -> tuple[TargetColumn, ...]:
        """The columns whose values come from the export unchanged: no ids, no links."""
        return tuple(column for column in self.staged_columns if not column.link)

    @property
    def parents(self) -> Iterator[str]:
        """The Xata names of the tables it links to, each once, in column order."""
        return iter(dict.fromkeys(column.link.table for column in self.links if column.link))


@dataclass(frozen=True)
class Plan:
    """All target tables, each after those it links to, cycles apart."""

    tables: tuple[TargetTable, ...]
    warnings: tuple[str, ...]

    @cached_property
    def by_xata_name(self) -> Mapping[str, TargetTable]:
        """The tables by their names in Xata."""
        return {table.xata_name: table for table in self.tables}

    @cached_property
    def by_name(self) -> Mapping[str, TargetTable]:
        """The tables by their names in PostgreSQL."""
        return {table.name: table for table in self.tables}

    @cached_property
    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """The cycles between tables, each as the Xata names of its tables in load order."""
        return tuple(
            dict.fromkeys(
                tuple(other.xata_name for other in self.tables if other.xata_name in table.cycle)
                for table in self.tables
                if table.cycle
            )
        )

    @property
    def needs_pgvector(self) -> bool:
        """Whether a column is a vector."""
        return any(column.type.name == "vector" for table in self.tables for column in table.columns)

    def upstream(self, table: TargetTable) -> list[TargetTable]:
        """Return the tables made before this one: those it links to, itself and its cycle apart."""
        return [
            self.by_xata_name[name] for name in table.parents if name not in table.cycle and name != table.xata_name
        ]

    def cycle_of(self, table: TargetTable) -> list[TargetTable]:
        """Return the other tables of its cycle."""
        return [other for other in self.tables if other.xata_name in table.cycle and other is not table]

    def referrers(self, table: TargetTable) -> list[tuple[TargetTable, TargetColumn]]:
        """Return the links that point to the table, its own among them."""
        return [
            (other, column)
            for other in self.tables
            for column in other.links
            if column.link and column.link.table == table.xata_name
        ]

    def find(self, name: str) -> TargetTable:
        """Return the table of a Xata or a target name.

        Raises:
            UsageError: there is none.
        """
        table = self.by_xata_name.get(name) or self.by_name.get(name)
        if table is None:
            known = ", ".join(sorted(self.by_xata_name))
            raise UsageError(f"table {name}: not in the schema; it has {known}")
        return table


def make_plan(schema: XataSchema, options: PlanOptions | None = None) -> Plan:
    """Decide every target table of a schema.

    Raises:
        UsageError: `on_delete_links` names a link that the schema does not have, `search` a column that it does not,
            `tables` a table, or two tables have different numbers of shards.
    """
    options = options or PlanOptions()
    _refuse_unknown_links(schema, options)
    one_number(options.shards)
    links = {
        table.name: [column.link for column in table.links if column.link and _known(schema, column)]
        for table in schema.tables
    }
    in_cycle = cycles(links)
    names, staging = NameSpace(PGVECTOR_TYPES, MAX_TABLE_BYTES), NameSpace()
    taken = [names.take(table_name(table.name, options.naming)) for table in schema.tables]
    maker = _TableMaker(schema, options, relations=NameSpace(taken), warnings=[])
    tables = {
        table.name: maker.make(table, name, staging.take(cut(table.name, table.name)), in_cycle[table.name])
        for table, name in zip(schema.tables, taken, strict=True)
    }
    ordered = _with_extras([tables[name] for name in load_order(links)], options, maker.relations, maker.warnings)
    split = _in_shards(list(ordered), options, maker.relations)
    return Plan(tuple(split), tuple(maker.warnings))


def _in_shards(tables: list[TargetTable], options: PlanOptions, relations: NameSpace) -> Iterator[TargetTable]:
    """Add in how many shards each table is loaded."""
    names = {name: table.xata_name for table in tables for name in (table.name, table.xata_name)}
    # What is a Xata name goes first: another table's new name may be the same
    names |= {table.xata_name: table.xata_name for table in tables}
    for name in options.shards:
        if name not in names:
            known = ", ".join(sorted(table.xata_name for table in tables))
            raise UsageError(f"setting tables.{name}: no such table in the schema; it has {known}")
    shards = {names[name]: count for name, count in options.shards.items()}
    staged = {table.staging for table in tables}
    for table in tables:
        building = _building_name(table, relations, staged)
        yield replace(table, shards=shards.get(table.xata_name, 1), building=building)


def _building_name(table: TargetTable, relations: NameSpace, staged: Collection[str]) -> str:
    """Return a name that is free in both schemas: on its way from one to the other the table has it in both."""
    building = f"{table.name}_building"
    name = relations.take(cut(building, building))
    while name in staged:
        name = relations.take(cut(building, building))
    return name


def _with_extras(
    tables: list[TargetTable], options: PlanOptions, relations: NameSpace, warnings: list[str]
) -> Iterator[TargetTable]:
    """Add what is chosen by column; its names come last, so that they change no other."""
    searched = chosen_columns(tables, "search", options.search)
    rewritten = chosen_columns(tables, "rewrite_ids", options.rewrite_ids)
    for name, column in ((name, column) for name, columns in rewritten.items() for column in columns):
        if column.unique_constraint:
            raise UsageError(
                f"setting rewrite_ids: {name}.{column.xata_name} is unique, and ids of two tables may become one "
                "number; leave it out"
            )
    for table in tables:
        indexes: Iterator[VectorIndex] = iter(())
        if options.vector_index != "none":
            indexes = vector_indexes(table, options.vector_index, options.vector_distance, relations, warnings)
        names = NameSpace((*RESERVED, *(column.name for column in table.columns)))
        wanted = searched.get(table.xata_name, [])
        searching = search_columns(table, wanted, options.search_language, names, relations)
        yield replace(
            table,
            vector_indexes=tuple(indexes),
            search_columns=tuple(searching),
            rewritten=tuple(rewritten.get(table.xata_name, ())),
        )


def _known(schema: XataSchema, column: XataColumn) -> bool:
    return any(table.name == column.link for table in schema.tables)


def _refuse_unknown_links(schema: XataSchema, options: PlanOptions) -> None:
    known = {f"{table.name}.{column.name}" for table in schema.tables for column in table.links}
    for name in options.on_delete_links:
        if name not in known:
            raise UsageError(f"setting on_delete_links: {name} is no link of the schema; write table.column as in Xata")


@dataclass(frozen=True)
class _TableMaker:
    """Makes one table after the other, so that names of indexes and sequences never meet."""

    schema: XataSchema
    options: PlanOptions
    relations: NameSpace
    warnings: list[str]

    def make(self, table: XataTable, name: str, staging: str, cycle: frozenset[str]) -> TargetTable:
        names = NameSpace(RESERVED)
        # The old id lands as `id`; no other column of the export can have that name
        landing = NameSpace(("id", *METADATA, ORDINAL, *SYSTEM_COLUMNS))
        columns = [TargetColumn("id", "id", Role.ID, XataType.STRING, BIGINT, "id", TEXT)]
        columns += [self._own(table, name, column, names, landing) for column in table.columns]
        if self.options.metadata_columns:
            columns += [
                TargetColumn(xata_name, target, Role.METADATA, xata_type, type_, xata_name, type_)
                for xata_name, (target, xata_type, type_) in METADATA.items()
            ]
        if self.options.keep_old_id:
            key = self._relation(name, OLD_ID, "key")
            columns.append(
                TargetColumn("id", OLD_ID, Role.OLD_ID, XataType.STRING, TEXT, "id", TEXT, unique_constraint=key)
            )
        return TargetTable(
            xata_name=table.name,
            name=name,
            staging=staging,
            mapping=f"{name}_id_mapping",
            primary_key=self._relation(name, "pkey"),
            sequence=self._relation(name, "id", "seq"),
            columns=tuple(columns),
            cycle=cycle,
            habits=self.options.habits,
            grants=tuple(self.options.grants.items()),
            row_level_security=self.options.row_level_security,
        )

    def _own(
        self, table: XataTable, table_name: str, column: XataColumn, names: NameSpace, landing: NameSpace
    ) -> TargetColumn:
        where = f"{table.name}.{column.name}"
        name = names.take(column_name(column.name, self.options.naming, is_link=column.type is XataType.LINK))
        link = self._link(table, table_name, column, name)
        default = default_of(column)
        if default is None and column.default is not None:
            self.warnings.append(f"{where}: its default is no value of type {column.type} and is left out")
        elif column.type is XataType.DATETIME and default and default.value != column.default:
            self.warnings.append(f"{where}: its default has no offset and is taken for UTC")
        return TargetColumn(
            xata_name=column.name,
            name=name,
            role=Role.OWN,
            xata_type=column.type,
            type=TEXT if column.type is XataType.LINK and link is None else target_type(column),
            staging=landing.take(cut(column.name, column.name)),
            staging_type=staging_type(column),
            link=link,
            not_null=column.not_null,
            unique_constraint=self._relation(table_name, name, "key") if column.unique else None,
            default=default,
            description=column.description,
        )

    def _link(self, table: XataTable, table_name: str, column: XataColumn, name: str) -> Link | None:
        if column.type is not XataType.LINK or column.link is None:
            return None
        where = f"{table.name}.{column.name}"
        if not _known(self.schema, column):
            self.warnings.append(
                f"{where}: links to {column.link}, which the schema does not have; made a text column of old ids"
            )
            return None
        return Link(
            table=column.link,
            on_delete=self.options.on_delete_links.get(where, self.options.on_delete),
            constraint=self._relation(table_name, name, "fkey"),
            index=self._relation(table_name, name, "idx"),
        )

    def _relation(self, *parts: str) -> str:
        """Return a free name for an index, a constraint or a sequence."""
        name = "_".join(parts)
        return self.relations.take(cut(name, name))
