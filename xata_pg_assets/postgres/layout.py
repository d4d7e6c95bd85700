"""Where everything lives in the target database, as identifiers that are safe in SQL."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.plan.types import ColumnType

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The three schemas, and the one that pgvector lives in."""

    target_schema: str = "public"
    work_schema: str = "xata_migration"
    staging_schema: str = "xata_staging"
    pgvector_schema: str = "public"

    def target(self, table: TargetTable) -> sql.Identifier:
        """The migrated table."""
        return sql.Identifier(self.target_schema, table.name)

    def mapping(self, table: TargetTable) -> sql.Identifier:
        """The id mapping of the table."""
        return sql.Identifier(self.work_schema, table.mapping)

    def staging(self, table: TargetTable) -> sql.Identifier:
        """The table's rows as they came."""
        return sql.Identifier(self.staging_schema, table.staging)

    def building(self, table: TargetTable) -> sql.Identifier:
        """A table whose shards are not all in yet."""
        return sql.Identifier(self.staging_schema, table.building)

    def work(self, name: str) -> sql.Identifier:
        """A table or a function of the work schema."""
        return sql.Identifier(self.work_schema, name)

    def type(self, type_: ColumnType) -> sql.Composable:
        """A type, safe from another one of the same name on the search path."""
        if type_.name == "vector":
            name = sql.Identifier(self.pgvector_schema, "vector")
            return sql.SQL("{}({})").format(name, sql.Literal(type_.dimension))
        return sql.SQL(type_.name)  # one of the fixed names of plan.types
