"""Indexes made by choice after a table is loaded: known by their shape, left where they are as wanted, else rebuilt."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from uuid import uuid4

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import TargetError
from xata_pg_assets.plan.extras import VectorIndex
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.plan.types import ColumnType
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.bootstrap import lock
from xata_pg_assets.postgres.catalog import exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "MARK",
    "Built",
    "Shape",
    "build_vector_index",
    "create_vector_index",
    "equal_index",
    "make_index",
    "mark_index",
    "refuse_unmade",
    "vector_index_statements",
]

MARK = "Made by xata_pg_assets"

_OPERATORS = {"cosine": "cosine_ops", "l2": "l2_ops", "inner_product": "ip_ops"}
# What pgvector advises: a list for each thousand rows; an index of half or twice as many is still a good one
_ROWS_A_LIST = 1_000
_LISTS_MAY_DIFFER = 2
# What an index of HNSW keeps of a row beside its vector, about: its neighbours
_NEIGHBOURS = 400
_MB = 1024 * 1024
_LEAST_MEMORY = 512 * _MB


@dataclass(frozen=True, slots=True)
class Built:
    """What became of an index or of search columns: made, or left as they were."""

    names: tuple[str, ...]
    is_new: bool
    seconds: float

    def sentence(self, what: str) -> str:
        """Say it."""
        named = ", ".join(self.names)
        return f"{what} {named}: " + (
            f"made in {self.seconds:.1f} s" if self.is_new else "there already, left as it is"
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """What an index is, whatever its name: method, operator class, and the column or the expression that it is on."""

    method: str
    operators: str
    column: str
    expression: str


@dataclass(frozen=True, slots=True)
class _Present:
    """An index that there is; `lists` are those of IVFFlat."""

    name: str
    shape: Shape
    is_ours: bool
    lists: int | None


def build_vector_index(
    conn: Connection, layout: Layout, table: TargetTable, index: VectorIndex, memory: int | None = None
) -> Built:
    """Build the index in one transaction, or leave an equal one, whoever made it and under whatever name.

    `memory` is how many bytes the building may take where the server is ours; None leaves that to the session.

    Raises:
        TargetError: the table is not there, or something else has the index's name.
    """
    started = perf_counter()
    with conn.transaction():
        refuse_unmade(conn, layout, table)
        lists = _lists(conn, layout, table, index)
        shape = _shape(conn, layout, index)
        found = _equal(_present(conn, layout.target_schema, table.name), shape, lists)
        if found is not None:
            return Built((found,), False, perf_counter() - started)
        if memory is not None:
            _allow_memory(conn, layout, table, index, memory)
        make_index(conn, layout, table, index.name, create_vector_index(layout, table, index, lists))
    return Built((index.name,), True, perf_counter() - started)


def refuse_unmade(conn: Connection, layout: Layout, table: TargetTable) -> None:
    """Wait for others at work on the table, then see that it is there and ours.

    Raises:
        TargetError: no migration made it.
    """
    lock(conn, layout, f"table {table.name}")
    line = ledger.entry(conn, layout, table)
    if line.unfinished:
        raise TargetError(f"table {table.xata_name}: {line.unfinished}; run xata-pg migrate first")
    if line.loaded_at is None or not exists(conn, layout.target(table)):
        raise TargetError(f"table {table.xata_name}: it is not migrated yet; run xata-pg migrate first")


def make_index(conn: Connection, layout: Layout, table: TargetTable, name: str, create: sql.Composed) -> None:
    """Make an index in place of one of ours with this name, and mark it as ours.

    Raises:
        TargetError: something of somebody else's has the name.
    """
    identifier = sql.Identifier(layout.target_schema, name)
    if exists(conn, identifier):
        ours = [each.name for each in _present(conn, layout.target_schema, table.name) if each.is_ours]
        if name not in ours:
            raise TargetError(
                f"index {name}: something of this name is in schema {layout.target_schema} already and was not made "
                "by a migration; rename or drop it"
            )
        conn.execute(sql.SQL("DROP INDEX {}").format(identifier))
    try:
        with conn.transaction():
            conn.execute(create)
    except (pg.DiskFull, pg.OutOfMemory):
        # Workers share memory, of which a container often has little; one process alone shares none
        conn.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        conn.execute(create)
    conn.execute(mark_index(identifier))


def create_vector_index(
    layout: Layout, table: TargetTable, index: VectorIndex, lists: int | None = None
) -> sql.Composed:
    """Make the index; `lists` are those of IVFFlat."""
    return sql.SQL("CREATE INDEX {} ON {} USING {} ({} {}){}").format(
        sql.Identifier(index.name),
        layout.target(table),
        sql.SQL(index.method),
        _key(layout, index),
        sql.Identifier(layout.pgvector_schema, _operators(index)),
        sql.SQL(" WITH (lists = {})").format(sql.Literal(lists)) if lists is not None else sql.SQL(""),
    )


def vector_index_statements(layout: Layout, table: TargetTable, index: VectorIndex) -> list[sql.Composed]:
    """Return the statements that make and mark the index where nothing is known of the rows."""
    return [create_vector_index(layout, table, index), mark_index(sql.Identifier(layout.target_schema, index.name))]


def mark_index(index: sql.Identifier) -> sql.Composed:
    """Mark an index as made by a migration."""
    return sql.SQL("COMMENT ON INDEX {} IS {}").format(index, sql.Literal(MARK))


def _operators(index: VectorIndex) -> str:
    return f"{'halfvec' if index.is_half else 'vector'}_{_OPERATORS[index.distance]}"


def _key(layout: Layout, index: VectorIndex) -> sql.Composable:
    column = sql.Identifier(index.column)
    if not index.is_half:
        return column
    half = sql.Identifier(layout.pgvector_schema, "halfvec")
    return sql.SQL("({}::{}({}))").format(column, half, sql.Literal(index.dimension))


def _lists(conn: Connection, layout: Layout, table: TargetTable, index: VectorIndex) -> int | None:
    """Return how many lists the rows call for, None for another method."""
    return max(_vectors(conn, layout, table, index) // _ROWS_A_LIST, 1) if index.method == "ivfflat" else None


def _vectors(conn: Connection, layout: Layout, table: TargetTable, index: VectorIndex) -> int:
    query = sql.SQL("SELECT count({}) FROM {}").format(sql.Identifier(index.column), layout.target(table))
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _allow_memory(conn: Connection, layout: Layout, table: TargetTable, index: VectorIndex, memory: int) -> None:
    """Let the building have the memory that it needs, up to what there is for it: it is many times quicker in it."""
    row = index.dimension * (2 if index.is_half else 4) + _NEIGHBOURS
    needed = _vectors(conn, layout, table, index) * row * 5 // 4
    allowed = max(min(needed, memory), _LEAST_MEMORY) // _MB
    conn.execute("SELECT set_config('maintenance_work_mem', %s, true)", (f"{allowed}MB",))


def _shape(conn: Connection, layout: Layout, index: VectorIndex) -> Shape:
    """Return the shape that the index will have; how an expression is written only the server knows."""
    if not index.is_half:
        return Shape(index.method, _operators(index), index.column, "")
    probe = f"probe_{uuid4().hex}"
    name = sql.Identifier(layout.work_schema, probe)
    with conn.transaction(force_rollback=True):
        type_ = layout.type(ColumnType("vector", index.dimension))
        conn.execute(sql.SQL("CREATE TABLE {} ({} {})").format(name, sql.Identifier(index.column), type_))
        conn.execute(
            sql.SQL("CREATE INDEX ON {} USING {} ({} {})").format(
                name,
                sql.SQL(index.method),
                _key(layout, index),
                sql.Identifier(layout.pgvector_schema, _operators(index)),
            )
        )
        (probed,) = _present(conn, layout.work_schema, probe)
    return probed.shape


def _present(conn: Connection, schema: str, table: str) -> list[_Present]:
    """Return the whole, valid indexes of a table that are on one column or expression."""
    query = statements.get("index_shapes").format(schema=sql.Literal(schema), table=sql.Literal(table))
    return [
        _Present(name, Shape(method, operators, column, expression), comment == MARK, lists)
        for name, method, operators, column, expression, comment, lists in conn.execute(query)
    ]


def equal_index(conn: Connection, layout: Layout, table: TargetTable, shape: Shape) -> str | None:
    """Return the name of an index of that shape."""
    return _equal(_present(conn, layout.target_schema, table.name), shape, None)


def _equal(present: list[_Present], shape: Shape, lists: int | None) -> str | None:
    for each in present:
        # How many lists an index of the user's own has is the user's choice
        if each.shape == shape and (not each.is_ours or _is_near(each.lists, lists)):
            return each.name
    return None


def _is_near(lists: int | None, wanted: int | None) -> bool:
    """Tell whether an index of so many lists is still a good one."""
    if lists is None or wanted is None:
        return True
    return wanted <= lists * _LISTS_MAY_DIFFER and lists <= wanted * _LISTS_MAY_DIFFER
