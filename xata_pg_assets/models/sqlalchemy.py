"""The new database as SQLAlchemy 2 models: typed columns, keys under their own names, relationships both ways."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping

from xata_pg_assets.models.entities import Entity, Relation, Style, make_entities, pascal_case
from xata_pg_assets.models.literals import array_literal, in_comment, quoted
from xata_pg_assets.plan.tables import Plan, Role, TargetColumn
from xata_pg_assets.plan.types import ColumnType, Default

__all__ = ["sqlalchemy_models"]

# What the module uses: an attribute of such a name would hide it from the rest of its class
_USED = "Any Base Mapped VECTOR bool datetime float int list orm pg sa str"
_DECLARATIVE = frozenset({"metadata", "registry", "type_annotation_map"})
_TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("str", "sa.Text"),
    "bigint": ("int", "sa.BigInteger"),
    "double precision": ("float", "sa.Double"),
    "boolean": ("bool", "sa.Boolean"),
    "timestamptz": ("datetime", "sa.DateTime(timezone=True)"),
    "text[]": ("list[str]", "pg.ARRAY(sa.Text)"),
    "jsonb": ("Any", "pg.JSONB"),
    "vector": ("Any", "VECTOR"),
}
_WIDTH = 120


def sqlalchemy_models(plan: Plan, schema: str) -> str:
    """Return a Python module for the tables of the plan, which live in the given schema."""
    entities = make_entities(plan, _style(plan))
    parts = ["\n".join(_head(plan)), "class Base(orm.DeclarativeBase):\n    pass"]
    parts += ["\n".join(_class(entities, entity, schema)) for entity in entities.values()]
    late = [line for entity in entities.values() for line in _late_keys(entities, entity)]
    return "\n\n\n".join([*parts, *(["\n".join(late)] if late else [])]) + "\n"


def _style(plan: Plan) -> Style:
    """An attribute must not hide a class, either, from the annotations of its own."""
    words = frozenset([*keyword.kwlist, *_USED.split()])
    classes = {pascal_case(table.name) for table in plan.tables}
    return Style(pascal_case, _attribute, words, words | _DECLARATIVE | classes)


def _attribute(name: str) -> str:
    """Return the column's name as far as it is an identifier; underscores before it mean things to Python."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name).lstrip("_")


def _head(plan: Plan) -> Iterator[str]:
    types = {column.type.name for table in plan.tables for column in table.columns}
    yield '"""The migrated database as SQLAlchemy models, written by xata-pg models --sqlalchemy."""'
    yield ""
    yield "from __future__ import annotations"
    yield ""
    if "timestamptz" in types:
        yield "from datetime import datetime"
    if types & {"jsonb", "vector"}:
        yield "from typing import Any"
    if types & {"timestamptz", "jsonb", "vector"}:
        yield ""
    yield "import sqlalchemy as sa"
    if "vector" in types:
        yield "from pgvector.sqlalchemy import VECTOR"
    yield "from sqlalchemy import orm"
    if types & {"jsonb", "text[]"}:
        yield "from sqlalchemy.dialects import postgresql as pg"
    yield "from sqlalchemy.orm import Mapped"


def _class(entities: Mapping[str, Entity], entity: Entity, schema: str) -> Iterator[str]:
    table = entity.table
    yield f"class {entity.name}(Base):"
    yield f"    __tablename__ = {quoted(table.name)}"
    yield "    __table_args__ = ("
    yield from (f"        {argument}," for argument in _table_arguments(entity, schema))
    yield "    )"
    yield ""
    for column in table.columns:
        if column.description:
            yield f"    # {in_comment(column.description)}"
        yield from _assignment(entity.fields[column.name], *_column(entity, column))
    if entity.links or entity.referrers:
        yield ""
    for relation in entity.links:
        yield from _assignment(relation.forward, *_forward(entities, relation))
    for relation in entity.referrers:
        yield from _assignment(relation.backward, *_backward(entities, relation))


