"""Which PostgreSQL type holds a Xata type, and which default its `defaultValue` is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeGuard

from xata_pg_assets.xata.schema import XataColumn, XataType

__all__ = ["NOW", "ColumnType", "Default", "default_of", "staging_type", "target_type"]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A PostgreSQL type; `vector` is pgvector's and may live in any schema."""

    name: str
    dimension: int | None = None

    def __str__(self) -> str:
        return self.name if self.dimension is None else f"{self.name}({self.dimension})"


TEXT = ColumnType("text")
BIGINT = ColumnType("bigint")
JSONB = ColumnType("jsonb")
TIMESTAMPTZ = ColumnType("timestamptz")

_TYPES: Mapping[XataType, ColumnType] = {
    XataType.STRING: TEXT,
    XataType.TEXT: TEXT,
    XataType.EMAIL: TEXT,
    XataType.INT: BIGINT,
    XataType.FLOAT: ColumnType("double precision"),
    XataType.BOOL: ColumnType("boolean"),
    XataType.DATETIME: TIMESTAMPTZ,
    XataType.MULTIPLE: ColumnType("text[]"),
    XataType.JSON: JSONB,
    XataType.OBJECT: JSONB,
    XataType.FILE: JSONB,
    XataType.FILES: JSONB,
    XataType.LINK: BIGINT,
}


def target_type(column: XataColumn) -> ColumnType:
    """Return the type of the migrated column."""
    if column.type is XataType.VECTOR:
        return ColumnType("vector", column.dimension)
    return _TYPES[column.type]


def staging_type(column: XataColumn) -> ColumnType:
    """Return the type of the staged column: a link is still an old id, a list still JSON."""
    if column.type is XataType.LINK:
        return TEXT
    return JSONB if column.type is XataType.MULTIPLE else target_type(column)


@dataclass(frozen=True, slots=True)
class Default:
    """A column default: a literal of the column's type, or the time of the insert."""

    value: str | tuple[str, ...]
    is_now: bool = False


NOW = Default("now", is_now=True)


def default_of(column: XataColumn) -> Default | None:
    """Return the column's default, None where it has none or where it is no value of the type."""
    text = column.default
    if text is None or column.type is XataType.LINK:
        return None
    if column.type is XataType.MULTIPLE:
        items = _json(text)
        return Default(tuple(items)) if _is_texts(items) else None
    if column.type is XataType.DATETIME and text == "now":
        return NOW
    if not _IS_VALUE[column.type](text, column):
        return None
    if column.type is XataType.DATETIME and _OFFSET.search(text) is None:
        return Default(text + "Z")
    return Default(text)


# An offset beyond 15:59 is more than PostgreSQL takes
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6}0*)?"
    r"([Zz]|[+-](0[0-9]|1[0-5]):[0-5][0-9])?"
)
_OFFSET = re.compile(r"([Zz]|[+-][0-9]{2}:[0-9]{2})$")
_FLOAT = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ZERO = re.compile(r"-?[0.]+([eE].*)?")
_FLOAT4_LIMIT = 2.0**128 - 2.0**103  # from here on a float4 is infinite
_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def _is_text(text: str, _: XataColumn) -> bool:
    return "\0" not in text and _is_encodable(text)


def _is_int(text: str, _: XataColumn) -> bool:
    return re.fullmatch(r"-?[0-9]{1,4000}", text) is not None and -(2**63) <= int(text) < 2**63


def _is_float(text: str, _: XataColumn) -> bool:
    if _FLOAT.fullmatch(text) is None or not math.isfinite(float(text)):
        return False
    return float(text) != 0 or _ZERO.fullmatch(text) is not None


def _is_bool(text: str, _: XataColumn) -> bool:
    return text.lower() in ("true", "false", "t", "f")


def _is_datetime(text: str, _: XataColumn) -> bool:
    if _DATETIME.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _is_json(text: str, _: XataColumn) -> bool:
    return _json(text) is not _NO_JSON


def _is_object(text: str, _: XataColumn) -> bool:
    return isinstance(_json(text), dict)


def _is_list(text: str, _: XataColumn) -> bool:
    return isinstance(_json(text), list)


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_vector(text: str, column: XataColumn) -> bool:
    numbers = _json(text)
    return (
        isinstance(numbers, list)
        and len(numbers) == column.dimension
        and all(type(number) in (int, float) and abs(number) < _FLOAT4_LIMIT for number in numbers)
    )


_IS_VALUE: Mapping[XataType, Callable[[str, XataColumn], bool]] = {
    XataType.STRING: _is_text,
    XataType.TEXT: _is_text,
    XataType.EMAIL: _is_text,
    XataType.INT: _is_int,
    XataType.FLOAT: _is_float,
    XataType.BOOL: _is_bool,
    XataType.DATETIME: _is_datetime,
    XataType.JSON: _is_json,
    XataType.OBJECT: _is_object,
    XataType.FILE: _is_object,
    XataType.FILES: _is_list,
    XataType.VECTOR: _is_vector,
}

_NO_JSON = object()


def _json(text: str) -> object:
    """Parse strict JSON that jsonb can hold, or return a mark that it is none."""
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant)
        storable = _NUL.search(text) is None and _is_encodable(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError):
        return _NO_JSON
    return value if storable else _NO_JSON


def _is_encodable(text: str) -> bool:
    """Tell whether UTF-8 can hold the text: a lone surrogate it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
