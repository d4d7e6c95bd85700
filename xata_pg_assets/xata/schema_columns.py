"""A column's JSON, which all three forms of a schema spell alike: read with care, and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.xata.schema import XataColumn, XataType
from xata_pg_assets.xata.schema_text import shown, within

__all__ = ["TOO_DEEP", "dump_column", "is_metadata", "kind_of", "read_column", "read_list", "read_name"]

TOO_DEEP = "nested too deep to be a schema"

# Real object columns nest two deep; the bound keeps a hostile file away from Python's own.
MAX_NESTING = 32

# Xata's own names end at 255; the bound keeps a hostile one out of every line that would name it.
MAX_NAME = 1000


def read_column(raw: Any, table: str, number: int | None = None) -> XataColumn:
    """Build a column from its JSON; SchemaError names the table and the column, or its number."""
    place = "column" if number is None else f"column {number}"
    with within(f"table {shown(table)}"):
        return _read_column(raw, place, MAX_NESTING)


def dump_column(column: XataColumn) -> dict[str, Any]:
    """Return the column as schema.json holds it, without the keys that say nothing."""
    facts: dict[str, Any] = {
        "link": None if column.link is None else {"table": column.link},
        "vector": None if column.dimension is None else {"dimension": column.dimension},
        "notNull": column.not_null or None,
        "unique": column.unique or None,
        "defaultValue": column.default,
        "description": column.description,
        "columns": [dump_column(member) for member in column.columns] or None,
    }
    if column.public_access is not None:
        facts[column.type.value] = {"defaultPublicAccess": column.public_access}
    said = {key: fact for key, fact in facts.items() if fact is not None}
    return {"name": column.name, "type": column.type.value, **said}


def is_metadata(raw: Any) -> bool:
    """Tell an id or metadata column: every table has them, and no schema of Xata's own lists them."""
    name = raw.get("name") if isinstance(raw, dict) else None
    return isinstance(name, str) and (name in ("id", "xata") or name.startswith("xata."))


def read_name(raw: Any, key: str) -> str:
    """Return the name of a table or column that an object holds under a key."""
    name = _object(raw).get(key)
    if not isinstance(name, str):
        raise SchemaError(f'"{key}" is {kind_of(name)}: it should be a name')
    if len(name) > MAX_NAME:
        raise SchemaError(f'"{key}" has {len(name):,} characters: no table or column is named so')
    if not name or "\0" in name:
        raise SchemaError(f'"{key}" is {name!a}: no table or column can be named so')
    return _encodable(name, key)


def read_list(raw: Any, key: str) -> Sequence[Any]:
    """Return the list that an object holds under a key; an absent one is empty."""
    value = _object(raw).get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise SchemaError(f'"{key}" is {kind_of(value)}: it should be a list')
    return value


def kind_of(value: Any) -> str:
    """Return what a value is, in JSON's words."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "a boolean"
    kinds = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return kinds.get(type(value), type(value).__name__)


def _read_column(raw: Any, place: str, depth: int) -> XataColumn:
    with within(place):
        name = read_name(raw, "name")
    with within(f"column {shown(name)}"):
        kind = _type(raw)
        return XataColumn(
            name,
            kind,
            link=_link(raw) if kind is XataType.LINK else None,
            dimension=_dimension(raw) if kind is XataType.VECTOR else None,
            not_null=_flag(raw, "notNull") or False,
            unique=_flag(raw, "unique") or False,
            default=_default(raw),
            description=_description(raw),
            public_access=_public_access(raw, kind),
            columns=_members(raw, depth) if kind is XataType.OBJECT else (),
        )


def _members(raw: Mapping[str, Any], depth: int) -> tuple[XataColumn, ...]:
    if depth == 0:
        raise SchemaError(TOO_DEEP)
    members = enumerate(read_list(raw, "columns"), start=1)
    return tuple(_read_column(member, f"column {number}", depth - 1) for number, member in members)


def _type(raw: Mapping[str, Any]) -> XataType:
    value: Any = raw.get("type")
    try:
        return XataType(value)
    except ValueError:
        found = f"type {shown(value)}" if isinstance(value, str) else f'"type" is {kind_of(value)}'
        raise SchemaError(f"{found}: Xata's types are {', '.join(XataType)}") from None


def _link(raw: Mapping[str, Any]) -> str:
    if raw.get("link") is None:
        raise SchemaError('a link without the table it points to: add "link": {"table": …}')
    with within('"link"'):
        return read_name(raw["link"], "table")


def _dimension(raw: Mapping[str, Any]) -> int:
    fact = raw.get("vector")
    dimension = fact.get("dimension") if isinstance(fact, dict) else None
    if not isinstance(dimension, int) or isinstance(dimension, bool) or dimension < 1:
        raise SchemaError('a vector without its dimension: add "vector": {"dimension": …}')
    return dimension


def _public_access(raw: Mapping[str, Any], kind: XataType) -> bool | None:
    fact = raw.get(kind.value) if kind in (XataType.FILE, XataType.FILES) else None
    return None if fact is None else _flag(_object(fact), "defaultPublicAccess")


def _flag(raw: Mapping[str, Any], key: str) -> bool | None:
    value = raw.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise SchemaError(f'"{key}" is {kind_of(value)}: it should be true or false')


def _default(raw: Mapping[str, Any]) -> str | None:
    """Return the default as text: Xata writes a string, hand-made files the value itself."""
    value = raw.get("defaultValue")
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise SchemaError(f'"defaultValue" is {TOO_DEEP}') from None
    return _encodable(text, "defaultValue")


def _description(raw: Mapping[str, Any]) -> str | None:
    value = raw.get("description")
    return _encodable(value, "description") if isinstance(value, str) else None


def _encodable(text: str, key: str) -> str:
    """Refuse half a surrogate pair: JSON can spell it, and no database can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SchemaError(f'"{key}" is not valid Unicode: {text[:100]!a}') from None
    return text


def _object(raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise SchemaError(f"{kind_of(raw)} where an object should be")
    return raw
