"""What is made of the loaded tables by choice: indexes of vectors, and columns to search texts by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xata_pg_assets.errors import UsageError
from xata_pg_assets.plan.naming import NameSpace, cut
from xata_pg_assets.xata.schema import XataType

if TYPE_CHECKING:
    from xata_pg_assets.plan.tables import TargetColumn, TargetTable

__all__ = [
    "Distance",
    "IndexMethod",
    "SearchColumn",
    "VectorIndex",
    "chosen_columns",
    "search_columns",
    "vector_indexes",
]

IndexMethod = Literal["hnsw", "ivfflat"]
Distance = Literal["cosine", "l2", "inner_product"]

# What an index of pgvector holds, in numbers of 4 bytes and of 2
MAX_DIMENSION = 2_000
MAX_HALF_DIMENSION = 4_000

_SEARCHABLE = (
    XataType.STRING,
    XataType.TEXT,
    XataType.EMAIL,
    XataType.MULTIPLE,
    XataType.JSON,
    XataType.OBJECT,
)


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """An index by which the nearest vectors of a column are found."""

    column: str
    dimension: int
    name: str
    method: IndexMethod
    distance: Distance

    @property
    def is_half(self) -> bool:
        """Whether it keeps the numbers in 2 bytes, for it holds no more of 4."""
        return self.dimension > MAX_DIMENSION


@dataclass(frozen=True, slots=True)
class SearchColumn:
    """A generated column of the words of another, and its index; `type` is that of the other."""

    column: str
    type: str
    name: str
    index: str
    language: str


def vector_indexes(
    table: TargetTable, method: IndexMethod, distance: Distance, relations: NameSpace, warnings: list[str]
) -> Iterator[VectorIndex]:
    """Yield an index for every vector column that an index can hold, a warning for every other."""
    for column in table.columns:
        if column.type.name != "vector" or column.type.dimension is None:
            continue
        if column.type.dimension > MAX_HALF_DIMENSION:
            warnings.append(
                f"{table.xata_name}.{column.xata_name}: no vector index, for it has {column.type.dimension:,} "
                f"dimensions and an index of pgvector holds {MAX_HALF_DIMENSION:,} at most"
            )
            continue
        name = f"{table.name}_{column.name}_vector_idx"
        yield VectorIndex(column.name, column.type.dimension, relations.take(cut(name, name)), method, distance)


def search_columns(
    table: TargetTable, columns: Sequence[TargetColumn], language: str, names: NameSpace, relations: NameSpace
) -> Iterator[SearchColumn]:
    """Yield the search columns for the given columns of a table; `names` are those of its columns."""
    for column in columns:
        name = names.take(cut(column.name, column.xata_name, ending="_search"))
        index = f"{table.name}_{name}_idx"
        yield SearchColumn(column.name, column.type.name, name, relations.take(cut(index, index)), language)


def chosen_columns(tables: Sequence[TargetTable], setting: str, names: Sequence[str]) -> dict[str, list[TargetColumn]]:
    """Return the columns of texts that a setting names as table.column, by the Xata names of their tables.

    Both names can be Xata's or the new ones.

    Raises:
        UsageError: there is no such column, or it holds no text.
    """
    chosen: dict[str, list[TargetColumn]] = {}
    for name in names:
        table, column = _find(tables, setting, name)
        of_table = chosen.setdefault(table.xata_name, [])
        if column not in of_table:
            of_table.append(column)
    return chosen


def _find(tables: Sequence[TargetTable], setting: str, name: str) -> tuple[TargetTable, TargetColumn]:
    # What is a Xata name goes first: another table's new name may be the same
    for as_in_xata in (True, False):
        for table in tables:
            table_name = table.xata_name if as_in_xata else table.name
            if not name.startswith(f"{table_name}."):
                continue
            column_name = name[len(table_name) + 1 :]
            own = [column for column in table.columns if column.role == "own"]
            found = [column for column in own if column.xata_name == column_name]
            found += [column for column in own if column.name == column_name]
            if found and found[0].xata_type in _SEARCHABLE:
                return table, found[0]
            if found:
                raise UsageError(
                    f"setting {setting}: {name} is of type {found[0].xata_type}; "
                    f"it takes columns of type {', '.join(_SEARCHABLE)}"
                )
    raise UsageError(f"setting {setting}: there is no column {name}; {_known(tables, name)}")


def _known(tables: Sequence[TargetTable], name: str) -> str:
    table_name = name.rpartition(".")[0]
    table = next((table for table in tables if table_name in (table.xata_name, table.name)), None)
    if table is None:
        return "write table.column, as in Xata or as in the target"
    fit = [column.xata_name for column in table.columns if column.role == "own" and column.xata_type in _SEARCHABLE]
    return f"{table_name} has {', '.join(fit)}" if fit else f"{table_name} has no column of texts"
