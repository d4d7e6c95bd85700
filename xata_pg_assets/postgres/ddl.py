"""The statements that make a target table and its keys."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.plan.types import TEXT
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.postgres.layout import Layout

__all__ = [
    "add_foreign_key",
    "add_identity",
    "add_primary_key",
    "add_unique",
    "cast",
    "create_building",
    "create_defaults_probe",
    "create_index",
    "create_pgvector",
    "create_schema",
    "create_table",
    "create_table_as",
    "drop_building",
    "enable_row_level_security",
    "indexed_links",
    "move_building",
    "plan_statements",
    "set_default",
    "set_identity",
    "set_not_null",
]


def create_schema(name: str) -> sql.Composed:
    """Make a schema."""
    return sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name))


def create_pgvector(layout: Layout) -> sql.Composed:
    """Make the extension, where it is missing."""
    return sql.SQL("CREATE EXTENSION IF NOT EXISTS vector SCHEMA {}").format(sql.Identifier(layout.pgvector_schema))


def create_table(layout: Layout, table: TargetTable) -> list[sql.Composed]:
    """Make the table with its types, defaults and NOT NULLs, but no keys yet: these come after the rows."""
    definitions = comma(_definition(layout, table, column) for column in table.columns)
    create = sql.SQL("CREATE TABLE {} ({})").format(layout.target(table), definitions)
    return [create, *_comments(layout, table)]


def create_table_as(layout: Layout, table: TargetTable, rows: sql.Composable) -> list[sql.Composed]:
    """Make the same table with its rows, a query of all columns in order, which PostgreSQL then runs in parallel.

    That it does for no INSERT.
    """
    name = layout.target(table)
    columns = comma(sql.Identifier(column.name) for column in table.columns)
    changes = [sql.SQL("ALTER COLUMN id SET NOT NULL, ALTER COLUMN id ADD {}").format(_identity(layout, table))]
    for column in table.columns:
        if column.default:
            change = sql.SQL("ALTER COLUMN {} SET DEFAULT {}").format(sql.Identifier(column.name), _default(column))
            changes.append(change)
        if column.not_null:
            changes.append(sql.SQL("ALTER COLUMN {} SET NOT NULL").format(sql.Identifier(column.name)))
    return [
        sql.SQL("CREATE TABLE {} ({}) AS {}").format(name, columns, rows),
        sql.SQL("ALTER TABLE {} {}").format(name, comma(changes)),
        *_comments(layout, table),
    ]


def create_building(layout: Layout, table: TargetTable, comment: str) -> list[sql.Composed]:
    """Make the same table aside, among the staged ones, for rows that come in parts; its id counts nothing yet."""
    name = layout.building(table)
    definitions = [
        _definition(layout, table, column) if column.role is not Role.ID else sql.SQL("id bigint NOT NULL")
        for column in table.columns
    ]
    return [
        sql.SQL("CREATE TABLE {} ({})").format(name, comma(definitions)),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(comment)),
    ]


def move_building(layout: Layout, table: TargetTable) -> list[sql.Composed]:
    """Bring it to its place, and make it what `create_table` makes."""
    aside, name = sql.Identifier(layout.target_schema, table.building), layout.target(table)
    return [
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(layout.building(table), sql.Identifier(layout.target_schema)),
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(aside, sql.Identifier(table.name)),
        sql.SQL("COMMENT ON TABLE {} IS NULL").format(name),
        add_identity(layout, table),
        *_comments(layout, table),
    ]


def drop_building(layout: Layout, table: TargetTable) -> sql.Composed:
    """Drop what stands aside."""
    return sql.SQL("DROP TABLE IF EXISTS {}").format(layout.building(table))


def cast(layout: Layout, column: TargetColumn, value: sql.Composable) -> sql.Composed:
    """Give an expression the column's type, and a text the collation of the database."""
    collation = sql.SQL(' COLLATE pg_catalog."default"' if column.type == TEXT else "")
    return sql.SQL("CAST({} AS {}){}").format(value, layout.type(column.type), collation)


def add_primary_key(layout: Layout, table: TargetTable) -> sql.Composed:
    """Make `id` the primary key."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY (id)").format(
        layout.target(table), sql.Identifier(table.primary_key)
    )


def add_unique(layout: Layout, table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Make a column unique."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} UNIQUE ({})").format(
        layout.target(table), sql.Identifier(column.unique_constraint or ""), sql.Identifier(column.name)
    )


def create_index(layout: Layout, table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Index a link, so that deleting a row of the linked table need not read all of this one."""
    assert column.link is not None  # noqa: S101
    return sql.SQL("CREATE INDEX {} ON {} ({})").format(
        sql.Identifier(column.link.index), layout.target(table), sql.Identifier(column.name)
    )


