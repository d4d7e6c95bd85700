"""The rules of the column types, each a vectorised test for what is plainly right and an exact judge."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xata_pg_assets.xata import values
from xata_pg_assets.xata.records import ReadOptions, Reason
from xata_pg_assets.xata.schema import XataColumn, XataType
from xata_pg_assets.xata.values import CellJudge

__all__ = ["LEFT_TO_POSTGRES", "MAX_RAW", "Rule", "printable", "rule_of", "text_buffers"]

# Characters of a rejected record that are kept
MAX_RAW = 10_000

# Types whose JSON is PostgreSQL's to judge, which parses it anyway, until it has refused one
LEFT_TO_POSTGRES = frozenset((XataType.JSON, XataType.OBJECT, XataType.FILE))

# True where a cell is plainly right, null where it is null; None where all of them are
PlainTest = Callable[[Any], Any]

# Regular expressions of RE2
_INT = r"^-?[0-9]{1,18}$"
# Whatever it says, its value is between 1e-199 and 1e199, or zero
_FLOAT = r"^-?[0-9]{1,100}(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,2})?$"
_LOCAL_DATETIME = (
    r"^(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
)
_DATETIME = _LOCAL_DATETIME + r"(?:Z|[+-](?:0[0-9]|1[0-5]):[0-5][0-9])$"
_USUAL_DATETIME = len("2024-12-29T12:54:49.331Z")
# A float4 between 1e-39 and 1e29, or zero
_FLOAT4 = r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,20})?(?:[eE][+-]?[01]?[0-9])?"
_VECTOR = rf"^\[ ?{_FLOAT4}(?:, ?{_FLOAT4})* ?\]$"
_STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*"'
_MULTIPLE = rf"^\[(?:{_STRING}(?:, ?{_STRING})*)?\]$"
_BOOLS = pa.array(["true", "false", "True", "False", "TRUE", "FALSE", "t", "f"])


class Rule:
    """What a column's cells are held to."""

    def __init__(self, is_plain: PlainTest, judge: CellJudge) -> None:
        self._is_plain = is_plain
        self.judge: CellJudge = lambda cell: Reason.NUL_BYTE if "\0" in cell else judge(cell)

    @property
    def warning(self) -> str | None:
        """What a person should know of the cells seen so far."""
        return None

    def doubtful(self, cells: Any, *, but_empty: bool) -> npt.NDArray[np.int64]:
        """Return the rows whose cells must be judged one by one; NULL never is, "" only where it is a value."""
        plain = self._is_plain(cells)
        if plain is None or pc.all(plain).as_py() is not False:
            return np.empty(0, np.int64)
        doubtful = pc.invert(plain)
        if but_empty:
            doubtful = pc.and_(doubtful, pc.greater(pc.binary_length(cells), 0))
        return np.flatnonzero(pc.fill_null(doubtful, False).to_numpy(zero_copy_only=False))


class DatetimeRule(Rule):
    """Datetimes: those without an offset are right, and told of."""

    def __init__(self) -> None:
        super().__init__(self._is_plain_datetime, self._judge)
        self._is_local = False

    @property
    def warning(self) -> str | None:
        return "datetimes without an offset were read as UTC" if self._is_local else None

    def _is_plain_datetime(self, cells: Any) -> Any:
        if _are_usual_datetimes(cells):
            return None
        plain = pc.match_substring_regex(cells, _DATETIME)
        if pc.all(plain).as_py() is not False:
            return None
        local = pc.match_substring_regex(cells, _LOCAL_DATETIME + "$")
        self._is_local |= pc.any(local).as_py() is True
        return pc.or_(plain, local)

    def _judge(self, cell: str) -> values.Verdict:
        verdict = values.judge_datetime(cell)
        if verdict is None:
            self._is_local |= not values.has_offset(cell)
        return verdict


def rule_of(name: str, column: XataColumn | None, options: ReadOptions) -> Rule:
    """Return the rule of a column: of the schema, the id, a metadata column or one that nobody knows."""
    if column is not None:
        return _rule_of_type(column, options)
    if name == "id":
        return _id_rule()
    if name == "xata.version":
        return _int_rule()
    if name in ("xata.createdAt", "xata.updatedAt"):
        return DatetimeRule()
    return _text_rule()


def _rule_of_type(column: XataColumn, options: ReadOptions) -> Rule:
    match column.type:
        case XataType.VECTOR:
            return _vector_rule(column.dimension or 0)
        case XataType.OBJECT | XataType.FILE:
            return _container_rule("{", options)
        case XataType.FILES:
            return Rule(lambda cells: pc.equal(cells, "[]"), values.judge_files)
        case XataType.JSON:
            return _json_rule(options)
    return _SIMPLE[column.type]()


