"""The Xata schema as the tool understands it, whatever form it was read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from xata_pg_assets.errors import SchemaError

__all__ = ["MAX_COLUMNS", "MAX_TABLES", "METADATA_COLUMNS", "XataColumn", "XataSchema", "XataTable", "XataType"]

# The names under which every Xata table keeps its metadata, beside its own columns.
METADATA_COLUMNS = ("xata.version", "xata.createdAt", "xata.updatedAt")

# A schema of 15 MB could hold half a million tables, and planning them would take days.
MAX_TABLES = 2_000
# PostgreSQL's 1,600 without the id, the metadata and the old id, or the row's number.
MAX_COLUMNS = 1_595


class XataType(StrEnum):
    """The column types of Xata Lite."""

    STRING = "string"
    TEXT = "text"
    EMAIL = "email"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATETIME = "datetime"
    MULTIPLE = "multiple"
    JSON = "json"
    OBJECT = "object"
    VECTOR = "vector"
    FILE = "file"
    FILES = "file[]"
    LINK = "link"

    @property
    def is_text(self) -> bool:
        """Whether an empty string is a value of the type."""
        return self in (XataType.STRING, XataType.TEXT, XataType.EMAIL)


@dataclass(frozen=True, slots=True)
class XataColumn:
    """One column of a Xata table; `link` is the Xata name of the table it points to."""

    name: str
    type: XataType
    link: str | None = None
    dimension: int | None = None
    not_null: bool = False
    unique: bool = False
    default: str | None = None
    description: str | None = None
    public_access: bool | None = None
    columns: tuple[XataColumn, ...] = ()

    def __post_init__(self) -> None:
        if self.type is XataType.LINK and not self.link:
            raise SchemaError(f"column {self.name}: a link without the table it points to")
        if self.type is XataType.VECTOR and not self.dimension:
            raise SchemaError(f"column {self.name}: a vector without its dimension")


@dataclass(frozen=True, slots=True)
class XataTable:
    """One Xata table; `id` and the `xata.*` metadata are never among its columns."""

    name: str
    columns: tuple[XataColumn, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) > MAX_COLUMNS:
            raise SchemaError(
                f"table {self.name}: {len(self.columns):,} columns, and a table of PostgreSQL takes {MAX_COLUMNS:,}"
            )
        seen: set[str] = set()
        for column in self.columns:
            if column.name in seen:
                raise SchemaError(f"table {self.name}: column {column.name} stands twice in the schema")
            seen.add(column.name)

    @property
    def links(self) -> Iterator[XataColumn]:
        """The link columns, in schema order."""
        return (column for column in self.columns if column.type is XataType.LINK)


@dataclass(frozen=True, slots=True)
class XataSchema:
    """The tables of a Xata database, in schema order."""

    tables: tuple[XataTable, ...]

    def __post_init__(self) -> None:
        if not self.tables:
            raise SchemaError("the schema holds no table: there is nothing to migrate")
        if len(self.tables) > MAX_TABLES:
            raise SchemaError(f"{len(self.tables):,} tables: more than {MAX_TABLES:,} are no schema of Xata's")
        seen: set[str] = set()
        for table in self.tables:
            if table.name in seen:
                raise SchemaError(f"table {table.name} stands twice in the schema")
            seen.add(table.name)
