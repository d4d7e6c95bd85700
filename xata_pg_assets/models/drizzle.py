"""The new database as a Drizzle schema: tables, keys under their own names, and the relations of its query API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from xata_pg_assets.models.entities import Entity, Relation, Style, camel_case, make_entities
from xata_pg_assets.models.literals import in_comment, quoted, sql_expression
from xata_pg_assets.plan.naming import NameSpace
from xata_pg_assets.plan.tables import Plan, Role, TargetColumn

__all__ = ["drizzle_models"]

_KEYWORDS = """
arguments await break case catch class const continue debugger default delete do else enum eval export exports extends
false finally for function globalThis if implements import in instanceof interface let module new null package private
protected public require return static super switch this throw true try typeof undefined var void while with yield
"""
_IMPORTED = """
PgTableExtraConfigValue bigint boolean doublePrecision foreignKey index jsonb pgSchema pgTable relations sql
text timestamp vector
"""
# What Drizzle itself keeps in a table
_TABLE_PROPERTIES = frozenset({"_", "enableRLS", "getSQL", "shouldOmitSQLParens"})
# Names within an expression: those of callbacks' parameters, and the object of pgSchema
_LOCAL = "many one schema table"
_TYPES: Mapping[str, str] = {
    "text": "text",
    "bigint": "bigint",
    "double precision": "doublePrecision",
    "boolean": "boolean",
    "timestamptz": "timestamp",
    "text[]": "text",
    "jsonb": "jsonb",
    "vector": "vector",
}
# A text that drizzle-kit writes into SQL as it is
_PLAIN = re.compile(r"[\w .,:;@/()!?#*+=<>-]*", re.ASCII)
_STYLE = Style(
    camel_case, camel_case, frozenset([*_KEYWORDS.split(), *_IMPORTED.split(), *_LOCAL.split()]), _TABLE_PROPERTIES
)


def drizzle_models(plan: Plan, schema: str) -> str:
    """Return a TypeScript module for the tables of the plan, which live in the given schema."""
    entities = make_entities(plan, _STYLE)
    parts = ["\n".join(_head(plan, schema))]
    parts += ["\n".join(_table(entities, entity, schema)) for entity in entities.values()]
    names = NameSpace(["schema", *(entity.name for entity in entities.values())])
    parts += [
        "\n".join(_relations(entities, entity, names.take(f"{entity.name}Relations")))
        for entity in entities.values()
        if entity.links or entity.referrers
    ]
    return "\n\n".join(parts) + "\n"


def _head(plan: Plan, schema: str) -> Iterator[str]:
    columns = [column for table in plan.tables for column in table.columns]
    types = {column.type.name for column in columns}
    has_links = any(column.link for column in columns)
    names = {_TYPES[name] for name in types} | {"pgTable" if schema == "public" else "pgSchema"}
    names |= {"index"} if any(column.link and not column.unique_constraint for column in columns) else set()
    names |= {"foreignKey", "type PgTableExtraConfigValue"} if has_links else set()
    common = ["relations"] if has_links else []
    common += ["sql"] if any(_needs_sql(column) for column in columns) else []
    yield "// The migrated database as a Drizzle schema, written by xata-pg models --drizzle."
    yield "// Ids are numbers; an int column is a bigint, for it may hold more than a number can."
    if common:
        yield f'import {{ {", ".join(common)} }} from "drizzle-orm";'
    yield "import {"
    yield from (f"  {name}," for name in sorted(names, key=lambda name: name.removeprefix("type ").lower()))
    yield '} from "drizzle-orm/pg-core";'
    if schema != "public":
        yield ""
        yield f"export const schema = pgSchema({quoted(schema)});"


def _table(entities: Mapping[str, Entity], entity: Entity, schema: str) -> Iterator[str]:
    table = entity.table
    function = "pgTable" if schema == "public" else "schema.table"
    yield f"export const {entity.name} = {function}({quoted(table.name)}, {{"
    for column in table.columns:
        if column.description:
            yield f"  // {in_comment(column.description)}"
        yield f"  {entity.fields[column.name]}: {_column(entity, column)},"
    extras = [extra for relation in entity.links for extra in _keys(entities, relation)]
    # The type is written out: tables in a cycle could not infer theirs from each other
    yield "}, (table): PgTableExtraConfigValue[] => [" if extras else "});"
    if extras:
        yield from (f"  {extra}," for extra in extras)
        yield "]);"


def _column(entity: Entity, column: TargetColumn) -> str:
    name = quoted(column.name)
    # Ids count from 1; the export's own integers may exceed what a number holds exactly
    is_number = column.role in (Role.ID, Role.METADATA) or column.link is not None
    options = {
        "bigint": f'{{ mode: "{"number" if is_number else "bigint"}" }}',
        "timestamptz": "{ withTimezone: true }",
        "vector": f"{{ dimensions: {column.type.dimension} }}",
    }.get(column.type.name)
    text = f"{_TYPES[column.type.name]}({name}{f', {options}' if options else ''})"
    text += ".array()" if column.type.name == "text[]" else ""
    if column.role is Role.ID:
        sequence = entity.table.sequence
        is_plain = sequence == f"{entity.table.name}_id_seq"
        text += f".primaryKey().generatedByDefaultAsIdentity({'' if is_plain else f'{{ name: {quoted(sequence)} }}'})"
    if column.default:
        text += f".default({_default(column)})" if not column.default.is_now else ".defaultNow()"
    text += ".notNull()" if column.not_null else ""
    return text + (f".unique({quoted(column.unique_constraint)})" if column.unique_constraint else "")


def _needs_sql(column: TargetColumn) -> bool:
    """Tell whether a default has no literal in TypeScript that means just that."""
    default = column.default
    if default is None or default.is_now or column.type.name == "boolean":
        return False
    return not (column.type.name == "text" and isinstance(default.value, str) and _PLAIN.fullmatch(default.value))


def _default(column: TargetColumn) -> str:
    assert column.default is not None  # noqa: S101
    if _needs_sql(column):
        escaped = sql_expression(column.default, column.type.name).replace("\\", "\\\\")
        for special in ("`", "${"):
            escaped = escaped.replace(special, f"\\{special}")
        escaped = escaped.replace("\r", "\\r")  # TypeScript makes every line end in it a line feed
        return f"sql`{escaped}`"
    value = str(column.default.value)
    return quoted(value) if column.type.name == "text" else str(value.lower().startswith("t")).lower()


def _keys(entities: Mapping[str, Entity], relation: Relation) -> Iterator[str]:
    child, parent = entities[relation.child.xata_name], entities[relation.parent.xata_name]
    column = f"table.{child.fields[relation.column.name]}"
    target = "table" if child is parent else parent.name
    facts = f"columns: [{column}], foreignColumns: [{target}.id], name: {quoted(relation.link.constraint)}"
    yield f"foreignKey({{ {facts} }}).onDelete({quoted(relation.on_delete)})"
    if not relation.is_one:
        yield f"index({quoted(relation.link.index)}).on({column})"


def _relations(entities: Mapping[str, Entity], entity: Entity, name: str) -> Iterator[str]:
    kinds = {"one"} if entity.links else set()
    kinds |= {_kind(relation) for relation in entity.referrers}
    yield f"export const {name} = relations({entity.name}, ({{ {', '.join(sorted(kinds))} }}) => ({{"
    for relation in entity.links:
        parent = entities[relation.parent.xata_name].name
        facts = [
            f"fields: [{entity.name}.{entity.fields[relation.column.name]}]",
            f"references: [{parent}.id]",
            *([f"relationName: {quoted(relation.link.constraint)}"] if relation.is_ambiguous else []),
        ]
        yield f"  {relation.forward}: one({parent}, {{ {', '.join(facts)} }}),"
    for relation in entity.referrers:
        named = f", {{ relationName: {quoted(relation.link.constraint)} }}" if relation.is_ambiguous else ""
        yield f"  {relation.backward}: {_kind(relation)}({entities[relation.child.xata_name].name}{named}),"
    yield "}));"


def _kind(relation: Relation) -> str:
    """Return what a parent has of a child; Drizzle gives one that needs a name no type that may be null."""
    return "one" if relation.is_one and not relation.is_ambiguous else "many"