def _text_rule() -> Rule:
    return Rule(_has_no_nul, values.judge_text)


def _id_rule() -> Rule:
    return Rule(_is_short, values.judge_id)


def _int_rule() -> Rule:
    return Rule(_matches(_INT), values.judge_int)


def _float_rule() -> Rule:
    return Rule(_matches(_FLOAT), values.judge_float)


def _bool_rule() -> Rule:
    return Rule(_is_bool, values.judge_bool)


def _multiple_rule() -> Rule:
    return Rule(_matches(_MULTIPLE), values.judge_multiple)


_SIMPLE: dict[XataType, Callable[[], Rule]] = {
    XataType.STRING: _text_rule,
    XataType.TEXT: _text_rule,
    XataType.EMAIL: _text_rule,
    XataType.INT: _int_rule,
    XataType.FLOAT: _float_rule,
    XataType.BOOL: _bool_rule,
    XataType.DATETIME: DatetimeRule,
    XataType.MULTIPLE: _multiple_rule,
    XataType.LINK: _id_rule,
}


def _json_rule(options: ReadOptions) -> Rule:
    return Rule(_nothing, values.judge_json) if options.thorough else _text_rule()


def _container_rule(opening: str, options: ReadOptions) -> Rule:
    if options.thorough:
        return Rule(_nothing, values.starts_as(opening, values.judge_json))

    def is_plain(cells: Any) -> Any:
        opens = pc.starts_with(cells, opening)
        clean = _has_no_nul(cells)
        return opens if clean is None else pc.and_(opens, clean)

    return Rule(is_plain, values.starts_as(opening, values.judge_text))


def _vector_rule(dimension: int) -> Rule:
    matches = _matches(_VECTOR)

    def is_plain(cells: Any) -> Any:
        right_count = pc.equal(_commas(cells), dimension - 1)
        return pc.and_(matches(cells), right_count)

    return Rule(is_plain, values.judge_vector(dimension))


def _matches(pattern: str) -> PlainTest:
    return lambda cells: pc.match_substring_regex(cells, pattern)


def _are_usual_datetimes(cells: Any) -> bool:
    """Tell whether all are written as Xata writes them: pyarrow tells in a third of the time of an expression."""
    data, offsets = text_buffers(cells)
    size = _USUAL_DATETIME
    if len(data) != size * (len(cells) - cells.null_count) or np.diff(offsets).max(initial=0) > size:
        return False
    if not (data[size - 1 :: size] == ord("Z")).all():
        return False
    try:
        cells.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return False
    return True


def _nothing(cells: Any) -> Any:
    """Find nothing plainly right; NULL stays out of it."""
    return pc.not_equal(cells, cells)


def _is_bool(cells: Any) -> Any:
    return pc.or_(pc.is_in(cells, value_set=_BOOLS), pc.is_null(cells))


def _has_no_nul(cells: Any) -> Any:
    data, _ = text_buffers(cells)
    if not data.size or data.min() > 0:
        return None
    return pc.invert(pc.match_substring(cells, "\0"))


def _is_short(cells: Any) -> Any:
    _, offsets = text_buffers(cells)
    clean = _has_no_nul(cells)
    if len(cells) == 0 or np.diff(offsets).max() <= values.MAX_ID:
        return clean
    short = pc.less_equal(pc.utf8_length(cells), values.MAX_ID)
    return short if clean is None else pc.and_(short, clean)


def _commas(cells: Any) -> Any:
    """Count the commas of each cell."""
    data, offsets = text_buffers(cells)
    commas = np.flatnonzero(data == ord(","))
    return pa.array(np.diff(np.searchsorted(commas, offsets - offsets[0])))


def text_buffers(cells: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return a text array's bytes and the offsets of its cells, without copying."""
    width = np.int64 if pa.types.is_large_string(cells.type) else np.int32
    _, starts, data = cells.buffers()
    if starts is None or len(cells) == 0:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    offsets = np.frombuffer(starts, width)[cells.offset : cells.offset + len(cells) + 1]
    if data is None:
        return np.empty(0, np.uint8), np.zeros(len(cells) + 1, np.int64)
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]], offsets.astype(np.int64, copy=False)


@overload
def printable(text: str) -> str: ...
@overload
def printable(text: None) -> None: ...
def printable(text: str | None) -> str | None:
    r"""Show what PostgreSQL's text cannot hold as U+FFFD.

    >>> printable("a\0b")
    'a\ufffdb'
    """
    return None if text is None else _UNPRINTABLE.sub("\ufffd", text)


_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")