def add_foreign_key(layout: Layout, plan: Plan, table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Make a link a foreign key."""
    assert column.link is not None  # noqa: S101
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} (id) ON DELETE {}").format(
        layout.target(table),
        sql.Identifier(column.link.constraint),
        sql.Identifier(column.name),
        layout.target(plan.by_xata_name[column.link.table]),
        sql.SQL(column.link.on_delete.upper()),  # one of four fixed rules
    )


def set_not_null(layout: Layout, table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Make a column NOT NULL again."""
    return sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL").format(
        layout.target(table), sql.Identifier(column.name)
    )


def set_default(layout: Layout, table: TargetTable, column: TargetColumn) -> sql.Composed:
    """Give a column its default again."""
    return sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
        layout.target(table), sql.Identifier(column.name), _default(column)
    )


def add_identity(layout: Layout, table: TargetTable) -> sql.Composed:
    """Make `id` an identity again."""
    return sql.SQL("ALTER TABLE {} ALTER COLUMN id ADD {}").format(layout.target(table), _identity(layout, table))


def enable_row_level_security(layout: Layout, table: TargetTable) -> sql.Composed:
    """Let nobody but the owner see a row that no policy shows."""
    return sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(layout.target(table))


def set_identity(layout: Layout, table: TargetTable) -> sql.Composed:
    """Make the identity of `id` what it was made as; where it goes on stays."""
    return sql.SQL(
        "ALTER TABLE {} ALTER COLUMN id SET GENERATED BY DEFAULT SET INCREMENT BY 1 SET NO CYCLE SET NO MAXVALUE"
    ).format(layout.target(table))


def create_defaults_probe(layout: Layout, name: sql.Identifier, table: TargetTable) -> sql.Composed:
    """Make a table of those columns that have a default, for the catalog to tell how it writes them."""
    columns = [column for column in table.columns if column.default]
    return sql.SQL("CREATE TABLE {} ({})").format(name, comma(_definition(layout, table, column) for column in columns))


def plan_statements(layout: Layout, plan: Plan) -> list[sql.Composed]:
    """Return the whole target as statements for an empty database: tables, then keys, then foreign keys."""
    statements: list[sql.Composed] = []
    if layout.target_schema != "public":
        statements.append(create_schema(layout.target_schema))
    if plan.needs_pgvector:
        if layout.pgvector_schema not in ("public", layout.target_schema):
            statements.append(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(layout.pgvector_schema)))
        statements.append(create_pgvector(layout))
    for table in plan.tables:
        statements += create_table(layout, table)
    for table in plan.tables:
        statements.append(add_primary_key(layout, table))
        statements += [add_unique(layout, table, column) for column in table.columns if column.unique_constraint]
        statements += [create_index(layout, table, column) for column in indexed_links(table)]
    statements += [add_foreign_key(layout, plan, table, column) for table in plan.tables for column in table.links]
    statements += [enable_row_level_security(layout, table) for table in plan.tables if table.row_level_security]
    return statements


def indexed_links(table: TargetTable) -> Sequence[TargetColumn]:
    """Return the links that need an index; a unique one has that of its constraint."""
    return [column for column in table.links if not column.unique_constraint]


def _comments(layout: Layout, table: TargetTable) -> list[sql.Composed]:
    return [
        sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
            layout.target(table), sql.Identifier(column.name), sql.Literal(column.description.replace("\0", ""))
        )
        for column in table.columns
        if column.description
    ]


def _definition(layout: Layout, table: TargetTable, column: TargetColumn) -> sql.Composed:
    parts: list[sql.Composable] = [sql.Identifier(column.name), layout.type(column.type)]
    if column.role is Role.ID:
        parts.append(_identity(layout, table))
    if column.default:
        parts.append(sql.SQL("DEFAULT {}").format(_default(column)))
    if column.not_null:
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def _identity(layout: Layout, table: TargetTable) -> sql.Composed:
    sequence = sql.Identifier(layout.target_schema, table.sequence)
    return sql.SQL("GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME {})").format(sequence)


def _default(column: TargetColumn) -> sql.Composable:
    default = column.default
    assert default is not None  # noqa: S101
    if default.is_now:
        return sql.SQL("now()")
    if isinstance(default.value, tuple):
        return sql.SQL("{}::text[]").format(sql.Literal(list(default.value)))
    return sql.Literal(default.value)
