"""The new database as a Prisma schema: models mapped to tables, keys under their own names, relations both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from xata_pg_assets.models.entities import Entity, Relation, Style, camel_case, make_entities, pascal_case
from xata_pg_assets.models.literals import in_comment, quoted, sql_expression
from xata_pg_assets.plan.tables import OnDelete, Plan, Role, TargetColumn
from xata_pg_assets.plan.types import ColumnType

__all__ = ["prisma_models"]

# Types of Prisma and names of its client; words of JavaScript are small, and models are not
_RESERVED = "BigInt Boolean Bytes DateTime Decimal Float Int Json Prisma PrismaClient String Unsupported"
_STYLE = Style(pascal_case, camel_case, frozenset(_RESERVED.split()), frozenset(), first="x")
_TYPES: Mapping[str, str] = {
    "text": "String",
    "bigint": "BigInt",
    "double precision": "Float",
    "boolean": "Boolean",
    "timestamptz": "DateTime",
    "text[]": "String[]",
    "jsonb": "Json",
}
_RULES: Mapping[OnDelete, str] = {
    "set null": "SetNull",
    "no action": "NoAction",
    "restrict": "Restrict",
    "cascade": "Cascade",
}
_HEAD = """\
// The migrated database as Prisma models, written by xata-pg models --prisma.
// For Prisma 7; an older one wants the line url = env("DATABASE_URL") in the datasource.

generator client {
  provider = "prisma-client"
  output   = "../generated/prisma"
}
"""


def prisma_models(plan: Plan, schema: str) -> str:
    """Return a schema.prisma for the tables of the plan, which live in the given schema."""
    entities = make_entities(plan, _STYLE)
    parts = [_HEAD, "\n".join(_datasource(schema))]
    parts += ["\n".join(_model(entities, entity, schema)) for entity in entities.values()]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def _datasource(schema: str) -> Iterator[str]:
    yield "datasource db {"
    yield '  provider = "postgresql"'
    if schema != "public":
        yield f"  schemas  = [{quoted(schema)}]"
    yield "}"


def _model(entities: Mapping[str, Entity], entity: Entity, schema: str) -> Iterator[str]:
    table = entity.table
    yield f"model {entity.name} {{"
    for column in table.columns:
        if column.description:
            yield f"  /// {in_comment(column.description)}"
        yield f"  {_field(entity, column)}"
    if entity.links or entity.referrers:
        yield ""
    for relation in entity.links:
        yield f"  {_forward(entities, relation)}"
    for relation in entity.referrers:
        child = entities[relation.child.xata_name].name
        named = f" @relation({quoted(relation.link.constraint)})" if relation.is_ambiguous else ""
        yield f"  {relation.backward} {child}{'?' if relation.is_one else '[]'}{named}"
    yield ""
    for relation in entity.links:
        if not relation.is_one:
            field = entity.fields[relation.column.name]
            yield f"  @@index([{field}], map: {quoted(relation.link.index)})"
    yield f"  @@map({quoted(table.name)})"
    if schema != "public":
        yield f"  @@schema({quoted(schema)})"
    yield "}"


def _field(entity: Entity, column: TargetColumn) -> str:
    name = entity.fields[column.name]
    attributes = [f"@map({quoted(column.name)})"] if name != column.name else []
    if column.role is Role.ID:
        attributes += ["@default(autoincrement())", f"@id(map: {quoted(entity.table.primary_key)})"]
    if column.unique_constraint:
        attributes.append(f"@unique(map: {quoted(column.unique_constraint)})")
    if column.default:
        attributes.append(f"@default({_default(column)})")
    if column.type.name == "timestamptz":
        attributes.append("@db.Timestamptz(6)")
    is_required = column.not_null or column.role is Role.ID or column.type.name == "text[]"  # a list is never optional
    return " ".join([name, _type(column.type) + ("" if is_required else "?"), *attributes])


def _type(type_: ColumnType) -> str:
    return f"Unsupported({quoted(str(type_))})" if type_.name == "vector" else _TYPES[type_.name]


def _default(column: TargetColumn) -> str:
    """Write a default; what Prisma has no literal for, as the expression that PostgreSQL has."""
    default, type_ = column.default, column.type.name
    assert default is not None  # noqa: S101
    if default.is_now:
        return "now()"
    if isinstance(default.value, tuple):
        return "[" + ", ".join(quoted(item) for item in default.value) + "]"
    if type_ in ("text", "jsonb"):
        return quoted(default.value)
    if type_ == "boolean":
        return "true" if default.value.lower().startswith("t") else "false"
    # Prisma has no exponents, and its -0.0 is 0.0
    if type_ == "bigint" or (re.fullmatch(r"-?[0-9]+\.[0-9]+", default.value) and float(default.value)):
        return default.value
    return f"dbgenerated({quoted(sql_expression(default, type_))})"


def _forward(entities: Mapping[str, Entity], relation: Relation) -> str:
    child, parent = entities[relation.child.xata_name], entities[relation.parent.xata_name]
    facts = [
        *([quoted(relation.link.constraint)] if relation.is_ambiguous else []),
        f"fields: [{child.fields[relation.column.name]}]",
        f"references: [{parent.fields['id']}]",
        f"onDelete: {_RULES[relation.on_delete]}",
        "onUpdate: NoAction",
        f"map: {quoted(relation.link.constraint)}",
    ]
    optional = "" if relation.column.not_null else "?"
    return f"{relation.forward} {parent.name}{optional} @relation({', '.join(facts)})"