def _assignment(name: str, annotation: str, function: str, arguments: list[str]) -> Iterator[str]:
    line = f"    {name}: Mapped[{annotation}] = {function}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"    {name}: Mapped[{annotation}] = {function}("
    yield from (f"        {argument}," for argument in arguments)
    yield "    )"


def _table_arguments(entity: Entity, schema: str) -> Iterator[str]:
    table = entity.table
    yield f'sa.PrimaryKeyConstraint("id", name={quoted(table.primary_key)})'
    for column in table.columns:
        if column.unique_constraint:
            yield f"sa.UniqueConstraint({quoted(column.name)}, name={quoted(column.unique_constraint)})"
    prefix = f"{schema}." if schema != "public" else ""
    for relation in entity.links:
        if not _is_late(relation):
            yield _foreign_key(relation, quoted(f"{prefix}{relation.parent.name}.id"))
    for relation in entity.links:
        if not relation.is_one:
            yield f"sa.Index({quoted(relation.link.index)}, {quoted(relation.column.name)})"
    if schema != "public":
        yield f'{{"schema": {quoted(schema)}}}'


def _foreign_key(relation: Relation, parent: str) -> str:
    facts = [
        f"[{quoted(relation.column.name)}]",
        f"[{parent}]",
        f"name={quoted(relation.link.constraint)}",
        f"ondelete={quoted(relation.on_delete.upper())}",
        *(["use_alter=True"] if relation.is_in_cycle else []),
    ]
    return f"sa.ForeignKeyConstraint({', '.join(facts)})"


def _is_late(relation: Relation) -> bool:
    """Tell whether the parent can only be named by its class: SQLAlchemy takes names apart at dots."""
    return "." in relation.parent.name


def _late_keys(entities: Mapping[str, Entity], entity: Entity) -> Iterator[str]:
    for relation in filter(_is_late, entity.links):
        parent = f"{entities[relation.parent.xata_name].name}.__table__.c.id"
        yield f"{entity.name}.__table__.append_constraint({_foreign_key(relation, parent)})"


def _column(entity: Entity, column: TargetColumn) -> tuple[str, str, list[str]]:
    python, _ = _TYPES[column.type.name]
    is_required = column.not_null or column.role is Role.ID
    arguments = [_type(column.type)]
    if entity.fields[column.name] != column.name:
        arguments.insert(0, quoted(column.name))
    if column.role is Role.ID:
        arguments.append("sa.Identity(always=False)")
    if column.default:
        arguments.append(f"server_default={_default(column.default)}")
    # Any takes in None, and SQLAlchemy would make NOT NULL of it
    arguments += [f"nullable={not is_required}"] if python == "Any" else []
    annotation = python if is_required or python == "Any" else f"{python} | None"
    return annotation, "orm.mapped_column", arguments


def _type(type_: ColumnType) -> str:
    _, sqlalchemy = _TYPES[type_.name]
    return sqlalchemy if type_.dimension is None else f"{sqlalchemy}({type_.dimension})"


def _default(default: Default) -> str:
    if default.is_now:
        return "sa.func.now()"
    return quoted(array_literal(default.value) if isinstance(default.value, tuple) else default.value)


def _forward(entities: Mapping[str, Entity], relation: Relation) -> tuple[str, str, list[str]]:
    child, parent = entities[relation.child.xata_name], entities[relation.parent.xata_name]
    arguments = [f"foreign_keys=[{child.fields[relation.column.name]}]", f"back_populates={quoted(relation.backward)}"]
    if child is parent:
        arguments.insert(0, f"remote_side=[{child.fields['id']}]")
    if relation.is_in_cycle:
        arguments.append("post_update=True")
    return quoted(parent.name if relation.column.not_null else f"{parent.name} | None"), "orm.relationship", arguments


def _backward(entities: Mapping[str, Entity], relation: Relation) -> tuple[str, str, list[str]]:
    child = entities[relation.child.xata_name]
    arguments = [
        f"foreign_keys={quoted(f'[{child.name}.{child.fields[relation.column.name]}]')}",
        f"back_populates={quoted(relation.forward)}",
        'passive_deletes="all"',  # what deleting does, PostgreSQL decides
    ]
    annotation = quoted(f"{child.name} | None") if relation.is_one else f"list[{quoted(child.name)}]"
    return annotation, "orm.relationship", arguments
