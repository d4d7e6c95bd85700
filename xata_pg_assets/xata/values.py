"""The exact judgement of one cell: right as it stands, right in another form, or wrong, and why.

What is let pass as it stands, PostgreSQL reads to the same value in every version from 14 on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from xata_pg_assets.xata.json_text import JsonError, JsonNumber, parse
from xata_pg_assets.xata.records import Reason

__all__ = [
    "MAX_ID",
    "CellJudge",
    "Verdict",
    "has_offset",
    "judge_bool",
    "judge_datetime",
    "judge_files",
    "judge_float",
    "judge_id",
    "judge_int",
    "judge_json",
    "judge_multiple",
    "judge_text",
    "judge_vector",
    "microseconds",
    "starts_as",
]

# Characters of a Xata id, and so of a link
MAX_ID = 255


# None: the cell is right
Verdict = Reason | None
CellJudge = Callable[[str], Verdict]

_INT = re.compile(r"-?[0-9]+")
_FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ZERO = re.compile(r"-?[0.]+(?:[eE].*)?")
_DATETIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6})0*)?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))?"
)
_OFFSET = re.compile(r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The Gregorian calendar repeats after 400 years of so many days, which keeps years 0 and 10000 in Python's range
_CYCLE = timedelta(days=146_097)
# A float4 is infinite from here on, and zero up to there: half-way to the next value, ties to even
_FLOAT4_INFINITE = Decimal(2) ** 128 - Decimal(2) ** 103
_FLOAT4_ZERO = Decimal(2) ** -150


def judge_text(cell: str) -> Verdict:
    """Take any text but one that holds the byte 0, which PostgreSQL cannot store."""
    return Reason.NUL_BYTE if "\0" in cell else None


def judge_id(cell: str) -> Verdict:
    """Take an id, or a link: a text of at most 255 characters.

    >>> judge_id("rec_" + "a" * 252)
    <Reason.VALUE_TOO_LONG: 'value_too_long'>
    """
    if "\0" in cell:
        return Reason.NUL_BYTE
    return Reason.VALUE_TOO_LONG if len(cell) > MAX_ID else None


def judge_int(cell: str) -> Verdict:
    """Take decimal digits within 64 bits.

    >>> [judge_int(cell) is None for cell in ("-00123", "9223372036854775807", "9223372036854775808", "1_000")]
    [True, True, False, False]
    """
    if _INT.fullmatch(cell) is None:
        return Reason.BAD_VALUE
    digits = cell.lstrip("-").lstrip("0") or "0"
    fits = len(digits) <= 19 and int(digits) < 2**63 + cell.startswith("-")
    return None if fits else Reason.BAD_VALUE


def judge_float(cell: str) -> Verdict:
    """Take a decimal number that a double holds: neither infinite nor, unless it is zero, zero.

    >>> [judge_float(cell) is None for cell in ("-0.0", "1e-07", "5e-324", "1e-400", "1e400", "+1", "inf")]
    [True, True, True, False, False, False, False]
    """
    if _FLOAT.fullmatch(cell) is None or math.isinf(float(cell)):
        return Reason.BAD_VALUE
    is_lost = float(cell) == 0 and _ZERO.fullmatch(cell) is None
    return Reason.BAD_VALUE if is_lost else None


def judge_bool(cell: str) -> Verdict:
    """Take true and false in any case, t and f."""
    return None if cell.lower() in ("true", "false", "t", "f") else Reason.BAD_VALUE


def has_offset(cell: str) -> bool:
    """Tell whether a datetime says where on earth it is meant."""
    return _OFFSET.search(cell) is not None


def judge_datetime(cell: str) -> Verdict:
    """Take RFC 3339 with a date that exists.

    >>> judge_datetime("2023-02-29T00:00:00Z")
    <Reason.BAD_VALUE: 'bad_value'>
    >>> judge_datetime("0000-02-29T00:00:00Z")
    """
    try:
        microseconds(cell)
    except ValueError:
        return Reason.BAD_VALUE
    return None


def microseconds(cell: str) -> int:
    """Return the moment of a datetime in microseconds since 1970; without an offset it is UTC's.

    Raises ValueError for anything else than RFC 3339 and dates that do not exist.

    >>> microseconds("1970-01-01 01:00:00.50+01:00"), microseconds("0000-01-01T00:00:00Z")
    (500000, -62167219200000000)
    """
    parts = _DATETIME.fullmatch(cell)
    if parts is None:
        raise ValueError("not RFC 3339")
    year, month, day, hour, minute, second = (int(part) for part in parts.groups()[:6])
    cycles = 5 - year // 400
    fraction = int((parts[7] or "").ljust(6, "0"))
    local = datetime(year + cycles * 400, month, day, hour, minute, second, fraction, tzinfo=UTC)
    east = timedelta(hours=int(parts[9] or 0), minutes=int(parts[10] or 0))
    moment = local + east if parts[8] == "-" else local - east
    return (moment - _EPOCH - cycles * _CYCLE) // _MICROSECOND


def judge_json(cell: str) -> Verdict:
    """Take a JSON text that jsonb holds."""
    return _parsed(cell)[1]


def starts_as(opening: str, judge: CellJudge) -> CellJudge:
    """Hold a JSON text to an object or an array by its first character."""

    def judge_container(cell: str) -> Verdict:
        verdict = judge(cell)
        if verdict is None and not cell.lstrip(" \t\r\n").startswith(opening):
            return Reason.BAD_VALUE
        return verdict

    return judge_container


def judge_multiple(cell: str) -> Verdict:
    r"""Take a JSON array of strings alone.

    >>> [judge_multiple(cell) for cell in ('["a", "b,c"]', '["a", null]', r'["\u0000"]')]
    [None, <Reason.BAD_VALUE: 'bad_value'>, <Reason.NUL_BYTE: 'nul_byte'>]
    """
    value, verdict = _parsed(cell)
    if verdict is not None:
        return verdict
    is_right = isinstance(value, list) and all(type(item) is str for item in value)
    return None if is_right else Reason.BAD_VALUE


def judge_files(cell: str) -> Verdict:
    """Take a JSON array of objects alone.

    >>> judge_files('[{"name": "a.txt"}]'), judge_files("[1]")
    (None, <Reason.BAD_VALUE: 'bad_value'>)
    """
    value, verdict = _parsed(cell)
    if verdict is not None:
        return verdict
    is_right = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return None if is_right else Reason.BAD_VALUE


def judge_vector(dimension: int) -> CellJudge:
    """Take a JSON array of so many numbers, each one a float4.

    >>> [judge_vector(2)(cell) for cell in ("[1, 2]", "[1]", "[1, null]")]
    [None, <Reason.BAD_DIMENSION: 'bad_dimension'>, <Reason.BAD_VALUE: 'bad_value'>]
    """

    def judge(cell: str) -> Verdict:
        value, verdict = _parsed(cell)
        if verdict is not None:
            return verdict
        if not isinstance(value, list) or not all(map(_is_float4, value)):
            return Reason.BAD_VALUE
        return None if len(value) == dimension else Reason.BAD_DIMENSION

    return judge


def _is_float4(item: object) -> bool:
    if not isinstance(item, JsonNumber) or math.isinf(float(item)):
        return False
    if float(item) == 0:
        return _ZERO.fullmatch(item) is not None
    return _FLOAT4_ZERO < abs(Decimal(item)) < _FLOAT4_INFINITE


def _parsed(cell: str) -> tuple[object, Verdict]:
    if "\0" in cell:
        return None, Reason.NUL_BYTE
    try:
        return parse(cell), None
    except JsonError as error:
        return None, error.reason
